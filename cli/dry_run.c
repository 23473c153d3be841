#include "dry_run.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "jouleline/configuration.h"
#include "jouleline/multiplicity.h"
#include "terminal.h"

enum { STAGES = 3 };

typedef struct earlier {
    double stage_ns[STAGES]; /* of the whole study */
    double memory_bytes;     /* the most of one run; 0: not known */
    int64_t runs;
    size_t known; /* configurations with earlier runs */
} earlier;

/* The mean stages of a configuration's runs, for `runs` more of them. */
static int add_configuration(sqlite3 *db, const char *word, size_t runs, earlier *e, jl_error *err)
{
    static const char sql[] =
        "SELECT count(*), avg(start_ns), avg(load_ns), avg(check_ns), max(device_memory_bytes) "
        "FROM run JOIN cell ON cell.id = run.cell "
        "JOIN configuration c ON c.id = cell.configuration WHERE c.text = ? AND outcome = 'ok'";
    jl_configuration c;
    char text[4096];
    sqlite3_stmt *q;
    int rc = jl_configuration_parse(word, &c, err);
    if (rc || jl_configuration_format(&c, text, sizeof text)) return rc;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
        return jl_fail(err, JL_ERR_IO, "cannot read the store: %s", sqlite3_errmsg(db));
    sqlite3_bind_text(q, 1, text, -1, SQLITE_STATIC);
    if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_int64(q, 0) > 0) {
        e->known++;
        e->runs += sqlite3_column_int64(q, 0);
        for (int i = 0; i < STAGES; i++)
            e->stage_ns[i] += (double)runs * sqlite3_column_double(q, 1 + i);
        double memory = sqlite3_column_double(q, 1 + STAGES);
        if (memory > e->memory_bytes) e->memory_bytes = memory;
    }
    sqlite3_finalize(q);
    return 0;
}

static int look(const jl_study_spec *spec, const jl_study_size *size, const char *db, earlier *e,
                jl_error *err)
{
    jl_store *s;
    if (access(db, F_OK) != 0) return 0;
    int rc = jl_store_open(db, JL_STORE_READ, &s, err);
    if (rc) return rc;
    size_t runs = size->configurations ? (size->runs + size->probe_runs) / size->configurations : 0;
    for (size_t i = 0; i < spec->configuration_count && !rc; i++)
        rc = add_configuration(jl_store_sqlite(s), spec->configurations[i], runs, e, err);
    jl_store_close(s);
    return rc;
}

static void print_earlier(const earlier *e, const jl_study_size *size, const char *db)
{
    static const char *const names[STAGES] = {"start", "load", "checks"};
    if (!e->known) {
        printf("time by stage and device memory: %s has no earlier run of these configurations\n",
               db);
        return;
    }
    double sum = 0;
    char words[64];
    printf("by %" PRId64 " earlier runs of %zu of %zu configurations:", e->runs, e->known,
           size->configurations);
    for (int i = 0; i < STAGES; i++) {
        jl_duration_words((int64_t)e->stage_ns[i], words, sizeof words);
        printf("%s %s %s", i ? "," : "", names[i], words);
        sum += e->stage_ns[i];
    }
    char most[64];
    jl_duration_words((int64_t)sum + size->least_ns, words, sizeof words);
    jl_duration_words((int64_t)sum + size->most_ns, most, sizeof most);
    printf("; in all %s to %s\n", words, most);
    if (e->memory_bytes > 0)
        printf("device memory: up to %.0f MiB in an earlier run\n", e->memory_bytes / (1 << 20));
}

/* "cuda 1": what configurations must share for a pair. TensorRT runs on CUDA's devices. */
static int device_of(const char *word, char *name, size_t size, jl_error *err)
{
    jl_configuration c;
    int rc = jl_configuration_parse(word, &c, err);
    if (rc) return rc;
    const char *provider = strcmp(c.provider, "tensorrt") ? c.provider : "cuda";
    snprintf(name, size, "%s %d", provider, c.device);
    return 0;
}

static const char *more_words(size_t needed, int64_t rounds)
{
    return (int64_t)needed > rounds ? " (more than these)" : "";
}

/* The families of a device with so many configurations. */
static void print_device(const char *device, size_t configurations, size_t tables, int64_t rounds)
{
    size_t pairs = configurations * (configurations - 1) / 2;
    if (!pairs) {
        printf("%s: one configuration, no pairs\n", device);
        return;
    }
    size_t of_cell = jl_rounds_needed(pairs, 0.05),
           of_study = jl_rounds_needed(pairs * tables, 0.05), joint = jl_rounds_needed(1, 0.05);
    printf("%s: pairs of a model and batch: %zu, for which Bonferroni needs %zu rounds%s; of a "
           "metric: %zu, Bonferroni %zu%s, joint sign flips %zu%s\n",
           device, pairs, of_cell, more_words(of_cell, rounds), pairs * tables, of_study,
           more_words(of_study, rounds), joint, more_words(joint, rounds));
}

/* Pairs are of one device; so are the families of corrections. */
static int print_families(const jl_study_spec *spec, const jl_study_size *size, jl_error *err)
{
    enum { NAME = 80 };
    size_t tables = size->models * spec->batch_count * spec->in_flight_count;
    for (size_t i = 0; i < spec->configuration_count; i++) {
        char device[NAME], other[NAME];
        size_t count = 0;
        bool before = false;
        int rc = device_of(spec->configurations[i], device, sizeof device, err);
        for (size_t k = 0; k < spec->configuration_count && !rc; k++) {
            rc = device_of(spec->configurations[k], other, sizeof other, err);
            if (rc || strcmp(device, other) != 0) continue;
            count++;
            before |= k < i;
        }
        if (rc) return rc;
        if (!before) print_device(device, count, tables, spec->rounds);
    }
    return 0;
}

int jl_print_dry_run(const jl_study_spec *spec, const jl_study_size *size, const char *db,
                     jl_error *err)
{
    char least[64], most[64];
    earlier e = {.runs = 0};
    int rc = look(spec, size, db, &e, err);
    if (rc) return rc;
    jl_duration_words(size->least_ns, least, sizeof least);
    jl_duration_words(size->most_ns, most, sizeof most);
    printf("%zu models x %zu configurations x %zu batches: %zu cells, %zu runs in %" PRId64
           " rounds\n",
           size->models, size->configurations, spec->batch_count, size->cells, size->runs,
           spec->rounds);
    if (size->probe_runs)
        printf("probes of the roofs (--probes): %zu cells, %zu runs in the first rounds, %.1f %% "
               "more runs\n",
               size->probe_cells, size->probe_runs,
               100 * (double)size->probe_runs / (double)size->runs);
    printf("timed loops and warm-ups: %s to %s; start, load and check of every run come on top\n",
           least, most);
    print_earlier(&e, size, db);
    return print_families(spec, size, err);
}
