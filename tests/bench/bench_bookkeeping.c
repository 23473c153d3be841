/* What the timed loop's bookkeeping of a sample costs: a runtime that does no work.
 * The loop of a worker (two clock reads, the call through the vtable, the store of the pair and
 * of the write index, the stop flag) against a plain loop of two clock reads and a store, in
 * turns within one process. The median ratio must be at most 1.5.
 * Ends with 0 (pass), 1 (fail) or 4 (inconclusive: the interval holds 1.5). */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "jouleline/clock.h"
#include "jouleline/runtime.h"
#include "jouleline/statistics.h"
#include "study/worker.h"

enum { PASS = 0, FAIL = 1, INCONCLUSIVE = 4, CALLS = 1 << 16, TURNS = 101 };
static const double LIMIT = 1.5;

static int no_work(void *ctx, jl_error *err)
{
    (void)ctx;
    (void)err;
    return 0;
}

static double plain_ns(int64_t *pairs)
{
    int64_t start_ns = jl_now_ns();
    for (size_t i = 0; i < CALLS; i++) {
        int64_t a = jl_now_ns();
        __asm__ volatile("" ::: "memory");
        pairs[2 * i] = a;
        pairs[2 * i + 1] = jl_now_ns();
    }
    return (double)(jl_now_ns() - start_ns) / CALLS;
}

int main(void)
{
    jl_error err = {0};
    jl_ring ring;
    static const jl_runtime runtime = {.name = "nothing", .infer = no_work};
    JL_OWNED int64_t *pairs = calloc(2 * CALLS, sizeof *pairs);
    if (!pairs || jl_ring_create(&ring, CALLS, &err)) {
        fprintf(stderr, "bench_bookkeeping: %s\n", err.msg);
        return FAIL;
    }
    jl_loop l = {.runtime = &runtime,
                 .ring = &ring,
                 .in_flight = 1,
                 .min_calls = 1,
                 .max_ns = 60 * JL_NS_PER_S,
                 .state = JL_RING_MEASURING};
    double ratios[TURNS], plain[TURNS], ours[TURNS];
    for (int i = -5; i < TURNS; i++) { /* the first turns warm up */
        jl_loop_result r;
        double bare = plain_ns(pairs);
        if (jl_loop_run(&l, &r, &err)) return FAIL;
        double loop = (double)(r.end_ns - r.start_ns) / CALLS;
        if (i < 0) continue;
        ratios[i] = loop / bare;
        plain[i] = bare;
        ours[i] = loop;
    }
    jl_ring_close(&ring);
    jl_summary s, p, o;
    if (jl_summarise(ratios, TURNS, 0.95, &s, &err) || jl_summarise(plain, TURNS, 0.95, &p, &err) ||
        jl_summarise(ours, TURNS, 0.95, &o, &err))
        return FAIL;
    printf("plain loop %.1f ns a sample, timed loop %.1f ns, ratio %.3f (%.1f %% interval %.3f to "
           "%.3f, %d turns of %d calls); at most %.1f\n",
           p.median.value, o.median.value, s.median.value, 100 * s.median_interval.level,
           s.median_interval.low, s.median_interval.high, TURNS, CALLS, LIMIT);
    if (s.median_interval.high <= LIMIT) return PASS;
    return s.median_interval.low > LIMIT ? FAIL : INCONCLUSIVE;
}
