#include <math.h>
#include <stdlib.h>

#include "analysis/distributions.h"
#include "analysis/order.h"
#include "analysis/rank_null.h"
#include "base/memory.h"

static int start(const double *d, size_t n, double low, double high, double *kept,
                 jl_equivalence *out, jl_error *err)
{
    if (!kept) return jl_no_memory(err);
    if (!(low < high && isfinite(low) && isfinite(high)))
        return jl_fail(err, JL_ERR_USAGE, "equivalence: bounds %g and %g must be ordered", low,
                       high);
    size_t m = jl_keep_finite(d, n, kept);
    jl_value none = jl_none(JL_NO_PAIRS);
    *out = (jl_equivalence){m, n - m, none, none, none};
    return 0;
}

static void finish(jl_equivalence *out, double p_low, double p_high)
{
    out->p_low = jl_some(p_low);
    out->p_high = jl_some(p_high);
    out->p = jl_some(fmax(p_low, p_high));
}

int jl_tost_signed_rank(const double *d, size_t n, double low, double high, jl_equivalence *out,
                        jl_error *err)
{
    __attribute__((cleanup(jl_signed_nulls_free))) jl_signed_nulls nulls = {0};
    JL_OWNED double *kept = malloc((n + 1) * sizeof *kept);
    int rc = start(d, n, low, high, kept, out, err);
    if (rc || out->n == 0) return rc;
    jl_signed_rank above, below;
    for (size_t i = 0; i < out->n; i++)
        kept[i] -= low;
    rc = jl_wilcoxon_with(&nulls, kept, out->n, JL_ZEROS_PRATT, JL_GREATER, &above, err);
    jl_keep_finite(d, n, kept);
    for (size_t i = 0; i < out->n; i++)
        kept[i] -= high;
    if (!rc) rc = jl_wilcoxon_with(&nulls, kept, out->n, JL_ZEROS_PRATT, JL_LESS, &below, err);
    if (!rc) finish(out, above.p.value, below.p.value);
    return rc;
}

int jl_tost_t(const double *d, size_t n, double low, double high, jl_equivalence *out,
              jl_error *err)
{
    JL_OWNED double *kept = malloc((n + 1) * sizeof *kept);
    int rc = start(d, n, low, high, kept, out, err);
    if (rc) return rc;
    double mean = 0, squares = 0, count = (double)out->n;
    for (size_t i = 0; i < out->n; i++)
        mean += kept[i] / count;
    for (size_t i = 0; i < out->n; i++)
        squares += (kept[i] - mean) * (kept[i] - mean);
    if (out->n < 2 || !(squares > 0)) {
        out->p = out->p_low = out->p_high = jl_none(out->n < 2 ? JL_TOO_FEW : JL_NO_SPREAD);
        return 0;
    }
    double se = sqrt(squares / (count * (count - 1)));
    finish(out, jl_t_tail((mean - low) / se, count - 1), jl_t_tail((high - mean) / se, count - 1));
    return 0;
}
