/* The mean error of an output, measured. Private to src/convert. */
#ifndef JL_CONVERT_RECENTRE_H
#define JL_CONVERT_RECENTRE_H

#include "convert/calibrate.h"

enum { JL_RECENTRE_LEAST = 8 /* samples, below which a mean error says too little */ };

/* Runs the model of `e` on the samples (JL_RECENTRE_LEAST or more) and writes into shift[channel]
 * what the named output must gain for its mean to be that of `wanted` (observed with keep_each).
 * Errors of single samples are noise that the mean of few samples carries, too: the mean error is
 * shrunk as a whole by max(0, 1 - V / D), where D is the sum of its squares and V the sum of the
 * squared standard errors (the positive part of James and Stein's estimate; B. Efron, C. Morris,
 * JASA 68, 1973). The least samples come first, evenly from all; the others only where D is more
 * than 2 V there, so that the mean error itself is more than what chance contributes. */
int jl_mean_error(jl_edit *e, const char *scratch, const jl_samples *samples,
                  const jl_observed *wanted, double *shift, jl_error *err);

#endif
