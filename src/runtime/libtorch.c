/* libtorch: the same kernels as PyTorch, dispatched from C++ without Python. What calls ATen is a
 * shim built on the machine by tools/build_libtorch_shim.sh against the torch that is there. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/dl.h"
#include "base/paths.h"
#include "runtime/libtorch.h"
#include "runtime/libtorch_plan.h"
#include "runtime/registry.h"

enum { MAX_GPUS = 64 };

static int failed(const libtorch *t, int code, const jl_torch_message *m, jl_error *err)
{
    static const int codes[] = {
        [JL_TORCH_UNSUPPORTED] = JL_ERR_UNSUPPORTED,
        [JL_TORCH_MEMORY] = JL_ERR_MEMORY,
        [JL_TORCH_DEVICE_MEMORY] = JL_ERR_DEVICE_MEMORY,
        [JL_TORCH_MISSING] = JL_ERR_MISSING,
        [JL_TORCH_INVALID] = JL_ERR_FORMAT,
    };
    return jl_fail(err, codes[code], "libtorch %s: %s", t->api->version, m->text);
}

/* The shim: +lib=PATH, $JOULELINE_LIBTORCH, else the one in the cache that was built last. */
static int find_shim(const jl_configuration *c, char path[PATH_MAX], jl_error *err)
{
    const char *said = c ? jl_configuration_option(c, "lib") : NULL;
    if (!said) said = getenv("JOULELINE_LIBTORCH");
    if (said && *said) {
        snprintf(path, PATH_MAX, "%s", said);
        return 0;
    }
    jl_path cache;
    int rc = jl_path_cache_dir(&cache, err);
    if (rc < 0) return rc;
    int n = snprintf(path, PATH_MAX, "%s/libtorch/current/libjouleline_torch.so", cache.s);
    return n < PATH_MAX ? 0 : jl_fail(err, JL_ERR_LIMIT, "%s is too long a path", cache.s);
}

/* The script lies in tools/ of the sources, and beside the shim's sources in share/ of a tarball.
 */
static void script(char *text, size_t size)
{
    jl_path path;
    if (!jl_path_share(&path, "libtorch/build_libtorch_shim.sh", NULL))
        snprintf(text, size, "%s", path.s);
    else
        snprintf(text, size, "tools/build_libtorch_shim.sh");
}

static int open_shim(const jl_configuration *c, libtorch *t, jl_error *err)
{
    int rc = find_shim(c, t->path, err);
    if (rc < 0) return rc;
    const jl_torch_api *(*entry)(void) = NULL;
    void *handle;
    char how[PATH_MAX + 128];
    script(how, sizeof how);
    /* The handle is kept for the life of the process: torch does not survive being unloaded. */
    rc = jl_dl_open(t->path, (const jl_symbol[]){{JL_TORCH_ENTRY, (void **)&entry, true}, {0}},
                    &handle, err);
    if (rc < 0) return jl_prefix(err, "the libtorch shim is not usable (build it with: %s)", how);
    t->api = entry();
    if (t->api->abi != JL_TORCH_ABI)
        return jl_fail(err, JL_ERR_MISSING,
                       "%s was built for another version of jouleline (%u, not %d); build it again "
                       "with: %s",
                       t->path, t->api->abi, JL_TORCH_ABI, how);
    return 0;
}

static void libtorch_close(void *ctx)
{
    libtorch *t = ctx;
    if (!t) return;
    if (t->session) t->api->close(t->session);
    free(t->outputs);
    free(t->inputs);
    free(t);
}

static int libtorch_open(const jl_configuration *c, void **ctx, jl_error *err)
{
    *ctx = NULL;
    if (c->precision == JL_PRECISION_INT8)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "libtorch runs no quantised models");
    libtorch *t = calloc(1, sizeof *t);
    if (!t) return jl_fail(err, JL_ERR_MEMORY, "no memory for libtorch");
    t->configuration = *c;
    t->native = c->precision == JL_PRECISION_NATIVE;
    int rc = open_shim(c, t, err);
    jl_torch_message m;
    if (!rc && !strcmp(c->provider, "cuda")) {
        int code = t->api->open_cuda(&m);
        if (code) rc = failed(t, code, &m, err);
    }
    if (rc < 0) {
        libtorch_close(t);
        return rc;
    }
    *ctx = t;
    return 0;
}

