/* From the store to the arrays of the analysis: cells, their runs and agreement. One pass over the
 * runs, whatever their number. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/load_private.h"

/* Lengthens an array of cells x rounds; what is new is missing. */
static int lengthen(double **values, size_t from, size_t to, jl_error *err)
{
    double *v = realloc(*values, (to + 1) * sizeof *v);
    if (!v) return jl_load_no_memory(err);
    *values = v;
    for (size_t i = from; i < to; i++)
        v[i] = NAN;
    return 0;
}

/* A detail's array is made with its first value. */
int jl_load_detail(loader *l, jl_detail which, size_t at, double value, jl_error *err)
{
    double **all = &l->d->details[which];
    if (!isfinite(value)) return 0;
    int rc = *all ? 0 : lengthen(all, 0, (size_t)l->slot_room * l->d->table.rounds, err);
    if (!rc) (*all)[at] = value;
    return rc;
}

static int grow(loader *l, jl_error *err)
{
    uint32_t room = l->slot_room ? 2 * l->slot_room : 1024;
    size_t rounds = l->d->table.rounds, from = l->slot_room * rounds, to = room * rounds;
    slot *slots = realloc(l->slots, room * sizeof *slots);
    if (slots) l->slots = slots;
    jl_study_cell *out = realloc(l->out, room * sizeof *out);
    if (out) l->out = out;
    if (!slots || !out || to / room != rounds) return jl_load_no_memory(err);
    int rc = 0;
    for (int m = 0; m < JL_METRIC_COUNT && !rc; m++)
        rc = lengthen(&l->d->values[m], from, to, err);
    for (int m = 0; m < JL_DETAIL_COUNT && !rc; m++)
        if (l->d->details[m]) rc = lengthen(&l->d->details[m], from, to, err);
    l->slot_room = room;
    return rc;
}

/* The slot of a cell on a device, made when it is new. Cells of other columns are filled in by
 * describe_cells. */
static int slot_of(loader *l, jl_id cell, jl_id device, uint32_t *at, jl_error *err)
{
    if (!jl_load_has(&l->cells, cell))
        return jl_fail(err, JL_ERR_FORMAT, "%s: a run names no cell", l->s->path);
    uint32_t first = l->cells.at[cell];
    for (*at = first; *at != UINT32_MAX; *at = l->slots[*at].next)
        if (l->slots[*at].device == device) return 0;
    int rc = l->slot_count == l->slot_room ? grow(l, err) : 0;
    if (rc) return rc;
    *at = l->slot_count++;
    l->slots[*at] =
        (slot){.cell = cell, .device = device, .next = first, .probe = l->probe_cells[cell]};
    uint32_t d = jl_load_place(&l->devices, device);
    l->out[*at] =
        (jl_study_cell){.device = d == UINT32_MAX ? (uint32_t)l->d->table.device_count - 1 : d};
    l->cells.at[cell] = *at;
    return 0;
}

const run_place *jl_load_run(const loader *l, jl_id run)
{
    return run > 0 && run < l->run_limit && l->runs[run].slot != UINT32_MAX ? &l->runs[run] : NULL;
}

