/* A session of libtorch, for its own files and the benchmark of the timed loop. */
#ifndef JL_RUNTIME_LIBTORCH_H
#define JL_RUNTIME_LIBTORCH_H

#include <limits.h>

#include "jouleline/runtime.h"
#include "runtime/cuda.h"
#include "runtime/libtorch/plan.h"

typedef struct libtorch_input {
    size_t given; /* which of the request's */
    jl_dtype dtype;
} libtorch_input;

typedef struct libtorch {
    jl_configuration configuration;
    const jl_torch_api *api;
    char path[PATH_MAX]; /* of the shim */
    jl_cuda_device gpu;  /* when on_gpu */
    bool on_gpu, native, host_io;
    void *session;
    const jl_tensor *given; /* the request's inputs */
    libtorch_input *inputs; /* as the shim has them, in its order */
    size_t input_count;
    jl_tensor *outputs;
    size_t output_count;
} libtorch;

#endif
