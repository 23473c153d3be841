#include <math.h>
#include <stdlib.h>

#include "analysis/distributions.h"
#include "analysis/order.h"
#include "analysis/rank_null.h"
#include "base/memory.h"

enum { FEW = 64 };

/* The largest k from 1 with 2 P(W+ <= k - 1) <= 1 - level among n untied differences, or 0;
 * *attained as in jl_order_rank. The Walsh averages k-th from either end are the interval. */
static size_t interval_rank(const double *cdf, size_t n, double level, double *attained)
{
    *attained = n ? 1 - 2 * exp2(-(double)n) : 0;
    if (*attained < 0) *attained = 0;
    if (n == 0 || *attained < level) return 0;
    size_t top = n * (n + 1) / 2, k = 1;
    if (!cdf) { /* many differences: normal */
        double sd = sqrt((double)n * ((double)n + 1) * (2 * (double)n + 1) / 24);
        double at = 0.5 * (double)top + 0.5 + jl_normal_quantile(0.5 * (1 - level)) * sd;
        *attained = level;
        return at >= 1 ? (size_t)at : 1;
    }
    while (k < top / 2 && 1 - 2 * cdf[k] >= level)
        k++;
    *attained = 1 - 2 * cdf[k - 1];
    return k;
}

int jl_hodges_lehmann_with(jl_signed_nulls *nulls, const double *d, size_t n, double level,
                           jl_shift *out, jl_error *err)
{
    *out = (jl_shift){n, 0, jl_none(JL_NO_PAIRS), {.why = JL_NO_PAIRS}};
    if (n == 0) return 0;
    double few[FEW];
    size_t few_sizes[4 * FEW];
    JL_OWNED double *many = n > FEW ? malloc(n * sizeof *many) : NULL;
    JL_OWNED size_t *many_sizes = n > FEW ? malloc(4 * n * sizeof *many_sizes) : NULL;
    double *half = n > FEW ? many : few;
    size_t *scratch = n > FEW ? many_sizes : few_sizes;
    const double *cdf = n <= JL_SIGNED_EXACT ? jl_signed_null(nulls, n) : NULL;
    if (!half || !scratch || (n <= JL_SIGNED_EXACT && !cdf)) return jl_no_memory(err);
    for (size_t i = 0; i < n; i++)
        half[i] = 0.5 * d[i];
    jl_sort_doubles(half, n);
    jl_pair_sums walsh = {half, half, n, n, true, n * (n + 1) / 2};
    size_t k = interval_rank(cdf, n, level, &out->interval.level);
    jl_pair_sums_shift(&walsh, k, scratch, &out->estimate, &out->interval);
    return 0;
}

int jl_hodges_lehmann(const double *d, size_t n, double level, jl_shift *out, jl_error *err)
{
    __attribute__((cleanup(jl_signed_nulls_free))) jl_signed_nulls nulls = {0};
    JL_OWNED double *kept = malloc((n + 1) * sizeof *kept);
    if (!kept) return jl_no_memory(err);
    size_t m = jl_keep_finite(d, n, kept);
    int rc = jl_hodges_lehmann_with(&nulls, kept, m, level, out, err);
    out->left_out = n - m;
    return rc;
}
