/* jouleline selftest: the whole chain on the simulated device, against what is known of it. */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "jouleline/clock.h"
#include "jouleline/study.h"

typedef struct settings {
    bool quiet;
} settings;

static const jl_option options[] = {
    JL_OPTION_QUIET(settings, quiet),
    {0},
};

typedef struct verdict {
    int failed;
    bool quiet;
} verdict;

static void judge(verdict *v, bool good, const char *what)
{
    v->failed += !good;
    if (!good || !v->quiet) printf("%-6s %s\n", good ? "ok" : "FAILED", what);
}

static double number(jl_store *store, const char *sql)
{
    sqlite3_stmt *q;
    double x = NAN;
    if (sqlite3_prepare_v2(jl_store_sqlite(store), sql, -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL)
        x = sqlite3_column_double(q, 0);
    sqlite3_finalize(q);
    return x;
}

static int measure(jl_store *store, jl_error *err)
{
    /* Call time and watts by construction: 0.1 ms a node, 50 W whatever it does. */
    static const char *const configurations[] = {
        "fake-gpu/fp32+dispatch_us=100+noise=0+run_noise=0+static_w=50+pj_flop=0+pj_byte=0",
        "fake-gpu/fp32+fail=crash", "fake-gpu/fp32+fail=unsupported", "fake-gpu/fp16+fail=nan"};
    static const char *const models[] = {"resnet18"};
    static const int64_t one[] = {1};
    jl_study_spec spec = {.name = "selftest",
                          .models = models,
                          .model_count = 1,
                          .configurations = configurations,
                          .configuration_count = sizeof configurations / sizeof *configurations,
                          .batches = one,
                          .batch_count = 1,
                          .in_flight = one,
                          .in_flight_count = 1,
                          .rounds = 1,
                          .seed = 1,
                          .min_time_ns = JL_NS_PER_S,
                          .max_time_ns = 2 * JL_NS_PER_S,
                          .warmup_ns = JL_NS_PER_S / 2,
                          .timeout_ns = 30 * JL_NS_PER_S,
                          .idle_ns = JL_NS_PER_S / 2};
    jl_study_result result;
    return jl_study_run(&spec, store, NULL, NULL, &result, err);
}

static void check(jl_store *store, verdict *v)
{
    /* The fastest call: others may keep the processor busy while the device spins. */
    double nodes = number(store, "SELECT nodes FROM cell LIMIT 1");
    double latency = number(store, "SELECT latency_min_ns FROM run WHERE outcome = 'ok'");
    judge(v, fabs(latency - nodes * 100e3) < 0.02 * nodes * 100e3,
          "a simulated call takes its known time");
    double power = number(store, "SELECT power_w FROM energy JOIN run ON run.id = "
                                 "energy.run WHERE outcome = 'ok' AND headline");
    judge(v, fabs(power - 50) < 1, "the meter finds the known watts");
    double items = number(store, "SELECT window_j / gross_j_per_item / window_items FROM energy "
                                 "WHERE headline AND gross_j_per_item NOTNULL");
    judge(v, fabs(items - 1) < 0.01, "joules per item are joules by items");
    judge(v, number(store, "SELECT count(*) FROM run WHERE outcome = 'crash' AND signal = 11") == 1,
          "a worker that crashes is an outcome");
    judge(v, number(store, "SELECT count(*) FROM run WHERE outcome = 'unsupported'") == 1,
          "a refusal is an outcome");
    judge(v, number(store, "SELECT count(*) FROM run WHERE outcome = 'numerical'") == 1,
          "NaN in the outputs is an outcome");
    judge(v, number(store, "SELECT complete FROM round") == 1, "the round is complete");
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    char folder[] = "/tmp/jouleline-selftest-XXXXXX", path[sizeof folder + 16];
    jl_error err = {0};
    if (!mkdtemp(folder)) {
        jl_fail_errno(&err, JL_ERR_IO, "cannot make the folder %s", folder);
        return jl_report_error(call, &err);
    }
    snprintf(path, sizeof path, "%s/store.db", folder);
    jl_store *store;
    verdict v = {.quiet = s->quiet};
    int rc = jl_store_open(path, JL_STORE_WRITE, &store, &err);
    if (!rc) rc = measure(store, &err);
    if (!rc) check(store, &v);
    if (store) jl_store_close(store);
    unlink(path);
    rmdir(folder);
    if (rc) return jl_report_error(call, &err);
    return v.failed ? EXIT_FAILED : EXIT_OK;
}

const jl_command jl_command_selftest = {
    .name = "selftest",
    .summary = "check this program on its simulated device",
    .about = "Runs a small study on the simulated device, whose times, joules and failures are "
             "known, and compares what comes out. Takes a few seconds and leaves nothing behind.",
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
