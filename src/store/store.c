#include "jouleline/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "jouleline/configuration.h"
#include "store/older.h"

enum { APPLICATION_ID = 0x4A4C5354, BUSY_MS = 10000 };

extern const unsigned char jl_embedded_schema[], jl_embedded_schema_2[], jl_embedded_views[];

/* steps[v] brings a store from schema version v to v + 1. */
static const unsigned char *const steps[JL_STORE_VERSION] = {jl_embedded_schema,
                                                             jl_embedded_schema_2};

void jl_store_uid(char uid[33])
{
    uint64_t bits[2];
    if (getrandom(bits, sizeof bits, 0) != (ssize_t)sizeof bits) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        bits[0] = (uint64_t)t.tv_sec * 1000000007u ^ (uint64_t)t.tv_nsec;
        bits[1] = (uint64_t)getpid() * 2654435761u ^ (uint64_t)(uintptr_t)uid;
    }
    snprintf(uid, 33, "%016" PRIx64 "%016" PRIx64, bits[0], bits[1]);
}

void jl_store_timestamp(char text[32])
{
    struct timespec t;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    size_t n = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, 32 - n, ".%03dZ", (int)(t.tv_nsec / 1000000));
}

/* WAL needs shared memory between the processes that use the file: not on a network. */
static bool on_network(const char *path)
{
    static const unsigned long types[] = {
        0x6969 /* NFS */,        0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB2 */,
        0x0BD00BD0 /* Lustre */, 0x47504653 /* GPFS */, 0x00C36400 /* Ceph */,
        0x19830326 /* BeeGFS */, 0x65735546 /* FUSE */, 0x5346414F /* AFS */,
    };
    struct statfs fs;
    if (statfs(path, &fs) != 0) return false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if ((unsigned long)fs.f_type == types[i]) return true;
    return false;
}

static int check_version(jl_store *s, int64_t *version, jl_error *err)
{
    int64_t application = 0, tables = 0;
    int rc = jl_sql_number(s, &application, 0, err, "PRAGMA application_id", "");
    if (!rc) rc = jl_sql_number(s, version, 0, err, "PRAGMA user_version", "");
    if (!rc) rc = jl_sql_number(s, &tables, 0, err, "SELECT count(*) FROM sqlite_master", "");
    if (rc) return rc;
    if (tables > 0 && application != APPLICATION_ID)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s is an SQLite file of another program, not a store of jouleline; choose "
                       "another --db",
                       s->path);
    if (*version > JL_STORE_VERSION)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "%s has schema version %" PRId64 ", this jouleline %s knows up to %d; use "
                       "the newer jouleline that wrote it, or another --db",
                       s->path, *version, JL_VERSION, JL_STORE_VERSION);
    return 0;
}

static int migrate(jl_store *s, void *arg, jl_error *err)
{
    int64_t version = *(int64_t *)arg;
    int rc = check_version(s, &version, err); /* again: now nobody else can write */
    for (; !rc && version < JL_STORE_VERSION; version++)
        rc = jl_sql_script(s, (const char *)steps[version], err);
    if (!rc) rc = jl_sql_script(s, (const char *)jl_embedded_views, err);
    char sql[96];
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID,
             JL_STORE_VERSION);
    return rc ? rc : jl_sql_script(s, sql, err);
}

/* A file in WAL mode cannot be read in a folder that cannot be written, unless SQLite is told
 * that nobody changes it, which is so when no -wal file lies beside it. */
