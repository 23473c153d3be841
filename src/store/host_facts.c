#include "store/host_facts.h"

#include <jansson.h>
#include <string.h>

#include "base/str.h"

static const char *const names[] = {"cpu", "kernel", "governor"};
enum { NAMES = sizeof names / sizeof *names };

/* Adds a value that is not in the list "a, b" yet. */
static int add_value(jl_arena *a, const char **list, const char *value, jl_error *err)
{
    if (!value || (*list && strstr(*list, value))) return 0;
    *list = *list ? jl_arena_printf(a, "%s, %s", *list, value)
                  : jl_arena_strndup(a, value, strlen(value));
    return *list ? 0 : jl_fail(err, JL_ERR_MEMORY, "no memory to read the store");
}

static int add_round(jl_arena *a, const char *json, jl_study_fact *facts, jl_error *err)
{
    json_t *j = json_loads(json, 0, NULL);
    int rc = 0;
    for (size_t i = 0; i < NAMES && !rc; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s_missing", names[i]);
        rc = add_value(a, &facts[i].value, json_string_value(json_object_get(j, names[i])), err);
        if (!rc)
            rc = add_value(a, &facts[i].missing, json_string_value(json_object_get(j, key)), err);
    }
    json_decref(j);
    return rc;
}

/* What the table of hosts keeps is its last state: it stands in for rounds that did not note it. */
static int add_host(jl_store *s, jl_id host, jl_arena *a, jl_study_fact *facts, jl_error *err)
{
    sqlite3_stmt *q;
    int rc = jl_sql_query(s, &q, err, "SELECT cpu, kernel FROM host WHERE id = ?", "r", host);
    if (rc) return rc;
    if (sqlite3_step(q) == SQLITE_ROW)
        for (int i = 0; i < 2 && !rc; i++)
            if (!facts[i].value)
                rc = add_value(a, &facts[i].value, (const char *)sqlite3_column_text(q, i), err);
    return jl_sql_end(s, q, rc, err);
}

int jl_host_facts(jl_store *s, jl_id host, jl_id study, bool alone, jl_arena *a,
                  const jl_study_fact **facts, size_t *count, jl_error *err)
{
    jl_study_fact *all = jl_arena_array(a, NAMES, sizeof *all);
    if (!all) return jl_fail(err, JL_ERR_MEMORY, "no memory to read the store");
    for (size_t i = 0; i < NAMES; i++)
        all[i].name = names[i];
    sqlite3_stmt *q;
    int rc = jl_sql_query(s, &q, err,
                          "SELECT conditions FROM round JOIN boot ON boot.id = round.boot "
                          "WHERE boot.host = ?3 AND conditions IS NOT NULL AND (study = ?1 OR "
                          "(NOT ?2 AND study IN (SELECT id FROM study WHERE spec = "
                          "(SELECT spec FROM study WHERE id = ?1))))",
                          "rir", study, (int64_t)alone, host);
    if (rc) return rc;
    while (!rc && sqlite3_step(q) == SQLITE_ROW)
        rc = add_round(a, (const char *)sqlite3_column_text(q, 0), all, err);
    rc = jl_sql_end(s, q, rc, err);
    if (!rc) rc = add_host(s, host, a, all, err);
    for (size_t i = 0; i < NAMES && !rc; i++)
        if (!all[i].value && !all[i].missing) all[i].missing = "not noted when this was measured";
    *facts = all;
    *count = NAMES;
    return rc;
}
