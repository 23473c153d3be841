#include "jouleline/meter.h"

#include "base/plugin.h"
#include "base/str.h"
#include "meter/meters.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const jl_meter_vtable *const *jl_meters(void)
{
    static const jl_meter_vtable *const all[] = {
        &jl_meter_nvml,     &jl_meter_rapl,    &jl_meter_perf,
        &jl_meter_hwmon,    &jl_meter_battery, &jl_meter_command,
        &jl_meter_estimate, &jl_meter_fake,    NULL,
    };
    return all;
}

const jl_meter_vtable *jl_meter_find(const char *name)
{
    for (const jl_meter_vtable *const *m = jl_meters(); *m; m++)
        if (!strcmp((*m)->name, name)) return *m;
    return NULL;
}

const char *jl_domain_kind_name(jl_domain_kind kind)
{
    static const char *const names[JL_DOMAIN_KIND_COUNT] = {
        "gpu",    "gpu-chip", "gpu-memory", "module", "package", "core",
        "uncore", "dram",     "platform",   "rail",   "battery", "wall"};
    return kind < JL_DOMAIN_KIND_COUNT ? names[kind] : "unknown";
}

enum { METERS_MOST = 16 };

typedef struct opened {
    const jl_meter_vtable *vtable;
    void *ctx;
    void *library; /* of a plugin */
    const jl_meter_domain *domains;
    size_t count, first; /* first: number of its first domain in the set */
} opened;

struct jl_meter_set {
    opened meter[METERS_MOST];
    size_t meters, domains;
    jl_buf absent;
};

static void note_absent(jl_meter_set *set, const char *name, const char *why, const char *fix)
{
    if (set->absent.n) jl_buf_puts(&set->absent, "; ");
    jl_buf_printf(&set->absent, "%s: %s", name, why);
    if (fix[0]) jl_buf_printf(&set->absent, " (to fix: %s)", fix);
}

static int add(jl_meter_set *set, const jl_meter_vtable *vtable, void *library,
               const jl_meter_options *options, jl_error *err)
{
    if (set->meters == METERS_MOST)
        return jl_fail(err, JL_ERR_LIMIT, "more than %d meters", METERS_MOST);
    opened *o = &set->meter[set->meters];
    *o = (opened){.vtable = vtable, .library = library};
    int rc = vtable->open(options, &o->ctx, err);
    if (rc) return rc;
    o->domains = vtable->domains(o->ctx, &o->count);
    o->first = set->domains;
    set->domains += o->count;
    set->meters++;
    return 0;
}

static int check_hooks(const jl_plugin_kind *kind, const char *path, const jl_meter_vtable *m,
                       jl_error *err)
{
    const jl_plugin_hook hooks[] = {
        {"name", m->name && m->name[0]},
        {"summary", m->summary},
        {"probe", m->probe},
        {"open", m->open},
        {"domains", m->domains},
        {"read", m->read},
        {"close", m->close},
    };
    return jl_plugin_check(kind, path, hooks, sizeof hooks / sizeof *hooks, err);
}

static int add_plugin(jl_meter_set *set, const jl_meter_options *options, jl_error *err)
{
    static const jl_plugin_kind kind = {"meter", "jouleline_meter", "include/jouleline/meter.h",
                                        JL_METER_ABI};
    const void *table;
    void *library;
    const char *path = options->args;
    if (!path || !*path)
        return jl_fail(err, JL_ERR_USAGE, "meter plugin: say which library: plugin:./mine.so");
    char file[1024];
    size_t n = strcspn(path, ",");
    if (n >= sizeof file)
        return jl_fail(err, JL_ERR_USAGE, "meter plugin: a path of %zu characters is too long", n);
    snprintf(file, sizeof file, "%.*s", (int)n, path);
    jl_meter_options rest = *options;
    rest.args = path[n] ? path + n + 1 : NULL;
    int rc = jl_plugin_open(&kind, file, &table, &library, err);
    if (rc) return rc;
    rc = check_hooks(&kind, file, table, err);
    if (!rc) rc = add(set, table, library, &rest, err);
    if (rc) dlclose(library);
    return rc;
}

