/* How far a figure repeats from run to run, and what that variation is made of: the variance
 * components of runs that each state an error of their own, and the drift of a quantity over
 * rounds.
 *
 * Model: y_i = mean + b_i + e_i, where e_i is the error within run i with the variance s_i^2 that
 * the run states, and b_i what differs between runs beyond it, with the variance t^2. */
#ifndef JOULELINE_REPEATABILITY_H
#define JOULELINE_REPEATABILITY_H

#include "jouleline/statistics.h"

enum { JL_REPEATABILITY_NEEDS = 3 };

/* Every number but n, q and p_* is relative to the mean: 0.01 for 1 %. */
typedef struct jl_repeatability {
    size_t n;                /* runs with a finite figure */
    jl_value mean;           /* in the figure's own unit; absent below three runs */
    jl_value cv;             /* coefficient of variation, n - 1 in the denominator */
    jl_interval cv_interval; /* of normal figures: chi-square of the standard deviation */
    /* Parts of the stated errors, medians over runs; absent where a run states none. */
    jl_value sensor, sampling;
    /* Between runs: Paule and Mandel's estimate of t and its interval by Q profiles; absent without
     * stated errors (or where one is 0); 0 where the runs differ no more than they state. */
    jl_value between;
    jl_interval between_interval;
    bool between_shown; /* Cochran's test of t = 0 rejects: p_between < 1 - level */
    jl_value p_between;
    bool overstated; /* the runs differ significantly less than they state */
} jl_repeatability;

/* y, se and sensor_se: n figures, their standard errors, and the parts of these that the sensor's
 * ticks and resolution make (the rest is noise of sampling within the run); se and sensor_se may be
 * NULL, NaN is missing. `level` (0.95) is that of the intervals and tests.
 * Sources: the interval of a standard deviation, Johnson and Kotz, Continuous Univariate
 * Distributions 1, 13.3; Q, Cochran, Biometrics 10 (1954) 101; t^2, Paule and Mandel, J. Res. Nat.
 * Bur. Stand. 87 (1982) 377; Q profiles, Viechtbauer, Statist. Med. 26 (2007) 37. */
int jl_repeatability_of(const double *y, const double *se, const double *sensor_se, size_t n,
                        double level, jl_repeatability *out, jl_error *err);

/* How a quantity changed over rounds: a straight line through the values by least squares. */
typedef struct jl_round_drift {
    size_t n;
    jl_value mean, low, high; /* of the values */
    jl_value change;          /* along the line, from the first round with a value to the last */
    jl_interval interval;     /* of the change: Student's t, n - 2 degrees; absent below 3 values */
    double noise;             /* root mean square of the stated errors, 0 when none is stated */
    bool beyond_noise; /* the interval leaves 0 out, and the change is over twice the noise */
} jl_round_drift;

/* y and se: one value a round, NaN is missing; se may be NULL. */
int jl_round_drift_of(const double *y, const double *se, size_t rounds, double level,
                      jl_round_drift *out, jl_error *err);

/* Whether the middle of n net figures, each with its standard error, lies within two standard
 * errors of zero. The standard error of the middle is the larger one of what the runs state and of
 * how they differ, over the square root of their number. False without figures or errors. */
bool jl_indistinct_from_zero(const double *y, const double *se, size_t n);

#endif
