#include "runtime/pytorch.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "base/str.h"

enum { PROBE_LIMIT_BYTES = 64 << 10 };
static const int64_t PROBE_TIMEOUT_NS = 120 * INT64_C(1000000000);

int jl_pytorch_find(jl_pytorch_command *command, jl_error *err)
{
    const char *named = getenv("JOULELINE_PYTHON");
    command->python = named && *named ? named : "python3";
    return jl_path_share(&command->script, "pytorch_worker.py", err);
}

/* Runs `python pytorch_worker.py --probe` and parses the line that it prints last. */
static int ask(const jl_pytorch_command *command, json_t **answer, jl_error *err)
{
    JL_CLEANUP(jl_buf_free) jl_buf out = {0};
    JL_CLEANUP(jl_buf_free) jl_buf errors = {0};
    const char *argv[] = {command->python, command->script.s, "--probe", NULL};
    jl_exit ended;
    int rc = jl_process_run(&(jl_spawn){.argv = argv}, PROBE_TIMEOUT_NS, PROBE_LIMIT_BYTES, &out,
                            &errors, &ended, err);
    if (rc == JL_ERR_MISSING) /* jl_process_run names the file and why */
        return jl_prefix(err,
                         "no interpreter for pytorch (--python or JOULELINE_PYTHON names one)");
    if (rc < 0) return jl_prefix(err, "asking %s for torch", command->python);
    json_error_t where;
    *answer = json_loadb(out.p ? out.p : "", out.n, 0, &where);
    if (ended.status == 0 && json_is_object(*answer)) return 0;
    char words[96];
    jl_exit_words(&ended, words, sizeof words);
    if (*answer) json_decref(*answer);
    char said[400];
    snprintf(said, sizeof said, "%s", errors.n ? errors.p : "");
    jl_one_line(said);
    return jl_fail(err, JL_ERR_MISSING,
                   "%s, asked for torch, %s%s%s%s; --python or JOULELINE_PYTHON names another "
                   "interpreter",
                   command->python, words, ended.status == 0 ? " without an answer" : "",
                   *said ? ": " : "", said);
}

static void add_device(const json_t *found, jl_device *d)
{
    const char *provider = json_string_value(json_object_get(found, "provider"));
    const char *name = json_string_value(json_object_get(found, "name"));
    const char *uuid = json_string_value(json_object_get(found, "uuid"));
    *d = (jl_device){.index = (int)json_integer_value(json_object_get(found, "index"))};
    snprintf(d->provider, sizeof d->provider, "%s", provider ? provider : "");
    snprintf(d->name, sizeof d->name, "%s", name ? name : "");
    snprintf(d->uuid, sizeof d->uuid, "%s", uuid ? uuid : "");
}

static int probe(const jl_configuration *c, jl_device *devices, size_t capacity, size_t *count,
                 const jl_facts *facts, jl_error *err)
{
    (void)c;
    *count = 0;
    jl_pytorch_command command;
    json_t *answer = NULL;
    int rc = jl_pytorch_find(&command, err);
    if (rc < 0) return rc;
    rc = ask(&command, &answer, err);
    if (rc < 0) return rc;
    if (!json_is_string(json_object_get(answer, "torch"))) {
        const char *reason = json_string_value(json_object_get(answer, "reason"));
        rc = jl_fail(err, JL_ERR_MISSING,
                     "%s cannot import torch (%s): install python3-torch and python3-torchvision, "
                     "or name another interpreter with --python or JOULELINE_PYTHON",
                     command.python, reason ? reason : "no reason given");
        json_decref(answer);
        return rc;
    }
    static const char *const told[] = {"python", "torch", "torchvision", "cuda", "no_cuda"};
    for (size_t i = 0; facts && i < sizeof told / sizeof *told; i++) {
        const char *value = json_string_value(json_object_get(answer, told[i]));
        if (value) facts->add(facts->ctx, told[i], value);
    }
    size_t i;
    json_t *device;
    json_array_foreach(json_object_get(answer, "devices"), i, device) if (*count < capacity)
        add_device(device, &devices[(*count)++]);
    json_decref(answer);
    return 0;
}

static int not_here(jl_error *err)
{
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "pytorch runs models in its own worker, pytorch_worker.py, not in this process");
}
static int open_here(const jl_configuration *c, void **ctx, jl_error *err)
{
    (void)c;
    *ctx = NULL;
    return not_here(err);
}
static int load_here(void *ctx, const jl_load_request *request, jl_error *err)
{
    (void)ctx;
    (void)request;
    return not_here(err);
}
static int infer_here(void *ctx, jl_error *err)
{
    (void)ctx;
    return not_here(err);
}
static int outputs_here(void *ctx, const jl_tensor **outputs, size_t *count, jl_error *err)
{
    (void)ctx;
    *outputs = NULL;
    *count = 0;
    return not_here(err);
}
static int describe_here(void *ctx, const jl_facts *facts, jl_error *err)
{
    (void)ctx;
    (void)facts;
    return not_here(err);
}
static int64_t memory_here(void *ctx)
{
    (void)ctx;
    return -1;
}
static void close_here(void *ctx)
{
    (void)ctx;
}

static const char *const providers[] = {"cpu", "cuda", NULL};
static const jl_runtime_option options[] = {
    {"threads", "threads of a CPU operator; torch's own choice when not said"},
    {"channels_last", "1: NHWC weights and activations"},
    {"compile", "1: torch.compile (torch 2.x and a C++ compiler)"},
    {"cudnn_benchmark", "1: cuDNN searches the fastest convolution exhaustively, 0: heuristics"},
    {"cuda_graph", "1: the call is captured once as a CUDA graph and replayed"},
    {NULL, NULL},
};

const jl_runtime jl_runtime_pytorch = {
    .abi = JL_RUNTIME_ABI,
    .name = "pytorch",
    .summary = "Python's PyTorch with torchvision's classes, in a worker written in Python",
    .providers = providers,
    .options = options,
    .probe = probe,
    .open = open_here,
    .load = load_here,
    .infer = infer_here,
    .outputs = outputs_here,
    .describe = describe_here,
    .device_memory_bytes = memory_here,
    .close = close_here,
};
