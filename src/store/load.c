/* From the store to the arrays of the analysis: which study, and what its readers share. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int jl_load_places(loader *l, places *p, const char *table, jl_error *err)
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

bool jl_load_has(const places *p, jl_id id)
{
    return id > 0 && id < p->limit;
}

uint32_t jl_load_place(const places *p, jl_id id)
{
    return jl_load_has(p, id) ? p->at[id] : UINT32_MAX;
}

void jl_load_set_place(places *p, jl_id id, uint32_t at)
{
    if (jl_load_has(p, id)) p->at[id] = at;
}

/* --- which study --- */

int jl_load_count(loader *l, const char *sql, size_t *n, jl_error *err)
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
    if (!rc && l->study)
        rc = jl_load_count(l, "SELECT count(*) FROM " SAME_STUDY, &l->d->studies, err);
    if (rc || l->study) return rc;
    return jl_fail(err, JL_ERR_MISSING,
                   study ? "%s holds no study '%s'; 'jouleline report --list' "
                           "names those that it has"
                         : "%s holds no study yet; measure one with "
                           "'jouleline run'",
                   l->s->path, study);
}

static int read_name(loader *l, jl_error *err)
{
    sqlite3_stmt *q;
    int rc = jl_sql_query(l->s, &q, err, "SELECT name FROM study WHERE id = ?", "r", l->study);
    if (rc) return rc;
    if (sqlite3_step(q) == SQLITE_ROW) l->d->table.name = jl_load_text(l, q, 0);
    return jl_sql_end(l->s, q, 0, err);
}

int jl_store_load(jl_store *s, const char *study, jl_study_data **data, jl_error *err)
{
    return jl_store_load_tail(s, study, 99, data, err);
}

int jl_store_load_tail(jl_store *s, const char *study, int tail, jl_study_data **data,
                       jl_error *err)
{
    static int (*const steps[])(loader *, jl_error *) = {
        read_name, jl_load_factors, jl_load_runs, jl_load_energy, jl_load_idles,
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
