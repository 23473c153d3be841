#include "store/sql.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/str.h"

int jl_sql_fail(jl_store *s, int code, const char *doing, jl_error *err)
{
    int rc = sqlite3_extended_errcode(s->db), primary = rc & 0xff;
    const char *remedy = "";
    if (primary == SQLITE_FULL) remedy = "; make room on the disk and use --resume";
    if (primary == SQLITE_BUSY)
        remedy = "; another program holds it: wait until that ends, or use another --db";
    if (primary == SQLITE_READONLY || primary == SQLITE_CANTOPEN || primary == SQLITE_PERM)
        remedy = "; choose a place that can be written with --db FILE";
    if (primary == SQLITE_NOTADB)
        return jl_fail(err, JL_ERR_FORMAT, "%s is not a store of jouleline (%s)", s->path,
                       sqlite3_errmsg(s->db));
    if (primary == SQLITE_CORRUPT)
        return jl_fail(err, JL_ERR_FORMAT,
                       "the store %s is damaged (%s); what can still be read comes out of "
                       "'sqlite3 FILE .recover'",
                       s->path, sqlite3_errmsg(s->db));
    return jl_fail(err, code, "cannot %s the store %s: %s%s", doing, s->path, sqlite3_errmsg(s->db),
                   remedy);
}

int jl_sql_script(jl_store *s, const char *sql, jl_error *err)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK) return 0;
    return jl_sql_fail(s, JL_ERR_IO, "write", err);
}

static int bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
    return text ? sqlite3_bind_text(stmt, i, text, -1, SQLITE_TRANSIENT)
                : sqlite3_bind_null(stmt, i);
}

static int bind_number(sqlite3_stmt *stmt, int i, int64_t value, int64_t missing)
{
    return value == missing ? sqlite3_bind_null(stmt, i) : sqlite3_bind_int64(stmt, i, value);
}

static int bind_values(sqlite3_stmt *stmt, const char *format, va_list args)
{
    int rc = SQLITE_OK;
    for (int i = 1; *format && rc == SQLITE_OK; format++, i++) {
        switch (*format) {
        case 't':
            rc = bind_text(stmt, i, va_arg(args, const char *));
            break;
        case 'd':
            rc = sqlite3_bind_double(stmt, i, va_arg(args, double)); /* NAN becomes NULL */
            break;
        case 'i':
            rc = bind_number(stmt, i, va_arg(args, int64_t), JL_ABSENT);
            break;
        case 'r':
            rc = bind_number(stmt, i, va_arg(args, jl_id), 0);
            break;
        default: {
            const void *bytes = va_arg(args, const void *);
            size_t n = va_arg(args, size_t);
            rc = sqlite3_bind_blob64(stmt, i, bytes, n, SQLITE_TRANSIENT);
        }
        }
    }
    return rc;
}

static int bind_member(sqlite3_stmt *stmt, int i, const jl_sql_column *c, const void *record)
{
    const void *member = (const char *)record + c->at;
    switch (c->type) {
    case 't':
        return bind_text(stmt, i, *(const char *const *)member);
    case 'd':
        return sqlite3_bind_double(stmt, i, *(const double *)member);
    case 'f':
        return sqlite3_bind_int(stmt, i, *(const bool *)member);
    default:
        return bind_number(stmt, i, *(const int64_t *)member, c->type == 'r' ? 0 : JL_ABSENT);
    }
}

static int query(jl_store *s, sqlite3_stmt **stmt, jl_error *err, const char *sql,
                 const char *format, va_list args)
{
    *stmt = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, stmt, NULL) == SQLITE_OK &&
        bind_values(*stmt, format, args) == SQLITE_OK)
        return 0;
    int rc = jl_sql_fail(s, JL_ERR_IO, "use", err);
    sqlite3_finalize(*stmt);
    *stmt = NULL;
    return rc;
}

int jl_sql_query(jl_store *s, sqlite3_stmt **stmt, jl_error *err, const char *sql,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rc = query(s, stmt, err, sql, format, args);
    va_end(args);
    return rc;
}

int jl_sql_end(jl_store *s, sqlite3_stmt *stmt, int rc, jl_error *err)
{
    bool failed = sqlite3_finalize(stmt) != SQLITE_OK;
    return !rc && failed ? jl_sql_fail(s, JL_ERR_IO, "read", err) : rc;
}

static int step_once(jl_store *s, sqlite3_stmt *stmt, int64_t *value, jl_error *err)
{
    int rc = sqlite3_step(stmt), result = 0;
    if (rc == SQLITE_ROW && value) *value = sqlite3_column_int64(stmt, 0);
    if (rc == SQLITE_ROW) rc = sqlite3_step(stmt); /* lets an INSERT ... RETURNING finish */
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) result = jl_sql_fail(s, JL_ERR_IO, "write", err);
    sqlite3_finalize(stmt);
    return result;
}

int jl_sql_exec(jl_store *s, jl_error *err, const char *sql, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    sqlite3_stmt *stmt;
    int rc = query(s, &stmt, err, sql, format, args);
    va_end(args);
    return rc ? rc : step_once(s, stmt, NULL, err);
}

void jl_sql_empty(const jl_sql_column *columns, size_t count, void *record)
{
    for (size_t i = 0; i < count; i++) {
        void *member = (char *)record + columns[i].at;
        if (columns[i].type == 'd') *(double *)member = NAN;
        if (columns[i].type == 'i') *(int64_t *)member = JL_ABSENT;
    }
}

int jl_sql_insert(jl_store *s, const char *table, const jl_sql_column *columns, size_t count,
                  const void *record, jl_id *id, jl_error *err, const char *given,
                  const char *format, ...)
{
    JL_CLEANUP(jl_buf_free) jl_buf sql = {0};
    size_t before = strlen(format);
    jl_buf_printf(&sql, "INSERT INTO %s(%s", table, given);
    for (size_t i = 0; i < count; i++)
        jl_buf_printf(&sql, ", %s", columns[i].name);
    jl_buf_puts(&sql, ") VALUES(?");
    for (size_t i = 1; i < before + count; i++)
        jl_buf_puts(&sql, ",?");
    jl_buf_puts(&sql, id ? ") RETURNING id" : ")");
    if (sql.failed) return jl_fail(err, JL_ERR_MEMORY, "no memory to write a row of %s", table);
    va_list args;
    va_start(args, format);
    sqlite3_stmt *stmt;
    int rc = query(s, &stmt, err, sql.p, format, args);
    va_end(args);
    if (rc) return rc;
    for (size_t i = 0; i < count; i++)
        if (bind_member(stmt, (int)(before + i + 1), &columns[i], record) != SQLITE_OK) {
            rc = jl_sql_fail(s, JL_ERR_IO, "use", err);
            sqlite3_finalize(stmt);
            return rc;
        }
    return step_once(s, stmt, id, err);
}

int jl_sql_number(jl_store *s, int64_t *value, int64_t otherwise, jl_error *err, const char *sql,
                  const char *format, ...)
{
    *value = otherwise;
    va_list args;
    va_start(args, format);
    sqlite3_stmt *stmt;
    int rc = query(s, &stmt, err, sql, format, args);
    va_end(args);
    return rc ? rc : step_once(s, stmt, value, err);
}

int jl_sql_transaction(jl_store *s, int (*fn)(jl_store *s, void *arg, jl_error *err), void *arg,
                       jl_error *err)
{
    int rc = jl_sql_script(s, "BEGIN IMMEDIATE", err);
    if (rc) return rc;
    rc = fn(s, arg, err);
    if (!rc) rc = jl_sql_script(s, "COMMIT", err);
    if (rc) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}
