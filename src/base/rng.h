/* Counter-based random numbers: the value at (seed, stream, index) needs no state, so weights
 * can be made in any order, in parallel, and are the same on every machine. Integer arithmetic
 * and exactly rounded +, * only.
 * Source of the mixer: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
 * generators, OOPSLA 2014). */
#ifndef JL_BASE_RNG_H
#define JL_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t jl_mix64(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* A sequential generator for shuffles, dither and resampling. */
typedef struct jl_rng {
    uint64_t state;
} jl_rng;

static inline uint64_t jl_rng_next(jl_rng *r)
{
    r->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t x = r->state;
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* Uniform in [0, 1) with 53 bits. */
static inline double jl_rng_uniform(jl_rng *r)
{
    return (double)(jl_rng_next(r) >> 11) * 0x1p-53;
}

/* Uniform in [0, n) without bias; n > 0. */
uint64_t jl_rng_below(jl_rng *r, uint64_t n);
/* Standard normal (Box and Muller, uses libm: not for weights). */
double jl_rng_normal(jl_rng *r);
/* Fisher and Yates over n elements of `size` bytes (size <= 64). */
void jl_rng_shuffle(jl_rng *r, void *array, size_t n, size_t size);

#endif
