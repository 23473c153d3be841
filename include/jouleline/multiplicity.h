/* Many tests at once: corrected p-values in declared families, and what a number of rounds can
 * show at all. */
#ifndef JOULELINE_MULTIPLICITY_H
#define JOULELINE_MULTIPLICITY_H

#include "jouleline/statistics.h"

/* Corrected p-values of n tests in a family of `family` >= n (tests that could not be made
 * still count). Absent p stay absent. in and out may be the same array. */
void jl_bonferroni(const jl_value *p, size_t n, size_t family, jl_value *out);
/* Holm's step-down. Source: Holm, Scand. J. Stat. 6 (1979) 65. */
int jl_holm(const jl_value *p, size_t n, size_t family, jl_value *out, jl_error *err);

/* The smallest two-sided p of n rounds in an exact signed-rank test: 2 / 2^n (1 for n = 0). */
double jl_signed_rank_least_p(size_t n);
/* The fewest rounds at which an exact signed-rank test can pass Bonferroni in a family. */
size_t jl_rounds_needed(size_t family, double alpha);
/* The largest family in which n rounds can pass Bonferroni; 0 when not even one test can. */
uint64_t jl_family_ceiling(size_t rounds, double alpha);

#endif
