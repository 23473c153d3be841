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

/* Reads the model at `from`, writes the quantised one to `to` only when whole. JL_ERR_UNSUPPORTED
 * below opset 13 (per-channel scales), JL_ERR_USAGE without samples, JL_ERR_FORMAT when a value
 * is NaN or infinite on the samples (it is named). */
int jl_quantize(const char *from, const char *to, const jl_samples *samples,
                const jl_quantize_options *options, jl_quantize_summary *summary, jl_error *err);

#endif
