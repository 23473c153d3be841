/* OpenVINO, shared by its source files. */
#ifndef JL_RUNTIME_OPENVINO_H
#define JL_RUNTIME_OPENVINO_H

#include <limits.h>

#include "jouleline/runtime.h"
#include "runtime/openvino_abi.h"

typedef struct openvino_library {
    ov_api api;
    char version[64], path[PATH_MAX];
} openvino_library;

typedef struct openvino {
    jl_configuration configuration;
    bool matched, fixed_shapes;
    jl_placement placement; /* as asked for: a processor computes where its inputs are */
    openvino_library library;
    ov_core *core;
    ov_compiled *compiled;
    long threads, streams; /* 0: left to the library */
    ov_tensor **inputs;    /* one a name of the request */
    void **owned;          /* converted copies */
    const jl_tensor *given;
    size_t input_count;
    ov_request **requests;
    int request_count;
    size_t output_count;
    char **output_names;
    jl_tensor *outputs;
    ov_tensor **output_tensors;
} openvino;

/* openvino_library.c */
int openvino_library_open(openvino_library *l, const jl_configuration *c, jl_error *err);
/* 0, or the library's own words under `what`. */
int openvino_check(const openvino_library *l, int status, jl_error *err, const char *what);

/* openvino_io.c */
int openvino_make_inputs(openvino *o, const ov_model *model, const jl_load_request *r,
                         jl_error *err);
int openvino_make_requests(openvino *o, const jl_load_request *r, jl_error *err);
int openvino_outputs(void *ctx, const jl_tensor **outputs, size_t *count, jl_error *err);
int openvino_refresh(void *ctx, jl_error *err);
void openvino_free_io(openvino *o);

#endif
