/* Runs: one transaction each. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/str.h"
#include "store/sql.h"
#include "store/stamps.h"

jl_run_record jl_run_record_empty(void)
{
    return (jl_run_record){
        .signal = JL_ABSENT,
        .start_ns = JL_ABSENT,
        .load_ns = JL_ABSENT,
        .warm_ns = JL_ABSENT,
        .measure_ns = JL_ABSENT,
        .check_ns = JL_ABSENT,
        .total_ns = JL_ABSENT,
        .settled = JL_ABSENT,
        .power_capped = JL_ABSENT,
        .calls = JL_ABSENT,
        .latency_ns = NAN,
        .latency_low_ns = NAN,
        .latency_high_ns = NAN,
        .latency_mean_ns = NAN,
        .latency_min_ns = JL_ABSENT,
        .latency_max_ns = JL_ABSENT,
        .latency_p90_ns = NAN,
        .latency_p95_ns = NAN,
        .latency_p99_ns = NAN,
        .throughput_items_per_s = NAN,
        .cpu_ns_per_item = NAN,
        .first_call_ns = JL_ABSENT,
        .peak_rss_bytes = JL_ABSENT,
        .device_memory_bytes = JL_ABSENT,
        .temperature_c = NAN,
        .sm_clock_mhz = NAN,
        .mem_clock_mhz = NAN,
        .power_limit_w = NAN,
        .attempt = 1,
    };
}

jl_energy_record jl_energy_record_empty(void)
{
    return (jl_energy_record){
        .method = "none",
        .gross_j = NAN,
        .gross_se_j = NAN,
        .gross_low_j = NAN,
        .gross_high_j = NAN,
        .net_sleeping_j = NAN,
        .net_sleeping_se_j = NAN,
        .net_waking_j = NAN,
        .net_waking_se_j = NAN,
        .systematic_rel = NAN,
        .power_w = NAN,
        .window_j = NAN,
        .window_items = NAN,
        .window_s = NAN,
        .ticks = JL_ABSENT,
        .sensor_se_j = NAN,
        .drift_rel = NAN,
        .drift_se_rel = NAN,
        .slope_check_rel = NAN,
        .power_check_rel = NAN,
        .power_check_se_rel = NAN,
    };
}

static int put_facts(jl_store *s, const char *json, jl_id *id, jl_error *err)
{
    *id = 0;
    if (!json) return 0;
    XXH128_hash_t h = XXH3_128bits(json, strlen(json));
    char uid[33];
    snprintf(uid, sizeof uid, "%016" PRIx64 "%016" PRIx64, h.high64, h.low64);
    return jl_sql_number(s, id, 0, err,
                         "INSERT INTO facts(uid, json) VALUES(?,?) "
                         "ON CONFLICT(uid) DO UPDATE SET json=excluded.json RETURNING id",
                         "tt", uid, json);
}

static int put_energy(jl_store *s, jl_id run, const jl_energy_record *e, jl_error *err)
{
    return jl_sql_exec(
        s, err,
        "INSERT INTO energy(run, scope, meter, headline, method, gross_j_per_item, gross_se_j, "
        "gross_low_j, gross_high_j, net_sleeping_j_per_item, net_sleeping_se_j, "
        "net_waking_j_per_item, net_waking_se_j, systematic_rel, power_w, window_j, window_items, "
        "window_s, ticks, simulated, modelled, reason, sensor_se_j, drift_rel, drift_se_rel, "
        "slope_check_rel, power_check_rel, power_check_se_rel) "
        "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "rtritdddddddddddddiiitdddddd", run, e->scope, e->meter, (int64_t)e->headline, e->method,
        e->gross_j, e->gross_se_j, e->gross_low_j, e->gross_high_j, e->net_sleeping_j,
        e->net_sleeping_se_j, e->net_waking_j, e->net_waking_se_j, e->systematic_rel, e->power_w,
        e->window_j, e->window_items, e->window_s, e->ticks, (int64_t)e->simulated,
        (int64_t)e->modelled, e->reason, e->sensor_se_j, e->drift_rel, e->drift_se_rel,
        e->slope_check_rel, e->power_check_rel, e->power_check_se_rel);
}

static double if_read(const jl_tick *t, uint32_t bit, double value)
{
    return t->at.valid & bit ? value : NAN;
}

static int put_ticks(jl_store *s, jl_id run, const jl_ticks_record *r, jl_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < r->count && !rc; i++) {
        const jl_tick *t = &r->ticks[i];
        rc = jl_sql_exec(s, err,
                         "INSERT INTO tick(run, meter, number, lo_ns, hi_ns, energy_j, power_w, "
                         "sm_clock_mhz, temperature_c) VALUES(?,?,?,?,?,?,?,?,?)",
                         "rriiidddd", run, r->meter, (int64_t)i + 1, t->lo_ns, t->hi_ns,
                         if_read(t, JL_READ_ENERGY, t->at.energy_j),
                         if_read(t, JL_READ_POWER, t->at.power_w),
                         if_read(t, JL_READ_SM_CLOCK, t->at.sm_clock_mhz),
                         if_read(t, JL_READ_TEMPERATURE, t->at.temperature_c));
    }
    return rc;
}

static int put_agreement(jl_store *s, jl_id run, const jl_agreement_record *a, jl_error *err)
{
    return jl_sql_exec(
        s, err,
        "INSERT INTO agreement(run, output, reference, items, cosine_min, cosine_centred_min, "
        "max_abs_error, mean_abs_error, nan_count, inf_count, new_nan_or_inf, top1_agree, "
        "top5_agree) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "rttiddddiiiii", run, a->output, a->reference, a->items, a->cosine_min,
        a->cosine_centred_min, a->max_abs_error, a->mean_abs_error, a->nan_count, a->inf_count,
        (int64_t)a->new_nan_or_inf, a->top1_agree, a->top5_agree);
}

static int put_stamps(jl_store *s, jl_id run, const jl_run_record *r, jl_error *err)
{
    if (!r->pairs || !r->pair_count) return 0;
    jl_buf coded = {0};
    jl_stamps_encode(r->pairs, r->pair_count, &coded);
    int rc = coded.failed
                 ? jl_fail(err, JL_ERR_MEMORY, "no memory to store %zu calls", r->pair_count)
                 : jl_sql_exec(s, err,
                               "INSERT INTO stamps(run, calls, coding, data) "
                               "VALUES(?,?,?,?)",
                               "riib", run, (int64_t)r->pair_count, (int64_t)JL_STAMPS_CODING,
                               coded.p, coded.n);
    jl_buf_free(&coded);
    return rc;
}

static int put_row(jl_store *s, const jl_run_record *r, jl_id facts, jl_id *id, jl_error *err)
{
    char uid[33];
    jl_store_uid(uid);
    return jl_sql_number(
        s, id, 0, err,
        "INSERT INTO run(uid, round, cell, device, position, attempt, outcome, stage, message, "
        "signal, stderr_tail, simulated, started_at, start_method, start_ns, load_ns, warm_ns, "
        "measure_ns, check_ns, total_ns, input_seed, settled, disturbed, power_capped, calls, "
        "stopped, latency_ns, latency_low_ns, latency_high_ns, latency_mean_ns, latency_min_ns, "
        "latency_max_ns, latency_p90_ns, latency_p95_ns, latency_p99_ns, throughput_items_per_s, "
        "first_call_ns, cpu_ns_per_item, peak_rss_bytes, device_memory_bytes, temperature_c, "
        "sm_clock_mhz, mem_clock_mhz, power_limit_w, facts) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
        "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING id",
        "trrriitttitittiiiiiiiitiitddddiiddddidiiddddr", uid, r->round, r->cell, r->device,
        r->position, r->attempt, jl_outcome_name(r->outcome), r->stage, r->message, r->signal,
        r->stderr_tail, (int64_t)r->simulated, r->started_at, r->start_method, r->start_ns,
        r->load_ns, r->warm_ns, r->measure_ns, r->check_ns, r->total_ns, (int64_t)r->input_seed,
        r->settled, r->disturbed, r->power_capped, r->calls, r->stopped, r->latency_ns,
        r->latency_low_ns, r->latency_high_ns, r->latency_mean_ns, r->latency_min_ns,
        r->latency_max_ns, r->latency_p90_ns, r->latency_p95_ns, r->latency_p99_ns,
        r->throughput_items_per_s, r->first_call_ns, r->cpu_ns_per_item, r->peak_rss_bytes,
        r->device_memory_bytes, r->temperature_c, r->sm_clock_mhz, r->mem_clock_mhz,
        r->power_limit_w, facts);
}

typedef struct put_arg {
    const jl_run_record *r;
    jl_id id;
} put_arg;

static int put_run(jl_store *s, void *arg, jl_error *err)
{
    put_arg *a = arg;
    const jl_run_record *r = a->r;
    jl_id facts = 0;
    int rc = put_facts(s, r->facts, &facts, err);
    if (!rc)
        rc = jl_sql_exec(s, err, "UPDATE run SET counts = 0 WHERE round = ? AND cell = ?", "rr",
                         r->round, r->cell);
    if (!rc) rc = put_row(s, r, facts, &a->id, err);
    for (size_t i = 0; !rc && i < r->energy_count; i++)
        rc = put_energy(s, a->id, &r->energy[i], err);
    for (size_t i = 0; !rc && i < r->ticks_count; i++)
        rc = put_ticks(s, a->id, &r->ticks[i], err);
    for (size_t i = 0; !rc && i < r->agreement_count; i++)
        rc = put_agreement(s, a->id, &r->agreement[i], err);
    return rc ? rc : put_stamps(s, a->id, r, err);
}

int jl_store_run(jl_store *s, const jl_run_record *r, jl_id *id, jl_error *err)
{
    put_arg arg = {.r = r};
    int rc = jl_sql_transaction(s, put_run, &arg, err);
    if (id) *id = arg.id;
    return rc;
}

int jl_store_stamps(jl_store *s, jl_id run, int64_t **pairs, size_t *count, jl_error *err)
{
    *pairs = NULL;
    *count = 0;
    sqlite3_stmt *stmt;
    int rc = jl_sql_query(s, &stmt, err, "SELECT calls, coding, data FROM stamps WHERE run = ?",
                          "r", run);
    if (rc) return rc;
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        rc = jl_fail(err, JL_ERR_MISSING, "%s keeps no calls of run %" PRId64, s->path, run);
    } else {
        int64_t calls = sqlite3_column_int64(stmt, 0);
        size_t size = (size_t)sqlite3_column_bytes(stmt, 2);
        rc = jl_stamps_decode(sqlite3_column_blob(stmt, 2), size, sqlite3_column_int64(stmt, 1),
                              calls, pairs, err);
        if (rc)
            jl_prefix(err, "%s, run %" PRId64, s->path, run);
        else
            *count = (size_t)calls;
    }
    sqlite3_finalize(stmt);
    return rc;
}
