/* The parameters of a zoo model: name and shape as in torchvision's state_dict, and where the
 * values come from. Values are made when they are read, so a model of 138 million parameters
 * needs no memory for them. */
#ifndef JL_MODEL_ZOO_PARAMS_H
#define JL_MODEL_ZOO_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/dtype.h"

typedef enum zoo_kind {
    ZOO_RANDOM,    /* center + spread * z, z bell-shaped with mean 0 and deviation 1 */
    ZOO_COMMITTED, /* FP16 data under share/jouleline/zoo */
    ZOO_INTEGERS,  /* int64 buffers of the state_dict */
} zoo_kind;

typedef struct zoo_param {
    const char *name;
    zoo_kind kind;
    int rank;
    int64_t dims[4];
    int64_t elements;
    bool learnable; /* false: buffers (running statistics, counters, indices) */
    float center, spread;
    uint64_t stream;
    const uint16_t *half;
    const int64_t *integers;
    const void *given; /* replaces all of the above: the tensor of a --weights file */
    jl_dtype given_type;
} zoo_param;

/* The stream of tensor `name` of `model`. */
uint64_t zoo_stream(const char *model, const char *name);
/* Elements first, first + stride, ... (n of them) as floats. Not for ZOO_INTEGERS. */
void zoo_param_read(const zoo_param *p, uint64_t first, uint64_t stride, size_t n, float *to);

/* What an ONNX initializer holds of the parameters. */
typedef enum zoo_view_kind {
    ZOO_VIEW_NONE,          /* a constant: the bytes are in the graph */
    ZOO_VIEW_PLAIN,         /* the parameter itself */
    ZOO_VIEW_TRANSPOSED,    /* [out, in] as [in, out] */
    ZOO_VIEW_FOLDED_WEIGHT, /* a convolution's weight times its batch norm's scale */
    ZOO_VIEW_FOLDED_BIAS,   /* and the bias that the batch norm becomes */
    ZOO_VIEW_POSITION_BIAS, /* Swin's table [(2M-1)^2, heads] gathered to [1, heads, M*M, M*M] */
} zoo_view_kind;

typedef struct zoo_norm { /* a batch norm */
    const zoo_param *gamma, *beta, *mean, *variance;
    double epsilon;
} zoo_norm;

typedef struct zoo_view {
    zoo_view_kind kind;
    const zoo_param *of;
    zoo_norm norm; /* of the folded kinds */
    int window;    /* M of the position bias */
} zoo_view;

/* Elements [first, first + n) of the view. */
void zoo_view_read(const zoo_view *v, uint64_t first, size_t n, float *to);

#endif
