/* From the store to the arrays of the analysis. One pass over the runs, whatever their number. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/host_facts.h"
#include "store/load_private.h"

int jl_load_no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "no memory to read the store");
}

const char *jl_load_text(loader *l, sqlite3_stmt *q, int column)
{
    const unsigned char *t = sqlite3_column_text(q, column);
    return t ? jl_arena_strndup(l->d->arena, (const char *)t,
                                (size_t)sqlite3_column_bytes(q, column))
             : NULL;
}

double jl_load_number(sqlite3_stmt *q, int column)
{
    return sqlite3_column_type(q, column) == SQLITE_NULL ? NAN : sqlite3_column_double(q, column);
}

static int make_places(loader *l, places *p, const char *table, jl_error *err)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT coalesce(max(id), 0) FROM %s", table);
    int rc = jl_sql_number(l->s, &p->limit, 0, err, sql, "");
    if (rc) return rc;
    if (p->limit < 0 || p->limit > UINT32_MAX - 1)
        return jl_fail(err, JL_ERR_LIMIT, "%s: the ids of %s are out of range", l->s->path, table);
    p->limit++;
    p->at = jl_arena_array(l->d->arena, (size_t)p->limit, sizeof *p->at);
    if (!p->at) return jl_load_no_memory(err);
    memset(p->at, 0xff, (size_t)p->limit * sizeof *p->at);
    return 0;
}

uint32_t jl_load_place(const places *p, jl_id id)
{
    return id > 0 && id < p->limit ? p->at[id] : UINT32_MAX;
}

/* --- which study --- */

static int count_of(loader *l, const char *sql, size_t *n, jl_error *err)
{
    int64_t count;
    int rc = jl_sql_number(l->s, &count, 0, err, sql, strchr(sql, '?') ? "ri" : "", l->study,
                           (int64_t)l->alone);
    *n = (size_t)count;
    return rc;
}

static int choose(loader *l, const char *study, jl_error *err)
{
    int rc = jl_sql_number(l->s, &l->study, 0, err,
                           "SELECT id FROM study WHERE ?1 IS NULL OR name = ?1 "
                           "OR substr(uid, 1, length(?1)) = ?1 ORDER BY created_at DESC, id DESC",
                           "t", study);
    int64_t named = 1;
    if (!rc && study)
        rc = jl_sql_number(l->s, &named, 0, err, "SELECT count(*) FROM study WHERE name = ?", "t",
                           study);
    l->alone = !named;
    if (!rc && l->study) rc = count_of(l, "SELECT count(*) FROM " SAME_STUDY, &l->d->studies, err);
    if (rc || l->study) return rc;
    return jl_fail(err, JL_ERR_MISSING,
                   study ? "%s holds no study '%s'; 'jouleline report --list' "
                           "names those that it has"
                         : "%s holds no study yet; measure one with "
                           "'jouleline run'",
                   l->s->path, study);
}

/* --- what is compared --- */

static int read_models(loader *l, jl_error *err)
{
    int rc = make_places(l, &l->models, "model", err);
    if (!rc) rc = count_of(l, "SELECT count(*) FROM model", &l->d->table.model_count, err);
    jl_study_model *all = jl_arena_array(l->d->arena, l->d->table.model_count + 1, sizeof *all);
    sqlite3_stmt *q;
    if (!rc && !all) rc = jl_load_no_memory(err);
    if (!rc) rc = jl_sql_query(l->s, &q, err, "SELECT id, name, family, kind FROM model", "");
    if (rc) return rc;
    size_t n = 0;
    for (; n < l->d->table.model_count && sqlite3_step(q) == SQLITE_ROW; n++) {
        l->models.at[sqlite3_column_int64(q, 0)] = (uint32_t)n;
        all[n] = (jl_study_model){.name = jl_load_text(l, q, 1), .family = jl_load_text(l, q, 2)};
        all[n].probe = !strcmp((const char *)sqlite3_column_text(q, 3), "probe");
    }
    sqlite3_finalize(q);
    l->d->table.models = all;
    return 0;
}

/* The canonical text without @DEVICE, which the device says. */
static const char *without_device(loader *l, const char *name)
{
    const char *at = strchr(name, '@');
    if (!at) return name;
    return jl_arena_printf(l->d->arena, "%.*s%s", (int)(at - name), name,
                           at + 1 + strspn(at + 1, "0123456789"));
}

