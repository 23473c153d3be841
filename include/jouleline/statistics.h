/* Statistics of one array: what can be said of its middle and its tail, and how surely.
 *
 * All functions of the analysis take plain arrays and do no input or output. NaN marks a missing
 * value; infinite values are no measurements either. Both are left out and counted. A number
 * that the data cannot carry is absent: its `why` says the reason and its fields are 0, so that
 * no NaN leaves these functions. */
#ifndef JOULELINE_STATISTICS_H
#define JOULELINE_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"

/* Why a number is absent. */
typedef enum jl_why {
    JL_KNOWN = 0,
    JL_NO_VALUES,       /* nothing was measured */
    JL_TOO_FEW,         /* fewer values than this number needs */
    JL_NO_SPREAD,       /* every value is the same, so the spread says nothing */
    JL_NO_PAIRS,        /* no round has both sides */
    JL_NOT_TESTED,      /* nobody asked, or the rule that tests it does not apply */
    JL_NOT_IDENTIFIABLE /* the design cannot tell this number from the others */
} jl_why;

/* "too few values"; never NULL. */
const char *jl_why_words(jl_why why);

/* A number that may be absent. */
typedef struct jl_value {
    double value;
    jl_why why;
} jl_value;

static inline jl_value jl_some(double value)
{
    jl_value v = {value, JL_KNOWN};
    return v;
}
static inline jl_value jl_none(jl_why why)
{
    jl_value v = {0, why};
    return v;
}

/* An interval with the confidence that it really has, at least the one asked for. When it is
 * absent as too few, `level` is the highest that so few values can attain. */
typedef struct jl_interval {
    double low, high;
    double level;
    jl_why why;
} jl_interval;

/* The k-th smallest and the k-th largest of n independent values enclose the median with
 * `attained` = 1 - 2 P(Binomial(n, 1/2) < k), whatever the distribution. Returns the largest k
 * (from 1) whose level is at least `level`, or 0 when none is, with the level of k = 1.
 * Source: David and Nagaraja, Order Statistics, 7.1. */
size_t jl_order_rank(size_t n, double level, double *attained);

/* The middle of n values, each independent of the others (one per round, never the samples of
 * one run: those depend on their neighbours). */
typedef struct jl_summary {
    size_t n;        /* finite values */
    size_t left_out; /* missing or infinite */
    jl_value median, mean, min, max;
    jl_value sd;                 /* with n - 1; needs two values */
    jl_interval median_interval; /* order statistics */
} jl_summary;

int jl_summarise(const double *x, size_t n, double level, jl_summary *out, jl_error *err);

/* Values needed before the percentile q (0.99 for P99) may be printed: with 99 % confidence two
 * of them lie beyond it. 64 for P90, 130 for P95, 662 for P99, 6636 for P99.9; the same for the
 * lower tail. 0 < q < 1. Source: Wilks, Ann. Math. Stat. 12 (1941) 91, second order. */
size_t jl_percentile_needs(double q);

typedef struct jl_percentile {
    jl_value value;       /* linear between order statistics (Hyndman and Fan's type 7) */
    jl_interval interval; /* order statistics, two-sided, at least the level asked for */
    size_t n, needed;
} jl_percentile;

/* 0 < q < 1; absent (JL_TOO_FEW) below jl_percentile_needs(q). */
int jl_percentile_of(const double *x, size_t n, double q, double level, jl_percentile *out,
                     jl_error *err);

/* The median of a series whose neighbours are correlated (the timed calls of one run): the
 * series is cut into equal batches of neighbours, whose medians are nearly independent, and
 * Student's t over the batch medians gives the interval. From 32 batches the number is reduced
 * until the correlation of neighbouring batch medians is no longer significant.
 * Source: Alexopoulos, Goldsman, Wilson: overlapping batch means... WSC 2011 (method); Law,
 * Simulation Modeling and Analysis, 9.5. */
typedef struct jl_batch_median {
    double median;        /* of the whole series */
    jl_interval interval; /* absent below 64 values */
    size_t batches, batch_size;
    double correlation; /* lag 1, of the batch medians in use */
    bool settled;       /* false: still correlated with the fewest batches (8) */
} jl_batch_median;

int jl_batch_median_of(const double *series, size_t n, double level, jl_batch_median *out,
                       jl_error *err);

typedef enum jl_statistic { JL_MEAN, JL_MEDIAN } jl_statistic;

enum { JL_BCA_NEEDS = 30 };

/* The bias-corrected and accelerated bootstrap interval, from 30 values on (below, its coverage
 * is under nominal). `indices` is resamples x n positions below n, row major, or NULL: then
 * they are drawn from the seed. Infinite and missing values are refused (JL_ERR_USAGE) when
 * indices are given, else left out. The level is nominal.
 * Source: Efron and Tibshirani, An Introduction to the Bootstrap, 14.3. */
int jl_bca(const double *x, size_t n, jl_statistic statistic, double level, size_t resamples,
           const uint32_t *indices, uint64_t seed, jl_interval *out, jl_error *err);

/* The share hits / n with Wilson's score interval; absent for n = 0.
 * Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209. */
void jl_wilson(uint64_t hits, uint64_t n, double level, jl_value *share, jl_interval *interval);

#endif
