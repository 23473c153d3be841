/* Adds the rows of another store. Which columns a table has, and which of them refer to rows of
 * other tables, is read from the schema; here stands only how a row is found again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "store/sql.h"

/* A row that is there already is left alone, so that merging twice changes nothing. Tables come
 * after those that they refer to. */
static const struct table {
    const char *name;
    const char *key;  /* columns that name the same row in every store, where others refer to it */
    const char *then; /* instead, when a row is there already */
    bool whole;       /* what refers to its rows came with them: only new rows are looked at */
} tables[] = {
    {.name = "host", .key = "uid"},
    {.name = "boot", .key = "uid"},
    {.name = "device", .key = "uid"},
    {.name = "study", .key = "uid"},
    {.name = "model", .key = "uid"},
    {.name = "configuration", .key = "text"},
    {.name = "cell", .key = "model,configuration,batch,in_flight,io,inputs"},
    {.name = "study_cell"},
    /* a round that was under way when its part was merged before may have ended since */
    {.name = "round",
     .key = "uid",
     .then = "(uid) DO UPDATE SET ended_at = coalesce(excluded.ended_at, ended_at), "
             "complete = max(complete, excluded.complete)"},
    {.name = "facts", .key = "uid"},
    {.name = "meter", .key = "uid"},
    {.name = "idle"},
    /* an attempt that stopped counting since stops counting here too */
    {.name = "run",
     .key = "uid",
     .then = "(uid) DO UPDATE SET counts = 0 WHERE counts > excluded.counts",
     .whole = true},
    {.name = "stamps"},
    {.name = "energy"},
    {.name = "tick"},
    {.name = "agreement"},
};

/* The parts of a table's statements, column by column. */
typedef struct statement {
    jl_buf names, values, maps, match;
} statement;

static void statement_free(statement *t)
{
    jl_buf_free(&t->names);
    jl_buf_free(&t->values);
    jl_buf_free(&t->maps);
    jl_buf_free(&t->match);
}

static bool in_key(const char *key, const char *column)
{
    size_t n = strlen(column);
    for (const char *at = key; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, column, n) && (at[n] == ',' || !at[n])) return true;
    return false;
}

/* A column that refers to a row takes that row's id here, from the map of its table. CROSS JOIN
 * keeps the part's order of rows. */
static void add_column(statement *to, const char *key, const char *column, const char *parent,
                       bool needed)
{
    char value[96];
    snprintf(value, sizeof value, parent ? "m_%s.new" : "p.%s", column);
    jl_buf_printf(&to->names, "%s%s", to->names.n ? ", " : "", column);
    jl_buf_printf(&to->values, "%s%s", to->values.n ? ", " : "", value);
    if (parent)
        jl_buf_printf(&to->maps, " %s JOIN temp.map_%s m_%s ON m_%s.old = p.%s",
                      needed ? "CROSS" : "LEFT", parent, column, column, column);
    if (in_key(key, column))
        jl_buf_printf(&to->match, "%sn.%s = %s", to->match.n ? " AND " : "", column, value);
}

static int read_columns(jl_store *s, const struct table *t, statement *to, jl_error *err)
{
    sqlite3_stmt *q;
    int rc = jl_sql_query(s, &q, err,
                          "SELECT c.name, f.\"table\", c.\"notnull\" OR c.pk "
                          "FROM pragma_table_info(?1, 'main') c "
                          "LEFT JOIN pragma_foreign_key_list(?1, 'main') f ON f.\"from\" = c.name "
                          "WHERE c.name <> 'id' ORDER BY c.cid",
                          "t", t->name);
    if (rc) return rc;
    while (sqlite3_step(q) == SQLITE_ROW)
        add_column(to, t->key, (const char *)sqlite3_column_text(q, 0),
                   (const char *)sqlite3_column_text(q, 1), sqlite3_column_int(q, 2) != 0);
    return jl_sql_end(s, q, 0, err);
}

