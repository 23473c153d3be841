/* Studies: cells (models x configurations x batches x calls in flight) measured in rounds, each
 * run in a process of its own, everything kept in a store as soon as it is known. */
#ifndef JOULELINE_STUDY_H
#define JOULELINE_STUDY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"
#include "jouleline/store.h"

typedef enum jl_start_method {
    JL_START_AUTO, /* pytorch by fork, whose import takes seconds; others by exec */
    JL_START_EXEC,
    JL_START_FORK,
} jl_start_method;

/* Probes are synthetic models that show the roofs of a runtime on a device, and make the energy
 * model identifiable; they are in no comparison. */
typedef enum jl_probes {
    JL_PROBES_NO,
    JL_PROBES_YES,
    JL_PROBES_AUTO, /* with four models or more, which the energy model needs */
    JL_PROBES_ONCE, /* in the first round only */
} jl_probes;

/* What is asked for. Pointers are borrowed for the length of a call. */
typedef struct jl_study_spec {
    const char *name;
    const char *const *models; /* zoo names, ONNX paths, NAME=onnx:F.onnx, torch:F.pt2 (joined to
                                  the item before it) */
    const char *const *configurations;
    const char *const *shapes, *const *fills, *const *inputs; /* words for runtime/inputs.h */
    const char *const *meters;                                /* none: every one that works */
    const char *const *plugins;
    size_t model_count, configuration_count, shape_count, fill_count, input_count, meter_count,
        plugin_count;
    const int64_t *batches, *in_flight;
    size_t batch_count, in_flight_count;
    int64_t rounds, retries;
    bool host_io;  /* inputs and outputs in host memory: copies are timed */
    bool trust;    /* models may be code of their own */
    bool no_check; /* no agreement with the FP32 reference */
    bool resume;
    jl_start_method start;
    jl_probes probes;
    int64_t min_time_ns, max_time_ns, warmup_ns, soak_ns, timeout_ns, idle_ns;
    int64_t stop_after_ns;        /* 0: no limit; no round is started that cannot end in time */
    int64_t settle_ns;            /* pause between runs */
    uint64_t seed;                /* of inputs and orders; 0: inputs of seed 1, orders drawn */
    const char *python;           /* interpreter for pytorch, or NULL */
    const char *converter_python; /* interpreter for +convert=occ and ort-transformers, or NULL */
} jl_study_spec;

/* What happens meanwhile; every function may be NULL. */
typedef struct jl_study_events {
    void (*say)(void *ctx, const char *line);
    void (*progress)(void *ctx, size_t done, size_t total, const char *now);
    void (*watch)(void *ctx, const char *line); /* power, clocks and temperature, now and then */
    void *ctx;
} jl_study_events;

/* What a specification comes to. */
typedef struct jl_study_size {
    size_t models, configurations, cells, runs; /* without probes */
    size_t probe_cells, probe_runs;             /* 0: no probes */
    int64_t least_ns, most_ns; /* of all timed loops (with warm-ups and probes); start and load
                                  come on top */
} jl_study_size;
/* Checks the words without touching anything; the errors of jl_study_run. */
int jl_study_check(const jl_study_spec *spec, jl_study_size *size, jl_error *err);

typedef struct jl_study_result {
    char uid[33];
    size_t cells, rounds; /* rounds complete */
    size_t runs, failed;  /* of this call; failed: outcome other than ok, probes not counted */
    bool stopped;         /* by stop_after or by the user, before the last round */
} jl_study_result;

/* Plans, prepares and measures. JL_ERR_USAGE for words that make no sense, before anything runs;
 * JL_ERR_INTERRUPTED never: `interrupted` becoming non-zero sets result->stopped. */
int jl_study_run(const jl_study_spec *spec, jl_store *store, const jl_study_events *events,
                 const volatile sig_atomic_t *interrupted, jl_study_result *result, jl_error *err);

#endif