/* The GPU by PCI bus order, and under which number torch knows it. */
static int find_gpu(libtorch *t, jl_error *err)
{
    jl_cuda cuda = {0};
    jl_cuda_device devices[MAX_GPUS];
    size_t count = 0;
    int rc = jl_cuda_open(&cuda, NULL, err);
    if (!rc) rc = jl_cuda_devices(&cuda, devices, MAX_GPUS, &count, err);
    jl_cuda_close(&cuda);
    if (rc) return rc;
    if ((size_t)t->configuration.device >= count)
        return jl_fail(err, JL_ERR_MISSING, "there is no GPU %d: %zu here, counted from 0",
                       t->configuration.device, count);
    t->gpu = devices[t->configuration.device];
    t->on_gpu = true;
    jl_precision p = t->configuration.precision;
    if ((p == JL_PRECISION_TF32 || p == JL_PRECISION_BF16) && t->gpu.major < 8)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "%s needs compute capability 8.0; %s has %d.%d",
                       jl_precision_name(p), t->gpu.name, t->gpu.major, t->gpu.minor);
    return 0;
}

/* torch's own words for a file that is no archive name neither the option nor what to do. */
static int check_trace(const char *path, jl_error *err)
{
    char start[2] = "";
    FILE *f = fopen(path, "rb");
    if (!f) return jl_fail_errno(err, JL_ERR_FORMAT, "cannot open +trace=%s", path);
    size_t n = fread(start, 1, sizeof start, f);
    fclose(f);
    if (n == sizeof start && !memcmp(start, "PK", sizeof start)) return 0;
    return jl_fail(err, JL_ERR_FORMAT,
                   "+trace=%s is no TorchScript file: torch.jit.save and "
                   "share/jouleline/torchscript_model.py write one",
                   path);
}

static int read_options(libtorch *t, const jl_load_request *r, jl_torch_options *o, jl_error *err)
{
    static const jl_dtype floats[JL_PRECISION_COUNT] = {
        [JL_PRECISION_FP32] = JL_FLOAT,
        [JL_PRECISION_TF32] = JL_FLOAT,
        [JL_PRECISION_FP16] = JL_FLOAT16,
        [JL_PRECISION_BF16] = JL_BFLOAT16,
    };
    const jl_configuration *c = &t->configuration;
    bool search, channels_last;
    long threads;
    int rc = jl_configuration_bool(c, "cudnn_benchmark", false, &search, err);
    if (!rc) rc = jl_configuration_bool(c, "channels_last", false, &channels_last, err);
    if (!rc) rc = jl_configuration_int(c, "threads", 1, 4096, 0, &threads, err);
    if (rc) return rc;
    /* In the matched regime one thread a physical core, as in every other runtime. */
    if (threads == 0 && !t->native) threads = jl_cpu_cores(NULL);
    if (!t->on_gpu && jl_configuration_option(c, "cudnn_benchmark"))
        return jl_fail(err, JL_ERR_USAGE, "+cudnn_benchmark belongs to libtorch-cuda");
    bool searches = !t->native || jl_configuration_option(c, "cudnn_benchmark");
    *o = (jl_torch_options){
        .cuda_device = t->on_gpu ? t->gpu.ordinal : -1,
        .float_dtype = (int32_t)floats[c->precision],
        .tf32 = t->native ? -1 : c->precision == JL_PRECISION_TF32,
        .benchmark = searches ? search : -1,
        .threads = (int32_t)threads,
        .host_io = r->placement == JL_IO_HOST,
        .in_flight = r->in_flight,
        .channels_last = channels_last,
        .trace = jl_configuration_option(c, "trace"),
    };
    if (o->trace && !r->trust)
        return jl_fail(err, JL_ERR_USAGE,
                       "%s is a TorchScript program, which is code: say --trust if you trust it",
                       o->trace);
    return o->trace ? check_trace(o->trace, err) : 0;
}

/* Which input of the request each of the shim's is, for later contents. */
static int note_inputs(libtorch *t, const jl_load_request *r, const jl_plan_tensor *inputs,
                       size_t n, jl_error *err)
{
    t->given = r->inputs;
    t->inputs = calloc(n + 1, sizeof *t->inputs);
    if (!t->inputs) return jl_fail(err, JL_ERR_MEMORY, "no memory for libtorch's inputs");
    t->input_count = n;
    for (size_t k = 0; k < n; k++) {
        t->inputs[k].dtype = (jl_dtype)inputs[k].dtype;
        while (strcmp(inputs[k].name, r->inputs[t->inputs[k].given].name) != 0)
            t->inputs[k].given++;
    }
    return 0;
}

static int start(libtorch *t, const jl_torch_options *o, const jl_load_request *r,
                 const jl_torch_plan *plan, const jl_plan_tensor *inputs, size_t n, jl_error *err)
{
    jl_torch_message m;
    int rc = note_inputs(t, r, inputs, n, err);
    if (rc) return rc;
    int code = t->api->load(o, plan, inputs, n, &t->session, &m);
    return code ? failed(t, code, &m, err) : 0;
}

