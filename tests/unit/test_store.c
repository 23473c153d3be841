/* The store: what goes in comes out, parts merge, and files of others are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jouleline/store.h"
#include "jouleline/study_table.h"

typedef struct place {
    char folder[64], a[96], b[96];
} place;

static int make_place(void **state)
{
    place *p = calloc(1, sizeof *p);
    snprintf(p->folder, sizeof p->folder, "/tmp/jl_store_XXXXXX");
    if (!p || !mkdtemp(p->folder)) return -1;
    snprintf(p->a, sizeof p->a, "%s/a.db", p->folder);
    snprintf(p->b, sizeof p->b, "%s/b.db", p->folder);
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    place *p = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", p->folder);
    int rc = system(command);
    free(p);
    return rc;
}

static void ok(int rc, const jl_error *err)
{
    if (rc) fail_msg("%s", err->msg);
}

static jl_host_record host_named(const char *uid)
{
    return (jl_host_record){.uid = uid,
                            .name = "box",
                            .cpu = "a processor",
                            .arch = "x86_64",
                            .kernel = "6.1",
                            .os = "Debian",
                            .cpus = 2,
                            .memory_bytes = 1 << 30,
                            .boot_uid = "boot-1"};
}

typedef struct filled {
    jl_id study, cell, round, device, meter;
} filled;

static filled fill(jl_store *s, const char *host_uid, const char *study_uid)
{
    jl_error err = {0};
    filled f = {0};
    jl_id host, boot, model, configuration;
    jl_host_record h = host_named(host_uid);
    ok(jl_store_claim(s, &h, &host, &boot, &err), &err);
    jl_device_record d = {.uid = "cpu-1", .kind = "cpu", .name = "a processor"};
    ok(jl_store_device(s, host, &d, &f.device, &err), &err);
    jl_study_record st = {.name = "test", .spec = "{}", .seed = UINT64_MAX - 1};
    snprintf(st.uid, sizeof st.uid, "%s", study_uid);
    ok(jl_store_study(s, &st, &f.study, &err), &err);
    jl_model_record m = {.uid = "m1",
                         .name = "resnet18",
                         .kind = "zoo",
                         .bytes = JL_ABSENT,
                         .parameters = 11689512,
                         .opset = 17};
    ok(jl_store_model(s, &m, &model, &err), &err);
    ok(jl_store_configuration(s, "ort-cpu/fp32", &configuration, &err), &err);
    jl_cell_record c = {.model = model,
                        .configuration = configuration,
                        .batch = 8,
                        .in_flight = 1,
                        .io = "device",
                        .inputs = "",
                        .flop = 3.6e9,
                        .moved_bytes = NAN,
                        .nodes = NAN};
    ok(jl_store_cell(s, f.study, &c, &f.cell, &err), &err);
    jl_meter_record me = {.uid = "meter-1",
                          .name = "fake",
                          .domain = "fake:gpu",
                          .kind = "gpu",
                          .label = "a fake",
                          .tick_s = 0.1,
                          .gain_rel = NAN,
                          .simulated = true};
    ok(jl_store_meter(s, host, &me, &f.meter, &err), &err);
    ok(jl_store_round_begin(s, f.study, 1, boot, 7, NULL, &f.round, &err), &err);
    return f;
}

static const int64_t calls[] = {1000, 3000, 3500, 5000, 4000, 5500, 6000, 100000000000};

static jl_id put(jl_store *s, const filled *f, int64_t attempt)
{
    jl_error err = {0};
    jl_energy_record e = jl_energy_record_empty();
    e.scope = "gpu";
    e.meter = f->meter;
    e.headline = e.simulated = true;
    e.method = "counter-ticks";
    e.gross_j = 0.25;
    jl_energy_record none = jl_energy_record_empty();
    none.scope = "host";
    none.reason = "no meter of the processor works here";
    jl_agreement_record a = {.output = "logits",
                             .reference = "ort-cpu/fp32",
                             .items = 8,
                             .cosine_min = 0.9999,
                             .cosine_centred_min = NAN,
                             .max_abs_error = 1e-3,
                             .mean_abs_error = 1e-4,
                             .top1_agree = 8,
                             .top5_agree = JL_ABSENT};
    e.drift_rel = 0.03;
    e.sensor_se_j = 0.001;
    jl_tick ticks[] = {{.lo_ns = 10, .hi_ns = 20}, {.lo_ns = 110, .hi_ns = 120}};
    for (int i = 0; i < 2; i++)
        ticks[i].at = (jl_meter_reading){.valid = JL_READ_ENERGY, .energy_j = 5 + i};
    jl_ticks_record kept = {f->meter, ticks, 2};
    jl_energy_record energy[] = {e, none};
    jl_run_record r = jl_run_record_empty();
    r.round = f->round;
    r.cell = f->cell;
    r.device = f->device;
    r.attempt = attempt;
    r.latency_ns = 2000;
    r.facts = "{\"threads\":\"2\"}";
    r.pairs = calls;
    r.pair_count = 4;
    r.energy = energy;
    r.energy_count = 2;
    r.ticks = &kept;
    r.ticks_count = 1;
    r.agreement = &a;
    r.agreement_count = 1;
    jl_store_timestamp(r.started_at);
    jl_id id = 0;
    ok(jl_store_run(s, &r, &id, &err), &err);
    return id;
}

static int64_t number(jl_store *s, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(jl_store_sqlite(s), sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n =
        sqlite3_column_type(stmt, 0) == SQLITE_NULL ? JL_ABSENT : sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

/* A new store that is ready for runs of the cell in f. */
static jl_store *new_store(const place *p, filled *f)
{
    jl_error err = {0};
    jl_store *s;
    ok(jl_store_open(p->a, JL_STORE_WRITE, &s, &err), &err);
    *f = fill(s, "host-1", "study-1");
    return s;
}

