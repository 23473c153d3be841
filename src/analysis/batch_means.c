#include <math.h>
#include <stdlib.h>

#include "analysis/distributions.h"
#include "analysis/order.h"
#include "base/memory.h"
#include "jouleline/statistics.h"

enum { MOST_BATCHES = 32, FEWEST_BATCHES = 8, NEEDS = 64 };

static double lag_one(const double *x, size_t n)
{
    double mean = 0, square = 0, product = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        square += (x[i] - mean) * (x[i] - mean);
        if (i) product += (x[i] - mean) * (x[i - 1] - mean);
    }
    return square > 0 ? product / square : 0;
}

/* Student's t over `batches` batch medians, widened for the correlation that is left: for a
 * first-order series the variance of the mean grows by (1 + r) / (1 - r). */
static jl_interval over_batches(const double *medians, size_t batches, double middle, double level,
                                double correlation)
{
    double mean = 0, squares = 0, count = (double)batches;
    for (size_t i = 0; i < batches; i++)
        mean += medians[i] / count;
    for (size_t i = 0; i < batches; i++)
        squares += (medians[i] - mean) * (medians[i] - mean);
    double r = fmin(fmax(correlation, 0), 0.9);
    double half = jl_t_quantile_upper(0.5 * (1 - level), count - 1) *
                  sqrt(squares / (count * (count - 1)) * (1 + r) / (1 - r));
    return (jl_interval){middle - half, middle + half, level, JL_KNOWN};
}

int jl_batch_median_of(const double *series, size_t n, double level, jl_batch_median *out,
                       jl_error *err)
{
    *out = (jl_batch_median){.interval = {.why = n ? JL_TOO_FEW : JL_NO_VALUES}};
    JL_OWNED double *v = malloc((n + 1) * sizeof *v);
    JL_OWNED double *batch = malloc((n + 1) * sizeof *batch);
    if (!v || !batch) return jl_no_memory(err);
    n = jl_keep_finite(series, n, v);
    if (!n) return 0;
    for (size_t i = 0; i < n; i++)
        batch[i] = v[i];
    jl_sort_doubles(batch, n);
    out->median = jl_sorted_median(batch, n);
    if (n < NEEDS) return 0;
    for (size_t batches = MOST_BATCHES;; batches /= 2) {
        double medians[MOST_BATCHES];
        size_t size = n / batches, skip = n - size * batches; /* the first few are left out */
        for (size_t b = 0; b < batches; b++) {
            for (size_t i = 0; i < size; i++)
                batch[i] = v[skip + b * size + i];
            jl_sort_doubles(batch, size);
            medians[b] = jl_sorted_median(batch, size);
        }
        out->correlation = lag_one(medians, batches);
        out->batches = batches;
        out->batch_size = size;
        /* One-sided 10 % point of the lag-one correlation of white noise. */
        out->settled = out->correlation < 1.2816 / sqrt((double)batches);
        if (!out->settled && batches > FEWEST_BATCHES) continue;
        out->interval =
            over_batches(medians, batches, out->median, level, out->settled ? 0 : out->correlation);
        return 0;
    }
}
