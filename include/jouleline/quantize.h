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

/* Told of each step of a long job before it begins, for progress and for whoever must say what a
 * crash interrupted: `done` of about `total` steps are over, and the words go on after "while":
 * "running the FP32 model". */
typedef struct jl_quantize_watch {
    void (*step)(void *ctx, size_t done, size_t total, const char *words);
    void *ctx;
} jl_quantize_watch;

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
    size_t items;               /* held out, to judge on: no choice knows them */
    size_t agree_before;        /* of them with the first answer of FP32, nothing kept */
    size_t agree;               /* the same for the result */
    size_t chosen_items;        /* the others, on which all is chosen */
    size_t chosen_agree;        /* of them with the first answer of FP32, for the result */
    double macs_share;          /* of the model's multiplications that are in FP32 now */
    bool reached;               /* the agreement asked for, on the items held out */
    jl_calibration calibration; /* how the ranges of the result were found */
    double error[2];            /* mean squared error of the outputs, nothing kept, by MinMax and by
                                   percentile; both 0 when the calibration was given */
    size_t candidates, models;  /* convolutions and products; models tried on the way */
    size_t kept;                /* nodes added to those that the caller keeps; the first by name: */
    char names[64][128];
} jl_keep_search;

#define JL_KEEP_AGREEMENT   0.98 /* of the first answers */
#define JL_KEEP_MACS_SHARE  0.30 /* of the multiplications that may stay in FP32 for it */
#define JL_KEEP_LEAST_ITEMS 16

/* Reads the model at `from`, writes the quantised one to `to` only when whole. JL_ERR_UNSUPPORTED
 * below opset 13 (per-channel scales), JL_ERR_USAGE without samples, JL_ERR_FORMAT when a value
 * is NaN or infinite on the samples (it is named). */
int jl_quantize(const char *from, const char *to, const jl_samples *samples,
                const jl_quantize_options *options, jl_quantize_summary *summary, jl_error *err);

/* The same with as many convolutions and products in FP32 as it takes for JL_KEEP_AGREEMENT, or as
 * JL_KEEP_MACS_SHARE allows. The first half of the samples calibrates and chooses, the second only
 * judges the result. With `any_calibration` the ranges are found by MinMax or by percentile,
 * whichever gives less error. Each node is quantised alone, and the mean squared error of the
 * outputs is what keeping it gains; nodes are kept by gain per multiplication, the largest first,
 * leaving out those that would pass the share. Where the error of that choice is more than a tenth
 * above the sum of its parts, nodes share what they lose: gains are taken once more, each beside
 * the others of the choice, and the better choice counts. How many of that order are needed is
 * found by bisection. `watch` may be NULL.
 *
 * JL_ERR_USAGE below JL_KEEP_LEAST_ITEMS samples or when FP32 answers all of them alike,
 * JL_ERR_UNSUPPORTED when the output is not one answer of several classes. */
int jl_quantize_keeping(const char *from, const char *to, const jl_samples *samples,
                        const jl_quantize_options *options, bool any_calibration,
                        const jl_quantize_watch *watch, jl_quantize_summary *summary,
                        jl_keep_search *search, jl_error *err);

#endif
