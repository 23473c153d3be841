#include "jouleline/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "jouleline/runtime.h"
#include "study/host.h"
#include "study/wire.h"

json_t *jl_doctor_host(void)
{
    jl_host h;
    jl_host_describe(&h);
    const jl_host_record *r = &h.record;
    return json_pack("{s:s, s:s?, s:I, s:o, s:s, s:s, s:s?}", "name", r->name, "cpu",
                     *r->cpu ? r->cpu : NULL, "cpus", (json_int_t)r->cpus, "memory_bytes",
                     r->memory_bytes == JL_ABSENT ? json_null() : json_integer(r->memory_bytes),
                     "arch", r->arch, "kernel", r->kernel, "os", r->os);
}

static void add_fact(void *ctx, const char *key, const char *value)
{
    json_object_set_new(ctx, key, json_string(value));
}

typedef struct probe_arg {
    const jl_runtime *runtime;
    const jl_configuration *configuration;
} probe_arg;

static int probe(void *arg, jl_buf *out, jl_error *err)
{
    enum { MOST = 64 };
    const probe_arg *a = arg;
    jl_device devices[MOST];
    size_t count = 0;
    json_t *j = json_object(), *names = json_array();
    jl_facts sink = {.add = add_fact, .ctx = j};
    int rc = a->runtime->probe(a->configuration, devices, MOST, &count, &sink, err);
    for (size_t i = 0; !rc && i < count; i++)
        if (!strcmp(devices[i].provider, a->configuration->provider))
            json_array_append_new(names, json_string(devices[i].name));
    if (!rc && !json_array_size(names))
        rc = jl_fail(err, JL_ERR_MISSING, "the library is here, but no device for it");
    json_object_set_new(j, "devices", names);
    char *text = rc ? NULL : json_dumps(j, JSON_COMPACT);
    if (text) jl_buf_puts(out, text);
    free(text);
    json_decref(j);
    return rc;
}

static json_t *ask(const jl_runtime *r, const char *provider)
{
    static const int64_t TIMEOUT_NS = 180 * INT64_C(1000000000);
    jl_configuration c = {.precision = JL_PRECISION_FP32};
    snprintf(c.runtime, sizeof c.runtime, "%s", r->name);
    snprintf(c.provider, sizeof c.provider, "%s", provider);
    probe_arg arg = {.runtime = r, .configuration = &c};
    jl_error e = {0};
    JL_CLEANUP(jl_buf_free) jl_buf out = {0};
    int rc = jl_call_in_child(probe, &arg, TIMEOUT_NS, NULL, 1 << 20, &out, &e);
    JL_JSON *found = rc ? NULL : json_loadb(out.p ? out.p : "", out.n, 0, NULL);
    const char *version = jl_json_text(found, "version", jl_json_text(found, "torch", NULL));
    const char *untested = jl_json_text(found, "untested", NULL);
    json_t *devices = json_object_get(found, "devices");
    return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:O}", "runtime", r->name, "provider",
                     provider, "state",
                     rc             ? "missing"
                     : r->simulated ? "simulated"
                     : untested     ? "untested"
                                    : "works",
                     "reason", rc ? e.msg : untested, "version", version, "library",
                     jl_json_text(found, "library", NULL), "providers",
                     jl_json_text(found, "providers", NULL), "devices",
                     devices ? devices : json_null());
}

json_t *jl_doctor_runtimes(void)
{
    json_t *all = json_array();
    for (size_t i = 0; i < jl_runtime_count(); i++) {
        const jl_runtime *r = jl_runtime_at(i);
        for (size_t k = 0; r->providers && r->providers[k]; k++)
            json_array_append_new(all, ask(r, r->providers[k]));
    }
    return all;
}