static jl_plan_tensor plan_tensor(const jl_tensor *t)
{
    return (jl_plan_tensor){.name = t->name,
                            .dtype = (int32_t)t->dtype,
                            .rank = t->rank,
                            .dims = t->dims,
                            .data = t->data,
                            .size_bytes = t->size_bytes};
}

static int start_trace(libtorch *t, const jl_torch_options *o, const jl_load_request *r,
                       jl_plan_tensor *inputs, jl_error *err)
{
    for (size_t i = 0; i < r->input_count; i++)
        inputs[i] = plan_tensor(&r->inputs[i]);
    return start(t, o, r, NULL, inputs, r->input_count, err);
}

static int start_graph(libtorch *t, const jl_torch_options *o, const jl_load_request *r,
                       jl_plan_tensor *inputs, jl_error *err)
{
    onnx_file *file = NULL;
    jl_torch_plan plan;
    if (!r->model_path)
        return jl_fail(err, JL_ERR_USAGE, "libtorch needs an ONNX file, or +trace=PATH");
    int rc = onnx_open(r->model_path, &file, err);
    if (rc < 0) return rc;
    int n = libtorch_make_plan(file, r, t->native, &plan, inputs, err);
    rc = n < 0 ? n : start(t, o, r, &plan, inputs, (size_t)n, err);
    onnx_close(file);
    return rc;
}

static int libtorch_load(void *ctx, const jl_load_request *r, jl_error *err)
{
    libtorch *t = ctx;
    jl_torch_options o;
    t->host_io = r->placement == JL_IO_HOST;
    int rc = 0;
    if (!strcmp(t->configuration.provider, "cuda"))
        rc = find_gpu(t, err);
    else if (t->configuration.precision == JL_PRECISION_TF32)
        rc = jl_fail(err, JL_ERR_UNSUPPORTED,
                     "tf32 is arithmetic of NVIDIA GPUs; provider 'cpu' has none");
    if (!rc) rc = read_options(t, r, &o, err);
    if (rc) return rc;
    jl_plan_tensor *inputs = calloc(r->input_count + 1, sizeof *inputs);
    if (!inputs) return jl_fail(err, JL_ERR_MEMORY, "no memory for libtorch's inputs");
    rc = o.trace ? start_trace(t, &o, r, inputs, err) : start_graph(t, &o, r, inputs, err);
    free(inputs);
    return rc;
}

static int libtorch_refresh(void *ctx, jl_error *err)
{
    libtorch *t = ctx;
    jl_torch_message m;
    jl_plan_tensor *inputs = calloc(t->input_count + 1, sizeof *inputs);
    jl_tensor *casts = calloc(t->input_count + 1, sizeof *casts);
    int rc = inputs && casts ? 0 : jl_fail(err, JL_ERR_MEMORY, "no memory for libtorch's inputs");
    for (size_t k = 0; !rc && k < t->input_count; k++) {
        const jl_tensor *in = &t->given[t->inputs[k].given];
        if (in->dtype != t->inputs[k].dtype) {
            rc = jl_tensor_cast(&casts[k], in, t->inputs[k].dtype, err);
            in = &casts[k];
        }
        inputs[k] = plan_tensor(in);
    }
    int code = rc ? 0 : t->api->refresh(t->session, inputs, &m);
    for (size_t k = 0; casts && k < t->input_count; k++)
        free(casts[k].data);
    free(casts);
    free(inputs);
    return code ? failed(t, code, &m, err) : rc;
}

static int libtorch_infer(void *ctx, jl_error *err)
{
    libtorch *t = ctx;
    jl_torch_message m;
    int code = t->api->infer(t->session, &m);
    return code ? failed(t, code, &m, err) : 0;
}

static int libtorch_submit(void *ctx, int slot, jl_error *err)
{
    libtorch *t = ctx;
    jl_torch_message m;
    int code = t->api->submit(t->session, slot, &m);
    return code ? failed(t, code, &m, err) : 0;
}

static int libtorch_wait(void *ctx, int slot, jl_error *err)
{
    libtorch *t = ctx;
    jl_torch_message m;
    int code = t->api->wait(t->session, slot, &m);
    return code ? failed(t, code, &m, err) : 0;
}

