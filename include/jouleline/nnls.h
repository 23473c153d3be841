/* Small dense least squares with coefficients that cannot be negative. */
#ifndef JOULELINE_NNLS_H
#define JOULELINE_NNLS_H

#include <stddef.h>

#include "jouleline/error.h"

enum { JL_NNLS_MAX_COLUMNS = 16 };

/* x >= 0 minimising |a x - b|: a is m x p, row major, finite; 1 <= p <= 16, m >= 1.
 * residual (the norm) may be NULL. Source: Lawson and Hanson, Solving Least Squares Problems,
 * 23.3; the inner problems by Householder reflections on columns of unit length. */
int jl_nnls(const double *a, const double *b, size_t m, size_t p, double *x, double *residual,
            jl_error *err);

/* The ratio of the largest to the smallest singular value after every column is scaled to unit
 * length; DBL_MAX when a column is zero or the columns are dependent. One-sided Jacobi
 * rotations. */
int jl_condition_number(const double *a, size_t m, size_t p, double *out, jl_error *err);

#endif
