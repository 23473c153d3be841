/* Comparing two sets of runs that share no rounds: two hosts, two devices, two stores. */
#ifndef JOULELINE_UNPAIRED_H
#define JOULELINE_UNPAIRED_H

#include "jouleline/paired.h"

typedef struct jl_rank_sum {
    size_t n1, n2, left_out;
    bool ties;
    double u1; /* pairs with x above y, equal ones counting half */
    jl_value p;
    double p_least;
    bool exact;             /* false: normal approximation, above 100 values in all */
    jl_value rank_biserial; /* 2 u1 / (n1 n2) - 1 */
} jl_rank_sum;

/* Mann and Whitney's test that x and y have one distribution; JL_GREATER: x tends to be larger.
 * Exact to 100 values in all, ties included, by convolution over the doubled ranks; above,
 * normal with tie and continuity correction.
 * Source: Mann and Whitney, Ann. Math. Stat. 18 (1947) 50. */
int jl_mann_whitney(const double *x, size_t n1, const double *y, size_t n2,
                    jl_alternative alternative, jl_rank_sum *out, jl_error *err);

/* The median of all differences x - y with the interval inverted from the rank-sum test. */
typedef struct jl_two_sample_shift {
    size_t n1, n2, left_out;
    jl_value estimate;
    jl_interval interval;
} jl_two_sample_shift;

int jl_hodges_lehmann_2(const double *x, size_t n1, const double *y, size_t n2, double level,
                        jl_two_sample_shift *out, jl_error *err);

#endif
