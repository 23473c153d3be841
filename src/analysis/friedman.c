#include <math.h>
#include <stdlib.h>

#include "analysis/distributions.h"
#include "analysis/order.h"
#include "base/memory.h"
#include "base/rng.h"
#include "jouleline/paired.h"

/* Sum over columns of the squared doubled rank sums: all that varies under permutation. */
static double spread(const uint32_t *rank2, size_t n, size_t k, uint64_t *sums)
{
    for (size_t j = 0; j < k; j++)
        sums[j] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            sums[j] += rank2[i * k + j];
    double total = 0;
    for (size_t j = 0; j < k; j++)
        total += (double)sums[j] * (double)sums[j];
    return total;
}

static double permutation_p(uint32_t *rank2, size_t n, size_t k, uint64_t seed, double observed,
                            uint64_t *sums)
{
    jl_rng rng = {seed};
    size_t as_large = 1;
    for (int draw = 0; draw < JL_FRIEDMAN_DRAWS; draw++) {
        for (size_t i = 0; i < n; i++)
            jl_rng_shuffle(&rng, rank2 + i * k, k, sizeof *rank2);
        as_large += spread(rank2, n, k, sums) >= observed;
    }
    return (double)as_large / (JL_FRIEDMAN_DRAWS + 1);
}

int jl_friedman_test(const double *x, size_t n, size_t k, uint64_t seed, double *mean_ranks,
                     jl_value *pair_p, jl_friedman *out, jl_error *err)
{
    if (k < 3) return jl_fail(err, JL_ERR_USAGE, "friedman: %zu configurations, needs three", k);
    JL_OWNED uint32_t *rank2 = calloc(n * k + 1, sizeof *rank2);
    JL_OWNED uint64_t *sums = calloc(k, sizeof *sums);
    if (!rank2 || !sums) return jl_no_memory(err);
    size_t kept = 0;
    double ties = 0, columns = (double)k;
    for (size_t i = 0; i < n; i++) {
        bool whole = true;
        for (size_t j = 0; j < k; j++)
            whole &= fabs(x[i * k + j]) <= JL_LARGEST;
        if (!whole) continue;
        double row_ties = jl_double_ranks(x + i * k, k, rank2 + kept * k);
        if (row_ties < 0) return jl_no_memory(err);
        ties += row_ties;
        kept++;
    }
    jl_why why = kept == 0 ? JL_NO_PAIRS : kept == 1 ? JL_TOO_FEW : JL_KNOWN;
    double rows = (double)kept;
    double correction = why ? 0 : 1 - ties / (columns * (columns * columns - 1) * rows);
    if (!why && !(correction > 1e-12)) why = JL_NO_SPREAD;
    *out = (jl_friedman){kept, n - kept, jl_none(why), jl_none(why), jl_none(why)};
    double observed = spread(rank2, kept, k, sums);
    for (size_t j = 0; mean_ranks && j < k; j++)
        mean_ranks[j] = kept ? 0.5 * (double)sums[j] / rows : 0;
    for (size_t i = 0; pair_p && i < k; i++)
        for (size_t j = 0; j < k; j++) {
            double apart = fabs(0.5 * ((double)sums[i] - (double)sums[j]));
            double q = why ? 0 : apart / rows / sqrt(columns * (columns + 1) / (12 * rows));
            pair_p[i * k + j] = why ? jl_none(why) : jl_some(i == j ? 1 : jl_range_tail(q, k));
        }
    if (why) return 0;
    double chi2 =
        (12 / (columns * rows * (columns + 1)) * 0.25 * observed - 3 * rows * (columns + 1)) /
        correction;
    out->chi2 = jl_some(fmax(chi2, 0));
    out->p_chi2 = jl_some(jl_chi2_tail(chi2, columns - 1));
    out->p_permutation = jl_some(permutation_p(rank2, kept, k, seed, observed, sums));
    return 0;
}