static void test_what_goes_in_comes_out(void **state)
{
    place *p = *state;
    jl_error err = {0};
    filled f;
    jl_store *s = new_store(p, &f);
    jl_id run = put(s, &f, 1);
    int64_t *pairs;
    size_t n;
    ok(jl_store_stamps(s, run, &pairs, &n, &err), &err);
    assert_int_equal(n, 4);
    assert_memory_equal(pairs, calls, sizeof calls);
    free(pairs);
    assert_int_equal(number(s, "SELECT first_call_ns FROM run"), JL_ABSENT);
    assert_int_equal(number(s, "SELECT moved_bytes FROM cell"), JL_ABSENT);
    assert_int_equal(number(s, "SELECT count(*) FROM result WHERE energy_j_per_item = 0.25"), 1);
    assert_int_equal(number(s, "SELECT gross_j_per_item FROM energy WHERE scope = 'host'"),
                     JL_ABSENT);
    assert_int_equal(number(s, "SELECT sum(energy_j) FROM tick WHERE power_w IS NULL"), 11);
    assert_int_equal(number(s, "SELECT count(*) FROM energy WHERE drift_rel = 0.03"), 1);
    jl_id id;
    char uid[33];
    uint64_t seed;
    ok(jl_store_study_find(s, "{}", &id, uid, &seed, &err), &err);
    assert_int_equal(id, f.study);
    assert_true(seed == UINT64_MAX - 1);
    ok(jl_store_study_find(s, "{other}", &id, uid, &seed, &err), &err);
    assert_int_equal(id, 0);
    jl_store_close(s);
}

