#include "runtime/ort_watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "runtime/ort.h"

struct jl_watched {
    ort_library library;
    OrtCustomOp op;
    jl_watcher watcher;
    OrtEnv *env;
    OrtCustomOpDomain *domain;
    OrtSessionOptions *options;
    OrtSession *session;
    OrtMemoryInfo *host;
    OrtAllocator *allocator;
    char *output; /* a call must ask for one: the first */
};

/* The call that the thread at hand is in. */
typedef struct running {
    void *call;
    jl_error *err;
    int rc;
} running;
static _Thread_local running *now;

typedef struct kernel {
    const jl_watched *watched;
    int64_t index;
} kernel;

/* The op is the first thing that a kernel is told about: it leads to the session. */
static const jl_watched *watched_of(const OrtCustomOp *op)
{
    return (const jl_watched *)(const void *)((const char *)op - offsetof(jl_watched, op));
}

/* NULL where it fails: the value is then not looked at. */
static void *create_kernel(const OrtCustomOp *op, const ort_api *a, const OrtKernelInfo *info)
{
    kernel *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    k->watched = watched_of(op);
    OrtStatus *status = a->KernelInfoGetAttribute_int64(info, "index", &k->index);
    if (!status) return k;
    a->ReleaseStatus(status);
    free(k);
    return NULL;
}

static int read_value(const ort_api *a, const OrtValue *value, jl_tensor *t, jl_error *err)
{
    int rc = ort_read_shape(a, value, t, err);
    // NOLINTNEXTLINE: the library has one function for values that are read and written
    return rc ? rc
              : ort_check(a, a->GetTensorMutableData((OrtValue *)value, &t->data), err, "show one");
}

static void compute(void *ctx, OrtKernelContext *context)
{
    const kernel *k = ctx;
    running *r = now;
    if (!k || !r || r->rc) return;
    const ort_api *a = k->watched->library.api;
    const OrtValue *value;
    OrtValue *nothing;
    jl_tensor t = {.name = ""};
    r->rc = ort_check(a, a->KernelContext_GetOutput(context, 0, (int64_t[]){0}, 1, &nothing),
                      r->err, "make an output");
    if (!r->rc)
        r->rc = ort_check(a, a->KernelContext_GetInput(context, 0, &value), r->err, "give a value");
    if (!r->rc) r->rc = read_value(a, value, &t, r->err);
    if (!r->rc) r->rc = k->watched->watcher(r->call, (size_t)k->index, &t, r->err);
}

static const char *op_name(const OrtCustomOp *op)
{
    (void)op;
    return JL_WATCH_OP;
}

static const char *op_provider(const OrtCustomOp *op)
{
    (void)op;
    return NULL;
}

/* Values of any type come in, so that the watcher can say which one has a wrong type. */
static int op_input_type(const OrtCustomOp *op, size_t at)
{
    (void)op, (void)at;
    return JL_UNDEFINED;
}

static int op_output_type(const OrtCustomOp *op, size_t at)
{
    (void)op, (void)at;
    return JL_FLOAT;
}

static size_t op_one(const OrtCustomOp *op)
{
    (void)op;
    return 1;
}

static int op_required(const OrtCustomOp *op, size_t at)
{
    (void)op, (void)at;
    return ORT_REQUIRED_VALUE;
}

static const OrtCustomOp watch_op = {.version = ORT_CUSTOM_OP_VERSION,
                                     .CreateKernel = create_kernel,
                                     .GetName = op_name,
                                     .GetExecutionProviderType = op_provider,
                                     .GetInputType = op_input_type,
                                     .GetInputTypeCount = op_one,
                                     .GetOutputType = op_output_type,
                                     .GetOutputTypeCount = op_one,
                                     .KernelCompute = compute,
                                     .KernelDestroy = free,
                                     .GetInputCharacteristic = op_required,
                                     .GetOutputCharacteristic = op_required};

