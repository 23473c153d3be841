/* ONNX Runtime by its C interface: the vtable. Several calls in flight are threads of their own,
 * each with a binding of its own, on one session: a session may be run from many threads, and on
 * the CUDA provider each gets a stream. (RunAsync takes no binding.) */
#include "runtime/ort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "runtime/registry.h"

enum { MAX_IN_FLIGHT = 64 };

static const char *const providers[] = {"cpu", "cuda", "tensorrt", "openvino", "plugin", NULL};
static const jl_runtime_option options[] = {
    {"threads", "threads of one call; matched default: physical cores"},
    {"lib", "path of another libonnxruntime.so"},
    {"optimization", "of the graph: off, basic, extended or all"},
    {"conv_search", "cuDNN's search: heuristic (matched default), exhaustive or default"},
    {"max_workspace", "1: convolutions may use all the workspace they want (default), 0: 32 MiB"},
    {"nhwc", "1: channels last on the CUDA provider"},
    {"cuda_graph", "1: capture the model as one CUDA graph"},
    {"ep_library", "path of an execution provider library, for ort-plugin"},
    {"ep_name", "which provider of that library; default: its first"},
    {"log", "severity from 0 (verbose) to 4 (fatal) that a session prints; default 4"},
    {"session.", "a session configuration entry of ONNX Runtime"},
    {"ep.", "a session configuration entry of ONNX Runtime"},
    {"optimization.", "a session configuration entry of ONNX Runtime"},
    {"mlas.", "a session configuration entry of ONNX Runtime"},
    {"provider.", "an option of the execution provider, by ONNX Runtime's name"},
    {NULL, NULL},
};

static bool needs_gpu(const jl_configuration *c)
{
    return !strcmp(c->provider, "cuda") || !strcmp(c->provider, "tensorrt");
}

typedef struct provider_list {
    jl_buf text;
    const char *wanted;
    bool found;
} provider_list;

static void note_provider(void *ctx, const char *name)
{
    provider_list *l = ctx;
    jl_buf_printf(&l->text, "%s%s", l->text.n ? ", " : "", name);
    if (l->wanted && !strcmp(l->wanted, name)) l->found = true;
}

static int require_provider(const ort_library *l, const jl_configuration *c, jl_error *err)
{
    static const char *const wanted[][2] = {{"cuda", "CUDAExecutionProvider"},
                                            {"tensorrt", "TensorrtExecutionProvider"},
                                            {"openvino", "OpenVINOExecutionProvider"}};
    provider_list list = {0};
    for (size_t i = 0; i < 3; i++)
        if (!strcmp(c->provider, wanted[i][0])) list.wanted = wanted[i][1];
    if (!list.wanted) return 0;
    int rc = ort_library_providers(l, note_provider, &list, err);
    if (!rc && !list.found)
        rc = jl_fail(err, JL_ERR_MISSING,
                     "ONNX Runtime %s (%s) was built without %s; name another library with "
                     "JOULELINE_ORT or +lib=PATH%s",
                     l->version, l->path, list.wanted,
                     !strcmp(c->provider, "cuda")
                         ? ", such as that of the wheel onnxruntime-gpu"
                         : " (not run here: jouleline's own tests never run this provider)");
    jl_buf_free(&list.text);
    return rc;
}

static int ort_open(const jl_configuration *c, void **ctx, jl_error *err)
{
    ort *o = calloc(1, sizeof *o);
    if (!o) return jl_fail(err, JL_ERR_MEMORY, "no memory for a session");
    o->configuration = *c;
    o->matched = c->precision != JL_PRECISION_NATIVE;
    o->cuda.device = -1;
    int rc = ort_library_open(&o->library, c, err);
    if (!rc) rc = require_provider(&o->library, c, err);
    if (rc) {
        free(o);
        return rc;
    }
    if (needs_gpu(c)) ort_preload_cuda(o);
    *ctx = o;
    return 0;
}

