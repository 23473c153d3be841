#include "jouleline/verdict.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/order.h"
#include "base/memory.h"
#include "jouleline/paired.h"
#include "jouleline/unpaired.h"

const char *jl_verdict_name(jl_verdict_kind k)
{
    return k == JL_VERDICT_PASS         ? "pass"
           : k == JL_VERDICT_REGRESSION ? "regression"
                                        : "inconclusive";
}

int jl_verdict_exit(jl_verdict_kind k)
{
    return k == JL_VERDICT_PASS ? 0 : k == JL_VERDICT_REGRESSION ? 3 : 4;
}

static int check(double margin, double level, jl_error *err)
{
    if (!(margin > 0 && margin < 100) || !(level > 0 && level < 1))
        return jl_fail(err, JL_ERR_USAGE,
                       "compare: margin %g must be above 0, level %g inside 0 to 1", margin, level);
    return 0;
}

/* From an interval of the log ratio (low, high around centre). */
static void decide(jl_verdict *v, double centre, jl_interval log_interval, double margin)
{
    double limit = log1p(margin);
    v->kind = JL_VERDICT_INCONCLUSIVE;
    v->rounds_needed = jl_none(JL_NOT_TESTED);
    v->interval = log_interval;
    if (log_interval.why) {
        v->rounds_needed = v->n < JL_VERDICT_ROUNDS ? jl_some(JL_VERDICT_ROUNDS) : v->rounds_needed;
        return;
    }
    v->interval.low = exp(log_interval.low);
    v->interval.high = exp(log_interval.high);
    if (v->n < JL_VERDICT_ROUNDS) {
        v->rounds_needed = jl_some(JL_VERDICT_ROUNDS);
        return;
    }
    if (log_interval.low > limit)
        v->kind = JL_VERDICT_REGRESSION;
    else if (log_interval.high < limit)
        v->kind = JL_VERDICT_PASS;
    if (v->kind != JL_VERDICT_INCONCLUSIVE) return;
    /* Widths shrink with the root of the rounds. */
    double half = 0.5 * (log_interval.high - log_interval.low), apart = fabs(centre - limit);
    double factor = apart > 0 ? half / apart : INFINITY, needed = ceil(v->n * factor * factor);
    v->rounds_needed =
        needed <= 1e6 ? jl_some(fmax(needed, v->n + 1.0)) : jl_none(JL_NOT_IDENTIFIABLE);
}

int jl_judge(const double *d, size_t m, size_t n, double margin, double level, uint64_t seed,
             jl_verdict *out, jl_error *err)
{
    if (!(level > 0)) level = 0.95;
    int rc = check(margin, level, err);
    JL_OWNED jl_interval *intervals = malloc((m + 1) * sizeof *intervals);
    if (rc) return rc;
    if (!intervals) return jl_no_memory(err);
    jl_max_t_options o = {.seed = seed};
    rc = jl_max_t_intervals(d, m, n, level, &o, intervals, err);
    for (size_t j = 0; j < m && !rc; j++) {
        jl_shift s;
        rc = jl_hodges_lehmann(d + j * n, n, level, &s, err);
        if (rc) break;
        out[j] = (jl_verdict){.n = (uint32_t)s.n};
        out[j].ratio = s.estimate.why ? s.estimate : jl_some(exp(s.estimate.value));
        /* Every round the same ratio: nothing is uncertain. */
        if (intervals[j].why == JL_NO_SPREAD)
            intervals[j] = (jl_interval){s.estimate.value, s.estimate.value, level, JL_KNOWN};
        decide(&out[j], s.estimate.value, intervals[j], margin);
    }
    return rc;
}

int jl_judge_unpaired(const double *base, size_t n1, const double *new_values, size_t n2, size_t m,
                      double margin, double level, jl_verdict *out, jl_error *err)
{
    if (!(level > 0)) level = 0.95;
    int rc = check(margin, level, err);
    for (size_t j = 0; j < m && !rc; j++) {
        jl_two_sample_shift s;
        rc = jl_hodges_lehmann_2(new_values + j * n2, n2, base + j * n1, n1,
                                 1 - (1 - level) / (double)m, &s, err);
        if (rc) break;
        out[j] = (jl_verdict){.n = (uint32_t)(s.n1 < s.n2 ? s.n1 : s.n2)};
        out[j].ratio = s.estimate.why ? s.estimate : jl_some(exp(s.estimate.value));
        decide(&out[j], s.estimate.value, s.interval, margin);
    }
    return rc;
}
