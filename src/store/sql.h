/* SQLite with our error convention: one statement at a time, values bound by a format string.
 *
 * Formats: t text (NULL: NULL), d double (NAN: NULL), i whole number (JL_ABSENT: NULL),
 * r row id (0: NULL), b blob (pointer, size_t). */
#ifndef JL_STORE_SQL_H
#define JL_STORE_SQL_H

#include <sqlite3.h>

#include "jouleline/store.h"

struct jl_store {
    sqlite3 *db;
    char *path;
    char *copy; /* of an older store, with the current schema, or NULL: what is read instead */
    bool writes;
};

/* The message of SQLite with the file's name and what to do; returns code. */
int jl_sql_fail(jl_store *s, int code, const char *doing, jl_error *err);
/* Runs SQL text of several statements. */
int jl_sql_script(jl_store *s, const char *sql, jl_error *err);
int jl_sql_exec(jl_store *s, jl_error *err, const char *sql, const char *format, ...);
/* A statement with its values bound; the caller steps and finalises it. */
int jl_sql_query(jl_store *s, sqlite3_stmt **stmt, jl_error *err, const char *sql,
                 const char *format, ...);
/* Finalises: returns rc, or where that is 0 the failure of the last step. */
int jl_sql_end(jl_store *s, sqlite3_stmt *stmt, int rc, jl_error *err);
/* The first column of the first row as a number; `otherwise` when there is no row. */
int jl_sql_number(jl_store *s, int64_t *value, int64_t otherwise, jl_error *err, const char *sql,
                  const char *format, ...);
/* A column and the member of a record that is its value. */
typedef struct jl_sql_column {
    const char *name;
    char type; /* as in formats, or f: a bool */
    size_t at; /* offset in the record */
} jl_sql_column;
#define JL_SQL_TYPE(record, member)                                                                \
    _Generic(((record *)0)->member, const char *: 't', double: 'd', bool: 'f', int64_t: 'i',       \
             uint64_t: 'i')
/* The braces' content of a jl_sql_column. A row id is a whole number too: it has a macro of its
 * own. */
#define JL_SQL_COLUMN(record, column, member)                                                      \
    column, JL_SQL_TYPE(record, member), offsetof(record, member)
#define JL_SQL_ID(record, column, member) column, 'r', offsetof(record, member)
/* Makes every number of a record missing. */
void jl_sql_empty(const jl_sql_column *columns, size_t count, void *record);
/* Adds a row: the columns of the record, and before them those named in `given`, with a format and
 * values as above. id, which may be NULL: of the new row. */
int jl_sql_insert(jl_store *s, const char *table, const jl_sql_column *columns, size_t count,
                  const void *record, jl_id *id, jl_error *err, const char *given,
                  const char *format, ...);
/* BEGIN IMMEDIATE ... COMMIT around fn; ROLLBACK when it fails. */
int jl_sql_transaction(jl_store *s, int (*fn)(jl_store *s, void *arg, jl_error *err), void *arg,
                       jl_error *err);

#endif
