/* A runtime plugin, hook by hook. Build it with nothing but this header folder:
 *
 *     cc -shared -fPIC -I include -o runtime_plugin.so examples/runtime_plugin.c
 *     jouleline run --plugin ./runtime_plugin.so -m resnet18 -c mean-host/fp32
 *
 * It "runs" a model by averaging its first input, item by item. Copy it and replace the bodies. */
#include <stdlib.h>
#include <string.h>

#include "jouleline/runtime.h"

typedef struct session {
    jl_load_request request;
    jl_tensor output;
} session;

/* Which devices are here? Called by `jouleline doctor`; return JL_ERR_MISSING with the remedy in
 * err->msg when the library that the plugin needs is absent. */
static int mean_probe(const jl_configuration *c, jl_device *devices, size_t capacity, size_t *count,
                      const jl_facts *facts, jl_error *err)
{
    (void)c;
    (void)err;
    *count = 0;
    if (capacity > 0) {
        devices[0] = (jl_device){.provider = "host", .name = "this processor"};
        *count = 1;
    }
    if (facts) facts->add(facts->ctx, "version", "1.0");
    return 0;
}

static int no_memory(jl_error *err)
{
    if (err) {
        err->code = JL_ERR_MEMORY;
        strcpy(err->msg, "no memory for a session");
    }
    return JL_ERR_MEMORY;
}

/* Load libraries here, touch no device: a parent may do this once and fork for every run. */
static int mean_open(const jl_configuration *c, void **ctx, jl_error *err)
{
    (void)c;
    *ctx = calloc(1, sizeof(session));
    return *ctx ? 0 : no_memory(err);
}

/* Make everything that a call needs: the model, the inputs in their place, the outputs' storage.
 * request->inputs stay valid until close. */
static int mean_load(void *ctx, const jl_load_request *request, jl_error *err)
{
    session *s = ctx;
    s->request = *request;
    if (request->input_count == 0 || request->inputs[0].dtype != JL_FLOAT) {
        if (err) {
            err->code = JL_ERR_UNSUPPORTED;
            strcpy(err->msg, "the first input must be float");
        }
        return JL_ERR_UNSUPPORTED;
    }
    s->output = (jl_tensor){.name = "mean", .dtype = JL_FLOAT, .rank = 1};
    s->output.dims[0] = request->batch;
    s->output.size_bytes = (size_t)request->batch * sizeof(float);
    s->output.data = calloc((size_t)request->batch, sizeof(float));
    return s->output.data ? 0 : no_memory(err);
}

/* One call, complete when it returns. Allocate and print nothing here. */
static int mean_infer(void *ctx, jl_error *err)
{
    session *s = ctx;
    (void)err;
    const float *x = s->request.inputs[0].data;
    size_t items = (size_t)s->request.batch;
    size_t n = s->request.inputs[0].size_bytes / sizeof(float) / items;
    float *y = s->output.data;
    for (size_t i = 0; i < items; i++, x += n) {
        double sum = 0;
        for (size_t k = 0; k < n; k++)
            sum += (double)x[k];
        y[i] = n ? (float)(sum / (double)n) : 0;
    }
    return 0;
}

/* The last call's outputs in host memory. */
static int mean_outputs(void *ctx, const jl_tensor **outputs, size_t *count, jl_error *err)
{
    (void)err;
    *outputs = &((session *)ctx)->output;
    *count = 1;
    return 0;
}

/* What the session turned out to be; runtime.h lists the names that reports understand. */
static int mean_describe(void *ctx, const jl_facts *facts, jl_error *err)
{
    (void)ctx;
    (void)err;
    facts->add(facts->ctx, "version", "1.0");
    facts->add(facts->ctx, "threads", "1");
    facts->add(facts->ctx, "placement", "host");
    return 0;
}

static int64_t mean_device_memory_bytes(void *ctx)
{
    (void)ctx;
    return -1; /* cannot be told */
}

static void mean_close(void *ctx)
{
    session *s = ctx;
    if (!s) return;
    free(s->output.data);
    free(s);
}

static const char *const providers[] = {"host", NULL};
static const jl_runtime_option options[] = {{NULL, NULL}};

static const jl_runtime mean = {
    .abi = JL_RUNTIME_ABI,
    .name = "mean",
    .summary = "averages its first input: a plugin to start from",
    .providers = providers,
    .options = options,
    .probe = mean_probe,
    .open = mean_open,
    .load = mean_load,
    .infer = mean_infer,
    .outputs = mean_outputs,
    .describe = mean_describe,
    .device_memory_bytes = mean_device_memory_bytes,
    .close = mean_close,
};

/* The one symbol that jouleline looks for. */
__attribute__((visibility("default"))) const jl_runtime *jouleline_runtime(void);
const jl_runtime *jouleline_runtime(void)
{
    return &mean;
}
