#include "jouleline/statistics.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/distributions.h"
#include "analysis/order.h"
#include "base/memory.h"

const char *jl_why_words(jl_why why)
{
    switch (why) {
    case JL_KNOWN:
        return "known";
    case JL_NO_VALUES:
        return "no values";
    case JL_TOO_FEW:
        return "too few values";
    case JL_NO_SPREAD:
        return "all values equal";
    case JL_NO_PAIRS:
        return "no common rounds";
    case JL_NOT_TESTED:
        return "not tested";
    case JL_NOT_IDENTIFIABLE:
        return "not identifiable";
    }
    return "unknown reason";
}

size_t jl_order_rank(size_t n, double level, double *attained)
{
    double least = n ? 1 - 2 * exp2(-(double)n) : 0;
    *attained = least > 0 ? least : 0;
    if (n == 0 || *attained < level) return 0;
    /* The largest k with 2 P(Binomial <= k - 1) <= 1 - level, by bisection. */
    size_t low = 1, high = n / 2 + 1;
    while (high - low > 1) {
        size_t k = low + (high - low) / 2;
        double covered = 1 - 2 * jl_binomial_cdf((long long)k - 1, n, 0.5);
        if (covered >= level) {
            low = k;
            *attained = covered;
        } else {
            high = k;
        }
    }
    return low;
}

static jl_interval order_interval(const double *sorted, size_t n, double level)
{
    jl_interval r = {.why = n ? JL_TOO_FEW : JL_NO_VALUES};
    size_t k = jl_order_rank(n, level, &r.level);
    if (k) {
        r.low = sorted[k - 1];
        r.high = sorted[n - k];
        r.why = JL_KNOWN;
    }
    return r;
}

int jl_summarise(const double *x, size_t n, double level, jl_summary *out, jl_error *err)
{
    double few[64];
    JL_OWNED double *many = NULL;
    double *v = few;
    if (n > 64 && !(v = many = malloc(n * sizeof *v))) return jl_no_memory(err);
    size_t kept = jl_keep_finite(x, n, v);
    jl_value none = jl_none(JL_NO_VALUES);
    *out = (jl_summary){kept, n - kept, none, none, none, none, none, {.why = JL_NO_VALUES}};
    if (!kept) return 0;
    jl_sort_doubles(v, kept);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < kept; i++)
        sum += v[i];
    double mean = sum / (double)kept;
    for (size_t i = 0; i < kept; i++)
        squares += (v[i] - mean) * (v[i] - mean);
    out->mean = jl_some(mean);
    out->median = jl_some(jl_sorted_median(v, kept));
    out->min = jl_some(v[0]);
    out->max = jl_some(v[kept - 1]);
    out->sd = kept > 1 ? jl_some(sqrt(squares / (double)(kept - 1))) : jl_none(JL_TOO_FEW);
    out->median_interval = order_interval(v, kept, level);
    return 0;
}

size_t jl_percentile_needs(double q)
{
    double beyond = q < 0.5 ? q : 1 - q;
    /* 1 - P(0 or 1 of n beyond) >= 0.99, searched by doubling and bisection. */
    size_t low = 1, high = 2;
    while (jl_binomial_cdf(1, high, beyond) > 0.01 && high < SIZE_MAX / 4) {
        low = high;
        high *= 2;
    }
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (jl_binomial_cdf(1, mid, beyond) > 0.01)
            low = mid;
        else
            high = mid;
    }
    return high;
}

/* The narrowest nearly symmetric pair of order statistics around the q-quantile:
 * P(x_(low) <= quantile <= x_(high)) = P(low <= Binomial(n, q) <= high - 1). */
static jl_interval quantile_interval(const double *sorted, size_t n, double q, double level)
{
    double tail = 0.5 * (1 - level);
    size_t low = 0, high = n; /* largest low with P(B <= low - 1) <= tail, ranks from 1 */
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (jl_binomial_cdf((long long)mid - 1, n, q) <= tail)
            low = mid;
        else
            high = mid;
    }
    size_t below = low;
    low = 0, high = n + 1; /* smallest high with P(B <= high - 1) >= 1 - tail */
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (jl_binomial_cdf((long long)mid - 1, n, q) >= 1 - tail)
            high = mid;
        else
            low = mid;
    }
    if (below < 1 || high > n) return (jl_interval){.why = JL_TOO_FEW};
    double covered =
        jl_binomial_cdf((long long)high - 1, n, q) - jl_binomial_cdf((long long)below - 1, n, q);
    return (jl_interval){sorted[below - 1], sorted[high - 1], covered, JL_KNOWN};
}

int jl_percentile_of(const double *x, size_t n, double q, double level, jl_percentile *out,
                     jl_error *err)
{
    if (!(q > 0 && q < 1))
        return jl_fail(err, JL_ERR_USAGE, "percentile %g: must lie between 0 and 1", q);
    JL_OWNED double *v = malloc((n + 1) * sizeof *v);
    if (!v) return jl_no_memory(err);
    size_t kept = jl_keep_finite(x, n, v);
    *out = (jl_percentile){jl_none(JL_TOO_FEW), {.why = JL_TOO_FEW}, kept, jl_percentile_needs(q)};
    if (kept < out->needed) return 0;
    jl_sort_doubles(v, kept);
    double position = q * (double)(kept - 1), whole = floor(position);
    size_t at = (size_t)whole;
    double next = at + 1 < kept ? v[at + 1] : v[at];
    out->value = jl_some(v[at] + (position - whole) * (next - v[at]));
    out->interval = quantile_interval(v, kept, q, level);
    return 0;
}

void jl_wilson(uint64_t hits, uint64_t n, double level, jl_value *share, jl_interval *interval)
{
    if (n == 0) {
        *share = jl_none(JL_NO_VALUES);
        *interval = (jl_interval){.why = JL_NO_VALUES};
        return;
    }
    double count = (double)n, p = (double)hits / count, z = -jl_normal_quantile(0.5 * (1 - level));
    double scale = 1 + z * z / count, middle = (p + z * z / (2 * count)) / scale;
    double half = z / scale * sqrt(p * (1 - p) / count + z * z / (4 * count * count));
    *share = jl_some(p);
    *interval = (jl_interval){hits ? fmax(middle - half, 0) : 0,
                              hits < n ? fmin(middle + half, 1) : 1, level, JL_KNOWN};
}
