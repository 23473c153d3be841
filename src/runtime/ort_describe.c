/* What a session turned out to be. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "runtime/kernel_cache.h"
#include "runtime/ort.h"

static void add(const jl_facts *f, const char *key, const char *value)
{
    f->add(f->ctx, key, value);
}

static void add_number(const jl_facts *f, const char *key, long value)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", value);
    f->add(f->ctx, key, text);
}

/* The value of `key` in "a=1;b=2", or NULL. */
static const char *find_option(const char *text, const char *key, char *value, size_t size)
{
    size_t n = strlen(key);
    for (const char *p = text; p && *p; p = strchr(p, ';') ? strchr(p, ';') + 1 : NULL) {
        if (strncmp(p, key, n) || p[n] != '=') continue;
        snprintf(value, size, "%.*s", (int)strcspn(p + n + 1, ";"), p + n + 1);
        return value;
    }
    return NULL;
}

/* The cuDNN that the provider has opened. */
static void add_cudnn(const jl_facts *f)
{
    static const char *const names[] = {"libcudnn.so.9", "libcudnn.so.8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *handle = dlopen(names[i], RTLD_NOW | RTLD_NOLOAD);
        size_t (*version)(void) = NULL;
        if (handle) *(void **)&version = dlsym(handle, "cudnnGetVersion");
        if (version) add_number(f, "cudnn", (long)version());
        if (handle) dlclose(handle);
    }
}

static void describe_cuda(const ort *o, const jl_facts *f)
{
    char value[64], driver[16];
    const char *options = o->provider_options;
    add(f, "device", o->gpu.name);
    add(f, "device_uuid", o->gpu.uuid);
    if (!jl_cuda_driver_version(&o->cuda, driver, sizeof driver, NULL))
        add(f, "driver_cuda", driver);
    add_cudnn(f);
    if (options) add(f, "provider_options", options);
    if (find_option(options, "use_tf32", value, sizeof value)) add(f, "tf32", value);
    if (find_option(options, "cudnn_conv_algo_search", value, sizeof value))
        add(f, "conv_search",
            !strcmp(value, "HEURISTIC")    ? "heuristic"
            : !strcmp(value, "EXHAUSTIVE") ? "exhaustive"
                                           : "default");
    if (find_option(options, "prefer_nhwc", value, sizeof value))
        add(f, "layout", !strcmp(value, "1") ? "nhwc" : "nchw");
    add(f, "cuda_graph", o->cuda_graph ? "1" : "0");
    if (o->kernel_cache) add(f, "kernel_cache", "1");
    if (jl_kernel_cache() && !o->kernel_cache)
        add(f, "kernel_cache_missing", "no libnvrtc was found to stand in for");
    const char *override = getenv("NVIDIA_TF32_OVERRIDE"); /* libraries obey it above any option */
    if (override) add(f, "nvidia_tf32_override", override);
}

/* A 16-bit type is asked for, or, with `native`, what the file takes. */
static bool in_16_bits(const ort *o)
{
    jl_precision p = o->configuration.precision;
    bool half = p == JL_PRECISION_FP16 || p == JL_PRECISION_BF16;
    for (size_t i = 0; p == JL_PRECISION_NATIVE && i < o->input_count; i++)
        half |= o->inputs[i].dtype == JL_FLOAT16 || o->inputs[i].dtype == JL_BFLOAT16;
    return half;
}

static void describe_precision(const ort *o, const jl_facts *f)
{
    jl_precision p = o->configuration.precision;
#if defined __x86_64__
    if (!o->on_gpu && !strcmp(o->configuration.provider, "cpu") && in_16_bits(o))
        add(f, "emulated",
            "ONNX Runtime's CPU provider has almost no kernel of this type on x86: it casts to "
            "FP32 and back around the operators");
#endif
    if (p == JL_PRECISION_INT8 && !strcmp(o->configuration.provider, "cuda"))
        add(f, "emulated",
            "ONNX Runtime's CUDA provider runs quantised models in floating point; only TensorRT "
            "computes in INT8");
    if (p == JL_PRECISION_INT8 && !strcmp(o->configuration.provider, "cpu"))
        add(f, "vnni", jl_cpu_has_vnni() ? "1" : "0");
}

