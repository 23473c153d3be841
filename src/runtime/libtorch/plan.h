/* What passes between libtorch.c and the shim, in C: the graph of a model as arrays, and the
 * shim's one table of functions. Plain integers and pointers only, since the two sides are built
 * by different compilers at different times; JL_TORCH_ABI rises with every change. */
#ifndef JL_RUNTIME_LIBTORCH_PLAN_H
#define JL_RUNTIME_LIBTORCH_PLAN_H

#include <stddef.h>
#include <stdint.h>

#define JL_TORCH_ABI 2
#define JL_PLAN_NONE UINT32_MAX

/* A dense host tensor. dtype is ONNX's number. The shim copies what it keeps. */
typedef struct jl_plan_tensor {
    const char *name;
    uint32_t value; /* which value of the plan it is */
    int32_t dtype;
    int32_t rank;
    const int64_t *dims;
    const void *data; /* aligned or not */
    size_t size_bytes;
} jl_plan_tensor;

typedef enum jl_plan_kind {
    JL_PLAN_FLOAT = 1,
    JL_PLAN_INT = 2,
    JL_PLAN_STRING = 3,
    JL_PLAN_VALUE = 4,
    JL_PLAN_FLOATS = 6,
    JL_PLAN_INTS = 7,
} jl_plan_kind;

typedef struct jl_plan_attribute {
    const char *name;
    int32_t kind;
    float f;
    int64_t i; /* for JL_PLAN_VALUE the number of a constant */
    const char *s;
    const int64_t *ints;
    const float *floats;
    size_t n; /* of ints or floats */
} jl_plan_attribute;

typedef struct jl_plan_node {
    const char *label;                /* for messages */
    const char *op;                   /* ONNX's name in its default domain */
    const uint32_t *inputs, *outputs; /* JL_PLAN_NONE where one is left out */
    size_t n_inputs, n_outputs;
    const jl_plan_attribute *attributes;
    size_t n_attributes;
} jl_plan_node;

typedef struct jl_torch_plan {
    int64_t opset;
    uint32_t n_values;
    const jl_plan_tensor *constants;
    size_t n_constants;
    const jl_plan_node *nodes; /* producers first */
    size_t n_nodes;
    const uint32_t *outputs;
    const char *const *output_names;
    size_t n_outputs;
} jl_torch_plan;

typedef struct jl_torch_options {
    int32_t cuda_device; /* -1: the CPU */
    int32_t float_dtype; /* every floating constant, input and cast becomes this; 0: as they are */
    int32_t tf32;        /* 0, 1, or -1 to leave the library's default */
    int32_t benchmark;   /* cuDNN's exhaustive search: 0, 1 or -1 */
    int32_t threads;     /* 0: the library's default */
    int32_t host_io;     /* 1: copies are part of every call */
    int32_t in_flight;
    int32_t channels_last;
    const char *trace; /* a TorchScript file to run instead of the plan, or NULL */
} jl_torch_options;

typedef enum jl_torch_code {
    JL_TORCH_OK = 0,
    JL_TORCH_UNSUPPORTED = 1,
    JL_TORCH_MEMORY = 2,
    JL_TORCH_DEVICE_MEMORY = 3,
    JL_TORCH_MISSING = 4,
    JL_TORCH_INVALID = 5,
} jl_torch_code;

typedef struct jl_torch_message {
    char text[900];
} jl_torch_message;

/* Functions return a jl_torch_code and fill the message when it is not JL_TORCH_OK. */
typedef struct jl_torch_api {
    uint32_t abi;
    const char *version; /* of the torch that it was built against */
    /* Loads what the CUDA provider needs without touching the device. */
    int (*open_cuda)(jl_torch_message *message);
    /* CUDA devices there are, 0 without a driver. Initialises CUDA. */
    int (*cuda_devices)(void);
    int (*load)(const jl_torch_options *options, const jl_torch_plan *plan,
                const jl_plan_tensor *inputs, size_t n_inputs, void **session,
                jl_torch_message *message);
    /* New contents of the inputs, as many as were loaded and in their order. */
    int (*refresh)(void *session, const jl_plan_tensor *inputs, jl_torch_message *message);
    int (*infer)(void *session, jl_torch_message *message);
    int (*submit)(void *session, int slot, jl_torch_message *message);
    int (*wait)(void *session, int slot, jl_torch_message *message);
    /* Host copies of the last call's outputs, valid until the next call. */
    int (*outputs)(void *session, const jl_plan_tensor **outputs, size_t *n,
                   jl_torch_message *message);
    void (*describe)(void *session, void (*add)(void *ctx, const char *key, const char *value),
                     void *ctx);
    int64_t (*device_memory_bytes)(void *session); /* peak, or -1 */
    void (*close)(void *session);
} jl_torch_api;

/* The one symbol of the shim: const jl_torch_api *jouleline_torch(void) */
#define JL_TORCH_ENTRY "jouleline_torch"

#endif