static int read_configurations(loader *l, jl_error *err)
{
    size_t room = 0, n = 0;
    int rc = make_places(l, &l->configurations, "configuration", err);
    if (!rc) rc = count_of(l, "SELECT count(*) FROM configuration", &room, err);
    jl_study_configuration *all = jl_arena_array(l->d->arena, room + 1, sizeof *all);
    sqlite3_stmt *q;
    if (!rc && !all) rc = jl_load_no_memory(err);
    if (!rc)
        rc = jl_sql_query(l->s, &q, err,
                          "SELECT id, text, runtime, provider, precision, regime "
                          "FROM configuration ORDER BY id",
                          "");
    if (rc) return rc;
    for (size_t row = 0; row < room && sqlite3_step(q) == SQLITE_ROW; row++) {
        const char *full = jl_load_text(l, q, 1), *name = full ? without_device(l, full) : NULL;
        if (!name) break;
        uint32_t at = 0;
        while (at < n && strcmp(all[at].name, name) != 0)
            at++;
        l->configurations.at[sqlite3_column_int64(q, 0)] = at;
        if (at < n) continue;
        all[n++] = (jl_study_configuration){
            .name = name,
            .runtime = jl_load_text(l, q, 2),
            .provider = jl_load_text(l, q, 3),
            .precision = jl_load_text(l, q, 4),
            .options = strchr(name, '+'),
            .native = !strcmp((const char *)sqlite3_column_text(q, 5), "native")};
    }
    sqlite3_finalize(q);
    l->d->table.configurations = all;
    l->d->table.configuration_count = n;
    return 0;
}

/* Devices of one name are told apart by their place on the host and by the host: "H200 #1". */
static int name_devices(loader *l, jl_study_device *all, const int *positions, size_t n,
                        jl_error *err)
{
    const char **names = jl_arena_array(l->d->arena, n + 1, sizeof *names);
    if (!names) return jl_load_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        bool same_host = false, other_host = false;
        for (size_t k = 0; k < n; k++) {
            if (k == i || strcmp(all[k].name, all[i].name) != 0) continue;
            bool here = !strcmp(all[k].host, all[i].host);
            same_host |= here;
            other_host |= !here;
        }
        char at[24] = "";
        if (same_host) snprintf(at, sizeof at, " #%d", positions[i]);
        names[i] = same_host || other_host
                       ? jl_arena_printf(l->d->arena, "%s%s%s%s", all[i].name, at,
                                         other_host ? " on " : "", other_host ? all[i].host : "")
                       : all[i].name;
        if (!names[i]) return jl_load_no_memory(err);
    }
    for (size_t i = 0; i < n; i++)
        all[i].name = names[i];
    return 0;
}

static int read_devices(loader *l, jl_error *err)
{
    int rc = make_places(l, &l->devices, "device", err);
    if (!rc) rc = count_of(l, "SELECT count(*) FROM device", &l->d->table.device_count, err);
    /* One more, for runs whose device is not here. */
    jl_study_device *all = jl_arena_array(l->d->arena, l->d->table.device_count + 1, sizeof *all);
    int *positions = jl_arena_array(l->d->arena, l->d->table.device_count + 1, sizeof *positions);
    sqlite3_stmt *q;
    if (!rc && (!all || !positions)) rc = jl_load_no_memory(err);
    if (!rc)
        rc = jl_sql_query(l->s, &q, err,
                          "SELECT device.id, device.name, device.uid, host.name, device.simulated, "
                          "(SELECT max(gain_rel) FROM meter WHERE device_uid = device.uid), "
                          "(SELECT avg(power_w) FROM idle JOIN meter ON meter.id = idle.meter "
                          " WHERE meter.device_uid = device.uid AND level = 'sleeping'), "
                          "(SELECT avg(power_w) FROM idle JOIN meter ON meter.id = idle.meter "
                          " WHERE meter.device_uid = device.uid AND level = 'waking' "
                          " AND idle.device = device.id), device.position, device.host "
                          "FROM device JOIN host ON host.id = device.host",
                          "");
    if (rc) return rc;
    size_t n = 0;
    for (; !rc && n < l->d->table.device_count && sqlite3_step(q) == SQLITE_ROW; n++) {
        l->devices.at[sqlite3_column_int64(q, 0)] = (uint32_t)n;
        all[n] = (jl_study_device){.name = jl_load_text(l, q, 1),
                                   .uuid = jl_load_text(l, q, 2),
                                   .host = jl_load_text(l, q, 3),
                                   .simulated = sqlite3_column_int(q, 4) != 0,
                                   .gain_error = jl_load_number(q, 5),
                                   .idle_sleeping_w = jl_load_number(q, 6),
                                   .idle_waking_w = jl_load_number(q, 7)};
        positions[n] = sqlite3_column_int(q, 8);
        rc = jl_host_facts(l->s, sqlite3_column_int64(q, 9), l->study, l->alone, l->d->arena,
                           &all[n].facts, &all[n].fact_count, err);
    }
    sqlite3_finalize(q);
    if (rc) return rc;
    all[n] = (jl_study_device){
        .name = "no device", .gain_error = NAN, .idle_sleeping_w = NAN, .idle_waking_w = NAN};
    l->d->table.devices = all;
    l->d->table.device_count = n + 1;
    return name_devices(l, all, positions, n, err);
}

