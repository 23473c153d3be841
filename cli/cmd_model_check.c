#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/process.h"
#include "base/scratch.h"
#include "cli.h"
#include "display.h"
#include "jouleline/check.h"
#include "sample_options.h"

typedef struct settings {
    const char *images, *preprocess, *npy, *labels, *base, *other;
    int64_t samples, skip, seed, timeout_ns;
    int format;
} settings;

static const jl_option options[] = {
    {.name = "base",
     .kind = JL_OPT_TEXT,
     .argument = "CONFIG",
     .fallback = "ort-cpu/fp32",
     .offset = offsetof(settings, base),
     .help = "configuration that runs the first model"},
    {.name = "new",
     .kind = JL_OPT_TEXT,
     .argument = "CONFIG",
     .fallback = "ort-cpu/fp32",
     .offset = offsetof(settings, other),
     .help = "configuration that runs the second model"},
    JL_OPTION_IMAGES(settings, "compare"),
    JL_OPTION_PREPROCESS(settings),
    JL_OPTION_NPY(settings, "compare"),
    {.name = "labels",
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .offset = offsetof(settings, labels),
     .help = "lines 'FILE CLASS' for --images, or a class a line in the order of the items"},
    JL_OPTION_SAMPLES(settings, "64", 1 << 24, "items to compare on"),
    {.name = "skip",
     .kind = JL_OPT_INT,
     .argument = "N",
     .fallback = "0",
     .min = 0,
     .max = 1 << 24,
     .offset = offsetof(settings, skip),
     .help = "leave out the first items, which calibration had"},
    JL_OPTION_SEED(settings, "1", "seed of the noise"),
    {.name = "output",
     .letter = 'o',
     .kind = JL_OPT_CHOICE,
     .argument = "FORMAT",
     .choices = "table|json",
     .fallback = "table",
     .offset = offsetof(settings, format),
     .help = "how to print"},
    JL_OPTION_TIMEOUT(settings, "give up after this long"),
    {0},
};

typedef struct work {
    const settings *s;
    const char *base, *other, *scratch;
} work;

/* Lines "name class" (by the file's name or its last part) or "class" (by place). */
static int read_labels(const char *path, jl_sample_set *set, size_t count, jl_arena *arena,
                       int64_t *labels, jl_error *err)
{
    FILE *f = fopen(path, "r");
    if (!f) return jl_fail_errno(err, JL_ERR_IO, "cannot open %s", path);
    char line[4096], name[4096];
    jl_map by_name = {0};
    int rc = 0;
    for (size_t number = 1; !rc && fgets(line, sizeof line, f); number++) {
        long class = -1;
        bool named = sscanf(line, "%4095s %ld", name, &class) == 2;
        if (!named && sscanf(line, "%ld", &class) != 1) {
            rc = jl_fail(err, JL_ERR_FORMAT, "%s:%zu: neither 'FILE CLASS' nor a class", path,
                         number);
        } else if (named) {
            const char *slash = strrchr(name, '/');
            jl_map_set(&by_name, jl_str_c(jl_arena_printf(arena, "%s", slash ? slash + 1 : name)),
                       (uint32_t) class);
        } else if (number <= count) {
            labels[number - 1] = class;
        }
    }
    fclose(f);
    for (size_t i = 0; !rc && by_name.count && i < count; i++) {
        const char *label = jl_sample_set_label(set, i), *slash = strrchr(label, '/');
        uint32_t class = jl_map_get(&by_name, jl_str_c(slash ? slash + 1 : label));
        labels[i] = class == JL_MAP_NONE ? -1 : (int64_t) class;
    }
    jl_map_free(&by_name);
    return rc;
}

/* In a child: it runs other people's models. */
static int check(void *arg, jl_buf *out, jl_error *err)
{
    const work *w = arg;
    const settings *s = w->s;
    jl_sample_source source = {JL_SAMPLE_SOURCE(s), .skip = (size_t)s->skip};
    jl_check_side base = {s->base, w->base}, other = {s->other, w->other};
    jl_check result;
    jl_model *model;
    jl_sample_set *set = NULL;
    jl_samples samples = {0};
    int rc = jl_model_open(w->base, &model, err);
    if (rc) return rc;
    jl_arena *arena = jl_arena_new();
    rc = jl_sample_set_open(model, &source, &set, err);
    if (!rc) samples = jl_sample_set_samples(set);
    int64_t *labels = jl_arena_array(arena, samples.count + 1, sizeof *labels);
    if (!rc && !labels) rc = jl_fail(err, JL_ERR_MEMORY, "no memory for labels");
    for (size_t i = 0; !rc && i < samples.count; i++)
        labels[i] = -1;
    if (!rc && s->labels) rc = read_labels(s->labels, set, samples.count, arena, labels, err);
    if (!rc) rc = jl_check_run(&base, &other, &samples, labels, w->scratch, &result, err);
    jl_sample_set_close(set);
    jl_model_close(model);
    jl_arena_free(arena);
    if (!rc) jl_buf_append(out, &result, sizeof result);
    return rc;
}