static int open_unchanging(jl_store *s)
{
    char *wal = sqlite3_mprintf("%s-wal", s->path);
    char *uri = sqlite3_mprintf("file:%s?immutable=1", s->path);
    int rc = SQLITE_CANTOPEN;
    if (wal && uri && access(wal, F_OK) != 0 && !strpbrk(s->path, "?#%")) {
        sqlite3_close(s->db);
        rc = sqlite3_open_v2(uri, &s->db,
                             SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    }
    sqlite3_free(wal);
    sqlite3_free(uri);
    return rc;
}

static int open_file(jl_store *s, jl_store_mode mode, jl_error *err)
{
    if (mode == JL_STORE_READ && access(s->path, R_OK) != 0)
        return jl_fail_errno(err, JL_ERR_IO,
                             "cannot read the store %s (name another with --db, or measure first "
                             "with 'jouleline run')",
                             s->path);
    int flags =
        SQLITE_OPEN_NOMUTEX |
        (mode == JL_STORE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
        return jl_sql_fail(s, JL_ERR_IO, "open", err);
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    int64_t version = 0;
    int rc = check_version(s, &version, err);
    if (rc == JL_ERR_IO && mode == JL_STORE_READ && open_unchanging(s) == SQLITE_OK)
        rc = check_version(s, &version, err);
    if (rc) return rc;
    if (mode == JL_STORE_READ) {
        if (version == JL_STORE_VERSION) return 0;
        if (version > 0) return jl_store_copy_older(s, err);
        return jl_fail(err, JL_ERR_FORMAT,
                       "the store %s holds nothing yet; measure first with "
                       "'jouleline run --db %s'",
                       s->path, s->path);
    }
    s->writes = true;
    rc = jl_sql_script(s,
                       on_network(s->path) ? "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;"
                                             "PRAGMA foreign_keys=ON"
                                           : "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                             "PRAGMA foreign_keys=ON",
                       err);
    if (!rc && version < JL_STORE_VERSION) rc = jl_sql_transaction(s, migrate, &version, err);
    return rc;
}

int jl_store_open(const char *path, jl_store_mode mode, jl_store **store, jl_error *err)
{
    *store = NULL;
    jl_store *s = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return jl_fail(err, JL_ERR_MEMORY, "no memory to open the store %s", path);
    }
    int rc = open_file(s, mode, err);
    if (rc) {
        jl_store_close(s);
        return rc;
    }
    *store = s;
    return 0;
}

void jl_store_close(jl_store *s)
{
    if (!s) return;
    /* At rest it is one plain file, which can be copied and read from a folder that cannot be
     * written; this has no effect while others have it open. */
    if (s->writes) sqlite3_exec(s->db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    sqlite3_close(s->db);
    jl_store_drop_copy(s);
    free(s->path);
    free(s);
}

struct sqlite3 *jl_store_sqlite(jl_store *s)
{
    return s->db;
}

int jl_store_claim(jl_store *s, const jl_host_record *h, jl_id *host, jl_id *boot, jl_error *err)
{
    int64_t others = 0;
    int rc =
        jl_sql_number(s, &others, 0, err, "SELECT count(*) FROM host WHERE uid <> ?", "t", h->uid);
    if (!rc && others)
        return jl_fail(err, JL_ERR_USAGE,
                       "the store %s holds runs of another host; measure into a file of this host "
                       "(--db) and join the files with 'jouleline merge'",
                       s->path);
    if (!rc)
        rc =
            jl_sql_number(s, host, 0, err,
                          "INSERT INTO host(uid, name, cpu, cpus, memory_bytes, arch, kernel, os) "
                          "VALUES(?,?,?,?,?,?,?,?) ON CONFLICT(uid) DO UPDATE SET "
                          "name=excluded.name, kernel=excluded.kernel, os=excluded.os RETURNING id",
                          "tttiittt", h->uid, h->name, h->cpu, h->cpus, h->memory_bytes, h->arch,
                          h->kernel, h->os);
    if (!rc)
        rc = jl_sql_number(s, boot, 0, err,
                           "INSERT INTO boot(uid, host) VALUES(?,?) "
                           "ON CONFLICT(uid) DO UPDATE SET host=excluded.host RETURNING id",
                           "tr", h->boot_uid, *host);
    return rc;
}

int jl_store_device(jl_store *s, jl_id host, const jl_device_record *d, jl_id *id, jl_error *err)
{
    return jl_sql_number(s, id, 0, err,
                         "INSERT INTO device(uid, host, kind, position, name, driver, simulated) "
                         "VALUES(?,?,?,?,?,?,?) ON CONFLICT(uid) DO UPDATE SET "
                         "position=excluded.position, name=excluded.name, "
                         "driver=coalesce(excluded.driver, driver) RETURNING id",
                         "trtitti", d->uid, host, d->kind, (int64_t)d->position, d->name, d->driver,
                         (int64_t)d->simulated);
}

int jl_store_model(jl_store *s, const jl_model_record *m, jl_id *id, jl_error *err)
{
    return jl_sql_number(
        s, id, 0, err,
        "INSERT INTO model(uid, name, kind, family, path, bytes, parameters, opset, items_are) "
        "VALUES(?,?,?,?,?,?,?,?,?) ON CONFLICT(uid) DO UPDATE SET name=excluded.name, "
        "family=coalesce(excluded.family, family), path=excluded.path RETURNING id",
        "tttttiiit", m->uid, m->name, m->kind, m->family, m->path, m->bytes, m->parameters,
        m->opset, m->items_are);
}

int jl_store_configuration(jl_store *s, const char *text, jl_id *id, jl_error *err)
{
    jl_configuration c;
    int rc = jl_configuration_parse(text, &c, err);
    if (rc) return rc;
    return jl_sql_number(
        s, id, 0, err,
        "INSERT INTO configuration(text, runtime, provider, precision, regime, position) "
        "VALUES(?,?,?,?,?,?) ON CONFLICT(text) DO UPDATE SET regime=excluded.regime RETURNING id",
        "ttttti", text, c.runtime, c.provider, jl_precision_name(c.precision),
        c.precision == JL_PRECISION_NATIVE ? "native" : "matched", (int64_t)c.device);
}

int jl_store_cell(jl_store *s, jl_id study, const jl_cell_record *c, jl_id *id, jl_error *err)
{
    int rc = jl_sql_number(
        s, id, 0, err,
        "INSERT INTO cell(model, configuration, batch, in_flight, io, inputs, flop, moved_bytes, "
        "nodes) VALUES(?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT(model, configuration, batch, in_flight, io, inputs) DO UPDATE SET "
        "flop=coalesce(excluded.flop, flop), "
        "moved_bytes=coalesce(excluded.moved_bytes, moved_bytes), "
        "nodes=coalesce(excluded.nodes, nodes) RETURNING id",
        "rriittddd", c->model, c->configuration, c->batch, c->in_flight, c->io, c->inputs, c->flop,
        c->moved_bytes, c->nodes);
    if (rc) return rc;
    return jl_sql_exec(s, err, "INSERT OR IGNORE INTO study_cell(study, cell) VALUES(?,?)", "rr",
                       study, *id);
}

int jl_store_meter(jl_store *s, jl_id host, const jl_meter_record *m, jl_id *id, jl_error *err)
{
    return jl_sql_number(
        s, id, 0, err,
        "INSERT INTO meter(uid, host, name, domain, kind, label, device_uid, tick_s, gain_rel, "
        "simulated, modelled) VALUES(?,?,?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT(uid) DO UPDATE SET label=excluded.label RETURNING id",
        "trtttttddii", m->uid, host, m->name, m->domain, m->kind, m->label, m->device_uid,
        m->tick_s, m->gain_rel, (int64_t)m->simulated, (int64_t)m->modelled);
}

int jl_store_study(jl_store *s, const jl_study_record *r, jl_id *id, jl_error *err)
{
    char now[32];
    jl_store_timestamp(now);
    return jl_sql_number(s, id, 0, err,
                         "INSERT INTO study(uid, name, created_at, jouleline, seed, spec) "
                         "VALUES(?,?,?,?,?,?) RETURNING id",
                         "ttttit", r->uid, r->name, now, JL_VERSION, (int64_t)r->seed, r->spec);
}

int jl_store_study_find(jl_store *s, const char *spec, jl_id *id, char uid[33], uint64_t *seed,
                        jl_error *err)
{
    sqlite3_stmt *stmt;
    *id = 0;
    int rc = jl_sql_query(s, &stmt, err,
                          "SELECT id, uid, seed FROM study WHERE spec = ? ORDER BY id DESC LIMIT 1",
                          "t", spec);
    if (rc) return rc;
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        *id = sqlite3_column_int64(stmt, 0);
        snprintf(uid, 33, "%s", (const char *)sqlite3_column_text(stmt, 1));
        *seed = (uint64_t)sqlite3_column_int64(stmt, 2);
    }
    return jl_sql_end(s, stmt, 0, err);
}

int jl_store_rounds(jl_store *s, jl_id study, jl_round_record **rounds, size_t *count,
                    jl_error *err)
{
    *rounds = NULL;
    *count = 0;
    int64_t n = 0;
    int rc = jl_sql_number(s, &n, 0, err, "SELECT count(*) FROM round WHERE study = ?", "r", study);
    sqlite3_stmt *stmt;
    if (!rc)
        rc = jl_sql_query(s, &stmt, err,
                          "SELECT id, number, seed, complete, boot FROM round WHERE study = ? "
                          "ORDER BY number, id",
                          "r", study);
    if (rc || n == 0) {
        return rc ? rc : jl_sql_end(s, stmt, 0, err);
    }
    jl_round_record *all = calloc((size_t)n, sizeof *all);
    size_t used = 0;
    while (all && used < (size_t)n && sqlite3_step(stmt) == SQLITE_ROW)
        all[used++] = (jl_round_record){
            .id = sqlite3_column_int64(stmt, 0),
            .number = sqlite3_column_int64(stmt, 1),
            .seed = (uint64_t)sqlite3_column_int64(stmt, 2),
            .complete = sqlite3_column_int(stmt, 3) != 0,
            .boot = sqlite3_column_int64(stmt, 4),
        };
    if (!all) rc = jl_fail(err, JL_ERR_MEMORY, "no memory for %" PRId64 " rounds", n);
    rc = jl_sql_end(s, stmt, rc, err);
    if (rc) {
        free(all);
        return rc;
    }
    *rounds = all;
    *count = used;
    return 0;
}

int jl_store_round_begin(jl_store *s, jl_id study, int64_t number, jl_id boot, uint64_t seed,
                         const char *conditions, jl_id *id, jl_error *err)
{
    char uid[33], now[32];
    jl_store_uid(uid);
    jl_store_timestamp(now);
    return jl_sql_number(
        s, id, 0, err,
        "INSERT INTO round(uid, study, number, boot, seed, started_at, conditions) "
        "VALUES(?,?,?,?,?,?,?) RETURNING id",
        "tririt"
        "t",
        uid, study, number, boot, (int64_t)seed, now, conditions);
}

int jl_store_round_end(jl_store *s, jl_id round, bool complete, jl_error *err)
{
    char now[32];
    jl_store_timestamp(now);
    return jl_sql_exec(s, err, "UPDATE round SET ended_at = ?, complete = ? WHERE id = ?", "tir",
                       now, (int64_t)complete, round);
}

int jl_store_round_has(jl_store *s, jl_id round, jl_id cell, bool *has, jl_id *device,
                       jl_error *err)
{
    int64_t found = -1;
    int rc = jl_sql_number(s, &found, -1, err,
                           "SELECT coalesce(device, 0) FROM run "
                           "WHERE round = ? AND cell = ? AND counts = 1",
                           "rr", round, cell);
    *has = found >= 0;
    *device = found > 0 ? found : 0;
    return rc;
}

int jl_store_idle(jl_store *s, const jl_idle_record *r, jl_error *err)
{
    char now[32];
    jl_store_timestamp(now);
    return jl_sql_exec(s, err,
                       "INSERT OR REPLACE INTO idle(round, meter, device, configuration, level, "
                       "power_w, power_se_w, duration_s, sm_clock_mhz, temperature_c, reason, "
                       "measured_at) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                       "rrrrtdddddtt", r->round, r->meter, r->device, r->configuration,
                       r->waking ? "waking" : "sleeping", r->power_w, r->power_se_w, r->duration_s,
                       r->sm_clock_mhz, r->temperature_c, r->reason, now);
}
