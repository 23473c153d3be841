#include "convert/extremes.h"
#include "convert/rounding.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

size_t jl_weight_inputs(const jl_weight_layout *w)
{
    return w->outer > 1 ? w->outer : w->groups * (w->inner / w->positions);
}

/* Reductions run in lanes of a constant number, which compilers turn into vectors. */
enum { LANES = 16 };

/* Raises steps to the largest magnitude of each channel; returns whether all weights are finite. */
static bool find_magnitudes(const jl_weight_layout *w, const float *restrict x,
                            float *restrict steps)
{
    float low, high;
    size_t n = w->outer * w->channels;
    for (size_t i = 0; i < n && w->inner > 1; i++) {
        float *most = &steps[i % w->channels];
        if (!jl_extremes(x + i * w->inner, w->inner, &low, &high)) return false;
        *most = fmaxf(*most, fmaxf(-low, high));
    }
    if (w->inner != 1 || !n) return true;
    for (size_t o = 0; o < w->outer; o++) {
        const float *row = x + o * w->channels;
        for (size_t c = 0; c < w->channels; c++)
            steps[c] = fabsf(row[c]) > steps[c] ? fabsf(row[c]) : steps[c];
    }
    return jl_extremes(x, n, &low, &high);
}

static int8_t round_one(float x, float inverse)
{
    return (int8_t)(x * inverse + copysignf(0.5f, x));
}

int jl_round_weights(const jl_weight_layout *w, const float *restrict x, int largest,
                     int8_t *restrict rounded, float *restrict steps)
{
    for (size_t c = 0; c < w->channels; c++)
        steps[c] *= (float)largest;
    if (!find_magnitudes(w, x, steps)) return -1;
    for (size_t c = 0; c < w->channels; c++)
        steps[c] = steps[c] > 0 ? steps[c] / (float)largest : 1;
    for (size_t o = 0; o < w->outer; o++) {
        size_t row = o * w->channels * w->inner;
        for (size_t c = 0; c < w->channels && w->inner > 1; c++) {
            float inverse = 1 / steps[c];
            size_t first = row + c * w->inner;
            for (size_t k = first; k < first + w->inner; k++)
                rounded[k] = round_one(x[k], inverse);
        }
        for (size_t c = 0; c < w->channels && w->inner == 1; c++)
            rounded[row + c] = round_one(x[row + c], 1 / steps[c]);
    }
    return 0;
}

static float lost_of(float x, int8_t rounded, float step)
{
    return x - (float)rounded * step;
}

/* What rounding took from one channel's block: the sum over its inputs, each times its mean. */
static double lost_of_block(const jl_weight_layout *w, const float *x, const int8_t *rounded,
                            float step, const double *means, size_t inputs)
{
    double lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; w->positions == 1 && i + LANES <= inputs; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lanes[j] += (double)lost_of(x[i + j], rounded[i + j], step) * means[i + j];
    for (; i < inputs; i++) {
        float lost = 0;
        for (size_t k = i * w->positions; k < (i + 1) * w->positions; k++)
            lost += lost_of(x[k], rounded[k], step);
        sum += (double)lost * means[i];
    }
    for (size_t j = 0; j < LANES; j++)
        sum += lanes[j];
    return sum;
}

void jl_rounding_shift(const jl_weight_layout *w, const float *restrict x,
                       const int8_t *restrict rounded, const float *restrict steps,
                       const double *restrict means, double *restrict shift)
{
    size_t in_group = w->inner / w->positions, of_group = w->channels / w->groups;
    memset(shift, 0, w->channels * sizeof *shift);
    for (size_t o = 0; o < w->outer; o++) {
        size_t at = o * w->channels * w->inner;
        for (size_t c = 0; c < w->channels && w->inner > 1; c++, at += w->inner) {
            size_t first = w->groups == 1 ? o : o + c / of_group * in_group;
            shift[c] += lost_of_block(w, x + at, rounded + at, steps[c], means + first, in_group);
        }
        for (size_t c = 0; c < w->channels && w->inner == 1; c++)
            shift[c] += (double)lost_of(x[at + c], rounded[at + c], steps[c]) *
                        means[w->groups == 1 ? o : o + c / of_group];
    }
}
