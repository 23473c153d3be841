/* ONNX Runtime, shared by its source files. */
#ifndef JL_RUNTIME_ORT_H
#define JL_RUNTIME_ORT_H

#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/str.h"
#include "jouleline/runtime.h"
#include "runtime/cuda.h"
#include "runtime/ort_abi.h"

typedef struct ort_library {
    const ort_api *api;
    int minor; /* N of version 1.N.x */
    char version[32], path[PATH_MAX];
} ort_library;

typedef struct ort_input {
    char *name;
    OrtValue *value;
    const jl_tensor *given; /* of the load request */
    jl_dtype dtype;         /* that the model takes */
    void *owned;            /* a converted copy, or NULL */
    uint64_t device;        /* its copy on the GPU, or 0 */
} ort_input;

/* One call that can be outstanding: outputs of its own, the inputs shared with the others. */
typedef struct ort_slot {
    struct ort *owner;
    OrtIoBinding *binding; /* or, where every call copies, */
    OrtValue **values;     /* the outputs, made by the first call */
    pthread_t thread;      /* only with more than one slot */
    sem_t go, done;
    OrtStatus *status; /* of the last call */
    bool started;
    atomic_bool quit; /* set while a call may still be under way */
} ort_slot;

typedef struct ort {
    jl_configuration configuration;
    bool matched; /* a named precision: conditions are set, not left to defaults */
    ort_library library;
    OrtEnv *env;
    OrtSessionOptions *options;
    OrtSession *session;
    OrtRunOptions *run_options;
    OrtAllocator *allocator;     /* the library's own, for strings that it returns */
    OrtMemoryInfo *host, *bound; /* bound: where inputs and outputs are */
    jl_cuda cuda;
    jl_cuda_device gpu;
    bool on_gpu;       /* the provider computes on `gpu` */
    bool io_on_device; /* inputs and outputs are in its memory */
    bool copies;       /* the provider computes elsewhere than the inputs are */
    bool cuda_graph;
    bool kernel_cache; /* NVRTC's kernels are remembered */
    long threads;      /* 0: left to the library */
    const char *optimization;
    char *provider_options; /* as the library prints them, or NULL */
    ort_input *inputs;
    const char **input_names; /* the same once more, as Run takes them */
    const OrtValue **input_values;
    size_t input_count;
    char **output_names;
    bool *output_is_tensor;
    jl_tensor *outputs; /* of the last call, made by outputs() */
    void **output_data;
    size_t output_count, tensor_count;
    ort_slot *slots;
    int slot_count;
} ort;

/* ort_library.c */
int ort_library_open(ort_library *l, const jl_configuration *c, jl_error *err);
/* Calls add(ctx, name) with every provider that the library was built with. */
int ort_library_providers(const ort_library *l, void (*add)(void *ctx, const char *name), void *ctx,
                          jl_error *err);
/* 0 for a NULL status; else the library's own words under `what`, the status released. */
int ort_check(const ort_api *api, OrtStatus *status, jl_error *err, const char *what);

/* ort_options.c: session options of the configuration, with its provider appended. */
int ort_make_options(ort *o, const jl_load_request *r, jl_error *err);
/* Provider options: `fixed` (ends with a NULL name), then +provider.KEY=VALUE, which win. */
typedef struct ort_pairs {
    const char *keys[JL_MAX_SETTINGS + 8], *values[JL_MAX_SETTINGS + 8];
    size_t count;
} ort_pairs;
void ort_add_pair(ort_pairs *p, const char *key, const char *value);
void ort_add_user_pairs(ort_pairs *p, const jl_configuration *c);

/* ort_cuda.c */
/* Opens the libraries that a session on a GPU needs, and no device: a parent of workers does this
 * once. What is missing is left to the provider's own message. */
void ort_preload_cuda(ort *o);
int ort_find_gpu(ort *o, jl_error *err);
int ort_append_cuda(ort *o, jl_error *err);
int ort_append_tensorrt(ort *o, jl_error *err);

/* ort_plugin.c: the provider library of +ep_library. The probe loads it; call it in a child. */
int ort_append_library(ort *o, jl_error *err);
int ort_probe_library(const ort_library *l, const jl_configuration *c, jl_device *devices,
                      size_t capacity, size_t *count, jl_error *err);

/* ort_io.c */
int ort_make_inputs(ort *o, const jl_load_request *r, jl_error *err);
int ort_refresh(void *ctx, jl_error *err);
int ort_make_slots(ort *o, int in_flight, jl_error *err);
int ort_read_outputs(ort *o, const jl_tensor **outputs, size_t *count, jl_error *err);
/* Element type, shape and size of a tensor; name and data stay as they are. */
int ort_read_shape(const ort_api *a, const OrtValue *value, jl_tensor *t, jl_error *err);
void ort_free_io(ort *o);

/* ort_describe.c */
int ort_describe(void *ctx, const jl_facts *facts, jl_error *err);

#endif