static int add_table(jl_store *s, const struct table *t, jl_error *err)
{
    JL_CLEANUP(statement_free) statement c = {0};
    JL_CLEANUP(jl_buf_free) jl_buf sql = {0};
    char last[64];
    int64_t known = 0; /* rows up to this id were here before */
    snprintf(last, sizeof last, "SELECT coalesce(max(id), 0) FROM main.%s", t->name);
    int rc = read_columns(s, t, &c, err);
    if (!rc && t->whole) rc = jl_sql_number(s, &known, 0, err, last, "");
    if (rc) return rc;
    jl_buf_printf(&sql,
                  "INSERT INTO main.%s(%s) SELECT %s FROM part.%s p%s WHERE true ON CONFLICT %s;",
                  t->name, c.names.p, c.values.p, t->name, c.maps.p ? c.maps.p : "",
                  t->then ? t->then : "DO NOTHING");
    if (t->key)
        jl_buf_printf(&sql,
                      "CREATE TEMP TABLE map_%s(old INTEGER PRIMARY KEY, new INTEGER NOT NULL);"
                      "INSERT INTO temp.map_%s SELECT p.id, n.id FROM part.%s p%s "
                      "JOIN main.%s n ON %s AND n.id > %" PRId64 ";",
                      t->name, t->name, t->name, c.maps.p ? c.maps.p : "", t->name, c.match.p,
                      known);
    if (c.names.failed || c.values.failed || c.maps.failed || c.match.failed || sql.failed)
        return jl_fail(err, JL_ERR_MEMORY, "no memory to merge");
    return jl_sql_script(s, sql.p, err);
}

static int count_rows(jl_store *s, jl_merge_result *r, jl_error *err)
{
    int rc = jl_sql_number(s, &r->studies, 0, err, "SELECT count(*) FROM main.study", "");
    if (!rc) rc = jl_sql_number(s, &r->rounds, 0, err, "SELECT count(*) FROM main.round", "");
    if (!rc) rc = jl_sql_number(s, &r->runs, 0, err, "SELECT count(*) FROM main.run", "");
    return rc;
}

static int add_part(jl_store *s, void *arg, jl_error *err)
{
    (void)arg;
    int rc = 0;
    const size_t count = sizeof tables / sizeof *tables;
    for (size_t i = 0; i < count && !rc; i++)
        rc = add_table(s, &tables[i], err);
    for (size_t i = 0; i < count && !rc; i++)
        if (tables[i].key) {
            char sql[64];
            snprintf(sql, sizeof sql, "DROP TABLE temp.map_%s", tables[i].name);
            rc = jl_sql_script(s, sql, err);
        }
    return rc;
}

int jl_store_merge(jl_store *s, const char *part, jl_merge_result *result, jl_error *err)
{
    /* Opened by itself: the messages about foreign and newer files are there, what a killed run
     * left in its journal is brought in, and an older schema brought up to date in a copy. */
    jl_store *p;
    int rc = jl_store_open(part, JL_STORE_READ, &p, err);
    if (rc) return rc;
    jl_merge_result before = {0}, after = {0};
    rc = count_rows(s, &before, err);
    if (!rc) rc = jl_sql_exec(s, err, "ATTACH DATABASE ? AS part", "t", p->copy ? p->copy : part);
    if (rc) {
        jl_store_close(p);
        return rc;
    }
    rc = jl_sql_transaction(s, add_part, NULL, err);
    if (rc) jl_prefix(err, "merging %s", part);
    sqlite3_exec(s->db, "DETACH DATABASE part", NULL, NULL, NULL);
    jl_store_close(p);
    if (!rc) rc = count_rows(s, &after, err);
    if (!rc)
        *result = (jl_merge_result){.studies = after.studies - before.studies,
                                    .rounds = after.rounds - before.rounds,
                                    .runs = after.runs - before.runs};
    return rc;
}
