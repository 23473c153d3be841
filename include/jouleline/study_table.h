/* A study as plain arrays: what the store hands to the analysis, and what report, compare and
 * advise print from. Whoever fills it owns every array and string; the analysis only reads.
 *
 *     jl_study_table t = {.models = m, .model_count = 15, .configurations = c, ...};
 *     t.values[JL_LATENCY] = latency;   (cells x rounds doubles, row major, NaN where missing)
 *
 * From the store's tables: model (kind 'probe': probe), configuration (text, parted at '@' and
 * '+'), device and meter.gain_rel, idle; cell.flop, moved_bytes and nodes of the call; per run that
 * counts latency_ns, latency_p99_ns, cpu_ns_per_item and the headline energy's power_w and gross,
 * net_waking and net_sleeping joules per item; round.complete as `pairs`; agreement.top1_agree and
 * items summed over runs of different seeds.
 *
 * A round is one column: every cell once, on one device and one boot. Columns of different
 * devices have nothing to do with each other; rows are compared within a device pair by pair,
 * between devices unpaired. */
#ifndef JOULELINE_STUDY_TABLE_H
#define JOULELINE_STUDY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"
#include "jouleline/outcome.h"
#include "jouleline/statistics.h"

/* What was measured per run. Latency is nanoseconds per call, energies joules per item, CPU time
 * nanoseconds of all threads of the run's process per item. */
typedef enum jl_metric {
    JL_LATENCY,
    JL_ENERGY,              /* gross, the headline */
    JL_ENERGY_NET_WAKING,   /* less the power of the open context with the model loaded */
    JL_ENERGY_NET_SLEEPING, /* less the power without a context */
    JL_CPU_TIME,
    JL_LATENCY_TAIL, /* the percentile `tail_percentile` of the calls of each run */
    JL_METRIC_COUNT
} jl_metric;

/* "latency", "energy", "energy net of waking idle", "energy net of sleeping idle",
 * "CPU time", "tail latency". */
const char *jl_metric_name(jl_metric m);
/* The column of the store's view `result`: "latency_ns", "energy_j_per_item", ...; NULL for the
 * tail, whose column depends on the percentile. */
const char *jl_metric_column(jl_metric m);

/* What else is known of a run; each may be missing. */
typedef enum jl_detail {
    JL_DETAIL_THROUGHPUT,       /* items per second over the timed loop, however many in flight */
    JL_DETAIL_ENERGY_SE,        /* random standard error that the run states for its gross joules */
    JL_DETAIL_ENERGY_SENSOR_SE, /* the part of it that the sensor's ticks and resolution make */
    JL_DETAIL_NET_WAKING_SE,
    JL_DETAIL_DRIFT,       /* change of power over the window, relative */
    JL_DETAIL_POWER_CHECK, /* power readings over the counter, minus 1 */
    JL_DETAIL_COUNT
} jl_detail;

typedef struct jl_study_model {
    const char *name;
    const char *family; /* "lightweight", "standard", "layernorm", or any other; NULL: none */
    bool probe;         /* a roofline probe: in no comparison, but in the energy model */
} jl_study_model;

typedef struct jl_study_configuration {
    const char *name; /* the canonical text, without @device */
    const char *runtime, *provider, *precision;
    const char *options; /* what follows in the name from the first '+', or NULL */
    bool native;         /* regime; else matched */
} jl_study_configuration;

/* A fact that a fair comparison holds equal (TF32, threads, driver, ...); NULL value: unknown. */
typedef struct jl_study_fact {
    const char *name, *value;
    const char *missing; /* why there is no value, where that is known */
} jl_study_fact;

typedef struct jl_study_device {
    const char *name, *uuid, *host; /* uuid and host may be NULL when unknown */
    bool simulated;
    double gain_error;      /* the sensor's systematic error, 0.05 for 5 %; NaN unknown */
    double idle_sleeping_w; /* measured powers; NaN where not measured */
    double idle_waking_w;
    const jl_study_fact *facts; /* fact_count of its host: processor, kernel, governor */
    size_t fact_count;
} jl_study_device;

typedef struct jl_study_cell {
    uint32_t model, configuration, device; /* indices */
    uint32_t batch, in_flight;             /* from 1 */
    jl_outcome outcome;                    /* JL_OUTCOME_OK, or what its runs came to */
    const char *message;                   /* the runtime's own words when not ok, or NULL */
    double flop, bytes, dispatches;        /* of one call: floating-point operations, bytes moved,
                                              nodes run; NaN unknown */
    double power_w; /* mean over the windows of its energies; 0 or NaN unknown */
    uint64_t agree_items, checked_items; /* top-1 agreement with FP32; 0 checked: none */
    const jl_study_fact *facts;          /* fact_count of them, for the fairness audit */
    size_t fact_count;
    uint32_t unsettled; /* runs measured before time and power were at rest */
} jl_study_cell;

/* Power without load, of a board or of a domain of the host, in one round. */
typedef struct jl_study_idle {
    const char *label; /* the device's name, or the domain's */
    const char *uuid;  /* of the device; NULL for a domain of the host */
    bool waking;       /* context open, model loaded; else sleeping */
    size_t round;      /* column */
    double power_w, power_se_w, sm_clock_mhz, temperature_c; /* NaN where not read */
} jl_study_idle;

typedef struct jl_study_table {
    const char *name; /* of the study, as in the store; may be NULL */
    const jl_study_model *models;
    size_t model_count;
    const jl_study_configuration *configurations;
    size_t configuration_count;
    const jl_study_device *devices;
    size_t device_count;
    const jl_study_cell *cells;
    size_t cell_count;
    size_t rounds;
    const bool *pairs; /* per round: complete, so that it gives pairs; NULL: all */
    const double *values[JL_METRIC_COUNT];  /* each cell_count x rounds, or NULL: not measured */
    const double *details[JL_DETAIL_COUNT]; /* the same */
    const jl_study_idle *idles;             /* sorted by label, waking, round */
    size_t idle_count;
    double tail_percentile; /* of JL_LATENCY_TAIL, 0.99 for P99 */
    bool modelled_energy;   /* joules come from a model, not a sensor */
} jl_study_table;

/* Probes are in no table, comparison or count of failures: roofs and the energy model alone take
 * them. */
static inline bool jl_cell_is_probe(const jl_study_table *t, size_t cell)
{
    return t->models[t->cells[cell].model].probe;
}

/* Checks indices, counts and pointers: JL_ERR_USAGE names the cell. Every function that takes a
 * table expects one that passed. */
int jl_study_table_check(const jl_study_table *t, jl_error *err);

#define JL_NO_CELL UINT32_MAX

/* One summary a cell, over rounds (complete or not); absent where the metric is. */
int jl_study_summaries(const jl_study_table *t, jl_metric metric, double level, jl_summary *out,
                       jl_error *err);

#endif
