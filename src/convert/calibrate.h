/* Ranges of values over sample inputs, all in one pass over the samples, one sample in memory at a
 * time. Private to src/convert.
 *
 * MinMax takes the extremes. Percentile leaves out the given share of elements at either end, and
 * entropy takes the threshold that keeps most information in 128 levels (the Kullback-Leibler
 * method of TensorRT: S. Migacz, 8-bit inference with TensorRT, GTC 2017), both from histograms of
 * 4096 bins whose span doubles when an element falls outside. */
#ifndef JL_CONVERT_CALIBRATE_H
#define JL_CONVERT_CALIBRATE_H

#include "convert/edit.h"
#include "jouleline/quantize.h"
#include "jouleline/tensor.h"

typedef struct jl_range {
    float low, high; /* low <= high; both 0 when only zeros were seen */
} jl_range;

/* Runs the model of `e` (FP32) with the named values as outputs and fills in a range for each.
 * JL_ERR_FORMAT when a value is NaN or
 * infinite (it is named) or never came out. Writes the model to `scratch` on the way. */
int jl_calibrate(jl_edit *e, const jl_str *names, size_t count, const char *scratch,
                 const jl_samples *samples, const jl_quantize_options *options, jl_range *ranges,
                 jl_error *err);

#endif