static OrtStatus *run(ort *o, int slot)
{
    const ort_slot *s = &o->slots[slot];
    if (s->binding) return o->library.api->RunWithBinding(o->session, o->run_options, s->binding);
    return o->library.api->Run(o->session, o->run_options, o->input_names, o->input_values,
                               o->input_count, (const char *const *)o->output_names,
                               o->output_count, s->values);
}

static void *serve_slot(void *ctx)
{
    ort_slot *s = ctx;
    ort *o = s->owner;
    int slot = (int)(s - o->slots);
    for (;;) {
        while (sem_wait(&s->go))
            continue;
        if (s->quit) return NULL;
        s->status = run(o, slot);
        sem_post(&s->done);
    }
}

static int start_threads(ort *o, jl_error *err)
{
    if (o->slot_count == 1) return 0;
    for (int i = 0; i < o->slot_count; i++) {
        ort_slot *s = &o->slots[i];
        sem_init(&s->go, 0, 0);
        sem_init(&s->done, 0, 0);
        if (pthread_create(&s->thread, NULL, serve_slot, s))
            return jl_fail(err, JL_ERR_LIMIT, "cannot start thread %d for calls in flight", i);
        s->started = true;
    }
    return 0;
}

static void stop_threads(ort *o)
{
    for (int i = 0; i < o->slot_count; i++) {
        ort_slot *s = &o->slots[i];
        if (!s->started) continue;
        s->quit = true;
        sem_post(&s->go);
        pthread_join(s->thread, NULL);
        sem_destroy(&s->go);
        sem_destroy(&s->done);
        if (s->status) o->library.api->ReleaseStatus(s->status);
    }
}

/* An option that another provider would pass over names a configuration that is none. */
static int check_options(const jl_configuration *c, jl_error *err)
{
    static const struct {
        const char *key, *owner; /* owner: a provider, or NULL: any but the processor's own */
    } bound[] = {{"conv_search", "cuda"}, {"max_workspace", "cuda"}, {"nhwc", "cuda"},
                 {"cuda_graph", "cuda"},  {"ep_library", "plugin"},  {"ep_name", "plugin"},
                 {"provider.", NULL}};
    for (size_t i = 0; i < c->option_count; i++)
        for (size_t k = 0; k < sizeof bound / sizeof *bound; k++) {
            const jl_setting *o = &c->options[i];
            size_t n = strlen(bound[k].key);
            const char *owner = bound[k].owner;
            bool fits = owner ? !strcmp(c->provider, owner) ||
                                    (!strcmp(owner, "cuda") && !strcmp(c->provider, "tensorrt"))
                              : strcmp(c->provider, "cpu") != 0;
            if (fits || strncmp(o->key, bound[k].key, n) != 0 || (owner && o->key[n])) continue;
            return owner ? jl_fail(err, JL_ERR_USAGE, "+%s=%s belongs to ort-%s, not to ort-%s",
                                   o->key, o->value, owner, c->provider)
                         : jl_fail(err, JL_ERR_USAGE, "+%s=%s: the CPU provider takes no options",
                                   o->key, o->value);
        }
    return 0;
}

static int check_request(const ort *o, const jl_load_request *r, jl_error *err)
{
    bool graph;
    int rc = jl_configuration_bool(&o->configuration, "cuda_graph", false, &graph, err);
    if (!rc) rc = check_options(&o->configuration, err);
    if (rc) return rc;
    if (!r->model_path)
        return jl_fail(err, JL_ERR_USAGE, "ONNX Runtime needs an ONNX file of %s", r->model_name);
    if (r->in_flight > MAX_IN_FLIGHT)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "more than %d calls in flight", MAX_IN_FLIGHT);
    if (graph && r->in_flight > 1)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "a captured CUDA graph runs one call at a time");
    if (graph && r->placement == JL_IO_HOST)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "a captured CUDA graph needs inputs on the device (--io device)");
    return 0;
}