static int read_rounds(loader *l, jl_error *err)
{
    int rc = make_places(l, &l->rounds, "round", err);
    if (!rc)
        rc = count_of(l, "SELECT count(*) FROM round WHERE study IN " SAME_STUDY,
                      &l->d->table.rounds, err);
    l->d->pairs = jl_arena_array(l->d->arena, l->d->table.rounds + 1, sizeof *l->d->pairs);
    sqlite3_stmt *q;
    if (!rc && !l->d->pairs) rc = jl_load_no_memory(err);
    if (!rc)
        rc = jl_sql_query(l->s, &q, err,
                          "SELECT id, complete FROM round WHERE study IN " SAME_STUDY
                          " ORDER BY started_at, id",
                          "ri", l->study, (int64_t)l->alone);
    if (rc) return rc;
    for (uint32_t n = 0; n < l->d->table.rounds && sqlite3_step(q) == SQLITE_ROW; n++) {
        l->rounds.at[sqlite3_column_int64(q, 0)] = n;
        l->d->pairs[n] = sqlite3_column_int(q, 1) != 0;
        l->d->complete += l->d->pairs[n];
    }
    sqlite3_finalize(q);
    l->d->table.pairs = l->d->pairs;
    return 0;
}

/* --- facts --- */

static int parse_facts(loader *l, const char *json, struct fact_list *to, jl_error *err)
{
    static const char *const audited[] = {
        "version",  "library",   "threads",     "tf32",           "conv_search",     "layout",
        "regime",   "placement", "driver",      "start",          "nodes_elsewhere", "elsewhere",
        "emulated", "python",    "torchvision", "cuda",           "cudnn",           "optimization",
        "pcie",     "pcie_most", "dispatch",    "same_operators",
    };
    enum { AUDITED = sizeof audited / sizeof *audited };
    json_t *j = json_loads(json, 0, NULL);
    jl_study_fact *all = jl_arena_array(l->d->arena, AUDITED, sizeof *all);
    for (size_t i = 0; all && i < AUDITED; i++) {
        char key[40];
        snprintf(key, sizeof key, "%s_missing", audited[i]);
        const char *value = json_string_value(json_object_get(j, audited[i])),
                   *missing = json_string_value(json_object_get(j, key));
        if (!value && !missing) continue;
        all[to->count++] = (jl_study_fact){
            .name = audited[i],
            .value = value ? jl_arena_strndup(l->d->arena, value, strlen(value)) : NULL,
            .missing = missing ? jl_arena_strndup(l->d->arena, missing, strlen(missing)) : NULL};
    }
    to->items = all;
    json_decref(j);
    return all ? 0 : jl_load_no_memory(err);
}

static int read_facts(loader *l, jl_error *err)
{
    int rc = make_places(l, &l->facts, "facts", err);
    l->fact_lists = jl_arena_array(l->d->arena, (size_t)l->facts.limit, sizeof *l->fact_lists);
    sqlite3_stmt *q;
    if (!rc && !l->fact_lists) rc = jl_load_no_memory(err);
    if (!rc) rc = jl_sql_query(l->s, &q, err, "SELECT id, json FROM facts", "");
    if (rc) return rc;
    while (!rc && sqlite3_step(q) == SQLITE_ROW)
        rc = parse_facts(l, (const char *)sqlite3_column_text(q, 1),
                         &l->fact_lists[sqlite3_column_int64(q, 0)], err);
    sqlite3_finalize(q);
    return rc;
}

