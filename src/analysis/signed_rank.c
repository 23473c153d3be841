#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/distributions.h"
#include "analysis/order.h"
#include "analysis/rank_null.h"
#include "base/memory.h"

enum { FEW = 64 };

void jl_signed_nulls_free(jl_signed_nulls *nulls)
{
    for (size_t n = 0; n <= JL_SIGNED_EXACT; n++)
        free(nulls->cdf[n]);
}

/* One more rank r, present with probability 1/2: f has `top` + 1 entries in use and room for r
 * more. */
static void convolve(double *f, size_t top, size_t r)
{
    memset(f + top + 1, 0, r * sizeof *f);
    for (size_t s = top + r; s >= r; s--)
        f[s] = 0.5 * (f[s] + f[s - r]);
    for (size_t s = 0; s < r; s++)
        f[s] *= 0.5;
}

const double *jl_signed_null(jl_signed_nulls *nulls, size_t n)
{
    if (nulls->cdf[n]) return nulls->cdf[n];
    size_t top = n * (n + 1) / 2;
    double *f = malloc((top + 1) * sizeof *f);
    if (!f) return NULL;
    f[0] = 1;
    for (size_t r = 1; r <= n; r++)
        convolve(f, r * (r - 1) / 2, r);
    for (size_t s = 1; s <= top; s++)
        f[s] += f[s - 1];
    return nulls->cdf[n] = f;
}

double jl_p_of_tails(double below, double above, jl_alternative alternative)
{
    if (alternative == JL_GREATER) return fmin(1, above);
    if (alternative == JL_LESS) return fmin(1, below);
    return fmin(1, 2 * fmin(below, above));
}

/* P(W <= w2) and P(W >= w2) of a sum of doubled ranks, by convolution. */
static int exact_tails(const uint32_t *rank2, size_t n, size_t w2, double *below, double *above)
{
    size_t total = 0, top = 0;
    for (size_t i = 0; i < n; i++)
        total += rank2[i];
    JL_OWNED double *f = malloc((total + 1) * sizeof *f);
    if (!f) return -1;
    f[0] = 1;
    for (size_t i = 0; i < n; i++) {
        convolve(f, top, rank2[i]);
        top += rank2[i];
    }
    *below = *above = 0;
    for (size_t s = 0; s <= w2; s++)
        *below += f[s];
    for (size_t s = total + 1; s-- > w2;)
        *above += f[s];
    return 0;
}

static void normal_tails(const uint32_t *rank2, size_t n, double w_plus, double *below,
                         double *above)
{
    /* Given the ranks in use, W+ is a sum of independent halves: no separate tie term. */
    double mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++) {
        double r = 0.5 * rank2[i];
        mean += 0.5 * r;
        variance += 0.25 * r * r;
    }
    double sd = sqrt(variance);
    *below = jl_normal_cdf((w_plus - mean + 0.5) / sd);
    *above = jl_normal_cdf(-(w_plus - mean - 0.5) / sd);
}

/* The differences that count in a test: m of n, with their doubled ranks. */
typedef struct ranked {
    const uint32_t *rank2;
    size_t m, plus2, total2; /* sums of the positive ones and of all */
    bool plain;              /* the ranks are 1 .. m */
} ranked;

static int rank_differences(const double *d, size_t n, jl_zeros zeros, double *size,
                            uint32_t *rank2, ranked *r, jl_signed_rank *out, jl_error *err)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        bool zero = !(d[i] < 0 || d[i] > 0);
        out->zeros += zero;
        if (!zero || zeros == JL_ZEROS_PRATT) size[used++] = fabs(d[i]);
    }
    double ties = jl_double_ranks(size, used, rank2);
    if (ties < 0) return jl_no_memory(err);
    bool ranked_zeros = zeros == JL_ZEROS_PRATT && out->zeros > 0;
    double z = ranked_zeros ? (double)out->zeros : 0;
    out->ties = ties > z * z * z - z;
    *r = (ranked){.rank2 = rank2, .plain = !out->ties && !ranked_zeros};
    for (size_t i = 0, j = 0; i < n; i++) {
        bool zero = !(d[i] < 0 || d[i] > 0);
        if (zero && zeros == JL_ZEROS_DISCARD) continue;
        uint32_t rank = rank2[j++];
        if (zero) continue;
        r->total2 += rank;
        if (d[i] > 0) r->plus2 += rank;
        rank2[r->m++] = rank;
    }
    return 0;
}

