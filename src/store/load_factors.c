/* From the store to the arrays of the analysis: the factors of a study (models, configurations,
 * devices, rounds) and the facts that runs share. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/host_facts.h"
#include "store/load_private.h"

static int read_models(loader *l, jl_error *err)
{
    int rc = jl_load_places(l, &l->models, "model", err);
    if (!rc) rc = jl_load_count(l, "SELECT count(*) FROM model", &l->d->table.model_count, err);
    jl_study_model *all = jl_arena_array(l->d->arena, l->d->table.model_count + 1, sizeof *all);
    sqlite3_stmt *q;
    if (!rc && !all) rc = jl_load_no_memory(err);
    if (!rc) rc = jl_sql_query(l->s, &q, err, "SELECT id, name, family, kind FROM model", "");
    if (rc) return rc;
    size_t n = 0;
    for (; n < l->d->table.model_count && sqlite3_step(q) == SQLITE_ROW; n++) {
        jl_load_set_place(&l->models, sqlite3_column_int64(q, 0), (uint32_t)n);
        all[n] = (jl_study_model){.name = jl_load_text(l, q, 1), .family = jl_load_text(l, q, 2)};
        all[n].probe = !strcmp((const char *)sqlite3_column_text(q, 3), "probe");
    }
    l->d->table.models = all;
    return jl_sql_end(l->s, q, 0, err);
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
    int rc = jl_load_places(l, &l->configurations, "configuration", err);
    if (!rc) rc = jl_load_count(l, "SELECT count(*) FROM configuration", &room, err);
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
        jl_load_set_place(&l->configurations, sqlite3_column_int64(q, 0), at);
        if (at < n) continue;
        all[n++] = (jl_study_configuration){
            .name = name,
            .runtime = jl_load_text(l, q, 2),
            .provider = jl_load_text(l, q, 3),
            .precision = jl_load_text(l, q, 4),
            .options = strchr(name, '+'),
            .native = !strcmp((const char *)sqlite3_column_text(q, 5), "native")};
    }
    l->d->table.configurations = all;
    l->d->table.configuration_count = n;
    return jl_sql_end(l->s, q, 0, err);
}

/* Devices of one name are told apart by their place on the host and by the host, "H200 #1", and
 * boards that took the same place in turn, as virtual machines lend them, by their UUID. */
static int name_devices(loader *l, jl_study_device *all, const int *positions, size_t n,
                        jl_error *err)
{
    const char **names = jl_arena_array(l->d->arena, n + 1, sizeof *names);
    if (!names) return jl_load_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        bool same_host = false, other_host = false, same_place = false;
        for (size_t k = 0; k < n; k++) {
            if (k == i || strcmp(all[k].name, all[i].name) != 0) continue;
            bool here = !strcmp(all[k].host, all[i].host);
            same_host |= here;
            other_host |= !here;
            same_place |= here && positions[k] == positions[i];
        }
        char at[24] = "";
        if (same_place)
            snprintf(at, sizeof at, " %.12s", all[i].uuid);
        else if (same_host)
            snprintf(at, sizeof at, " #%d", positions[i]);
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
    int rc = jl_load_places(l, &l->devices, "device", err);
    if (!rc) rc = jl_load_count(l, "SELECT count(*) FROM device", &l->d->table.device_count, err);
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
        jl_load_set_place(&l->devices, sqlite3_column_int64(q, 0), (uint32_t)n);
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
    rc = jl_sql_end(l->s, q, rc, err);
    if (rc) return rc;
    all[n] = (jl_study_device){
        .name = "no device", .gain_error = NAN, .idle_sleeping_w = NAN, .idle_waking_w = NAN};
    l->d->table.devices = all;
    l->d->table.device_count = n + 1;
    return name_devices(l, all, positions, n, err);
}

static int read_rounds(loader *l, jl_error *err)
{
    int rc = jl_load_places(l, &l->rounds, "round", err);
    if (!rc)
        rc = jl_load_count(l, "SELECT count(*) FROM round WHERE study IN " SAME_STUDY,
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
        jl_load_set_place(&l->rounds, sqlite3_column_int64(q, 0), n);
        l->d->pairs[n] = sqlite3_column_int(q, 1) != 0;
        l->d->complete += l->d->pairs[n];
    }
    l->d->table.pairs = l->d->pairs;
    return jl_sql_end(l->s, q, 0, err);
}

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
    int rc = jl_load_places(l, &l->facts, "facts", err);
    l->fact_lists = jl_arena_array(l->d->arena, (size_t)l->facts.limit, sizeof *l->fact_lists);
    sqlite3_stmt *q;
    if (!rc && !l->fact_lists) rc = jl_load_no_memory(err);
    if (!rc) rc = jl_sql_query(l->s, &q, err, "SELECT id, json FROM facts", "");
    if (rc) return rc;
    while (!rc && sqlite3_step(q) == SQLITE_ROW)
        if (jl_load_has(&l->facts, sqlite3_column_int64(q, 0)))
            rc = parse_facts(l, (const char *)sqlite3_column_text(q, 1),
                             &l->fact_lists[sqlite3_column_int64(q, 0)], err);
    return jl_sql_end(l->s, q, rc, err);
}

int jl_load_factors(loader *l, jl_error *err)
{
    int rc = read_models(l, err);
    if (!rc) rc = read_configurations(l, err);
    if (!rc) rc = read_devices(l, err);
    if (!rc) rc = read_rounds(l, err);
    return rc ? rc : read_facts(l, err);
}
