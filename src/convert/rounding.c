#include "convert/rounding.h"

#include <math.h>
#include <string.h>

size_t jl_weight_inputs(const jl_weight_layout *w)
{
    return w->outer > 1 ? w->outer : w->groups * (w->inner / w->positions);
}

int jl_round_weights(const jl_weight_layout *w, const float *x, int largest, int8_t *rounded,
                     float *steps)
{
    size_t blocks = w->outer * w->channels;
    for (size_t b = 0; b < blocks; b++) {
        float most = steps[b % w->channels] * (float)largest;
        for (size_t k = b * w->inner; k < (b + 1) * w->inner; k++) {
            if (!isfinite(x[k])) return -1;
            most = fabsf(x[k]) > most ? fabsf(x[k]) : most;
        }
        steps[b % w->channels] = most / (float)largest;
    }
    for (size_t c = 0; c < w->channels; c++)
        if (!(steps[c] > 0)) steps[c] = 1;
    for (size_t b = 0; b < blocks; b++) {
        float inverse = 1 / steps[b % w->channels];
        for (size_t k = b * w->inner; k < (b + 1) * w->inner; k++) {
            float v = x[k] * inverse;
            rounded[k] = (int8_t)(v + (v < 0 ? -0.5f : 0.5f));
        }
    }
    return 0;
}

void jl_rounding_shift(const jl_weight_layout *w, const float *x, const int8_t *rounded,
                       const float *steps, const double *means, double *shift)
{
    size_t in_group = w->inner / w->positions, of_group = w->channels / w->groups;
    memset(shift, 0, w->channels * sizeof *shift);
    for (size_t b = 0; b < w->outer * w->channels; b++) {
        size_t c = b % w->channels, first = b / w->channels + c / of_group * in_group;
        double sum = 0;
        for (size_t i = 0; i < in_group; i++) {
            size_t at = b * w->inner + i * w->positions;
            float lost = 0;
            for (size_t k = at; k < at + w->positions; k++)
                lost += x[k] - (float)rounded[k] * steps[c];
            sum += (double)lost * means[first + i];
        }
        shift[c] += sum;
    }
}
