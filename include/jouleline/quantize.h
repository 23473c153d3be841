/* Static INT8 quantisation of an FP32 ONNX model with QuantizeLinear and DequantizeLinear nodes:
 * unsigned 8-bit activations with a zero point, signed 8-bit weights per output channel, 32-bit
 * biases, in the patterns that ONNX Runtime's CPU provider turns into integer kernels.
 *
 * Calibration runs the model with ONNX Runtime in the calling process: call this in a child. */
#ifndef JOULELINE_QUANTIZE_H
#define JOULELINE_QUANTIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"
#include "jouleline/samples.h"

typedef enum jl_calibration {
    JL_CALIBRATE_MINMAX,
    JL_CALIBRATE_PERCENTILE,
    JL_CALIBRATE_ENTROPY
} jl_calibration;

typedef struct jl_quantize_options {
    jl_calibration calibration;
    double percentile;       /* of the elements kept, for JL_CALIBRATE_PERCENTILE: 99.999 */
    bool reduce_range;       /* 7-bit weights: for processors without VNNI, whose 8-bit products
                                saturate in pairs */
    const char *const *keep; /* operator types, node or output names that stay in FP32 */
    size_t keep_count;
    const char *scratch; /* a folder for the model that calibration runs */
} jl_quantize_options;

typedef struct jl_quantize_summary {
    size_t nodes;       /* of the result */
    size_t quantized;   /* nodes that compute on 8-bit values */
    size_t anchors;     /* convolutions and matrix products among them */
    size_t kept;        /* convolutions and matrix products left in FP32 */
    size_t activations; /* values with a scale of their own */
    size_t folded;      /* batch norms folded */
    uint64_t weights;   /* elements of weights in 8 bits */
    size_t constant;    /* values whose samples were all one number */
} jl_quantize_summary;

/* What stays in FP32 so that a classifier keeps its answers. */
typedef struct jl_keep_search {
    size_t items;              /* held out of calibration, to judge on */
    size_t agree_before;       /* of them with the first answer of FP32, nothing kept */
    size_t agree;              /* the same for the result */
    double macs_share;         /* of the model's multiplications that are in FP32 now */
    bool reached;              /* the agreement asked for, within the share allowed */
    size_t candidates, models; /* convolutions and products; models tried on the way */
    size_t kept;               /* nodes added to those that the caller keeps; the first by name: */
    char names[64][128];
} jl_keep_search;

#define JL_KEEP_AGREEMENT   0.98 /* of the first answers on the held-out samples */
#define JL_KEEP_MACS_SHARE  0.30 /* of the multiplications that may stay in FP32 for it */
#define JL_KEEP_LEAST_ITEMS 16

/* Reads the model at `from`, writes the quantised one to `to` only when whole. JL_ERR_UNSUPPORTED
 * below opset 13 (per-channel scales), JL_ERR_USAGE without samples, JL_ERR_FORMAT when a value
 * is NaN or infinite on the samples (it is named). */
int jl_quantize(const char *from, const char *to, const jl_samples *samples,
                const jl_quantize_options *options, jl_quantize_summary *summary, jl_error *err);

/* The same with as many convolutions and products in FP32 as it takes for JL_KEEP_AGREEMENT, or as
 * JL_KEEP_MACS_SHARE allows. The first half of the samples calibrates, the second judges. Each node
 * is quantised alone and the mean squared error of the outputs taken as its cost; nodes are kept by
 * cost per multiplication, the dearest first, leaving out those that would pass the share; how
 * many of that order are needed is found by bisection. JL_ERR_USAGE below JL_KEEP_LEAST_ITEMS
 * samples, JL_ERR_UNSUPPORTED when the output is not one answer of several classes. */
int jl_quantize_keeping(const char *from, const char *to, const jl_samples *samples,
                        const jl_quantize_options *options, jl_quantize_summary *summary,
                        jl_keep_search *search, jl_error *err);

#endif
