#include "convert/extremes.h"

/* In lanes of a constant number, which compilers turn into vectors. */
bool jl_extremes(const float *x, size_t n, float *low, float *high)
{
    enum { LANES = 16 };
    float l[LANES], h[LANES], poison[LANES] = {0}; /* 0 until it meets a NaN or an infinity */
    for (size_t k = 0; k < LANES; k++)
        l[k] = h[k] = x[0];
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            float v = x[i + k];
            l[k] = v < l[k] ? v : l[k];
            h[k] = v > h[k] ? v : h[k];
            poison[k] += v * 0;
        }
    for (; i < n; i++) {
        l[0] = x[i] < l[0] ? x[i] : l[0];
        h[0] = x[i] > h[0] ? x[i] : h[0];
        poison[0] += x[i] * 0;
    }
    *low = l[0];
    *high = h[0];
    float sum = 0;
    for (int k = 0; k < LANES; k++) {
        *low = l[k] < *low ? l[k] : *low;
        *high = h[k] > *high ? h[k] : *high;
        sum += poison[k];
    }
    return sum == 0;
}