static void print_share(const char *what, const jl_share *s)
{
    printf("%-28s %zu of %zu, %.1f %% [%.1f, %.1f]\n", what, s->count, s->n,
           100.0 * (double)s->count / (double)s->n, 100 * s->low, 100 * s->high);
}

static void print_table(const work *w, const jl_check *c, bool noise)
{
    printf("%s on %s against %s on %s, %zu items\n", w->other, w->s->other, w->base, w->s->base,
           c->items);
    if (c->classes) {
        print_share("same first answer", &c->top1);
        print_share("same five first answers", &c->top5);
    }
    if (c->labelled) {
        print_share("first answer right, base", &c->base_right);
        print_share("first answer right, new", &c->new_right);
    }
    printf("%-28s mean %.6f, least %.6f\n", "cosine", c->cosine_mean, c->cosine_least);
    if (!isnan(c->centred_cosine_mean))
        printf("%-28s mean %.6f\n", "cosine, means subtracted", c->centred_cosine_mean);
    printf("%-28s mean %.3g, most %.3g\n", "absolute difference", c->error_mean, c->error_most);
    if (c->base_bad || c->new_bad)
        printf("%-28s base %llu, new %llu\n", "NaN and infinite elements",
               (unsigned long long)c->base_bad, (unsigned long long)c->new_bad);
    if (c->first_bad[0]) printf("%-28s %s\n", "first in the new model", c->first_bad);
    if (c->no_place[0]) printf("%-28s not found: %s\n", "first in the new model", c->no_place);
    if (noise && c->classes)
        printf("The items are noise: the agreement does not transfer to real pictures.\n");
}

static json_t *share_json(const jl_share *s)
{
    return json_pack("{s:I,s:I,s:f,s:f}", "count", (json_int_t)s->count, "n", (json_int_t)s->n,
                     "low", s->low, "high", s->high);
}

static void print_json(const work *w, const jl_check *c, bool noise)
{
    json_t *j = json_pack("{s:s,s:s,s:s,s:s,s:I,s:f,s:f,s:f,s:f,s:I,s:I,s:b}", "base_model",
                          w->base, "base", w->s->base, "new_model", w->other, "new", w->s->other,
                          "items", (json_int_t)c->items, "cosine_mean", c->cosine_mean,
                          "cosine_least", c->cosine_least, "error_mean", c->error_mean,
                          "error_most", c->error_most, "base_bad", (json_int_t)c->base_bad,
                          "new_bad", (json_int_t)c->new_bad, "items_are_noise", noise);
    if (!isnan(c->centred_cosine_mean))
        json_object_set_new(j, "centred_cosine_mean", json_real(c->centred_cosine_mean));
    if (c->classes) {
        json_object_set_new(j, "top1", share_json(&c->top1));
        json_object_set_new(j, "top5", share_json(&c->top5));
    }
    if (c->labelled) {
        json_object_set_new(j, "base_right", share_json(&c->base_right));
        json_object_set_new(j, "new_right", share_json(&c->new_right));
    }
    if (c->first_bad[0]) json_object_set_new(j, "first_bad", json_string(c->first_bad));
    if (c->no_place[0]) json_object_set_new(j, "no_place", json_string(c->no_place));
    json_dumpf(j, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(j);
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    size_t n = call->arguments.count;
    work w = {.s = s, .base = call->arguments.items[0], .other = call->arguments.items[n - 1]};
    jl_check result;
    JL_CLEANUP(jl_buf_free) jl_buf answer = {0};
    jl_error err = {0};
    jl_path scratch;
    const volatile sig_atomic_t *interrupted = jl_catch_signals();
    if (jl_scratch_make(&scratch, "check", &err)) return jl_report_error(call, &err);
    w.scratch = scratch.s;
    int rc = jl_call_in_child(check, &w, s->timeout_ns, interrupted, sizeof result, &answer, &err);
    jl_scratch_remove(&scratch);
    if (rc) return jl_report_error(call, &err);
    memcpy(&result, answer.p, sizeof result);
    bool noise = !s->images && !s->npy;
    if (s->format)
        print_json(&w, &result, noise);
    else
        print_table(&w, &result, noise);
    return EXIT_OK;
}

const jl_command jl_command_model_check = {
    .name = "model check",
    .summary = "compare the outputs of two models, or of one on two configurations",
    .arguments = "BASE.onnx [NEW.onnx]",
    .about = "Runs both on the same inputs and prints how far their outputs agree. With one model "
             "the same file is run by --base and by --new.",
    .options = options,
    .settings_size = sizeof(settings),
    .least_arguments = 1,
    .most_arguments = 2,
    .run = run,
};
