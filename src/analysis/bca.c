#include <math.h>
#include <stdlib.h>

#include "analysis/distributions.h"
#include "analysis/order.h"
#include "base/memory.h"
#include "base/rng.h"
#include "jouleline/statistics.h"

/* The statistic of v, which may be reordered. */
static double statistic_of(jl_statistic statistic, double *v, size_t n)
{
    if (statistic == JL_MEDIAN) {
        jl_sort_doubles(v, n);
        return jl_sorted_median(v, n);
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return sum / (double)n;
}

/* The jackknife's skewness: the acceleration. */
static double acceleration(jl_statistic statistic, const double *x, size_t n, double *scratch,
                           double *without)
{
    double mean = 0, squares = 0, cubes = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0, k = 0; j < n; j++)
            if (j != i) scratch[k++] = x[j];
        without[i] = statistic_of(statistic, scratch, n - 1);
        mean += without[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double u = mean - without[i];
        squares += u * u;
        cubes += u * u * u;
    }
    return squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

static double linear_quantile(const double *sorted, size_t n, double q)
{
    double position = q * (double)(n - 1), whole = floor(position);
    size_t at = (size_t)whole;
    return at + 1 < n ? sorted[at] + (position - whole) * (sorted[at + 1] - sorted[at])
                      : sorted[n - 1];
}

static double adjusted(double z0, double a, double tail)
{
    double z = z0 + jl_normal_quantile(tail);
    return jl_normal_cdf(z0 + z / (1 - a * z));
}

int jl_bca(const double *x, size_t n, jl_statistic statistic, double level, size_t resamples,
           const uint32_t *indices, uint64_t seed, jl_interval *out, jl_error *err)
{
    *out = (jl_interval){.why = n ? JL_TOO_FEW : JL_NO_VALUES};
    JL_OWNED double *v = malloc((n + 1) * sizeof *v);
    JL_OWNED double *scratch = malloc((n + 1) * sizeof *scratch);
    JL_OWNED double *without = malloc((n + 1) * sizeof *without);
    JL_OWNED double *found = calloc(resamples + 1, sizeof *found);
    if (!v || !scratch || !without || !found) return jl_no_memory(err);
    size_t kept = jl_keep_finite(x, n, v);
    if (indices && kept < n)
        return jl_fail(err, JL_ERR_USAGE, "bca: %zu of %zu values are missing", n - kept, n);
    n = kept;
    if (n < JL_BCA_NEEDS || resamples < 100) return 0;
    jl_rng rng = {seed};
    for (size_t r = 0; r < resamples; r++) {
        for (size_t i = 0; i < n; i++) {
            size_t at = indices ? indices[r * n + i] : jl_rng_below(&rng, n);
            if (at >= n) return jl_fail(err, JL_ERR_USAGE, "bca: index %zu of %zu values", at, n);
            scratch[i] = v[at];
        }
        found[r] = statistic_of(statistic, scratch, n);
    }
    for (size_t i = 0; i < n; i++)
        scratch[i] = v[i];
    double observed = statistic_of(statistic, scratch, n), share = 0;
    for (size_t r = 0; r < resamples; r++)
        share += found[r] < observed ? 1 : found[r] > observed ? 0 : 0.5;
    share /= (double)resamples;
    jl_sort_doubles(found, resamples);
    if (found[resamples - 1] <= found[0]) {
        out->why = JL_NO_SPREAD;
        return 0;
    }
    /* Skewed beyond what so many resamples resolve: no finite bias correction exists. */
    if (share <= 0 || share >= 1) return 0;
    double z0 = jl_normal_quantile(share), tail = 0.5 * (1 - level);
    double a = acceleration(statistic, v, n, scratch, without);
    *out = (jl_interval){linear_quantile(found, resamples, adjusted(z0, a, tail)),
                         linear_quantile(found, resamples, adjusted(z0, a, 1 - tail)), level,
                         JL_KNOWN};
    return 0;
}
