#include <inttypes.h>

#include "store/sql.h"

extern const unsigned char jl_embedded_merge[];

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
    return jl_sql_script(s, (const char *)jl_embedded_merge, err);
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