static int libtorch_outputs(void *ctx, const jl_tensor **outputs, size_t *count, jl_error *err)
{
    libtorch *t = ctx;
    jl_torch_message m;
    const jl_plan_tensor *found;
    int code = t->api->outputs(t->session, &found, count, &m);
    if (code) return failed(t, code, &m, err);
    jl_tensor *to = realloc(t->outputs, (*count + 1) * sizeof *to);
    if (!to) return jl_fail(err, JL_ERR_MEMORY, "no memory for the outputs of libtorch");
    t->outputs = to;
    for (size_t i = 0; i < *count; i++) {
        if (found[i].rank > JL_MAX_RANK)
            return jl_fail(err, JL_ERR_LIMIT, "output '%s' has more than %d dimensions",
                           found[i].name, JL_MAX_RANK);
        to[i] = (jl_tensor){.name = found[i].name,
                            .dtype = (jl_dtype)found[i].dtype,
                            .rank = found[i].rank,
                            .data = (void *)(uintptr_t)found[i].data,
                            .size_bytes = found[i].size_bytes};
        memcpy(to[i].dims, found[i].dims, (size_t)found[i].rank * sizeof *to[i].dims);
    }
    *outputs = to;
    return 0;
}

static int libtorch_describe(void *ctx, const jl_facts *f, jl_error *err)
{
    (void)err;
    libtorch *t = ctx;
    char name[96];
    f->add(f->ctx, "version", t->api->version);
    f->add(f->ctx, "library", t->path);
    f->add(f->ctx, "regime", t->native ? "native" : "matched");
    f->add(f->ctx, "placement", t->host_io && t->on_gpu ? "host" : "device");
    if (t->on_gpu) {
        f->add(f->ctx, "device", t->gpu.name);
        f->add(f->ctx, "device_uuid", t->gpu.uuid);
    } else {
        jl_cpu_name(name, sizeof name);
        f->add(f->ctx, "device", name);
    }
    t->api->describe(t->session, f->add, f->ctx);
    return 0;
}

static int64_t libtorch_device_memory(void *ctx)
{
    libtorch *t = ctx;
    return t->session ? t->api->device_memory_bytes(t->session) : -1;
}

static int libtorch_probe(const jl_configuration *c, jl_device *devices, size_t capacity,
                          size_t *count, const jl_facts *facts, jl_error *err)
{
    libtorch t = {0};
    *count = 0;
    int rc = open_shim(c, &t, err);
    if (rc < 0) return rc;
    if (facts) {
        facts->add(facts->ctx, "version", t.api->version);
        facts->add(facts->ctx, "library", t.path);
    }
    if (capacity > 0) {
        devices[*count] = (jl_device){.provider = "cpu"};
        jl_cpu_name(devices[*count].name, sizeof devices[*count].name);
        (*count)++;
    }
    jl_cuda cuda = {0};
    jl_cuda_device gpus[MAX_GPUS];
    size_t found = 0;
    if (t.api->cuda_devices() > 0 && !jl_cuda_open(&cuda, NULL, NULL) &&
        jl_cuda_devices(&cuda, gpus, MAX_GPUS, &found, NULL))
        found = 0;
    jl_cuda_close(&cuda);
    for (size_t i = 0; i < found && *count < capacity; i++) {
        jl_device *d = &devices[(*count)++];
        *d = (jl_device){.provider = "cuda", .index = (int)i};
        memcpy(d->name, gpus[i].name, sizeof d->name);
        memcpy(d->uuid, gpus[i].uuid, sizeof d->uuid);
    }
    return 0;
}

static const char *const providers[] = {"cpu", "cuda", NULL};
static const jl_runtime_option options[] = {
    {"threads", "threads of a CPU operator; the physical cores when not said"},
    {"channels_last", "1: NHWC weights and activations"},
    {"cudnn_benchmark", "1: cuDNN searches the fastest convolution exhaustively, 0: heuristics"},
    {"trace", "a TorchScript file to run instead of the ONNX graph (needs --trust)"},
    {"lib", "another shim than the one built last"},
    {NULL, NULL},
};

const jl_runtime jl_runtime_libtorch = {
    .abi = JL_RUNTIME_ABI,
    .name = "libtorch",
    .summary = "PyTorch's kernels called eagerly from C++, without Python",
    .providers = providers,
    .options = options,
    .probe = libtorch_probe,
    .open = libtorch_open,
    .load = libtorch_load,
    .refresh = libtorch_refresh,
    .infer = libtorch_infer,
    .submit = libtorch_submit,
    .wait = libtorch_wait,
    .outputs = libtorch_outputs,
    .describe = libtorch_describe,
    .device_memory_bytes = libtorch_device_memory,
    .close = libtorch_close,
    .ends_with_process = true,
};