static void test_a_repeated_run_replaces_the_one_before(void **state)
{
    place *p = *state;
    jl_error err = {0};
    filled f;
    jl_store *s = new_store(p, &f);
    bool has;
    jl_id device;
    ok(jl_store_round_has(s, f.round, f.cell, &has, &device, &err), &err);
    assert_false(has);
    put(s, &f, 1);
    put(s, &f, 2);
    ok(jl_store_round_has(s, f.round, f.cell, &has, &device, &err), &err);
    assert_true(has);
    assert_int_equal(device, f.device);
    assert_int_equal(number(s, "SELECT count(*) FROM run"), 2);
    assert_int_equal(number(s, "SELECT count(*) FROM result"), 1);
    assert_int_equal(number(s, "SELECT attempt FROM run WHERE counts = 1"), 2);
    assert_int_equal(number(s, "SELECT count(*) FROM facts"), 1);
    jl_store_close(s);
}

static void test_merging_twice_changes_nothing(void **state)
{
    place *p = *state;
    jl_error err = {0};
    jl_store *a, *b;
    ok(jl_store_open(p->a, JL_STORE_WRITE, &a, &err), &err);
    ok(jl_store_open(p->b, JL_STORE_WRITE, &b, &err), &err);
    filled fa = fill(a, "host-1", "study-1"), fb = fill(b, "host-2", "study-2");
    put(a, &fa, 1);
    put(b, &fb, 1);
    jl_merge_result r;
    ok(jl_store_merge(a, p->b, &r, &err), &err);
    assert_int_equal(r.runs, 1);
    assert_int_equal(r.studies, 1);
    ok(jl_store_merge(a, p->b, &r, &err), &err);
    assert_int_equal(r.runs, 0);
    assert_int_equal(r.rounds, 0);
    assert_int_equal(number(a, "SELECT count(*) FROM run"), 2);
    assert_int_equal(number(a, "SELECT count(*) FROM energy"), 4);
    assert_int_equal(number(a, "SELECT count(*) FROM cell"), 1);
    assert_int_equal(number(a, "SELECT count(*) FROM stamps"), 2);
    assert_int_equal(number(a, "SELECT count(*) FROM tick"), 4);
    assert_int_equal(number(a, "SELECT count(*) FROM energy WHERE drift_rel = 0.03"), 2);
    /* The part goes on: its first attempt is replaced, its round ends. */
    put(b, &fb, 2);
    ok(jl_store_round_end(b, fb.round, true, &err), &err);
    ok(jl_store_merge(a, p->b, &r, &err), &err);
    assert_int_equal(r.runs, 1);
    assert_int_equal(number(a, "SELECT count(*) FROM result"), 2);
    assert_int_equal(number(a, "SELECT sum(complete) FROM round"), 1);
    /* A file with two hosts is for reading and merging, not for measuring. */
    jl_host_record h = host_named("host-1");
    jl_id host, boot;
    assert_int_equal(jl_store_claim(a, &h, &host, &boot, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "jouleline merge"));
    jl_store_close(a);
    jl_store_close(b);
}

