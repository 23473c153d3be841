/* Distribution functions that the tests need, to about 1e-13. */
#ifndef JL_ANALYSIS_DISTRIBUTIONS_H
#define JL_ANALYSIS_DISTRIBUTIONS_H

#include <stddef.h>

double jl_normal_cdf(double z);
double jl_normal_quantile(double p); /* 0 < p < 1 */
/* P(T > t), Student's t with df > 0 degrees. */
double jl_t_tail(double t, double df);
/* The t with P(T > t) = tail, 0 < tail < 1. */
double jl_t_quantile_upper(double tail, double df);
double jl_chi2_tail(double x, double df);
/* P(range of k standard normals > q), k >= 2. */
double jl_range_tail(double q, size_t k);
/* P(Binomial(n, p) <= k), 0 < p < 1; 0 for k < 0. */
double jl_binomial_cdf(long long k, size_t n, double p);

#endif
