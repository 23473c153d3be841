#include "jouleline/clock.h"

#include <errno.h>

static int64_t real_now_ns(void *ctx)
{
    (void)ctx;
    return jl_now_ns();
}

static void real_sleep_until_ns(void *ctx, int64_t t_ns)
{
    (void)ctx;
    struct timespec t = {.tv_sec = t_ns / JL_NS_PER_S, .tv_nsec = t_ns % JL_NS_PER_S};
    if (t_ns <= 0) return;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

const jl_clock jl_clock_real = {.now_ns = real_now_ns, .sleep_until_ns = real_sleep_until_ns};

static int64_t virtual_now_ns(void *ctx)
{
    return ((jl_virtual_clock *)ctx)->now_ns;
}

static void virtual_sleep_until_ns(void *ctx, int64_t t_ns)
{
    jl_virtual_clock *state = ctx;
    if (t_ns > state->now_ns) state->now_ns = t_ns;
}

jl_clock jl_clock_virtual(jl_virtual_clock *state)
{
    return (jl_clock){
        .now_ns = virtual_now_ns, .sleep_until_ns = virtual_sleep_until_ns, .ctx = state};
}