static void test_a_study_as_arrays(void **state)
{
    place *p = *state;
    jl_error err = {0};
    jl_store *s;
    jl_study_data *d;
    ok(jl_store_open(p->a, JL_STORE_WRITE, &s, &err), &err);
    assert_int_equal(jl_store_load(s, NULL, &d, &err), JL_ERR_MISSING);
    filled f = fill(s, "host-1", "study-1");
    jl_id first = f.round, boot = 1;
    put(s, &f, 1);
    ok(jl_store_round_end(s, first, true, &err), &err);
    ok(jl_store_round_begin(s, f.study, 2, boot, 8, NULL, &f.round, &err), &err);
    jl_run_record bad = jl_run_record_empty();
    bad.round = f.round;
    bad.cell = f.cell;
    bad.device = f.device;
    bad.outcome = JL_OUTCOME_CRASH;
    bad.message = "it died";
    ok(jl_store_run(s, &bad, NULL, &err), &err);
    ok(jl_store_round_begin(s, f.study, 3, boot, 9, NULL, &f.round, &err), &err);
    put(s, &f, 1);
    /* Another study of the same specification: joined by name, left out by uid. */
    jl_id other;
    jl_study_record again = {.uid = "study-2", .name = "test", .spec = "{}"};
    ok(jl_store_study(s, &again, &other, &err), &err);
    ok(jl_store_load(s, "test", &d, &err), &err);
    assert_int_equal(jl_study_data_studies(d), 2);
    assert_int_equal(jl_study_data_table(d)->rounds, 3);
    jl_study_data_free(d);
    ok(jl_store_load(s, "study-2", &d, &err), &err);
    assert_int_equal(jl_study_data_table(d)->rounds, 0);
    jl_study_data_free(d);
    ok(jl_store_load(s, "study-1", &d, &err), &err);
    assert_int_equal(jl_study_data_studies(d), 1);
    const jl_study_table *t = jl_study_data_table(d);
    assert_int_equal(t->cell_count, 1);
    assert_int_equal(t->rounds, 3);
    assert_int_equal(jl_study_data_complete_rounds(d), 1);
    assert_true(t->pairs[0] && !t->pairs[1] && !t->pairs[2]);
    assert_float_equal(t->values[JL_LATENCY][0], 2000, 0);
    assert_true(isnan(t->values[JL_LATENCY][1]));
    assert_float_equal(t->values[JL_ENERGY][2], 0.25, 0);
    assert_null(t->values[JL_ENERGY_NET_WAKING]);
    const jl_study_cell *c = &t->cells[0];
    assert_int_equal(c->outcome, JL_OUTCOME_OK); /* two of three */
    assert_string_equal(c->message, "it died");
    assert_int_equal(c->batch, 8);
    assert_int_equal(c->checked_items, 8); /* twice the same items */
    assert_int_equal(c->agree_items, 8);
    assert_string_equal(t->models[c->model].name, "resnet18");
    assert_string_equal(t->configurations[c->configuration].name, "ort-cpu/fp32");
    assert_string_equal(t->devices[c->device].uuid, "cpu-1");
    assert_int_equal(c->fact_count, 1);
    assert_string_equal(c->facts[0].name, "threads");
    jl_study_data_free(d);
    assert_int_equal(
        sqlite3_exec(jl_store_sqlite(s), "UPDATE run SET input_seed = id", NULL, NULL, NULL),
        SQLITE_OK);
    ok(jl_store_load(s, "study-1", &d, &err), &err);
    assert_int_equal(jl_study_data_table(d)->cells[0].checked_items, 16); /* others */
    jl_study_data_free(d);
    assert_int_equal(jl_store_load(s, "nothing", &d, &err), JL_ERR_MISSING);
    jl_store_close(s);
}

static const jl_study_fact *fact_of(const jl_study_fact *facts, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(facts[i].name, name)) return &facts[i];
    fail_msg("there is no fact %s", name);
    return NULL;
}

