/* Ranges of values over sample inputs, all in one pass over the samples, one sample in memory for
 * each caller of convert/passes.h. Private to src/convert.
 *
 * MinMax takes the extremes; percentile and entropy narrow them by histograms
 * (convert/histogram.h). */
#ifndef JL_CONVERT_CALIBRATE_H
#define JL_CONVERT_CALIBRATE_H

#include "convert/edit.h"
#include "jouleline/quantize.h"
#include "jouleline/tensor.h"

typedef struct jl_range {
    float low, high; /* low <= high; both 0 when only zeros were seen */
} jl_range;

/* A value to observe: its range, and its mean for each index of one axis over all samples and
 * positions. */
typedef struct jl_observed {
    jl_str name;
    int axis;       /* of the means, negative from the end; JL_NO_MEANS: none wanted */
    bool keep_each; /* keep the means of every sample, too */
    jl_range range; /* out */
    double
        *means;   /* out, in the edit's arena: `channels` of them; NULL: the value lacks the axis */
    double *each; /* out: samples x channels, as the means */
    size_t channels; /* out */
} jl_observed;

#define JL_NO_MEANS INT32_MAX

/* Runs the model of `e` (FP32) and fills in what was observed. JL_ERR_FORMAT when a value is NaN or
 * infinite (it is named) or was never computed, JL_ERR_UNSUPPORTED when it is no float. Writes the
 * model to `scratch` on the way (jl_pass_samples). */
int jl_calibrate(jl_edit *e, jl_observed *values, size_t count, const char *scratch,
                 const jl_samples *samples, const jl_quantize_options *options, jl_error *err);

#endif
