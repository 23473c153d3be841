/* The store: one SQLite file that keeps every run of every study, each written in one transaction
 * as soon as it is finished, so that nothing finished is ever lost. doc/schema.md is the contract
 * with everybody who reads the file by other means.
 *
 * Ids are numbers local to the file. Missing values: NULL for text, NAN for doubles, JL_ABSENT
 * for whole numbers; they become SQL NULL, never 0. */
#ifndef JOULELINE_STORE_H
#define JOULELINE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"
#include "jouleline/outcome.h"
#include "jouleline/window.h"

#define JL_STORE_VERSION 2
#define JL_ABSENT        INT64_MIN

typedef struct jl_store jl_store;
typedef int64_t jl_id;

typedef enum jl_store_mode {
    JL_STORE_READ,  /* must exist; nothing is changed (of an older schema, a copy is read) */
    JL_STORE_WRITE, /* made when absent, brought up to the current schema when older */
} jl_store_mode;

/* JL_ERR_IO when the file cannot be opened or written, JL_ERR_FORMAT when it is no store of
 * ours, JL_ERR_UNSUPPORTED when a newer jouleline wrote it. A store is used by one thread at a
 * time. Every function below that takes an error fails with JL_ERR_IO (a full disk, a file that
 * another program holds or that cannot be written) or JL_ERR_FORMAT (a damaged file). */
int jl_store_open(const char *path, jl_store_mode mode, jl_store **store, jl_error *err);
void jl_store_close(jl_store *s); /* NULL is fine */
/* The sqlite3 handle, for queries that have no function here. */
struct sqlite3;
struct sqlite3 *jl_store_sqlite(jl_store *s);

/* A random identity of 32 hexadecimal digits. */
void jl_store_uid(char uid[33]);
/* "2026-03-01T12:34:56.789Z" for now. */
void jl_store_timestamp(char text[32]);

/* ---- what is measured, and where: each returns the row's id, making it when it is new ------- */

typedef struct jl_host_record {
    const char *uid, *name, *cpu, *arch, *kernel, *os;
    int64_t cpus, memory_bytes;
    const char *boot_uid;
} jl_host_record;
/* Also refuses (JL_ERR_USAGE) a store that holds runs of another host: a store part belongs to
 * one host; `merge` joins parts. */
int jl_store_claim(jl_store *s, const jl_host_record *h, jl_id *host, jl_id *boot, jl_error *err);

typedef struct jl_device_record {
    const char *uid, *kind /* provider's name */, *name, *driver;
    int position;
    bool simulated;
} jl_device_record;
int jl_store_device(jl_store *s, jl_id host, const jl_device_record *d, jl_id *id, jl_error *err);

typedef struct jl_model_record {
    const char *uid; /* hash of the content */
    const char *name, *kind /* zoo, file, probe */, *family, *path, *items_are;
    int64_t bytes, parameters, opset;
} jl_model_record;
int jl_store_model(jl_store *s, const jl_model_record *m, jl_id *id, jl_error *err);

/* `text` is canonical (jl_configuration_format). */
int jl_store_configuration(jl_store *s, const char *text, jl_id *id, jl_error *err);

typedef struct jl_cell_record {
    jl_id model, configuration;
    int64_t batch, in_flight;
    const char *io;     /* device, host */
    const char *inputs; /* how the inputs are made, canonical text */
    double flop, moved_bytes, nodes;
} jl_cell_record;
int jl_store_cell(jl_store *s, jl_id study, const jl_cell_record *c, jl_id *id, jl_error *err);

typedef struct jl_meter_record {
    const char *uid, *name, *domain, *kind, *label, *device_uid;
    double tick_s, gain_rel;
    bool simulated, modelled;
} jl_meter_record;
int jl_store_meter(jl_store *s, jl_id host, const jl_meter_record *m, jl_id *id, jl_error *err);

/* ---- studies and rounds ---------------------------------------------------------------- */

typedef struct jl_study_record {
    char uid[33];
    const char *name, *spec /* JSON */;
    uint64_t seed;
} jl_study_record;
int jl_store_study(jl_store *s, const jl_study_record *r, jl_id *id, jl_error *err);
/* The newest study of that specification: its id, uid and seed; id 0 when there is none. */
int jl_store_study_find(jl_store *s, const char *spec, jl_id *id, char uid[33], uint64_t *seed,
                        jl_error *err);

typedef struct jl_round_record {
    jl_id id;
    int64_t number;
    uint64_t seed;
    bool complete;
    jl_id boot;
} jl_round_record;
/* Rounds of a study in the order of their numbers; free(*rounds). */
int jl_store_rounds(jl_store *s, jl_id study, jl_round_record **rounds, size_t *count,
                    jl_error *err);
/* conditions: a JSON object of what the host's owner can change, or NULL. */
int jl_store_round_begin(jl_store *s, jl_id study, int64_t number, jl_id boot, uint64_t seed,
                         const char *conditions, jl_id *id, jl_error *err);
/* complete: every cell of the study has a run in it. */
int jl_store_round_end(jl_store *s, jl_id round, bool complete, jl_error *err);
/* Whether the round has a run that counts for the cell, on which device (0: none stored). */
int jl_store_round_has(jl_store *s, jl_id round, jl_id cell, bool *has, jl_id *device,
                       jl_error *err);

typedef struct jl_idle_record {
    jl_id round, meter, device, configuration; /* 0: none */
    bool waking;
    double power_w, power_se_w, duration_s, sm_clock_mhz, temperature_c;
    const char *reason; /* why there is no power, or NULL */
} jl_idle_record;
/* Replaces what the round has of the same meter, level, device and configuration. */
int jl_store_idle(jl_store *s, const jl_idle_record *r, jl_error *err);