static int make_options(jl_watched *w, int threads, jl_error *err)
{
    const ort_api *a = w->library.api;
    int rc = ort_check(a, a->CreateEnv(ORT_LOG_ERROR, "jouleline", &w->env), err, "start");
    if (!rc) rc = ort_check(a, a->CreateSessionOptions(&w->options), err, "make session options");
    if (!rc)
        rc = ort_check(a, a->SetIntraOpNumThreads(w->options, threads), err,
                       "set the number of threads");
    if (!rc)
        rc = ort_check(a, a->CreateCustomOpDomain(JL_WATCH_DOMAIN, &w->domain), err,
                       "make a domain of operators");
    if (!rc) rc = ort_check(a, a->CustomOpDomain_Add(w->domain, &w->op), err, "add an operator");
    if (!rc) rc = ort_check(a, a->AddCustomOpDomain(w->options, w->domain), err, "add operators");
    return rc;
}

int jl_watched_open(const char *path, int threads, jl_watcher watcher, jl_watched **watched,
                    jl_error *err)
{
    static const jl_configuration plain = {.runtime = "ort", .provider = "cpu"};
    jl_watched *w = *watched = calloc(1, sizeof *w);
    if (!w) return jl_fail(err, JL_ERR_MEMORY, "no memory for a session");
    w->watcher = watcher;
    w->op = watch_op;
    int rc = ort_library_open(&w->library, &plain, err);
    const ort_api *a = w->library.api;
    if (!rc) rc = make_options(w, threads, err);
    if (!rc)
        rc = ort_check(a, a->CreateSession(w->env, path, w->options, &w->session), err,
                       "load the model");
    if (!rc)
        rc = ort_check(a, a->GetAllocatorWithDefaultOptions(&w->allocator), err,
                       "give its allocator");
    if (!rc)
        rc = ort_check(a, a->SessionGetOutputName(w->session, 0, w->allocator, &w->output), err,
                       "name an output");
    if (!rc)
        rc = ort_check(
            a, a->CreateMemoryInfo("Cpu", ORT_DEVICE_ALLOCATOR, 0, ORT_MEM_DEFAULT, &w->host), err,
            "describe host memory");
    if (rc) {
        jl_watched_close(w);
        *watched = NULL;
    }
    return rc;
}

int jl_watched_run(jl_watched *w, const jl_tensor *inputs, size_t count, void *call, jl_error *err)
{
    const ort_api *a = w->library.api;
    OrtValue *output = NULL;
    JL_OWNED const char **names = calloc(count + 1, sizeof *names);
    JL_OWNED OrtValue **values = calloc(count + 1, sizeof(OrtValue *));
    if (!names || !values) return jl_fail(err, JL_ERR_MEMORY, "no memory for a call");
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++) {
        names[i] = inputs[i].name;
        rc = ort_check(a,
                       a->CreateTensorWithDataAsOrtValue(
                           w->host, inputs[i].data, inputs[i].size_bytes, inputs[i].dims,
                           (size_t)inputs[i].rank, (int)inputs[i].dtype, &values[i]),
                       err, "wrap an input");
    }
    running r = {.call = call, .err = err};
    now = &r;
    if (!rc)
        rc = ort_check(a,
                       a->Run(w->session, NULL, names, (const OrtValue *const *)values, count,
                              (const char *const *)&w->output, 1, &output),
                       err, "run the model");
    now = NULL;
    if (output) a->ReleaseValue(output);
    for (size_t i = 0; i < count; i++)
        if (values[i]) a->ReleaseValue(values[i]);
    return rc ? rc : r.rc;
}

void jl_watched_close(jl_watched *w)
{
    if (!w) return;
    const ort_api *a = w->library.api;
    OrtStatus *status = w->output ? a->AllocatorFree(w->allocator, w->output) : NULL;
    if (status) a->ReleaseStatus(status);
    if (w->session) a->ReleaseSession(w->session);
    if (w->options) a->ReleaseSessionOptions(w->options);
    if (w->domain) a->ReleaseCustomOpDomain(w->domain);
    if (w->host) a->ReleaseMemoryInfo(w->host);
    if (w->env) a->ReleaseEnv(w->env);
    free(w);
}
