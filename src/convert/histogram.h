/* Histograms of the elements of a value, and the range that is worth keeping of them. Private to
 * src/convert. */
#ifndef JL_CONVERT_HISTOGRAM_H
#define JL_CONVERT_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { JL_HISTOGRAM_HALF = 2048 };

/* Zeroed: empty. The bins span [-top, top), which doubles when an element falls outside. Beyond
 * 2^127 the outer bins hold the rest. */
typedef struct jl_histogram {
    float top; /* 0 or a power of two: it does not depend on the order of what comes */
    uint64_t bins[2 * JL_HISTOGRAM_HALF];
} jl_histogram;

/* `most` is the largest magnitude among the elements, which are finite. */
void jl_histogram_add(jl_histogram *h, const float *x, size_t n, float most);
/* Adds what the other holds; its span may grow on the way. */
void jl_histogram_join(jl_histogram *h, jl_histogram *other);

/* Both narrow the range [*low, *high] of the elements: to all but the share of (100 - percentile)
 * percent at either end; or to the threshold that keeps most information in 128 levels (the
 * Kullback-Leibler method of TensorRT: S. Migacz, 8-bit inference with TensorRT, GTC 2017). */
void jl_histogram_percentile(const jl_histogram *h, double percentile, float *low, float *high);
void jl_histogram_entropy(const jl_histogram *h, float *low, float *high);

#endif
