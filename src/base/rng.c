#include "base/rng.h"

#include <math.h>
#include <string.h>

uint64_t jl_rng_below(jl_rng *r, uint64_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;
    do
        x = jl_rng_next(r);
    while (x >= limit);
    return x % n;
}

double jl_rng_normal(jl_rng *r)
{
    double u = 1.0 - jl_rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * jl_rng_uniform(r));
}

void jl_rng_shuffle(jl_rng *r, void *array, size_t n, size_t size)
{
    unsigned char *a = array, t[64];
    if (size > sizeof t) return;
    for (size_t i = n; i > 1; i--) {
        size_t j = jl_rng_below(r, i);
        memcpy(t, a + (i - 1) * size, size);
        memcpy(a + (i - 1) * size, a + j * size, size);
        memcpy(a + j * size, t, size);
    }
}