static int make_environment(ort *o, jl_error *err)
{
    const ort_api *a = o->library.api;
    int rc = ort_check(a, a->CreateEnv(ORT_LOG_ERROR, "jouleline", &o->env), err, "start");
    if (!rc)
        rc = ort_check(a, a->GetAllocatorWithDefaultOptions(&o->allocator), err,
                       "give its allocator");
    if (!rc)
        rc = ort_check(
            a, a->CreateMemoryInfo("Cpu", ORT_DEVICE_ALLOCATOR, 0, ORT_MEM_DEFAULT, &o->host), err,
            "describe host memory");
    if (!rc)
        rc = ort_check(a,
                       a->CreateMemoryInfo(o->io_on_device ? "Cuda" : "Cpu", ORT_DEVICE_ALLOCATOR,
                                           o->io_on_device ? o->gpu.ordinal : 0, ORT_MEM_DEFAULT,
                                           &o->bound),
                       err, "describe device memory");
    if (!rc) rc = ort_check(a, a->CreateRunOptions(&o->run_options), err, "make run options");
    return rc;
}

/* "Load model from PATH failed:" says nothing that the run does not, and tells equal failures of
 * two models apart. */
static void leave_out_path(char *message, const char *path)
{
    static const char before[] = "Load model from ", after[] = " failed:";
    size_t n = strlen(path);
    char *at = strstr(message, before), *rest = at ? at + strlen(before) : NULL;
    if (!at || strncmp(rest, path, n) != 0 || strncmp(rest + n, after, strlen(after)) != 0) return;
    rest += n + strlen(after);
    memmove(at, rest, strlen(rest) + 1);
}

static int ort_load(void *ctx, const jl_load_request *r, jl_error *err)
{
    ort *o = ctx;
    const ort_api *a = o->library.api;
    int rc = check_request(o, r, err);
    if (!rc && needs_gpu(&o->configuration)) rc = ort_find_gpu(o, err);
    if (rc) return rc;
    o->io_on_device = o->on_gpu && r->placement == JL_IO_DEVICE;
    /* A processor computes where its inputs are: both words are true there, and it runs as told. */
    o->copies = !o->io_on_device &&
                (r->placement == JL_IO_HOST || strcmp(o->configuration.provider, "cpu") != 0);
    rc = make_environment(o, err);
    if (!rc) rc = ort_make_options(o, r, err);
    if (!rc) {
        rc = ort_check(a, a->CreateSession(o->env, r->model_path, o->options, &o->session), err,
                       "load the model");
        if (rc && err) leave_out_path(err->msg, r->model_path);
    }
    if (!rc) rc = ort_make_inputs(o, r, err);
    if (!rc) rc = ort_make_slots(o, r->in_flight, err);
    return rc ? rc : start_threads(o, err);
}

static int ort_infer(void *ctx, jl_error *err)
{
    ort *o = ctx;
    OrtStatus *status = run(o, 0);
    return status ? ort_check(o->library.api, status, err, "run the model") : 0;
}

static int ort_submit(void *ctx, int slot, jl_error *err)
{
    ort *o = ctx;
    if (slot < 0 || slot >= o->slot_count || !o->slots[slot].started)
        return jl_fail(err, JL_ERR_USAGE, "there is no slot %d", slot);
    sem_post(&o->slots[slot].go);
    return 0;
}

static int ort_wait(void *ctx, int slot, jl_error *err)
{
    ort *o = ctx;
    ort_slot *s = &o->slots[slot];
    while (sem_wait(&s->done))
        continue;
    OrtStatus *status = s->status;
    s->status = NULL;
    return status ? ort_check(o->library.api, status, err, "run the model") : 0;
}

static int ort_outputs(void *ctx, const jl_tensor **outputs, size_t *count, jl_error *err)
{
    return ort_read_outputs(ctx, outputs, count, err);
}

static int64_t ort_device_memory_bytes(void *ctx)
{
    return jl_cuda_taken_bytes(&((ort *)ctx)->cuda);
}

static void ort_close(void *ctx)
{
    ort *o = ctx;
    if (!o) return;
    const ort_api *a = o->library.api;
    stop_threads(o);
    ort_free_io(o);
    if (o->session) a->ReleaseSession(o->session);
    if (o->options) a->ReleaseSessionOptions(o->options);
    if (o->run_options) a->ReleaseRunOptions(o->run_options);
    if (o->bound) a->ReleaseMemoryInfo(o->bound);
    if (o->host) a->ReleaseMemoryInfo(o->host);
    if (o->env) a->ReleaseEnv(o->env);
    jl_cuda_close(&o->cuda);
    free(o->provider_options);
    free(o);
}

