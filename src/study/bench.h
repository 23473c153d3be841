/* One run of one cell: start a worker, load, warm up, measure until enough is known, fetch the
 * outputs, end the worker. Whatever happens to the worker, a result comes back. */
#ifndef JL_STUDY_BENCH_H
#define JL_STUDY_BENCH_H

#include <signal.h>

#include "jouleline/outcome.h"
#include "study/child.h"
#include "study/metering.h"

typedef struct jl_bench_rules {
    int64_t min_time_ns, max_time_ns; /* of the timed loop */
    int64_t warmup_ns;                /* at most */
    int64_t soak_ns;     /* load at the cell's own rate before warm-up counts; 0: none */
    int64_t timeout_ns;  /* for an answer, beyond what was asked for */
    int64_t waking_ns;   /* idle with the model loaded before the loop; 0: none */
    double interval_rel; /* wished width of the median's interval over the median */
    uint64_t min_calls;
    size_t min_ticks;
} jl_bench_rules;
jl_bench_rules jl_bench_rules_default(void);

typedef struct jl_bench_job {
    const jl_launch *launch;
    jl_nursery *nursery; /* NULL: by exec */
    const char *configuration, *model_name, *model_path, *weights_path, *inputs_path;
    const char *output_path; /* where the last outputs go, or NULL */
    const char *scratch, *io;
    const char *driver;    /* of the device, a fact of the run; "": not known; NULL: it has none */
    const char *converter; /* that made model_path, a fact of the run; NULL: this program's own */
    bool zoo, trust;
    int64_t batch, in_flight;
    double flop, moved_bytes, nodes; /* NAN when not known */
    jl_metering *metering;           /* NULL: no meter */
    void (*watch)(void *ctx);        /* called about twice a second while waiting, or NULL */
    void *watch_ctx;
    const jl_idle *waking;   /* power with a model loaded, one a domain, or NULL */
    const char *device_uuid; /* whose board is metered; "" for the host alone */
} jl_bench_job;

typedef struct jl_bench_result {
    jl_outcome outcome;
    const char *stage; /* where it went wrong, or NULL */
    char message[1024];
    char *log; /* the worker's output when it went wrong, or NULL */
    int signal;
    char start_method[8], stopped[12], device_uuid[64];
    int64_t start_ns, load_ns, warm_ns, measure_ns, check_ns, total_ns;
    int64_t first_call_ns, cpu_ns, peak_rss_bytes, device_memory_bytes; /* JL_ABSENT: not known */
    bool settled, simulated;
    char *facts;    /* JSON object, or NULL */
    int64_t *pairs; /* start and end of each call */
    size_t pair_count;
    jl_metered metered;
    jl_idle *waking;     /* when rules asked for it: one a domain of the meters */
    double foreign_cpus; /* processors that others kept busy meanwhile; NAN when not known */
} jl_bench_result;
void jl_bench_result_free(jl_bench_result *r);

/* `interrupted` (may be NULL) ends the run early: JL_ERR_INTERRUPTED, nothing to keep. Other
 * negative returns are failures of this process, not of the cell. */
int jl_bench_run(const jl_bench_job *job, const jl_bench_rules *rules, const jl_ring *ring,
                 const volatile sig_atomic_t *interrupted, jl_bench_result *result, jl_error *err);

/* Whether the calls so far agree with each other: the medians of their last two quarters. */
bool jl_latency_settled(const int64_t *pairs, size_t count);
/* Whether the median's interval over its value is at most interval_rel. */
bool jl_latency_narrow(const int64_t *pairs, size_t count, double interval_rel);

#endif
