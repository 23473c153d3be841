/* Extremes of floats. Private to src/convert. */
#ifndef JL_CONVERT_EXTREMES_H
#define JL_CONVERT_EXTREMES_H

#include <stdbool.h>
#include <stddef.h>

/* The extremes of n > 0 floats; returns whether every one is finite. */
bool jl_extremes(const float *x, size_t n, float *low, float *high);

#endif