static int add_gpus(jl_device *devices, size_t capacity, size_t *count, const char *provider,
                    jl_error *err)
{
    jl_cuda cuda;
    jl_cuda_device gpus[64];
    size_t n = 0;
    int rc = jl_cuda_open(&cuda, NULL, err);
    if (rc) return rc;
    rc = jl_cuda_devices(&cuda, gpus, 64, &n, err);
    for (size_t i = 0; !rc && i < n && *count < capacity; i++) {
        jl_device *d = &devices[(*count)++];
        *d = (jl_device){.index = (int)i};
        snprintf(d->provider, sizeof d->provider, "%s", provider);
        snprintf(d->name, sizeof d->name, "%s", gpus[i].name);
        snprintf(d->uuid, sizeof d->uuid, "%s", gpus[i].uuid);
    }
    jl_cuda_close(&cuda);
    return rc;
}

static void add_cpu(jl_device *devices, size_t capacity, size_t *count, const char *provider)
{
    if (*count == capacity) return;
    jl_device *d = &devices[(*count)++];
    *d = (jl_device){.index = 0};
    snprintf(d->provider, sizeof d->provider, "%s", provider);
    jl_cpu_name(d->name, sizeof d->name);
}

/* One provider: its devices, or why there are none. */
static int probe_provider(const ort_library *l, const jl_configuration *c, jl_device *devices,
                          size_t capacity, size_t *count, jl_error *err)
{
    int rc = require_provider(l, c, err);
    if (rc) return rc;
    if (needs_gpu(c)) return add_gpus(devices, capacity, count, c->provider, err);
    if (!strcmp(c->provider, "plugin")) {
        rc = ort_probe_library(l, c, devices, capacity, count, err);
        if (rc == JL_ERR_USAGE && err) err->code = JL_ERR_MISSING;
        return rc ? JL_ERR_MISSING : 0;
    }
    add_cpu(devices, capacity, count, c->provider);
    return 0;
}

static int ort_probe(const jl_configuration *c, jl_device *devices, size_t capacity, size_t *count,
                     const jl_facts *facts, jl_error *err)
{
    static const jl_configuration plain = {.runtime = "ort"};
    ort_library l;
    provider_list list = {.wanted = "CUDAExecutionProvider"};
    *count = 0;
    int rc = ort_library_open(&l, c ? c : &plain, err);
    if (!rc) rc = ort_library_providers(&l, note_provider, &list, err);
    if (rc) return rc;
    if (facts) {
        facts->add(facts->ctx, "version", l.version);
        facts->add(facts->ctx, "library", l.path);
        facts->add(facts->ctx, "providers", list.text.p);
        if (c && (!strcmp(c->provider, "tensorrt") || !strcmp(c->provider, "openvino")))
            facts->add(
                facts->ctx, "untested",
                "not run here: its options are passed on, jouleline's own tests never run it");
    }
    jl_buf_free(&list.text);
    if (c && c->provider[0]) return probe_provider(&l, c, devices, capacity, count, err);
    add_cpu(devices, capacity, count, "cpu");
    jl_error none; /* a machine without GPU is no failure when nobody asked for one */
    if (list.found) add_gpus(devices, capacity, count, "cuda", &none);
    return 0;
}

const jl_runtime jl_runtime_ort = {
    .abi = JL_RUNTIME_ABI,
    .name = "ort",
    .summary = "ONNX Runtime, any provider, by its C interface",
    .providers = providers,
    .options = options,
    .probe = ort_probe,
    .open = ort_open,
    .load = ort_load,
    .refresh = ort_refresh,
    .infer = ort_infer,
    .submit = ort_submit,
    .wait = ort_wait,
    .outputs = ort_outputs,
    .describe = ort_describe,
    .device_memory_bytes = ort_device_memory_bytes,
    .close = ort_close,
    .ends_with_process = true,
};
