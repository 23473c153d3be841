/* Stores of an older schema, read without changing them: a private copy is brought up to date. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/older.h"

int jl_store_copy_older(jl_store *s, jl_error *err)
{
    const char *folder = getenv("TMPDIR");
    char *copy = sqlite3_mprintf("%s/jouleline-store-XXXXXX", folder && *folder ? folder : "/tmp");
    int fd = copy ? mkstemp(copy) : -1;
    if (fd < 0) {
        int rc = jl_fail_errno(err, JL_ERR_IO,
                               "cannot make the file %s, to read a store of an older schema",
                               copy ? copy : "");
        sqlite3_free(copy);
        return rc;
    }
    close(fd);
    jl_store *upgraded = NULL;
    int rc = jl_sql_exec(s, err, "VACUUM INTO ?", "t", copy);
    if (!rc) rc = jl_store_open(copy, JL_STORE_WRITE, &upgraded, err);
    jl_store_close(upgraded);
    sqlite3 *db = NULL;
    if (!rc && sqlite3_open_v2(copy, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        rc = jl_fail(err, JL_ERR_IO, "cannot read the copy %s of the store %s", copy, s->path);
    if (rc) {
        sqlite3_close(db);
        unlink(copy);
        sqlite3_free(copy);
        return rc;
    }
    sqlite3_close(s->db);
    s->db = db;
    s->copy = copy;
    return 0;
}

void jl_store_drop_copy(jl_store *s)
{
    if (!s->copy) return;
    unlink(s->copy);
    sqlite3_free(s->copy);
    s->copy = NULL;
}
