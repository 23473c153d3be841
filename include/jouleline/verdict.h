/* Did it get worse? Cells measured twice, a base and a new version, against a margin: what
 * `compare` prints and exits with. */
#ifndef JOULELINE_VERDICT_H
#define JOULELINE_VERDICT_H

#include "jouleline/statistics.h"

typedef enum jl_verdict_kind {
    JL_VERDICT_PASS,        /* the whole interval lies below 1 + margin */
    JL_VERDICT_REGRESSION,  /* the whole interval lies above 1 + margin */
    JL_VERDICT_INCONCLUSIVE /* it holds 1 + margin, or there are fewer than six rounds */
} jl_verdict_kind;

/* "pass", "regression", "inconclusive". */
const char *jl_verdict_name(jl_verdict_kind k);
/* 0, 3 or 4: the exit code; of several cells the first of regression, inconclusive, pass. */
int jl_verdict_exit(jl_verdict_kind k);

enum { JL_VERDICT_ROUNDS = 6 };

typedef struct jl_verdict {
    jl_verdict_kind kind;
    uint32_t n;             /* common rounds; unpaired: the smaller number of runs */
    jl_value ratio;         /* new / base: Hodges-Lehmann */
    jl_interval interval;   /* simultaneous over all cells judged */
    jl_value rounds_needed; /* of an inconclusive one, when the difference stays as it is; absent
                               when no number of rounds would tell (the ratio is the margin) */
} jl_verdict;

/* Paired: d holds log(new / base), m cells x n rounds, row major, NaN where missing. margin: 0.03
 * for 3 %, above 0. level of the simultaneous intervals, 0: 0.95. */
int jl_judge(const double *d, size_t m, size_t n, double margin, double level, uint64_t seed,
             jl_verdict *out, jl_error *err);

/* Unpaired: logarithms of m cells' values, base m x n1 and new m x n2; two-sample
 * Hodges-Lehmann intervals, Bonferroni over the cells. */
int jl_judge_unpaired(const double *base, size_t n1, const double *new_values, size_t n2, size_t m,
                      double margin, double level, jl_verdict *out, jl_error *err);

#endif
