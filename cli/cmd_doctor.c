#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "doctor_meters.h"
#include "jouleline/doctor.h"
#include "jouleline/runtime.h"
#include "terminal.h"

typedef struct settings {
    int output;
    jl_words plugins;
    const char *python;
} settings;

enum { AS_TABLE, AS_JSON };

static const jl_option options[] = {
    JL_OPTION_OUTPUT(settings, output, "table|json"),
    {.name = "plugin",
     .kind = JL_OPT_TEXTS,
     .argument = "FILE.so",
     .offset = offsetof(settings, plugins),
     .help = "load a runtime from a shared object"},
    {.name = "python",
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .offset = offsetof(settings, python),
     .help = "interpreter for pytorch"},
    {0},
};

static const char *text(const json_t *j, const char *key)
{
    const char *t = json_string_value(json_object_get(j, key));
    return t ? t : "";
}

static const char *device_names(const json_t *runtime, jl_arena *arena)
{
    JL_CLEANUP(jl_buf_free) jl_buf b = {0};
    const json_t *devices = json_object_get(runtime, "devices"), *name;
    size_t i;
    json_array_foreach(devices, i, name)
        jl_buf_printf(&b, "%s%s", i ? ", " : "", json_string_value(name));
    if (b.p && *text(runtime, "reason")) jl_buf_printf(&b, "; %s", text(runtime, "reason"));
    return b.p ? jl_arena_strndup(arena, b.p, b.n) : text(runtime, "reason");
}

static void print_host(const json_t *host)
{
    const json_t *memory = json_object_get(host, "memory_bytes");
    printf("%s: %s, %d processors", text(host, "name"), text(host, "cpu"),
           (int)json_integer_value(json_object_get(host, "cpus")));
    if (json_is_integer(memory))
        printf(", %.1f GiB", (double)json_integer_value(memory) / (1 << 30));
    printf("; %s, Linux %s\n\n", text(host, "os"), text(host, "kernel"));
}

static void print_runtimes(const json_t *runtimes, jl_arena *arena)
{
    static const jl_column columns[] = {
        {"runtime", false}, {"state", false}, {"version", false}, {"devices, or why not", false}};
    enum { COLUMNS = sizeof columns / sizeof *columns };
    size_t n = json_array_size(runtimes);
    const char **cells = jl_arena_array(arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++) {
        const json_t *r = json_array_get(runtimes, i);
        cells[COLUMNS * i] =
            jl_arena_printf(arena, "%s-%s", text(r, "runtime"), text(r, "provider"));
        cells[COLUMNS * i + 1] = text(r, "state");
        cells[COLUMNS * i + 2] = text(r, "version");
        cells[COLUMNS * i + 3] = device_names(r, arena);
    }
    if (cells) jl_print_table(stdout, columns, COLUMNS, cells, n);
    putchar('\n');
}

/* What the library of a runtime was built with, once a library. */
static void print_providers(const json_t *runtimes)
{
    const json_t *r;
    const char *last = "";
    size_t i;
    json_array_foreach(runtimes, i, r)
    {
        const char *library = text(r, "library");
        if (!*text(r, "providers") || !strcmp(library, last)) continue;
        printf("%s %s offers %s (%s).\n\n", text(r, "runtime"), text(r, "version"),
               text(r, "providers"), library);
        last = library;
    }
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    jl_error err = {0};
    for (size_t i = 0; i < s->plugins.count; i++)
        if (jl_runtime_load_plugin(s->plugins.items[i], &err)) return jl_report_error(call, &err);
    if (s->python) setenv("JOULELINE_PYTHON", s->python, 1);
    json_t *all =
        json_pack("{s:s, s:o, s:o, s:o}", "jouleline", JL_VERSION, "host", jl_doctor_host(),
                  "runtimes", jl_doctor_runtimes(), "meters", jl_doctor_meters(NULL));
    if (!all) {
        jl_fail(&err, JL_ERR_MEMORY, "no memory for what was found");
        return jl_report_error(call, &err);
    }
    if (s->output == AS_JSON) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_host(json_object_get(all, "host"));
        print_runtimes(json_object_get(all, "runtimes"), call->arena);
        print_providers(json_object_get(all, "runtimes"));
        jl_doctor_print_meters(stdout, json_object_get(all, "meters"), call->arena);
    }
    json_decref(all);
    return EXIT_OK;
}

const jl_command jl_command_doctor = {
    .name = "doctor",
    .summary = "what this machine can measure with, and what would help",
    .about = "Asks every runtime, in a process of its own, which providers and devices it finds "
             "here, and every energy meter whether it works; what does not work is said with its "
             "reason and the step that would fix it. Nothing is changed.",
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