static int take_run(loader *l, sqlite3_stmt *q, uint32_t at, uint32_t round, jl_error *err)
{
    slot *s = &l->slots[at];
    jl_study_cell *c = &l->out[at];
    jl_study_runs *runs = &l->d->runs, of_probes = {0};
    if (s->probe) runs = &of_probes; /* they are not the study's runs */
    runs->count++;
    bool unsettled = sqlite3_column_type(q, 9) != SQLITE_NULL && sqlite3_column_int(q, 9) == 0;
    runs->unsettled += unsettled;
    runs->disturbed += sqlite3_column_type(q, 10) != SQLITE_NULL;
    runs->capped += sqlite3_column_int(q, 11) != 0;
    int outcome = jl_outcome_parse((const char *)sqlite3_column_text(q, 4));
    bool ok = outcome == JL_OUTCOME_OK;
    int64_t id = sqlite3_column_int64(q, 0);
    if (id > 0 && id < l->run_limit)
        l->runs[id] =
            (run_place){at, ok ? round : UINT32_MAX, (uint32_t)sqlite3_column_int64(q, 13)};
    s->facts = sqlite3_column_int64(q, 7) ? sqlite3_column_int64(q, 7) : s->facts;
    if (!ok) {
        runs->failed++;
        s->failed++;
        c->outcome = outcome < 0 ? JL_OUTCOME_UNSUPPORTED : (jl_outcome)outcome;
        if (!c->message) c->message = jl_load_text(l, q, 6);
        return 0;
    }
    s->ok++;
    c->unsettled += unsettled;
    size_t to = (size_t)at * l->d->table.rounds + round;
    l->d->values[JL_LATENCY][to] = jl_load_number(q, 5);
    l->d->values[JL_LATENCY_TAIL][to] = jl_load_number(q, 8);
    l->has_tail |= isfinite(l->d->values[JL_LATENCY_TAIL][to]) != 0;
    l->d->values[JL_CPU_TIME][to] = jl_load_number(q, 14);
    l->has_cpu |= isfinite(l->d->values[JL_CPU_TIME][to]) != 0;
    return jl_load_detail(l, JL_DETAIL_THROUGHPUT, to, jl_load_number(q, 12), err);
}

static int find_probes(loader *l, jl_error *err)
{
    l->probe_cells = jl_arena_array(l->d->arena, (size_t)l->cells.limit, sizeof *l->probe_cells);
    if (!l->probe_cells) return jl_load_no_memory(err);
    sqlite3_stmt *q;
    int rc = jl_sql_query(l->s, &q, err,
                          "SELECT cell.id FROM cell JOIN model ON model.id = cell.model "
                          "WHERE model.kind = 'probe'",
                          "");
    if (rc) return rc;
    while (sqlite3_step(q) == SQLITE_ROW)
        if (jl_load_has(&l->cells, sqlite3_column_int64(q, 0)))
            l->probe_cells[sqlite3_column_int64(q, 0)] = true;
    return jl_sql_end(l->s, q, 0, err);
}

/* A study without probes of its own has the roofs that other studies of the store measured: they
 * are those of a device and a configuration, whatever else was measured. */
static int look_for_own_probes(loader *l, jl_error *err)
{
    int64_t own = 0;
    int rc = jl_sql_number(l->s, &own, 0, err,
                           "SELECT EXISTS(SELECT 1 FROM study_cell JOIN cell ON cell.id = cell "
                           "JOIN model ON model.id = model WHERE kind = 'probe' AND study "
                           "IN " SAME_STUDY ")",
                           "ri", l->study, (int64_t)l->alone);
    l->d->borrows_probes = !own && l->d->table.rounds > 0;
    return rc;
}

/* Both tables are read from end to end in their own order, which is many times faster than
 * looking up the joules of each run. */
static int read_runs(loader *l, jl_error *err)
{
    sqlite3_stmt *q;
    int rc =
        jl_sql_number(l->s, &l->run_limit, 0, err, "SELECT coalesce(max(id), 0) + 1 FROM run", "");
    if (rc) return rc;
    l->runs = malloc((size_t)l->run_limit * sizeof *l->runs);
    if (!l->runs) return jl_load_no_memory(err);
    memset(l->runs, 0xff, (size_t)l->run_limit * sizeof *l->runs);
    char sql[320];
    snprintf(sql, sizeof sql,
             "SELECT id, cell, device, round, outcome, latency_ns, message, "
             "facts, latency_p%d_ns, settled, disturbed, power_capped, "
             "throughput_items_per_s, input_seed, cpu_ns_per_item "
             "FROM run WHERE counts = 1 ORDER BY id",
             l->tail);
    rc = jl_sql_query(l->s, &q, err, sql, "");
    if (rc) return rc;
    while (!rc && sqlite3_step(q) == SQLITE_ROW) {
        uint32_t at = 0, round = jl_load_place(&l->rounds, sqlite3_column_int64(q, 3));
        jl_id cell = sqlite3_column_int64(q, 1);
        bool borrowed = round == UINT32_MAX && l->d->borrows_probes &&
                        jl_load_has(&l->cells, cell) && l->probe_cells[cell];
        if (round == UINT32_MAX && !borrowed) continue;
        rc = slot_of(l, cell, sqlite3_column_int64(q, 2), &at, err);
        if (rc) break;
        l->d->borrowed |= borrowed;
        /* Any place will do: probes are paired with nothing. */
        if (borrowed) round = l->slots[at].ok % (uint32_t)l->d->table.rounds;
        rc = take_run(l, q, at, round, err);
    }
    rc = jl_sql_end(l->s, q, rc, err);
    if (l->has_cpu) l->d->table.values[JL_CPU_TIME] = l->d->values[JL_CPU_TIME];
    if (l->has_tail) l->d->table.values[JL_LATENCY_TAIL] = l->d->values[JL_LATENCY_TAIL];
    l->d->table.values[JL_LATENCY] = l->d->values[JL_LATENCY];
    return rc;
}