/* P(W+ <= w) and P(W+ >= w) for the w observed. */
static int tails_of(jl_signed_nulls *nulls, const ranked *r, double *below, double *above,
                    jl_error *err)
{
    if (r->m > JL_SIGNED_EXACT) {
        normal_tails(r->rank2, r->m, 0.5 * (double)r->plus2, below, above);
        return 0;
    }
    if (!r->plain)
        return exact_tails(r->rank2, r->m, r->plus2, below, above) ? jl_no_memory(err) : 0;
    const double *cdf = jl_signed_null(nulls, r->m);
    if (!cdf) return jl_no_memory(err);
    *below = cdf[r->plus2 / 2];
    *above = cdf[(r->total2 - r->plus2) / 2]; /* by symmetry */
    return 0;
}

int jl_wilcoxon_with(jl_signed_nulls *nulls, const double *d, size_t n, jl_zeros zeros,
                     jl_alternative alternative, jl_signed_rank *out, jl_error *err)
{
    double few_sizes[FEW];
    uint32_t few_ranks[FEW];
    JL_OWNED double *many_sizes = n > FEW ? malloc(n * sizeof *many_sizes) : NULL;
    JL_OWNED uint32_t *many_ranks = n > FEW ? malloc(n * sizeof *many_ranks) : NULL;
    double *size = n > FEW ? many_sizes : few_sizes;
    uint32_t *rank2 = n > FEW ? many_ranks : few_ranks;
    if (!size || !rank2) return jl_no_memory(err);
    if (n > UINT32_MAX / 4) return jl_fail(err, JL_ERR_LIMIT, "wilcoxon: %zu differences", n);
    *out = (jl_signed_rank){.n = n,
                            .exact = true,
                            .p = jl_none(JL_NO_PAIRS),
                            .p_least = 1,
                            .rank_biserial = jl_none(JL_NO_PAIRS)};
    if (n == 0) return 0;
    ranked r = {0};
    int rc = rank_differences(d, n, zeros, size, rank2, &r, out, err);
    if (rc) return rc;
    out->p = jl_some(1);
    out->rank_biserial = jl_none(JL_NO_SPREAD);
    if (r.m == 0) return 0;
    out->exact = r.m <= JL_SIGNED_EXACT;
    out->w_plus = 0.5 * (double)r.plus2;
    out->w_minus = 0.5 * (double)(r.total2 - r.plus2);
    out->rank_biserial = jl_some((out->w_plus - out->w_minus) / (0.5 * (double)r.total2));
    out->p_least = fmin(1, exp2((alternative == JL_TWO_SIDED ? 1 : 0) - (double)r.m));
    double below = 1, above = 1;
    rc = tails_of(nulls, &r, &below, &above, err);
    if (!rc) out->p = jl_some(jl_p_of_tails(below, above, alternative));
    return rc;
}

int jl_wilcoxon(const double *d, size_t n, jl_zeros zeros, jl_alternative alternative,
                jl_signed_rank *out, jl_error *err)
{
    __attribute__((cleanup(jl_signed_nulls_free))) jl_signed_nulls nulls = {0};
    JL_OWNED double *kept = malloc((n + 1) * sizeof *kept);
    if (!kept) return jl_no_memory(err);
    size_t m = jl_keep_finite(d, n, kept);
    int rc = jl_wilcoxon_with(&nulls, kept, m, zeros, alternative, out, err);
    out->left_out = n - m;
    return rc;
}
