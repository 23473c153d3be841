/* Sorting, ranking and selecting doubles. */
#ifndef JL_ANALYSIS_ORDER_H
#define JL_ANALYSIS_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/paired.h"

/* Larger magnitudes count as infinite, so that no sum of squares overflows. */
#define JL_LARGEST 1e140

void jl_sort_doubles(double *x, size_t n);
/* Copies the finite values of x; returns how many. */
size_t jl_keep_finite(const double *x, size_t n, double *out);
double jl_sorted_median(const double *sorted, size_t n); /* n > 0 */

/* Doubled ranks (whole even when ties share them): rank2[i] of x[i] is twice its mean rank,
 * from 2 to 2 n. Returns the sum over groups of ties of t^3 - t (0: no ties), or -1 when memory
 * is exhausted. */
double jl_double_ranks(const double *x, size_t n, uint32_t *rank2);

/* Selection among the sums of pairs, without forming them all. a and b ascend. */
typedef struct jl_pair_sums {
    const double *a, *b;
    size_t na, nb;
    bool triangle; /* a == b and only pairs (i, j) with i <= j */
    size_t count;  /* pairs */
} jl_pair_sums;

/* The estimate of Hodges and Lehmann, which is the sums' median, and its interval from the rank-th
 * smallest to the rank-th largest sum; rank 0: JL_TOO_FEW for that level.
 * scratch holds 4 na values. */
void jl_pair_sums_shift(const jl_pair_sums *p, size_t rank, size_t *scratch, jl_value *estimate,
                        jl_interval *interval);

int jl_no_memory(jl_error *err);

#endif
