/* Comparing two or more configurations that ran in the same rounds. The arrays hold one
 * difference a round, usually the logarithm of a ratio; NaN where a round lacks one side. */
#ifndef JOULELINE_PAIRED_H
#define JOULELINE_PAIRED_H

#include "jouleline/statistics.h"

typedef enum jl_zeros {
    JL_ZEROS_PRATT,  /* rank the zeros, then leave their ranks out (the default) */
    JL_ZEROS_DISCARD /* leave the zeros out before ranking (Wilcoxon) */
} jl_zeros;

typedef enum jl_alternative { JL_TWO_SIDED, JL_GREATER, JL_LESS } jl_alternative;

/* Wilcoxon's signed-rank test of a symmetric distribution about zero. */
typedef struct jl_signed_rank {
    size_t n, left_out, zeros; /* finite differences, the rest, those equal to 0 */
    bool ties;                 /* some absolute differences are equal */
    double w_plus, w_minus;    /* rank sums; halves when ties share a rank */
    jl_value p;                /* absent without a pair; 1 when every difference is 0 */
    double p_least;            /* the smallest p that n differences could give */
    bool exact;                /* false: normal approximation, above 300 differences */
    jl_value rank_biserial;    /* (w_plus - w_minus) / (w_plus + w_minus), -1 to 1 */
} jl_signed_rank;

/* Exact to 300 differences, ties and zeros included: the null distribution is the convolution
 * over the (doubled, hence whole) ranks present. Above: normal with tie and continuity
 * correction. Two-sided p is twice the smaller tail, at most 1.
 * Source: Pratt, J. Am. Stat. Assoc. 54 (1959) 655; Kerby, Compr. Psychol. 3 (2014) 1 for the
 * effect. */
int jl_wilcoxon(const double *d, size_t n, jl_zeros zeros, jl_alternative alternative,
                jl_signed_rank *out, jl_error *err);

/* The Hodges-Lehmann estimate (the median of all means of two differences, with themselves) and
 * the interval inverted from the signed-rank test; its level is the attained one. */
typedef struct jl_shift {
    size_t n, left_out;
    jl_value estimate;
    jl_interval interval;
} jl_shift;

int jl_hodges_lehmann(const double *d, size_t n, double level, jl_shift *out, jl_error *err);

/* TOST: is the shift inside (low, high)? p is the larger of the two one-sided p. */
typedef struct jl_equivalence {
    size_t n, left_out;
    jl_value p_low, p_high, p; /* against <= low, against >= high, the larger */
} jl_equivalence;

/* By two signed-rank tests (exact; the one used for findings). low < high, both finite. */
int jl_tost_signed_rank(const double *d, size_t n, double low, double high, jl_equivalence *out,
                        jl_error *err);
/* By two Student t tests; absent without spread. Source: Schuirmann, J. Pharmacokinet.
 * Biopharm. 15 (1987) 657. */
int jl_tost_t(const double *d, size_t n, double low, double high, jl_equivalence *out,
              jl_error *err);

/* Joint sign-flip max-t over rounds: m comparisons over the same n rounds are tested at once.
 * If no configuration differs, turning the sign of a whole round changes nothing; the largest
 * |t| over all comparisons for every choice of signs is the reference, so the family-wise error
 * holds for any dependence between comparisons. The statistic is sum / sqrt(sum of squares),
 * which orders like Student's t and stays finite without spread.
 * All 2^n choices to n = 15; above, `draws` seeded ones and the observed one.
 * Source: Westfall and Young, Resampling-Based Multiple Testing, 2.6; Winkler et al., NeuroImage
 * 92 (2014) 381 for sign flips. */
typedef struct jl_max_t_options {
    jl_alternative alternative; /* JL_GREATER: the differences exceed the shift */
    double shift;               /* the null value, subtracted from every difference */
    size_t draws;               /* above 15 rounds; 0: 9,999 */
    uint64_t seed;
} jl_max_t_options;

typedef struct jl_max_t {
    size_t rounds;  /* rounds in which at least one comparison has a difference */
    size_t tested;  /* comparisons with at least two differences */
    bool exact;     /* every sign vector was tried */
    double p_least; /* the smallest p that this design can give */
} jl_max_t;

enum { JL_MAX_T_EXACT_ROUNDS = 15 };

/* d: m x n, row major, NaN where missing (a missing difference adds nothing to its
 * comparison's statistic). p: m corrected values; absent with fewer than two differences. */
int jl_max_t_test(const double *d, size_t m, size_t n, const jl_max_t_options *options, jl_value *p,
                  jl_max_t *out, jl_error *err);

/* Simultaneous intervals of the m means: mean +- c sd / sqrt(n), c the quantile of the largest
 * |t| when signs of the centred rounds are flipped. Approximate: doc/methodology.md gives the
 * coverage found by simulation. Absent where fewer than six rounds or no spread. */
int jl_max_t_intervals(const double *d, size_t m, size_t n, double level,
                       const jl_max_t_options *options, jl_interval *intervals, jl_error *err);

/* Friedman's test of k configurations over the n complete rounds (rows with a missing value are
 * left out). Ties share ranks. */
typedef struct jl_friedman {
    size_t n, left_out;
    jl_value chi2;
    jl_value p_chi2;        /* chi-squared, k - 1 degrees: poor below ten rounds */
    jl_value p_permutation; /* ranks permuted inside rounds, seeded draws: at any size */
} jl_friedman;

enum { JL_FRIEDMAN_DRAWS = 9999 };

/* x: n x k, row major. mean_ranks: k values. pair_p: k x k, symmetric, Nemenyi's post-hoc p
 * (studentised range, already corrected for all pairs), 1 on the diagonal; either may be NULL.
 * k >= 3. Source: Demsar, J. Mach. Learn. Res. 7 (2006) 1. */
int jl_friedman_test(const double *x, size_t n, size_t k, uint64_t seed, double *mean_ranks,
                     jl_value *pair_p, jl_friedman *out, jl_error *err);

#endif