static void test_facts_of_hosts_and_runs(void **state)
{
    place *p = *state;
    jl_error err = {0};
    jl_store *s;
    jl_study_data *d;
    ok(jl_store_open(p->a, JL_STORE_WRITE, &s, &err), &err);
    filled f = fill(s, "host-1", "study-1");
    put(s, &f, 1); /* a round without conditions, as older versions wrote them */
    ok(jl_store_load(s, NULL, &d, &err), &err);
    const jl_study_device *device = &jl_study_data_table(d)->devices[0];
    const jl_study_fact *g = fact_of(device->facts, device->fact_count, "governor");
    assert_null(g->value);
    assert_non_null(strstr(g->missing, "not noted"));
    assert_string_equal(fact_of(device->facts, device->fact_count, "kernel")->value, "6.1");
    jl_study_data_free(d);
    static const char *const conditions[] = {
        "{\"governor\":\"powersave\",\"kernel\":\"6.2\",\"cpu\":\"A\"}",
        "{\"governor\":\"performance\",\"kernel\":\"6.2\",\"cpu\":\"A\"}",
        "{\"governor_missing\":\"it is a virtual machine\",\"kernel\":\"6.2\"}"};
    for (int i = 0; i < 3; i++)
        ok(jl_store_round_begin(s, f.study, 2 + i, 1, 8, conditions[i], &f.round, &err), &err);
    jl_run_record r = jl_run_record_empty();
    r.round = f.round;
    r.cell = f.cell;
    r.device = f.device;
    r.latency_ns = 1000;
    r.facts = "{\"pcie\":\"gen 4 x16\",\"driver_missing\":\"nobody tells\"}";
    ok(jl_store_run(s, &r, NULL, &err), &err);
    ok(jl_store_load(s, NULL, &d, &err), &err);
    device = &jl_study_data_table(d)->devices[0];
    g = fact_of(device->facts, device->fact_count, "governor");
    assert_string_equal(g->value, "powersave, performance");
    assert_string_equal(g->missing, "it is a virtual machine");
    assert_string_equal(fact_of(device->facts, device->fact_count, "kernel")->value, "6.2");
    const jl_study_cell *c = &jl_study_data_table(d)->cells[0];
    assert_string_equal(fact_of(c->facts, c->fact_count, "pcie")->value, "gen 4 x16");
    assert_null(fact_of(c->facts, c->fact_count, "driver")->value);
    assert_string_equal(fact_of(c->facts, c->fact_count, "driver")->missing, "nobody tells");
    jl_study_data_free(d);
    jl_store_close(s);
}

static void expect_refused(const char *path, jl_store_mode mode, int code, const char *words)
{
    jl_error err = {0};
    jl_store *s;
    assert_int_equal(jl_store_open(path, mode, &s, &err), code);
    assert_null(s);
    if (!strstr(err.msg, words)) fail_msg("'%s' is not in: %s", words, err.msg);
}

static void sql_on(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* As version 1 wrote them. */
static void make_older(const char *path)
{
    sql_on(path, "DROP VIEW result; DROP TABLE tick; ALTER TABLE energy DROP COLUMN sensor_se_j;"
                 "ALTER TABLE energy DROP COLUMN drift_rel;"
                 "ALTER TABLE energy DROP COLUMN drift_se_rel;"
                 "ALTER TABLE energy DROP COLUMN slope_check_rel;"
                 "ALTER TABLE energy DROP COLUMN power_check_rel;"
                 "ALTER TABLE energy DROP COLUMN power_check_se_rel; PRAGMA user_version=1");
}

static void test_older_stores_are_read_as_they_are_and_upgraded_when_written(void **state)
{
    place *p = *state;
    jl_error err = {0};
    filled f;
    jl_store *s = new_store(p, &f);
    put(s, &f, 1);
    jl_store_close(s);
    make_older(p->a);
    ok(jl_store_open(p->a, JL_STORE_READ, &s, &err), &err);
    assert_int_equal(number(s, "SELECT count(*) FROM energy WHERE drift_rel IS NULL"), 2);
    assert_int_equal(number(s, "SELECT count(*) FROM tick"), 0);
    assert_int_equal(number(s, "SELECT count(*) FROM result"), 1);
    char copy[256];
    snprintf(copy, sizeof copy, "%s", sqlite3_db_filename(jl_store_sqlite(s), "main"));
    assert_string_not_equal(copy, p->a);
    jl_store_close(s);
    assert_int_equal(access(copy, F_OK), -1);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p->a, &db), SQLITE_OK); /* the file is as it was */
    assert_int_not_equal(sqlite3_exec(db, "SELECT drift_rel FROM energy", NULL, NULL, NULL),
                         SQLITE_OK);
    sqlite3_close(db);
    jl_merge_result m;
    ok(jl_store_open(p->b, JL_STORE_WRITE, &s, &err), &err);
    ok(jl_store_merge(s, p->a, &m, &err), &err);
    assert_int_equal(m.runs, 1);
    jl_store_close(s);
    ok(jl_store_open(p->a, JL_STORE_WRITE, &s, &err), &err);
    assert_int_equal(number(s, "PRAGMA user_version"), JL_STORE_VERSION);
    put(s, &f, 2);
    assert_int_equal(number(s, "SELECT count(*) FROM tick"), 2);
    assert_int_equal(number(s, "SELECT count(*) FROM energy WHERE drift_rel = 0.03"), 1);
    jl_store_close(s);
}

