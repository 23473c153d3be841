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

/* What calibration found, kept for other models with a part of the same nodes quantised. */
typedef struct jl_known {
    jl_arena *arena;
    jl_observed *list;
    size_t count;
    jl_map places; /* name to index in list */
} jl_known;

/* How jl_quantize_as goes about it. */
typedef struct jl_quantize_mode {
    jl_known *known; /* NULL: calibrate; empty: calibrate and keep; else: do not run the model */
    bool plain;      /* do not recentre outputs */
    bool name_nodes; /* nodes without a name are called "#12", as jl_cost calls them */
} jl_quantize_mode;

typedef struct jl_quantizer {
    jl_edit *edit;
    const jl_quantize_options *options;
    const jl_quantize_mode *mode;
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

/* jl_quantize in this mode. */
int jl_quantize_as(const char *from, const char *to, const jl_samples *samples,
                   const jl_quantize_options *options, const jl_quantize_mode *mode,
                   jl_quantize_summary *summary, jl_error *err);
/* The names of the nodes that would be quantised as anchors, each once, in the arena. */
int jl_quantize_anchors(const char *from, const jl_quantize_options *options, jl_arena *arena,
                        const char ***names, size_t *count, jl_error *err);

/* A node that quantises or dequantises: value, scale, zero point. */
int jl_quantize_linear(jl_quantizer *q, const char *op_type, const jl_str inputs[3], jl_str output,
                       int64_t axis, jl_error *err);
/* The constant weights of an anchor in 8 bits, its bias in 32, with what rounding shifted put
 * back; the copy of the node reads them. Nothing to do for a product of two activations. */
int jl_quantize_weights(jl_quantizer *q, const jl_node *n, onnx_node *copy, jl_error *err);

#endif