/* --- cells and runs --- */

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
    if (cell <= 0 || cell >= l->cells.limit)
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
        l->probe_cells[sqlite3_column_int64(q, 0)] = true;
    sqlite3_finalize(q);
    return 0;
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
    int rc = make_places(l, &l->cells, "cell", err);
    if (!rc) rc = find_probes(l, err);
    if (!rc) rc = look_for_own_probes(l, err);
    if (!rc)
        rc = jl_sql_number(l->s, &l->run_limit, 0, err, "SELECT coalesce(max(id), 0) + 1 FROM run",
                           "");
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
        bool borrowed = round == UINT32_MAX && l->d->borrows_probes && cell > 0 &&
                        cell < l->cells.limit && l->probe_cells[cell];
        if (round == UINT32_MAX && !borrowed) continue;
        rc = slot_of(l, cell, sqlite3_column_int64(q, 2), &at, err);
        if (rc) break;
        l->d->borrowed |= borrowed;
        /* Any place will do: probes are paired with nothing. */
        if (borrowed) round = l->slots[at].ok % (uint32_t)l->d->table.rounds;
        rc = take_run(l, q, at, round, err);
    }
    sqlite3_finalize(q);
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
    sqlite3_finalize(q);
    for (uint32_t i = 0; i < l->slot_count; i++) {
        slot *s = &l->slots[i];
        if (s->ok >= s->failed && s->ok) l->out[i].outcome = JL_OUTCOME_OK;
        l->out[i].power_w = s->powers ? s->power_sum_w / s->powers : NAN;
        if (s->facts > 0 && s->facts < l->facts.limit) {
            l->out[i].facts = l->fact_lists[s->facts].items;
            l->out[i].fact_count = l->fact_lists[s->facts].count;
        }
    }
    return 0;
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
    sqlite3_finalize(q);
    return 0;
}

static int read_name(loader *l, jl_error *err)
{
    sqlite3_stmt *q;
    int rc = jl_sql_query(l->s, &q, err, "SELECT name FROM study WHERE id = ?", "r", l->study);
    if (rc) return rc;
    if (sqlite3_step(q) == SQLITE_ROW) l->d->table.name = jl_load_text(l, q, 0);
    sqlite3_finalize(q);
    return 0;
}

int jl_store_load(jl_store *s, const char *study, jl_study_data **data, jl_error *err)
{
    return jl_store_load_tail(s, study, 99, data, err);
}

int jl_store_load_tail(jl_store *s, const char *study, int tail, jl_study_data **data,
                       jl_error *err)
{
    static int (*const steps[])(loader *, jl_error *) = {
        read_name, read_models,    read_configurations, read_devices,   read_rounds,   read_facts,
        read_runs, jl_load_energy, describe_cells,      read_agreement, jl_load_idles,
    };
    *data = NULL;
    if (tail != 90 && tail != 95 && tail != 99)
        return jl_fail(err, JL_ERR_USAGE, "a store keeps the percentiles 90, 95 and 99, not %d",
                       tail);
    loader l = {.s = s, .tail = tail, .d = calloc(1, sizeof *l.d)};
    if (!l.d || !(l.d->arena = jl_arena_new())) {
        free(l.d);
        return jl_load_no_memory(err);
    }
    int rc = choose(&l, study, err);
    for (size_t i = 0; !rc && i < sizeof steps / sizeof *steps; i++)
        rc = steps[i](&l, err);
    free(l.slots);
    free(l.runs);
    l.d->table.tail_percentile = tail / 100.0;
    l.d->table.cells = l.out;
    l.d->table.cell_count = l.slot_count;
    for (int m = 0; m < JL_DETAIL_COUNT; m++)
        l.d->table.details[m] = l.d->details[m];
    if (!rc) rc = jl_study_table_check(&l.d->table, err);
    if (rc) {
        jl_study_data_free(l.d);
        return rc;
    }
    *data = l.d;
    return 0;
}

void jl_study_data_free(jl_study_data *d)
{
    if (!d) return;
    for (int m = 0; m < JL_METRIC_COUNT; m++)
        free(d->values[m]);
    for (int m = 0; m < JL_DETAIL_COUNT; m++)
        free(d->details[m]);
    free((void *)(uintptr_t)d->table.cells);
    jl_arena_free(d->arena);
    free(d);
}

const jl_study_table *jl_study_data_table(const jl_study_data *d)
{
    return &d->table;
}

const char *jl_study_data_no_energy(const jl_study_data *d)
{
    return d->no_energy;
}

size_t jl_study_data_studies(const jl_study_data *d)
{
    return d->studies;
}

size_t jl_study_data_complete_rounds(const jl_study_data *d)
{
    return d->complete;
}

jl_study_runs jl_study_data_runs(const jl_study_data *d)
{
    return d->runs;
}

const char *jl_study_data_meters(const jl_study_data *d)
{
    return d->meters;
}

bool jl_study_data_borrowed_probes(const jl_study_data *d)
{
    return d->borrowed;
}