static void test_files_that_are_refused(void **state)
{
    place *p = *state;
    jl_error err = {0};
    jl_store *s;
    expect_refused(p->a, JL_STORE_READ, JL_ERR_IO, "cannot read the store");
    FILE *f = fopen(p->a, "w");
    for (int i = 0; i < 200; i++)
        fputs("this is no database at all\n", f);
    fclose(f);
    expect_refused(p->a, JL_STORE_READ, JL_ERR_FORMAT, "not a store");
    expect_refused(p->a, JL_STORE_WRITE, JL_ERR_FORMAT, "not a store");
    unlink(p->a);
    sql_on(p->a, "CREATE TABLE t(x)");
    expect_refused(p->a, JL_STORE_WRITE, JL_ERR_FORMAT, "another program");
    unlink(p->a);
    ok(jl_store_open(p->a, JL_STORE_WRITE, &s, &err), &err);
    jl_store_close(s);
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", p->a);
    ok(jl_store_open(p->a, JL_STORE_READ, &s, &err), &err);
    assert_int_equal(access(wal, F_OK), -1); /* at rest it is one file, also while it is read */
    jl_store_close(s);
    sql_on(p->a, "PRAGMA user_version=99");
    expect_refused(p->a, JL_STORE_READ, JL_ERR_UNSUPPORTED, "schema version 99");
    expect_refused(p->a, JL_STORE_WRITE, JL_ERR_UNSUPPORTED, "schema version 99");
    char nowhere[128];
    snprintf(nowhere, sizeof nowhere, "%s/no/such/folder/x.db", p->folder);
    expect_refused(nowhere, JL_STORE_WRITE, JL_ERR_IO, "--db");
}

static int load_of(const char *path, jl_error *err)
{
    jl_store *s;
    jl_study_data *d;
    ok(jl_store_open(path, JL_STORE_READ, &s, err), err);
    int rc = jl_store_load(s, NULL, &d, err);
    if (!rc) jl_study_data_free(d);
    jl_store_close(s);
    return rc;
}

/* Pages that cannot be read are no end of a table. */
static void test_a_damaged_store_is_not_read_in_part(void **state)
{
    place *p = *state;
    jl_error err = {0};
    filled f;
    jl_store *s = new_store(p, &f);
    put(s, &f, 1);
    jl_store_close(s);
    sql_on(p->a, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
                 "INSERT INTO run(uid, round, cell, device, position, outcome, simulated, "
                 "started_at, latency_ns) SELECT printf('%032x', i), round, cell, device, 0, 'ok', "
                 "1, '', 1e6 FROM run, n WHERE run.id = 1");
    ok(load_of(p->a, &err), &err);
    FILE *file = fopen(p->a, "r+");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    for (long at = ftell(file) / 2 / 4096 * 4096, end = ftell(file); at < end; at += 4096) {
        char bad[4096];
        memset(bad, 0xff, sizeof bad);
        fseek(file, at, SEEK_SET);
        assert_int_equal(fwrite(bad, sizeof bad, 1, file), 1);
    }
    fclose(file);
    assert_int_equal(load_of(p->a, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.msg, "damaged"));
}