static int add_named(jl_meter_set *set, const char *spec, const jl_meter_options *base,
                     jl_error *err)
{
    char name[32];
    size_t n = strcspn(spec, ":");
    jl_meter_options options = *base;
    options.args = spec[n] ? spec + n + 1 : NULL;
    snprintf(name, sizeof name, "%.*s", (int)n, spec);
    if (!strcmp(name, "plugin")) return add_plugin(set, &options, err);
    const jl_meter_vtable *vtable = jl_meter_find(name);
    if (!vtable) {
        const char *names[METERS_MOST];
        size_t count = 0;
        for (const jl_meter_vtable *const *m = jl_meters(); *m; m++)
            names[count++] = (*m)->name;
        const char *near = jl_nearest(name, names, count);
        return jl_fail(err, JL_ERR_USAGE,
                       "there is no meter '%s'%s%s%s; 'jouleline doctor' lists them", name,
                       near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
    }
    int rc = add(set, vtable, NULL, &options, err);
    if (rc) {
        jl_meter_probe probe = {0};
        vtable->probe(&options, &probe);
        jl_prefix(err, "meter %s", name);
        if (!probe.works && probe.fix[0] && !strstr(err->msg, probe.fix)) {
            size_t used = strlen(err->msg);
            snprintf(err->msg + used, sizeof err->msg - used, "; to fix: %s", probe.fix);
        }
    }
    return rc;
}

static bool offers(const jl_meter_set *set, const char *meter)
{
    for (size_t i = 0; i < set->meters; i++)
        if (!strcmp(set->meter[i].vtable->name, meter)) return true;
    return false;
}

static void add_working(jl_meter_set *set, const jl_meter_options *options)
{
    for (const jl_meter_vtable *const *m = jl_meters(); *m; m++) {
        if ((*m)->opt_in) continue;
        /* the same registers by another way: one of them is enough */
        if (*m == &jl_meter_perf && offers(set, jl_meter_rapl.name)) continue;
        jl_meter_options own = *options;
        jl_meter_probe probe = {0};
        jl_error err = {0};
        own.args = NULL;
        (*m)->probe(&own, &probe);
        if (!probe.works)
            note_absent(set, (*m)->name, probe.what, probe.fix);
        else if (add(set, *m, NULL, &own, &err))
            note_absent(set, (*m)->name, err.msg, "");
    }
    /* a simulated device is there only because somebody made it: its sensor comes with it */
    jl_error err = {0};
    if (options->fake_device_fd > 0 && add(set, &jl_meter_fake, NULL, options, &err))
        note_absent(set, jl_meter_fake.name, err.msg, "");
}

int jl_meter_set_open(const char *const *specs, size_t count, const jl_meter_options *options,
                      jl_meter_set **out, jl_error *err)
{
    static const jl_meter_options usual = {0};
    jl_meter_set *set = calloc(1, sizeof *set);
    *out = NULL;
    if (!set) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the meters");
    if (!options) options = &usual;
    if (!count) add_working(set, options);
    for (size_t i = 0; i < count; i++) {
        int rc = add_named(set, specs[i], options, err);
        if (rc) {
            jl_meter_set_close(set);
            return rc;
        }
    }
    *out = set;
    return 0;
}

void jl_meter_set_close(jl_meter_set *set)
{
    if (!set) return;
    for (size_t i = 0; i < set->meters; i++) {
        set->meter[i].vtable->close(set->meter[i].ctx);
        if (set->meter[i].library) dlclose(set->meter[i].library);
    }
    jl_buf_free(&set->absent);
    free(set);
}

size_t jl_meter_set_count(const jl_meter_set *set)
{
    return set->domains;
}

static const opened *owner(const jl_meter_set *set, size_t i)
{
    for (size_t m = 0; m < set->meters; m++)
        if (i < set->meter[m].first + set->meter[m].count) return &set->meter[m];
    return NULL;
}

const jl_meter_domain *jl_meter_set_domain(const jl_meter_set *set, size_t i)
{
    const opened *o = owner(set, i);
    return o ? &o->domains[i - o->first] : NULL;
}

int jl_meter_set_read(jl_meter_set *set, size_t i, uint32_t want, jl_meter_reading *out,
                      jl_error *err)
{
    const opened *o = owner(set, i);
    *out = (jl_meter_reading){0};
    if (!o) return jl_fail(err, JL_ERR_USAGE, "there is no meter domain %zu", i);
    return o->vtable->read(o->ctx, i - o->first, want, out, err);
}

const char *jl_meter_set_absent(const jl_meter_set *set)
{
    return set->absent.p ? set->absent.p : "";
}

int jl_meter_set_gpu(const jl_meter_set *set, const char *uuid)
{
    const char *want = strncmp(uuid, "GPU-", 4) ? uuid : uuid + 4;
    for (size_t i = 0; i < set->domains; i++) {
        const jl_meter_domain *d = jl_meter_set_domain(set, i);
        const char *have = strncmp(d->device_uuid, "GPU-", 4) ? d->device_uuid : d->device_uuid + 4;
        if (d->kind == JL_DOMAIN_GPU && *have && !strcasecmp(have, want)) return (int)i;
    }
    return -1;
}

/* Which domains may stand for the host, the most telling first. */
static size_t host_of_kind(const jl_meter_set *set, const char *meter, uint32_t kinds, size_t *out,
                           size_t capacity)
{
    size_t n = 0;
    for (size_t i = 0; i < set->domains; i++) {
        const jl_meter_domain *d = jl_meter_set_domain(set, i);
        bool outer = d->parent < 0 || d->kind == JL_DOMAIN_PACKAGE || d->kind == JL_DOMAIN_DRAM;
        if (!(kinds & 1u << d->kind) || d->device_uuid[0] || !outer) continue;
        if (meter && strcmp(meter, d->meter)) continue;
        if (n < capacity) out[n] = i;
        n++;
        if (!meter) break; /* any one of them sees the whole computer */
    }
    return n;
}

size_t jl_meter_set_host(const jl_meter_set *set, size_t *out, size_t capacity)
{
    const uint32_t cpu = 1u << JL_DOMAIN_PACKAGE | 1u << JL_DOMAIN_DRAM;
    for (size_t m = 0; m < set->meters; m++) {
        const opened *o = &set->meter[m];
        for (size_t i = 0; i < o->count; i++)
            if (o->domains[i].kind == JL_DOMAIN_PACKAGE && !o->domains[i].device_uuid[0])
                return host_of_kind(set, o->vtable->name, cpu, out, capacity);
    }
    const jl_domain_kind whole[] = {JL_DOMAIN_WALL, JL_DOMAIN_PLATFORM, JL_DOMAIN_BATTERY};
    size_t n = 0;
    for (size_t k = 0; k < 3 && !n; k++)
        n = host_of_kind(set, NULL, 1u << whole[k], out, capacity);
    return n;
}
