/* Null distributions of rank sums. */
#ifndef JL_ANALYSIS_RANK_NULL_H
#define JL_ANALYSIS_RANK_NULL_H

#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"
#include "jouleline/paired.h"

enum { JL_SIGNED_EXACT = 300, JL_RANK_SUM_EXACT = 100 };

/* Distribution functions P(W+ <= s), s = 0 .. n (n + 1) / 2, of n untied differences, built on
 * demand and kept; zero-initialise, and free with jl_signed_nulls_free. */
typedef struct jl_signed_nulls {
    double *cdf[JL_SIGNED_EXACT + 1];
} jl_signed_nulls;

void jl_signed_nulls_free(jl_signed_nulls *nulls);
/* NULL when memory is exhausted; 1 <= n <= JL_SIGNED_EXACT. */
const double *jl_signed_null(jl_signed_nulls *nulls, size_t n);

/* jl_wilcoxon and jl_hodges_lehmann on n finite differences, reusing tables. */
int jl_wilcoxon_with(jl_signed_nulls *nulls, const double *d, size_t n, jl_zeros zeros,
                     jl_alternative alternative, jl_signed_rank *out, jl_error *err);
int jl_hodges_lehmann_with(jl_signed_nulls *nulls, const double *d, size_t n, double level,
                           jl_shift *out, jl_error *err);

/* min(1, 2 x the smaller tail), or the tail that the alternative names. */
double jl_p_of_tails(double below, double above, jl_alternative alternative);

#endif