/* Under the address sanitizer this sees places outside of the arrays. */
static void test_rows_without_a_place_are_passed_over(void **state)
{
    place *p = *state;
    jl_error err = {0};
    filled f;
    jl_store *s = new_store(p, &f);
    put(s, &f, 1);
    jl_store_close(s);
    sql_on(p->a, "INSERT INTO model(id, uid, name, kind) VALUES(-9, 'x', 'x', 'probe');"
                 "INSERT INTO configuration(id, text, runtime, provider, precision, regime, "
                 "position) VALUES(-9, 'a-b/fp32', 'a', 'b', 'fp32', 'matched', 0);"
                 "INSERT INTO device(id, uid, host, kind, position, name, simulated) "
                 "VALUES(-9, 'x', 1, 'cuda', 0, 'x', 0);"
                 "INSERT INTO cell(id, model, configuration, batch, in_flight, io, inputs) "
                 "VALUES(-9, -9, -9, 1, 1, 'host', '');"
                 "INSERT INTO facts(id, uid, json) VALUES(-9, 'x', '{\"tf32\":\"0\"}');"
                 "INSERT INTO round(id, uid, study, number, boot, seed, started_at) "
                 "VALUES(-9, 'x', 1, 7, 1, 0, '')");
    ok(load_of(p->a, &err), &err);
}

/* Virtual machines of one name are lent one board after another. */
static void test_boards_of_one_name_are_told_apart(void **state)
{
    place *p = *state;
    jl_error err = {0};
    jl_study_data *d;
    filled f;
    jl_store *s = new_store(p, &f);
    put(s, &f, 1);
    sql_on(p->a, "INSERT INTO device(uid, host, kind, position, name, simulated) VALUES"
                 "('GPU-a011e0d6-1b98-e6b0', 1, 'cuda', 0, 'H200', 0),"
                 "('GPU-e0406109-932e-e60a', 1, 'cuda', 0, 'H200', 0),"
                 "('GPU-c7000000-0000-0000', 1, 'cuda', 1, 'H200', 0)");
    ok(jl_store_load(s, NULL, &d, &err), &err);
    const jl_study_table *t = jl_study_data_table(d);
    assert_string_equal(t->devices[0].name, "a processor");
    assert_string_equal(t->devices[1].name, "H200 GPU-a011e0d6");
    assert_string_equal(t->devices[2].name, "H200 GPU-e0406109");
    assert_string_equal(t->devices[3].name, "H200 #1");
    jl_study_data_free(d);
    jl_store_close(s);
}

static void test_a_killed_writer_loses_no_finished_run(void **state)
{
    place *p = *state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        jl_store *s;
        if (jl_store_open(p->a, JL_STORE_WRITE, &s, NULL)) _exit(1);
        filled f = fill(s, "host-1", "study-1");
        put(s, &f, 1);
        sqlite3_exec(jl_store_sqlite(s), "BEGIN IMMEDIATE; DELETE FROM energy", NULL, NULL, NULL);
        if (write(ready[1], "x", 1) != 1) _exit(1);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    jl_error err = {0};
    jl_store *s;
    ok(jl_store_open(p->a, JL_STORE_READ, &s, &err), &err);
    assert_int_equal(number(s, "SELECT count(*) FROM result WHERE energy_j_per_item = 0.25"), 1);
    jl_store_close(s);
    close(ready[0]);
    close(ready[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_goes_in_comes_out, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_a_repeated_run_replaces_the_one_before, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(test_merging_twice_changes_nothing, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(test_a_study_as_arrays, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_facts_of_hosts_and_runs, make_place, remove_place),
        cmocka_unit_test_setup_teardown(
            test_older_stores_are_read_as_they_are_and_upgraded_when_written, make_place,
            remove_place),
        cmocka_unit_test_setup_teardown(test_files_that_are_refused, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_a_damaged_store_is_not_read_in_part, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(test_rows_without_a_place_are_passed_over, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(test_boards_of_one_name_are_told_apart, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(test_a_killed_writer_loses_no_finished_run, make_place,
                                        remove_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
