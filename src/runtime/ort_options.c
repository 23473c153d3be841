#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "runtime/ort.h"

void ort_add_pair(ort_pairs *p, const char *key, const char *value)
{
    for (size_t i = 0; i < p->count; i++)
        if (!strcmp(p->keys[i], key)) {
            p->values[i] = value;
            return;
        }
    p->keys[p->count] = key;
    p->values[p->count++] = value;
}

static const char provider_prefix[] = "provider.";

void ort_add_user_pairs(ort_pairs *p, const jl_configuration *c)
{
    size_t n = sizeof provider_prefix - 1;
    for (size_t i = 0; i < c->option_count; i++)
        if (!strncmp(c->options[i].key, provider_prefix, n))
            ort_add_pair(p, c->options[i].key + n, c->options[i].value);
}

/* Keys that ONNX Runtime calls session configuration entries. */
static bool is_session_entry(const char *key)
{
    static const char *const prefixes[] = {"session.", "ep.", "optimization.", "mlas."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(key, prefixes[i], strlen(prefixes[i]))) return true;
    return false;
}

static int set_entry(ort *o, const char *key, const char *value, jl_error *err)
{
    const ort_api *a = o->library.api;
    return ort_check(a, a->AddSessionConfigEntry(o->options, key, value), err, key);
}

static int set_optimization(ort *o, jl_error *err)
{
    static const struct {
        const char *name;
        int level;
    } levels[] = {{"off", ORT_OPTIMIZE_OFF},
                  {"basic", ORT_OPTIMIZE_BASIC},
                  {"extended", ORT_OPTIMIZE_EXTENDED},
                  {"all", ORT_OPTIMIZE_ALL}};
    const ort_api *a = o->library.api;
    const char *name = jl_configuration_option(&o->configuration, "optimization");
    if (!name && !o->matched) {
        o->optimization = "default";
        return 0;
    }
    if (!name) name = "all";
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(name, levels[i].name)) {
            o->optimization = levels[i].name;
            return ort_check(a, a->SetSessionGraphOptimizationLevel(o->options, levels[i].level),
                             err, "set the optimization level");
        }
    return jl_fail(err, JL_ERR_USAGE, "+optimization=%s is none of off, basic, extended and all",
                   name);
}

/* Threads: as told; else in the matched regime one for each physical core, as in every other
 * runtime; else the library's own choice. */
static int set_threads(ort *o, jl_error *err)
{
    const ort_api *a = o->library.api;
    int rc = jl_configuration_int(&o->configuration, "threads", 1, 4096, 0, &o->threads, err);
    if (rc) return rc;
    if (o->threads == 0 && o->matched) o->threads = jl_cpu_cores(NULL);
    if (o->threads == 0) return 0;
    return ort_check(a, a->SetIntraOpNumThreads(o->options, (int)o->threads), err,
                     "set the number of threads");
}

static int check_precision(const ort *o, jl_error *err)
{
    jl_precision p = o->configuration.precision;
    if (p == JL_PRECISION_TF32 && !o->on_gpu)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "tf32 is arithmetic of NVIDIA GPUs; provider '%s' "
                       "has none",
                       o->configuration.provider);
    if ((p == JL_PRECISION_TF32 || p == JL_PRECISION_BF16) && o->on_gpu && o->gpu.major < 8)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "%s needs compute capability 8.0; %s has %d.%d",
                       jl_precision_name(p), o->gpu.name, o->gpu.major, o->gpu.minor);
    return 0;
}

static int append_openvino(ort *o, jl_error *err)
{
    const ort_api *a = o->library.api;
    ort_pairs p = {0};
    char threads[24];
    ort_add_pair(&p, "device_type", "CPU");
    if (o->threads > 0) {
        snprintf(threads, sizeof threads, "%ld", o->threads);
        ort_add_pair(&p, "num_of_threads", threads);
    }
    ort_add_user_pairs(&p, &o->configuration);
    OrtStatus *status =
        a->SessionOptionsAppendExecutionProvider(o->options, "OpenVINO", p.keys, p.values, p.count);
    int rc = ort_check(a, status, err, "use its OpenVINO provider");
    if (rc && err) err->code = JL_ERR_MISSING;
    return rc ? JL_ERR_MISSING : 0;
}

static int append_provider(ort *o, jl_error *err)
{
    const char *p = o->configuration.provider;
    if (!strcmp(p, "tensorrt")) {
        int rc = ort_append_tensorrt(o, err);
        if (rc) return rc;
    }
    if (!strcmp(p, "tensorrt") || !strcmp(p, "cuda")) return ort_append_cuda(o, err);
    if (!strcmp(p, "openvino")) return append_openvino(o, err);
    if (!strcmp(p, "plugin")) return ort_append_library(o, err);
    if (o->configuration.device != 0)
        return jl_fail(err, JL_ERR_MISSING, "the CPU is device 0; there is no device %d",
                       o->configuration.device);
    return 0;
}

int ort_make_options(ort *o, const jl_load_request *r, jl_error *err)
{
    const ort_api *a = o->library.api;
    long severity;
    (void)r;
    int rc = jl_configuration_int(&o->configuration, "log", 0, 4, 4, &severity, err);
    if (!rc) rc = ort_check(a, a->CreateSessionOptions(&o->options), err, "make session options");
    if (!rc)
        rc = ort_check(a, a->SetSessionLogSeverityLevel(o->options, (int)severity), err,
                       "set the log level");
    if (!rc) rc = set_threads(o, err);
    if (!rc) rc = set_optimization(o, err);
    if (!rc && o->library.minor >= ORT_MINOR_ASSIGNMENT)
        rc = set_entry(o, "session.record_ep_graph_assignment_info", "1", err);
    for (size_t i = 0; !rc && i < o->configuration.option_count; i++) {
        const jl_setting *option = &o->configuration.options[i];
        if (is_session_entry(option->key)) rc = set_entry(o, option->key, option->value, err);
    }
    if (!rc) rc = check_precision(o, err);
    return rc ? rc : append_provider(o, err);
}
