/* What the parts of the quantiser share. Private to src/convert/quantize*.c. */
#ifndef JL_CONVERT_QUANTIZE_PARTS_H
#define JL_CONVERT_QUANTIZE_PARTS_H

#include "convert/calibrate.h"
#include "convert/placement.h"

/* The bias of the node that makes an output of the model. */
typedef struct jl_output_bias {
    uint32_t value; /* the output */
    jl_str name;    /* of the initialiser; p NULL: there is none */
    jl_str steps;   /* of its scales where it is int32; p NULL: it is FP32 */
} jl_output_bias;

typedef struct jl_scale {
    float step;
    uint8_t zero;
    jl_str step_name, zero_name; /* initialisers; p NULL until written */
} jl_scale;

typedef struct jl_quantizer {
    jl_edit *edit;
    const jl_quantize_options *options;
    jl_quantize_summary *summary;
    jl_quantized placed;
    jl_scale *scales; /* by value, of roots */
    jl_str *names;    /* by value: its dequantised name, or p NULL */
    jl_str *shifted;  /* by node: the constant that an Add after a product reads now, or p NULL */
    const jl_observed **observed; /* by value, or NULL */
    float *floats;                /* weights of the node at hand */
    size_t float_capacity;
    jl_output_bias output; /* what moves the model's output as a whole */
    onnx_node *nodes;
    size_t count, capacity;
} jl_quantizer;

/* A node that quantises or dequantises: value, scale, zero point. */
int jl_quantize_linear(jl_quantizer *q, const char *op_type, const jl_str inputs[3], jl_str output,
                       int64_t axis, jl_error *err);
/* The constant weights of an anchor in 8 bits, its bias in 32, with what rounding shifted put
 * back; the copy of the node reads them. Nothing to do for a product of two activations. */
int jl_quantize_weights(jl_quantizer *q, const jl_node *n, onnx_node *copy, jl_error *err);

#endif
