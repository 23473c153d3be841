/* Time. Every time in jouleline is an int64_t of nanoseconds on CLOCK_MONOTONIC, in a variable
 * that ends in _ns. Code that waits or reads the time takes a jl_clock, so that tests can run
 * it in virtual time; only the timed loop of a worker reads the real clock directly. */
#ifndef JOULELINE_CLOCK_H
#define JOULELINE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define JL_NS_PER_S INT64_C(1000000000)

typedef struct jl_clock {
    int64_t (*now_ns)(void *ctx);
    void (*sleep_until_ns)(void *ctx, int64_t t_ns); /* returns at once when t_ns has passed */
    void *ctx;
} jl_clock;

/* CLOCK_MONOTONIC and clock_nanosleep. */
extern const jl_clock jl_clock_real;

/* A clock that moves only when told to, or when somebody sleeps on it. */
typedef struct jl_virtual_clock {
    int64_t now_ns;
} jl_virtual_clock;
jl_clock jl_clock_virtual(jl_virtual_clock *state);

static inline int64_t jl_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * JL_NS_PER_S + t.tv_nsec;
}

#endif
