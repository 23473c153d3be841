/* Runs: one transaction each. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/str.h"
#include "store/sql.h"
#include "store/stamps.h"

/* The columns of a run that its record holds; below, those of its joules and its agreement. */
#define RUN(member) JL_SQL_COLUMN(jl_run_record, #member, member)
static const jl_sql_column run_columns[] = {
    {JL_SQL_ID(jl_run_record, "round", round)},
    {JL_SQL_ID(jl_run_record, "cell", cell)},
    {JL_SQL_ID(jl_run_record, "device", device)},
    {RUN(start_method)},
    {RUN(stage)},
    {RUN(message)},
    {RUN(stderr_tail)},
    {RUN(disturbed)},
    {RUN(stopped)},
    {RUN(position)},
    {RUN(attempt)},
    {RUN(simulated)},
    {RUN(signal)},
    {RUN(start_ns)},
    {RUN(load_ns)},
    {RUN(warm_ns)},
    {RUN(measure_ns)},
    {RUN(check_ns)},
    {RUN(total_ns)},
    {RUN(input_seed)},
    {RUN(settled)},
    {RUN(power_capped)},
    {RUN(calls)},
    {RUN(latency_ns)},
    {RUN(latency_low_ns)},
    {RUN(latency_high_ns)},
    {RUN(latency_mean_ns)},
    {RUN(latency_min_ns)},
    {RUN(latency_max_ns)},
    {RUN(latency_p90_ns)},
    {RUN(latency_p95_ns)},
    {RUN(latency_p99_ns)},
    {RUN(throughput_items_per_s)},
    {RUN(first_call_ns)},
    {RUN(cpu_ns_per_item)},
    {RUN(peak_rss_bytes)},
    {RUN(device_memory_bytes)},
    {RUN(temperature_c)},
    {RUN(sm_clock_mhz)},
    {RUN(mem_clock_mhz)},
    {RUN(power_limit_w)},
};
enum { RUN_COLUMNS = sizeof run_columns / sizeof *run_columns };

#define ENERGY(member) JL_SQL_COLUMN(jl_energy_record, #member, member)
static const jl_sql_column energy_columns[] = {
    {JL_SQL_ID(jl_energy_record, "meter", meter)},
    {ENERGY(scope)},
    {ENERGY(headline)},
    {ENERGY(method)},
    {JL_SQL_COLUMN(jl_energy_record, "gross_j_per_item", gross_j)},
    {ENERGY(gross_se_j)},
    {ENERGY(gross_low_j)},
    {ENERGY(gross_high_j)},
    {JL_SQL_COLUMN(jl_energy_record, "net_sleeping_j_per_item", net_sleeping_j)},
    {ENERGY(net_sleeping_se_j)},
    {JL_SQL_COLUMN(jl_energy_record, "net_waking_j_per_item", net_waking_j)},
    {ENERGY(net_waking_se_j)},
    {ENERGY(systematic_rel)},
    {ENERGY(power_w)},
    {ENERGY(window_j)},
    {ENERGY(window_items)},
    {ENERGY(window_s)},
    {ENERGY(ticks)},
    {ENERGY(simulated)},
    {ENERGY(modelled)},
    {ENERGY(reason)},
    {ENERGY(sensor_se_j)},
    {ENERGY(drift_rel)},
    {ENERGY(drift_se_rel)},
    {ENERGY(slope_check_rel)},
    {ENERGY(power_check_rel)},
    {ENERGY(power_check_se_rel)},
};
enum { ENERGY_COLUMNS = sizeof energy_columns / sizeof *energy_columns };

#define AGREEMENT(member) JL_SQL_COLUMN(jl_agreement_record, #member, member)
static const jl_sql_column agreement_columns[] = {
    {AGREEMENT(output)},         {AGREEMENT(reference)},          {AGREEMENT(items)},
    {AGREEMENT(cosine_min)},     {AGREEMENT(cosine_centred_min)}, {AGREEMENT(max_abs_error)},
    {AGREEMENT(mean_abs_error)}, {AGREEMENT(nan_count)},          {AGREEMENT(inf_count)},
    {AGREEMENT(new_nan_or_inf)}, {AGREEMENT(top1_agree)},         {AGREEMENT(top5_agree)},
};
enum { AGREEMENT_COLUMNS = sizeof agreement_columns / sizeof *agreement_columns };

jl_run_record jl_run_record_empty(void)
{
    jl_run_record r = {0};
    jl_sql_empty(run_columns, RUN_COLUMNS, &r);
    r.position = 0;
    r.attempt = 1;
    r.input_seed = 0;
    return r;
}

jl_energy_record jl_energy_record_empty(void)
{
    jl_energy_record e = {.method = "none"};
    jl_sql_empty(energy_columns, ENERGY_COLUMNS, &e);
    return e;
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
    return jl_sql_insert(s, "run", run_columns, RUN_COLUMNS, r, id, err,
                         "uid, outcome, started_at, facts", "tttr", uid,
                         jl_outcome_name(r->outcome), r->started_at, facts);
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
        rc = jl_sql_insert(s, "energy", energy_columns, ENERGY_COLUMNS, &r->energy[i], NULL, err,
                           "run", "r", a->id);
    for (size_t i = 0; !rc && i < r->ticks_count; i++)
        rc = put_ticks(s, a->id, &r->ticks[i], err);
    for (size_t i = 0; !rc && i < r->agreement_count; i++)
        rc = jl_sql_insert(s, "agreement", agreement_columns, AGREEMENT_COLUMNS, &r->agreement[i],
                           NULL, err, "run", "r", a->id);
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
