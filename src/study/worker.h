/* The C worker of doc/worker_protocol.md: what runs in the measured process. */
#ifndef JL_STUDY_WORKER_H
#define JL_STUDY_WORKER_H

#include "jouleline/error.h"
#include "study/ring.h"

/* Serves one run on the two descriptors until `bye` or the end of the channel. Returns the
 * process's exit code; what goes wrong is told over the channel. `start` is "exec" or "fork". */
int jl_worker_serve(int control_fd, int ring_fd, const char *start);

/* Serves a nursery: loads what the configuration needs, forks workers. Returns an exit code. */
int jl_nursery_serve(int control_fd);

/* A process group of our own that dies with the parent. */
void jl_worker_bind(void);

/* The timed loop (exposed for tests and the benchmark). */
struct jl_runtime;
typedef struct jl_loop {
    const struct jl_runtime *runtime;
    void *session;
    jl_ring *ring;
    int in_flight;
    uint64_t min_calls; /* the stop flag is heeded after so many */
    int64_t max_ns;
    jl_ring_state state;
} jl_loop;
typedef struct jl_loop_result {
    uint64_t calls;
    int64_t start_ns, end_ns, cpu_ns;
    const char *stopped; /* flag, time, capacity */
} jl_loop_result;
int jl_loop_run(const jl_loop *l, jl_loop_result *out, jl_error *err);

#endif