static int describe_cells(loader *l, jl_error *err)
{
    sqlite3_stmt *q;
    int rc = jl_sql_query(l->s, &q, err,
                          "SELECT id, model, configuration, batch, in_flight, flop, moved_bytes, "
                          "nodes FROM cell",
                          "");
    if (rc) return rc;
    while (sqlite3_step(q) == SQLITE_ROW) {
        uint32_t at = jl_load_place(&l->cells, sqlite3_column_int64(q, 0));
        for (; at != UINT32_MAX; at = l->slots[at].next) {
            jl_study_cell *c = &l->out[at];
            c->model = jl_load_place(&l->models, sqlite3_column_int64(q, 1));
            c->configuration = jl_load_place(&l->configurations, sqlite3_column_int64(q, 2));
            c->batch = (uint32_t)sqlite3_column_int64(q, 3);
            c->in_flight = (uint32_t)sqlite3_column_int64(q, 4);
            c->flop = jl_load_number(q, 5);
            c->bytes = jl_load_number(q, 6);
            c->dispatches = jl_load_number(q, 7);
        }
    }
    rc = jl_sql_end(l->s, q, 0, err);
    for (uint32_t i = 0; i < l->slot_count; i++) {
        slot *s = &l->slots[i];
        if (s->ok >= s->failed && s->ok) l->out[i].outcome = JL_OUTCOME_OK;
        if (jl_load_has(&l->facts, s->facts)) {
            l->out[i].facts = l->fact_lists[s->facts].items;
            l->out[i].fact_count = l->fact_lists[s->facts].count;
        }
    }
    return rc;
}

/* Runs in a row with one seed checked the same items, which count once. In the order of the runs,
 * as the table lies: looking up the run of each row would take longer than everything else. */
static int read_agreement(loader *l, jl_error *err)
{
    sqlite3_stmt *q;
    int rc = jl_sql_query(l->s, &q, err,
                          "SELECT run, top1_agree, items FROM agreement "
                          "WHERE top1_agree IS NOT NULL",
                          "");
    if (rc) return rc;
    while (sqlite3_step(q) == SQLITE_ROW) {
        jl_id run = sqlite3_column_int64(q, 0);
        const run_place *at = jl_load_run(l, run);
        if (!at) continue;
        slot *to = &l->slots[at->slot];
        if (to->checked && to->checked != run && to->with_seed == at->seed) continue;
        to->checked = run;
        to->with_seed = at->seed;
        l->out[at->slot].agree_items += (uint64_t)sqlite3_column_int64(q, 1);
        l->out[at->slot].checked_items += (uint64_t)sqlite3_column_int64(q, 2);
    }
    return jl_sql_end(l->s, q, 0, err);
}

int jl_load_runs(loader *l, jl_error *err)
{
    int rc = jl_load_places(l, &l->cells, "cell", err);
    if (!rc) rc = find_probes(l, err);
    if (!rc) rc = look_for_own_probes(l, err);
    if (!rc) rc = read_runs(l, err);
    if (!rc) rc = describe_cells(l, err);
    return rc ? rc : read_agreement(l, err);
}
