#include "convert/rounding.h"

#include <float.h>
#include <math.h>
#include <string.h>

size_t jl_weight_inputs(const jl_weight_layout *w)
{
    return w->outer > 1 ? w->outer : w->groups * (w->inner / w->positions);
}

/* The largest magnitude of n floats, at least `most`; infinite where one is infinite or NaN. */
static float magnitude(const float *x, size_t n, float most)
{
    for (size_t k = 0; k < n; k++) {
        float v = fabsf(x[k]);
        if (!(v <= FLT_MAX)) return INFINITY;
        most = v > most ? v : most;
    }
    return most;
}

int jl_round_weights(const jl_weight_layout *w, const float *x, int largest, int8_t *rounded,
                     float *steps)
{
    size_t at = 0;
    for (size_t o = 0; o < w->outer; o++)
        for (size_t c = 0; c < w->channels; c++, at += w->inner) {
            float most = magnitude(x + at, w->inner, steps[c] * (float)largest);
            if (!(most <= FLT_MAX)) return -1;
            steps[c] = most / (float)largest;
        }
    for (size_t c = 0; c < w->channels; c++)
        if (!(steps[c] > 0)) steps[c] = 1;
    at = 0;
    for (size_t o = 0; o < w->outer; o++)
        for (size_t c = 0; c < w->channels; c++) {
            float inverse = 1 / steps[c];
            for (size_t end = at + w->inner; at < end; at++) {
                float v = x[at] * inverse;
                rounded[at] = (int8_t)(v + (v < 0 ? -0.5f : 0.5f));
            }
        }
    return 0;
}

/* What rounding took from one channel's block: the sum over its inputs, each times its mean. */
static double lost_of_block(const jl_weight_layout *w, const float *x, const int8_t *rounded,
                            float step, const double *means, size_t inputs)
{
    double sum = 0;
    for (size_t i = 0; i < inputs; i++) {
        float lost = 0;
        for (size_t k = i * w->positions; k < (i + 1) * w->positions; k++)
            lost += x[k] - (float)rounded[k] * step;
        sum += (double)lost * means[i];
    }
    return sum;
}

void jl_rounding_shift(const jl_weight_layout *w, const float *x, const int8_t *rounded,
                       const float *steps, const double *means, double *shift)
{
    size_t in_group = w->inner / w->positions, of_group = w->channels / w->groups, at = 0;
    memset(shift, 0, w->channels * sizeof *shift);
    for (size_t o = 0; o < w->outer; o++)
        for (size_t c = 0; c < w->channels; c++, at += w->inner) {
            size_t first = w->groups == 1 ? o : o + c / of_group * in_group;
            shift[c] += lost_of_block(w, x + at, rounded + at, steps[c], means + first, in_group);
        }
}