static const char *provider_name(const jl_configuration *c)
{
    if (!strcmp(c->provider, "cuda")) return "CUDAExecutionProvider";
    if (!strcmp(c->provider, "tensorrt")) return "TensorrtExecutionProvider";
    if (!strcmp(c->provider, "openvino")) return "OpenVINOExecutionProvider";
    if (!strcmp(c->provider, "cpu")) return "CPUExecutionProvider";
    return jl_configuration_option(c, "ep_name"); /* NULL: any that is not the CPU's */
}

static bool is_elsewhere(const jl_configuration *c, const char *ep)
{
    const char *wanted = provider_name(c);
    return wanted ? strcmp(ep, wanted) != 0 : !strcmp(ep, "CPUExecutionProvider");
}

enum { MAX_KINDS = 32 };

typedef struct elsewhere {
    struct {
        const char *provider, *op;
        long count;
    } kinds[MAX_KINDS]; /* operators beyond these are counted, not named */
    size_t kind_count;
    long nodes, count;
} elsewhere;

static void count_elsewhere(elsewhere *e, const char *provider, const char *op)
{
    e->count++;
    for (size_t i = 0; i < e->kind_count; i++)
        if (!strcmp(e->kinds[i].op, op) && !strcmp(e->kinds[i].provider, provider)) {
            e->kinds[i].count++;
            return;
        }
    if (e->kind_count == MAX_KINDS) return;
    e->kinds[e->kind_count].provider = provider;
    e->kinds[e->kind_count].op = op;
    e->kinds[e->kind_count++].count = 1;
}

static int read_assignment(const ort *o, elsewhere *e, jl_error *err)
{
    const ort_api *a = o->library.api;
    const OrtEpAssignedSubgraph *const *graphs;
    size_t graph_count;
    int rc = ort_check(a, a->Session_GetEpGraphAssignmentInfo(o->session, &graphs, &graph_count),
                       err, "tell where nodes run");
    for (size_t g = 0; !rc && g < graph_count; g++) {
        const char *provider, *op;
        const OrtEpAssignedNode *const *nodes;
        size_t count;
        rc = ort_check(a, a->EpAssignedSubgraph_GetEpName(graphs[g], &provider), err,
                       "name a provider");
        if (!rc)
            rc = ort_check(a, a->EpAssignedSubgraph_GetNodes(graphs[g], &nodes, &count), err,
                           "list nodes");
        for (size_t i = 0; !rc && i < count; i++) {
            e->nodes++;
            rc = ort_check(a, a->EpAssignedNode_GetOperatorType(nodes[i], &op), err,
                           "name an operator");
            if (!rc && is_elsewhere(&o->configuration, provider)) count_elsewhere(e, provider, op);
        }
    }
    return rc;
}

static int describe_nodes(const ort *o, const jl_facts *f, jl_error *err)
{
    elsewhere e = {0};
    int rc = read_assignment(o, &e, err);
    if (rc) return rc;
    add_number(f, "nodes", e.nodes);
    add_number(f, "nodes_elsewhere", e.count);
    JL_CLEANUP(jl_buf_free) jl_buf text = {0};
    for (size_t i = 0; i < e.kind_count; i++) {
        bool first = i == 0 || strcmp(e.kinds[i].provider, e.kinds[i - 1].provider) != 0;
        if (first) jl_buf_printf(&text, "%s%s: ", i ? "; " : "", e.kinds[i].provider);
        jl_buf_printf(&text, "%s%s", first ? "" : ", ", e.kinds[i].op);
        if (e.kinds[i].count > 1) jl_buf_printf(&text, " x%ld", e.kinds[i].count);
    }
    if (text.n) add(f, "elsewhere", text.p);
    return 0;
}

int ort_describe(void *ctx, const jl_facts *f, jl_error *err)
{
    const ort *o = ctx;
    add(f, "version", o->library.version);
    add(f, "library", o->library.path);
    add(f, "build", o->library.api->GetBuildInfoString());
    add(f, "regime", o->matched ? "matched" : "native");
    if (o->threads > 0)
        add_number(f, "threads", o->threads);
    else
        add(f, "threads", "default");
    add(f, "optimization", o->optimization);
    add(f, "placement", o->copies ? "host" : "device");
    if (o->on_gpu) {
        describe_cuda(o, f);
    } else {
        char name[96];
        jl_cpu_name(name, sizeof name);
        add(f, "device", name);
    }
    describe_precision(o, f);
    if (o->library.minor >= ORT_MINOR_ASSIGNMENT) return describe_nodes(o, f, err);
    return 0;
}
