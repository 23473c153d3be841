/* Which nodes compute on 8-bit values and which values are quantised. Private to src/convert.
 *
 * ONNX Runtime's CPU provider has integer kernels for convolutions and matrix products (anchors),
 * for some elementwise operators when all their inputs are 8-bit already, and moves 8-bit values
 * through operators that only rearrange. What is left is a float island: values are dequantised
 * before it and quantised after it where an anchor reads them.
 *
 * Convolutions with less than 32 multiplications an output stay in FP32 where the model begins:
 * their input is FP32 anyway, the integer kernel is no faster there (3 x 3 kernels on pictures,
 * measured), and what is lost in the first values is lost for all. */
#ifndef JL_CONVERT_PLACEMENT_H
#define JL_CONVERT_PLACEMENT_H

#include "convert/edit.h"
#include "model/graph.h"

typedef enum jl_role {
    JL_ROLE_FLOAT,
    JL_ROLE_ANCHOR,  /* Conv, Gemm, MatMul */
    JL_ROLE_ELEMENT, /* Add, Mul, Sigmoid, Concat, AveragePool, GlobalAveragePool */
    JL_ROLE_CLAMP,   /* Relu, Clip: part of the node before it where nobody else reads that */
    JL_ROLE_PASS,    /* MaxPool, Transpose, Reshape, ...: the output keeps the input's scale */
} jl_role;

typedef struct jl_placement_of_value {
    bool produced; /* quantised where it is made; every reader sees the quantised value */
    bool needed;   /* an anchor reads it quantised; other readers see it as it is */
    uint32_t root; /* the value whose scale it has: itself, or the source of passing nodes */
} jl_placement_of_value;

typedef struct jl_quantized {
    const jl_graph *graph;
    jl_role *roles;                /* by node; JL_ROLE_FLOAT where the node stays in FP32 */
    jl_placement_of_value *values; /* by value */
    size_t anchors, kept;          /* anchors quantised and left alone */
} jl_quantized;

/* Decides for the main graph. `keep`: names of operators, nodes and outputs that stay FP32; the
 * value counts the uses. Everything lives in the edit's arena. */
int jl_place_quantization(jl_edit *e, const jl_graph *graph, jl_map *keep, jl_quantized *q,
                          jl_error *err);

#endif