/* ---- runs ------------------------------------------------------------------------------ */

typedef struct jl_energy_record {
    const char *scope, *method, *reason;
    jl_id meter; /* 0: none */
    bool headline, simulated, modelled;
    double gross_j, gross_se_j, gross_low_j, gross_high_j;
    double net_sleeping_j, net_sleeping_se_j, net_waking_j, net_waking_se_j;
    double systematic_rel, power_w, window_j, window_items, window_s;
    int64_t ticks;
    double sensor_se_j;             /* the part of gross_se_j that the sensor's ticks make */
    double drift_rel, drift_se_rel; /* change of power over the window */
    double slope_check_rel, power_check_rel,
        power_check_se_rel; /* other estimates over the first, minus 1 */
} jl_energy_record;

/* Updates of a meter's domain around a run. */
typedef struct jl_ticks_record {
    jl_id meter;
    const jl_tick *ticks;
    size_t count;
} jl_ticks_record;

typedef struct jl_agreement_record {
    const char *output, *reference;
    int64_t items;
    double cosine_min, cosine_centred_min, max_abs_error, mean_abs_error;
    int64_t nan_count, inf_count;
    bool new_nan_or_inf;
    int64_t top1_agree, top5_agree; /* items that agree, or JL_ABSENT */
} jl_agreement_record;

typedef struct jl_run_record {
    jl_id round, cell, device; /* device 0: none */
    int64_t position, attempt;
    jl_outcome outcome;
    const char *stage, *message, *stderr_tail, *start_method, *disturbed, *stopped;
    char started_at[32];
    bool simulated;
    int64_t signal, start_ns, load_ns, warm_ns, measure_ns, check_ns, total_ns;
    uint64_t input_seed;
    int64_t settled, power_capped; /* 0, 1 or JL_ABSENT */
    int64_t calls;
    double latency_ns, latency_low_ns, latency_high_ns, latency_mean_ns;
    int64_t latency_min_ns, latency_max_ns;
    double latency_p90_ns, latency_p95_ns, latency_p99_ns; /* absent with too few calls */
    double throughput_items_per_s, cpu_ns_per_item;
    int64_t first_call_ns, peak_rss_bytes, device_memory_bytes;
    double temperature_c, sm_clock_mhz, mem_clock_mhz, power_limit_w;
    const char *facts;    /* JSON object */
    const int64_t *pairs; /* start and end of every call, or NULL */
    size_t pair_count;
    const jl_energy_record *energy;
    size_t energy_count;
    const jl_ticks_record *ticks;
    size_t ticks_count;
    const jl_agreement_record *agreement;
    size_t agreement_count;
} jl_run_record;

/* Everything absent; the first attempt. */
jl_run_record jl_run_record_empty(void);
jl_energy_record jl_energy_record_empty(void); /* by no method */

/* Writes the run with all that belongs to it in one transaction. Earlier attempts of the same
 * round and cell stop counting. */
int jl_store_run(jl_store *s, const jl_run_record *r, jl_id *id, jl_error *err);

/* The calls of a run as pairs of start and end; free(*pairs). JL_ERR_MISSING when none are kept. */
int jl_store_stamps(jl_store *s, jl_id run, int64_t **pairs, size_t *count, jl_error *err);

/* ---- reading a study ---------------------------------------------------------------------- */

/* A study with its runs as arrays, for the analysis. Studies of the same specification (the parts
 * of one study, measured on several machines or in several visits) are read as one. */
typedef struct jl_study_data jl_study_data;
/* `study` is a name, the beginning of a uid (that study alone), or NULL for the newest.
 * JL_ERR_MISSING names what there is. */
int jl_store_load(jl_store *s, const char *study, jl_study_data **data, jl_error *err);
/* The same with another tail percentile: 90, 95 or 99, which jl_store_load takes. */
int jl_store_load_tail(jl_store *s, const char *study, int tail, jl_study_data **data,
                       jl_error *err);
void jl_study_data_free(jl_study_data *d); /* NULL is fine */
const struct jl_study_table *jl_study_data_table(const jl_study_data *d);
/* Why runs have no joules, "" when all have some; lives as long as the data. */
const char *jl_study_data_no_energy(const jl_study_data *d);
size_t jl_study_data_complete_rounds(const jl_study_data *d);
size_t jl_study_data_studies(const jl_study_data *d); /* that are read as one */

/* Whether the probes are those of other studies of the store, since this one has none. */
bool jl_study_data_borrowed_probes(const jl_study_data *d);

/* What happened in the runs that count. */
typedef struct jl_study_runs {
    size_t count, failed;
    size_t unsettled; /* measured before latency and power had come to rest */
    size_t disturbed; /* still, after every repetition */
    size_t capped;    /* under a steady power cap */
} jl_study_runs;
jl_study_runs jl_study_data_runs(const jl_study_data *d);
/* The meters that the headline joules come from, "NVIDIA H200 board (nvml)"; "" without joules. */
const char *jl_study_data_meters(const jl_study_data *d);

/* ---- merging --------------------------------------------------------------------------- */

typedef struct jl_merge_result {
    int64_t studies, rounds, runs; /* added, not those already there */
} jl_merge_result;
/* Adds everything of the store at `part` to `s`. Doing it twice changes nothing. */
int jl_store_merge(jl_store *s, const char *part, jl_merge_result *result, jl_error *err);

#endif
