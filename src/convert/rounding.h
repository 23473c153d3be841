/* Weights in 8 bits, and what rounding them moves. Private to src/convert. */
#ifndef JL_CONVERT_ROUNDING_H
#define JL_CONVERT_ROUNDING_H

#include <stddef.h>
#include <stdint.h>

/* How weights lie in memory: element (outer, channel, inner), row major, with one scale for each
 * channel of the output. The channel of the input that it multiplies is outer + the first of the
 * channel's group + inner / positions. */
typedef struct jl_weight_layout {
    size_t outer, channels, inner;
    size_t groups, positions; /* of a convolution: its groups, elements of a kernel; else 1 */
} jl_weight_layout;

/* Channels of the input that the weights are for. */
size_t jl_weight_inputs(const jl_weight_layout *w);

/* Symmetric rounding to -largest..largest with one step a channel, at least steps[channel] as
 * given (0: no bound). A channel of zeros gets step 1. Returns 0, or -1 when a weight is
 * infinite or NaN. */
int jl_round_weights(const jl_weight_layout *w, const float *restrict x, int largest,
                     int8_t *restrict rounded, float *restrict steps);

/* The mean of what rounding took from each output: sum of (x - rounded * step) times the mean of
 * the input channel. Added to the bias, it leaves the mean of the output as it was: rounding errors
 * of weights do not average out where inputs have a mean (M. Nagel et al., Data-Free Quantization
 * Through Weight Equalization and Bias Correction, ICCV 2019, section 4.2; here with means of the
 * calibration samples instead of a model of their distribution). Padding counts as if it had the
 * mean, too. `means` holds jl_weight_inputs() numbers, `shift` one a channel. */
void jl_rounding_shift(const jl_weight_layout *w, const float *restrict x,
                       const int8_t *restrict rounded, const float *restrict steps,
                       const double *restrict means, double *restrict shift);

#endif
