/* The timed loop. Nothing in it allocates, locks, prints or enters the kernel but the clock (by
 * the vDSO) and the runtime itself. */
#include <time.h>

#include "jouleline/clock.h"
#include "jouleline/runtime.h"
#include "study/worker.h"

enum { MOST_IN_FLIGHT = 256 };

static int64_t cpu_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * JL_NS_PER_S + t.tv_nsec;
}

/* Stores call number i and says whether to go on. */
static inline bool put(const jl_loop *l, uint64_t i, int64_t start_ns, int64_t end_ns,
                       int64_t deadline_ns, const char **stopped)
{
    jl_ring *r = l->ring;
    r->pairs[2 * i] = start_ns;
    r->pairs[2 * i + 1] = end_ns;
    atomic_store_explicit(&r->header->index, i + 1, memory_order_release);
    if (i + 1 == r->capacity) {
        *stopped = "capacity";
        return false;
    }
    if (end_ns >= deadline_ns) {
        *stopped = "time";
        return false;
    }
    if (atomic_load_explicit(&r->header->stop, memory_order_relaxed) && i + 1 >= l->min_calls) {
        *stopped = "flag";
        return false;
    }
    return true;
}

static int one_by_one(const jl_loop *l, int64_t deadline_ns, jl_loop_result *out, jl_error *err)
{
    int (*infer)(void *, jl_error *) = l->runtime->infer;
    for (uint64_t i = 0;; i++) {
        int64_t start_ns = jl_now_ns();
        int rc = infer(l->session, err);
        int64_t end_ns = jl_now_ns();
        if (rc) return rc;
        out->calls = i + 1;
        if (!put(l, i, start_ns, end_ns, deadline_ns, &out->stopped)) return 0;
    }
}

static int several(const jl_loop *l, int64_t deadline_ns, jl_loop_result *out, jl_error *err)
{
    int64_t started_ns[MOST_IN_FLIGHT];
    int n = l->in_flight, rc = 0, outstanding = 0;
    for (; outstanding < n && !rc; outstanding++) {
        started_ns[outstanding] = jl_now_ns();
        rc = l->runtime->submit(l->session, outstanding, err);
    }
    if (rc) outstanding--; /* the last one did not start */
    int slot = 0;
    for (uint64_t i = 0; !rc; i++) {
        rc = l->runtime->wait(l->session, slot, err);
        int64_t end_ns = jl_now_ns();
        if (rc) return rc;
        out->calls = i + 1;
        bool more = put(l, i, started_ns[slot], end_ns, deadline_ns, &out->stopped);
        if (!more) break;
        started_ns[slot] = jl_now_ns();
        rc = l->runtime->submit(l->session, slot, err);
        if (rc) break;
        slot = (slot + 1) % n;
    }
    /* Calls still outstanding are waited for; they count nothing. */
    for (int k = 1; k < outstanding; k++)
        l->runtime->wait(l->session, (slot + k) % n, NULL);
    return rc;
}

int jl_loop_run(const jl_loop *l, jl_loop_result *out, jl_error *err)
{
    *out = (jl_loop_result){0};
    if (l->in_flight > 1 && (!l->runtime->submit || !l->runtime->wait))
        return jl_fail(err, JL_ERR_UNSUPPORTED, "%s keeps one call in flight only",
                       l->runtime->name);
    if (l->in_flight > MOST_IN_FLIGHT)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "%d calls in flight, at most %d", l->in_flight,
                       MOST_IN_FLIGHT);
    jl_ring_header *h = l->ring->header;
    atomic_store_explicit(&h->index, 0, memory_order_release);
    atomic_store_explicit(&h->state, (uint32_t)l->state, memory_order_release);
    int64_t cpu_ns = cpu_now_ns();
    out->start_ns = jl_now_ns();
    int64_t deadline_ns =
        l->max_ns > INT64_MAX - out->start_ns ? INT64_MAX : out->start_ns + l->max_ns;
    int rc =
        l->in_flight > 1 ? several(l, deadline_ns, out, err) : one_by_one(l, deadline_ns, out, err);
    out->end_ns = jl_now_ns();
    out->cpu_ns = cpu_now_ns() - cpu_ns;
    atomic_store_explicit(&h->state, (uint32_t)JL_RING_FINISHED, memory_order_release);
    return rc;
}
