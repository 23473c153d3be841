#include <math.h>
#include <stdlib.h>

#include "analysis/distributions.h"
#include "analysis/order.h"
#include "analysis/rank_null.h"
#include "base/memory.h"
#include "jouleline/unpaired.h"

/* P(rank sum of a random n1 of the n values = s) for every s, in doubled ranks: f holds the
 * number of chosen values (0..n1) by the sum (0..top), as probabilities. */
static double *subset_sums(const uint32_t *rank2, size_t n, size_t n1, size_t *top)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += rank2[i];
    *top = sum;
    size_t width = sum + 1;
    double *f = calloc((n1 + 1) * width, sizeof *f);
    if (!f) return NULL;
    f[0] = 1;
    size_t reach = 0;
    for (size_t i = 0; i < n; i++) {
        size_t most = i + 1 < n1 ? i + 1 : n1, r = rank2[i];
        reach += r;
        /* Value i is among the chosen with probability (n1 - chosen) / (n - i). */
        for (size_t c = most + 1; c-- > 0;) {
            double *row = f + c * width, stay = 1 - (double)(n1 - c) / (double)(n - i);
            double take = c ? (double)(n1 - c + 1) / (double)(n - i) : 0;
            const double *from = c ? row - width : NULL;
            if (stay < 0) stay = 0;
            for (size_t s = 0; s <= reach; s++)
                row[s] = stay * row[s] + (c && s >= r ? take * from[s - r] : 0);
        }
    }
    return f;
}

static int exact_tails(const uint32_t *rank2, size_t n1, size_t n, size_t w2, double *below,
                       double *above)
{
    size_t top;
    JL_OWNED double *f = subset_sums(rank2, n, n1, &top);
    if (!f) return -1;
    const double *row = f + n1 * (top + 1);
    *below = *above = 0;
    for (size_t s = 0; s <= w2; s++)
        *below += row[s];
    for (size_t s = top + 1; s-- > w2;)
        *above += row[s];
    return 0;
}

int jl_mann_whitney(const double *x, size_t n1, const double *y, size_t n2,
                    jl_alternative alternative, jl_rank_sum *out, jl_error *err)
{
    JL_OWNED double *v = malloc((n1 + n2 + 1) * sizeof *v);
    JL_OWNED uint32_t *rank2 = malloc((n1 + n2 + 1) * sizeof *rank2);
    if (!v || !rank2) return jl_no_memory(err);
    size_t m1 = jl_keep_finite(x, n1, v), m2 = jl_keep_finite(y, n2, v + m1), m = m1 + m2;
    *out = (jl_rank_sum){.n1 = m1,
                         .n2 = m2,
                         .left_out = n1 + n2 - m,
                         .exact = true,
                         .p_least = 1,
                         .p = jl_none(JL_NO_VALUES),
                         .rank_biserial = jl_none(JL_NO_VALUES)};
    if (m1 == 0 || m2 == 0) return 0;
    double ties = jl_double_ranks(v, m, rank2), a = (double)m1, b = (double)m2;
    if (ties < 0) return jl_no_memory(err);
    out->ties = ties > 0;
    size_t w2 = 0;
    for (size_t i = 0; i < m1; i++)
        w2 += rank2[i];
    out->u1 = 0.5 * (double)w2 - a * (a + 1) / 2;
    out->rank_biserial = jl_some(2 * out->u1 / (a * b) - 1);
    double samples = exp(lgamma(a + b + 1) - lgamma(a + 1) - lgamma(b + 1));
    out->p_least = fmin(1, (alternative == JL_TWO_SIDED ? 2 : 1) / samples);
    double below, above, all = a + b;
    double variance = a * b / 12 * (all + 1 - ties / (all * (all - 1)));
    if (!(variance > 0)) {
        out->p = jl_some(1); /* every value equal: no order says anything */
        return 0;
    }
    if (m > JL_RANK_SUM_EXACT) {
        double distance = out->u1 - a * b / 2, sd = sqrt(variance);
        out->exact = false;
        below = jl_normal_cdf((distance + 0.5) / sd);
        above = jl_normal_cdf(-(distance - 0.5) / sd);
    } else if (exact_tails(rank2, m1, m, w2, &below, &above)) {
        return jl_no_memory(err);
    }
    out->p = jl_some(jl_p_of_tails(below, above, alternative));
    return 0;
}

/* The largest k from 1 with 2 P(U <= k - 1) <= 1 - level, or 0, and the level that is reached: the
 * k-th of the n1 n2 differences from either end are the interval. */
static int interval_rank(size_t n1, size_t n2, double level, size_t *k, double *attained,
                         jl_error *err)
{
    size_t n = n1 + n2, count = n1 * n2;
    double a = (double)n1, b = (double)n2;
    *k = 0;
    *attained = fmax(0, 1 - 2 * exp(lgamma(a + 1) + lgamma(b + 1) - lgamma(a + b + 1)));
    if (*attained < level) return 0;
    if (n > JL_RANK_SUM_EXACT) {
        double sd = sqrt(a * b * (a + b + 1) / 12);
        double at = 0.5 * a * b + 0.5 + jl_normal_quantile(0.5 * (1 - level)) * sd;
        *attained = level;
        *k = at >= 1 ? (size_t)at : 1;
        return 0;
    }
    uint32_t rank[JL_RANK_SUM_EXACT];
    for (size_t i = 0; i < n; i++)
        rank[i] = (uint32_t)(i + 1);
    size_t top, least = n1 * (n1 + 1) / 2;
    JL_OWNED double *f = subset_sums(rank, n, n1, &top);
    if (!f) return jl_no_memory(err);
    const double *row = f + n1 * (top + 1) + least; /* row[u] = P(U = u) */
    double below = row[0];
    *k = 1;
    while (*k < count / 2 && 1 - 2 * (below + row[*k]) >= level)
        below += row[(*k)++];
    *attained = 1 - 2 * below;
    return 0;
}

int jl_hodges_lehmann_2(const double *x, size_t n1, const double *y, size_t n2, double level,
                        jl_two_sample_shift *out, jl_error *err)
{
    JL_OWNED double *v = malloc((n1 + n2 + 1) * sizeof *v);
    JL_OWNED size_t *scratch = malloc((4 * n1 + 1) * sizeof *scratch);
    if (!v || !scratch) return jl_no_memory(err);
    size_t m1 = jl_keep_finite(x, n1, v), m2 = jl_keep_finite(y, n2, v + m1);
    *out = (jl_two_sample_shift){
        m1, m2, n1 + n2 - m1 - m2, jl_none(JL_NO_VALUES), {.why = JL_NO_VALUES}};
    if (m1 == 0 || m2 == 0) return 0;
    for (size_t i = 0; i < m2; i++)
        v[m1 + i] = -v[m1 + i];
    jl_sort_doubles(v, m1);
    jl_sort_doubles(v + m1, m2);
    jl_pair_sums differences = {v, v + m1, m1, m2, false, m1 * m2};
    size_t k;
    int rc = interval_rank(m1, m2, level, &k, &out->interval.level, err);
    if (rc) return rc;
    jl_pair_sums_shift(&differences, k, scratch, &out->estimate, &out->interval);
    return 0;
}
