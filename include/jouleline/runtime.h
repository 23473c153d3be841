/* Runtimes: what runs a model. One const vtable a runtime, state in its context; plugins export
 *
 *     const jl_runtime *jouleline_runtime(void);
 *
 * and are loaded with --plugin FILE.so. Everything here is called inside a worker process, from
 * one thread, except `probe`, which a helper child calls. Time is the caller's business: no
 * function measures anything. */
#ifndef JOULELINE_RUNTIME_H
#define JOULELINE_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "jouleline/configuration.h"
#include "jouleline/error.h"
#include "jouleline/tensor.h"

/* Rises when the structs below change; a plugin with another number is refused. */
#define JL_RUNTIME_ABI 3

/* A sink for facts about what was found: name and value, both copied by the sink. The names that
 * mean the same in every runtime:
 *   version, library (its path), build        of the runtime's library
 *   device, device_uuid                       as jl_device
 *   regime          matched | native
 *   threads         of one call; "default" where the library chose and does not tell
 *   tf32            0 | 1 | default
 *   conv_search     heuristic | exhaustive | default
 *   layout          nchw | nhwc | default
 *   placement       device | host
 *   optimization    of the graph: off | basic | extended | all | default
 *   nodes           operators dispatched after the runtime's own optimisation
 *   nodes_elsewhere of those, how many run on another provider than the one asked for; 0 is good
 *   elsewhere       which operators those are: "CPU: Shape x2, Gather"
 *   emulated        why the precision is not what the arithmetic runs in
 *   kernel_cache    1: kernels that cuDNN compiles came from a folder where they were known, so the
 *                   first call is shorter than that of a process which compiles them
 *   simulated       1
 * Anything else (roofs of the fake, options passed through) has a name of its own. A fact that
 * could not be found is not added. */
typedef struct jl_facts {
    void (*add)(void *ctx, const char *key, const char *value);
    void *ctx;
} jl_facts;

typedef enum jl_placement {
    JL_IO_DEVICE, /* inputs and outputs stay where the provider computes: copies are not timed */
    JL_IO_HOST,   /* inputs and outputs are host memory: copies are part of every call */
} jl_placement;

/* What a provider can run on, as `doctor` lists it. */
typedef struct jl_device {
    char provider[24];
    int index; /* in PCI bus order; 0 for cpu */
    char name[96];
    char uuid[64]; /* empty where there is none */
    bool simulated;
} jl_device;

typedef struct jl_load_request {
    const jl_configuration *configuration;
    const char *model_name;   /* zoo name or the user's name, for messages */
    const char *model_path;   /* .onnx, or what the runtime itself understands; NULL for fake */
    const char *weights_path; /* safetensors of the state_dict; NULL when the model holds them */
    int64_t batch;            /* items of one call */
    const jl_tensor *inputs;  /* host tensors with final shapes; they outlive the session */
    size_t input_count;
    jl_placement placement;
    int in_flight;       /* 1: only infer() is called; more: submit() and wait() */
    bool trust;          /* the model may be code of its own */
    double cost_flop;    /* of one call, from jl_cost; for fake and for messages */
    double cost_bytes;   /* fused estimate of bytes moved by one call */
    double cost_nodes;   /* operators dispatched by one call */
    const char *scratch; /* a folder for files of this session (profiles, engines) */
} jl_load_request;

/* An option that a runtime reads from the configuration (+name=value). A name that ends in '.'
 * stands for every key that begins so. */
typedef struct jl_runtime_option {
    const char *name, *help;
} jl_runtime_option;

typedef struct jl_runtime {
    uint32_t abi; /* JL_RUNTIME_ABI */
    const char *name, *summary;
    bool simulated;                   /* numbers of this runtime are never real */
    const char *const *providers;     /* ends with NULL; NULL itself: any name */
    const jl_runtime_option *options; /* ends with a NULL name */

    /* Lists what this runtime could run on here. JL_ERR_MISSING with the reason and the remedy
     * when its library is absent. Adds facts such as the library's path and version. */
    int (*probe)(const jl_configuration *c, jl_device *devices, size_t capacity, size_t *count,
                 const jl_facts *facts, jl_error *err);
    /* Loads libraries (not the device): may be called in a parent that then forks. */
    int (*open)(const jl_configuration *c, void **ctx, jl_error *err);
    /* Creates the session on the device and places the inputs. JL_ERR_UNSUPPORTED keeps the
     * runtime's own words in err. */
    int (*load)(void *ctx, const jl_load_request *request, jl_error *err);
    /* Optional: the contents (not the shapes) of the request's inputs have changed; place them
     * again. NULL: a session keeps the inputs it was loaded with. */
    int (*refresh)(void *ctx, jl_error *err);
    /* One synchronous call on the placed inputs; the device is idle when it returns. No
     * allocation, lock or print of ours. */
    int (*infer)(void *ctx, jl_error *err);
    /* Optional pair for in_flight > 1: submit starts a call in slot [0, in_flight), wait returns
     * when that slot's call is complete. NULL: in_flight above 1 is unsupported. */
    int (*submit)(void *ctx, int slot, jl_error *err);
    int (*wait)(void *ctx, int slot, jl_error *err);
    /* The outputs of the last call as host tensors, valid until the next call or close. */
    int (*outputs)(void *ctx, const jl_tensor **outputs, size_t *count, jl_error *err);
    /* Everything that the session turned out to be: library version and path, TF32, convolution
     * search, threads, layout, placement, nodes that fell back to another provider, settings. */
    int (*describe)(void *ctx, const jl_facts *facts, jl_error *err);
    /* Peak device memory in bytes, or -1 when it cannot be told. */
    int64_t (*device_memory_bytes)(void *ctx);
    void (*close)(void *ctx); /* NULL is fine */
    /* close() gives back nothing that the end of the process does not: a worker that is done
     * leaves it out (taking a GPU session apart costs a third of a second). */
    bool ends_with_process;
} jl_runtime;

/* The runtimes built in, and the plugins loaded so far. */
const jl_runtime *jl_runtime_find(const char *name); /* NULL: there is none */
size_t jl_runtime_count(void);
const jl_runtime *jl_runtime_at(size_t i);
/* The runtime of a configuration, its provider and its option names checked against what the
 * runtime declares: JL_ERR_USAGE with the nearest name. Values are checked by `open` and `load`.
 * `convert` is accepted everywhere: it says where the model file comes from. */
int jl_runtime_of(const jl_configuration *c, const jl_runtime **runtime, jl_error *err);
/* Loads a plugin; JL_ERR_FORMAT names a missing hook or another ABI number. */
int jl_runtime_load_plugin(const char *path, jl_error *err);

#endif
