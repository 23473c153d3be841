#include "convert/means.h"

void jl_add_means(const jl_tensor *t, size_t axis, double *means)
{
    size_t inner = 1, channels = (size_t)t->dims[axis], n = t->size_bytes / sizeof(float);
    for (size_t k = axis + 1; k < (size_t)t->rank; k++)
        inner *= (size_t)t->dims[k];
    const float *x = t->data;
    double share = (double)channels / (double)n;
    for (size_t i = 0; inner == 1 && i < n; i += channels)
        for (size_t k = 0; k < channels; k++)
            means[k] += (double)x[i + k] * share;
    for (size_t i = 0; inner > 1 && i < n; i += inner) {
        enum { LANES = 16 };
        float lanes[LANES] = {0}, sum = 0;
        size_t k = 0;
        for (; k + LANES <= inner; k += LANES)
            for (size_t j = 0; j < LANES; j++)
                lanes[j] += x[i + k + j];
        for (; k < inner; k++)
            sum += x[i + k];
        for (size_t j = 0; j < LANES; j++)
            sum += lanes[j];
        means[i / inner % channels] += (double)sum * share;
    }
}
