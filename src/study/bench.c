#include "study/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "jouleline/clock.h"
#include "jouleline/runtime.h"
#include "jouleline/statistics.h"
#include "jouleline/store.h"
#include "study/load.h"
#include "study/wire.h"

static const int64_t WARM_STEP_NS = 50 * INT64_C(1000000);
enum { WARM_CALLS = 3 };
/* A power that changes by no more over the window is steady. */
static const double STEADY_REL = 0.02;

jl_bench_rules jl_bench_rules_default(void)
{
    return (jl_bench_rules){
        .min_time_ns = JL_NS_PER_S,
        .max_time_ns = 10 * JL_NS_PER_S,
        .warmup_ns = 3 * JL_NS_PER_S,
        .timeout_ns = 300 * JL_NS_PER_S,
        .interval_rel = 0.02,
        .min_calls = 64,
        .min_ticks = 6,
    };
}

static double *durations(const int64_t *pairs, size_t from, size_t count)
{
    double *d = malloc((count + 1) * sizeof *d);
    for (size_t i = 0; d && i < count; i++)
        d[i] = (double)(pairs[2 * (from + i) + 1] - pairs[2 * (from + i)]);
    return d;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const int64_t *pairs, size_t from, size_t count)
{
    JL_OWNED double *d = durations(pairs, from, count);
    if (!d || !count) return NAN;
    qsort(d, count, sizeof *d, by_value);
    return count % 2 ? d[count / 2] : 0.5 * (d[count / 2 - 1] + d[count / 2]);
}

bool jl_latency_settled(const int64_t *pairs, size_t count)
{
    if (count < 4) return false;
    size_t quarter = count / 4;
    double last = median(pairs, count - quarter, quarter);
    double before = median(pairs, count - 2 * quarter, quarter);
    /* A median of few calls strays more than one of many. */
    return fabs(last - before) <= (quarter >= 8 ? 0.02 : 0.05) * before;
}

bool jl_latency_narrow(const int64_t *pairs, size_t count, double interval_rel)
{
    JL_OWNED double *d = durations(pairs, 0, count);
    jl_batch_median b;
    if (!d || jl_batch_median_of(d, count, 0.95, &b, NULL) || b.interval.why) return false;
    return b.interval.high - b.interval.low <= interval_rel * b.median;
}

void jl_bench_result_free(jl_bench_result *r)
{
    free(r->log);
    free(r->facts);
    free(r->pairs);
    free(r->waking);
    jl_metered_free(&r->metered);
    *r = (jl_bench_result){0};
}

/* What the stages share. */
typedef struct bench {
    const jl_bench_job *job;
    const jl_bench_rules *rules;
    const jl_ring *ring;
    const volatile sig_atomic_t *interrupted;
    jl_bench_result *r;
    jl_child child;
    bool (*enough)(struct bench *b, int64_t now_ns, int64_t *next_ns); /* of the loop under way */
    int64_t began_ns;
} bench;

/* The answer to a request under way. Wakes up when `enough` wants to be asked. */
static int await(bench *b, const char *type, int64_t limit_ns, json_t **answer, jl_error *err)
{
    int64_t hard_ns = jl_now_ns() + limit_ns + b->rules->timeout_ns, next_ns = hard_ns;
    int64_t watch_ns = b->job->watch ? jl_now_ns() : INT64_MAX;
    if (b->enough) b->enough(b, jl_now_ns(), &next_ns);
    for (;;) {
        int64_t until_ns = next_ns < hard_ns ? next_ns : hard_ns;
        if (watch_ns < until_ns) until_ns = watch_ns;
        int rc = jl_child_receive(&b->child, until_ns, type, answer, err);
        if (rc != JL_ERR_TIMEOUT) return rc;
        if (b->interrupted && *b->interrupted)
            return jl_fail(err, JL_ERR_INTERRUPTED, "interrupted");
        int64_t now_ns = jl_now_ns();
        if (now_ns >= watch_ns) {
            b->job->watch(b->job->watch_ctx);
            watch_ns = now_ns + JL_NS_PER_S / 2;
        }
        if (now_ns >= hard_ns) return jl_fail(err, JL_ERR_TIMEOUT, "no answer in time");
        if (b->enough && now_ns >= next_ns) {
            next_ns = hard_ns;
            if (b->enough(b, now_ns, &next_ns)) atomic_store(&b->ring->header->stop, 1);
        }
    }
}

/* Sends a request and takes its answer; an outcome becomes the run's. 0, 1 when the run has its
 * outcome, or negative for a failure of ours or an interrupt. */
static int ask(bench *b, json_t *request, const char *type, const char *stage, int64_t limit_ns,
               json_t **answer, jl_error *err)
{
    jl_error e = {0};
    jl_bench_result *r = b->r;
    int rc = jl_child_send(&b->child, request, &e);
    if (!rc) rc = await(b, type, limit_ns, answer, &e);
    if (rc == JL_ERR_INTERRUPTED) return jl_fail(err, rc, "%s", e.msg);
    if (!rc && !jl_json_is(*answer, "outcome")) return 0;
    r->stage = stage;
    if (!rc) {
        int outcome = jl_outcome_parse(jl_json_text(*answer, "outcome", ""));
        r->outcome = outcome > 0 ? (jl_outcome)outcome : JL_OUTCOME_UNSUPPORTED;
        snprintf(r->message, sizeof r->message, "%s", jl_json_text(*answer, "message", ""));
        return 1;
    }
    jl_exit ended = {0};
    jl_child_finish(&b->child, false, &ended);
    r->outcome = rc == JL_ERR_TIMEOUT ? JL_OUTCOME_TIMEOUT : JL_OUTCOME_CRASH;
    snprintf(r->message, sizeof r->message, "%s", e.msg);
    if (rc == JL_ERR_TIMEOUT)
        snprintf(r->message, sizeof r->message,
                 "the worker did not finish '%s' within %.3g s and was killed (--timeout)", stage,
                 (double)(limit_ns + b->rules->timeout_ns) * 1e-9);
    if (rc == JL_ERR_CRASH) {
        char words[128];
        r->signal = ended.signal;
        jl_exit_words(&ended, words, sizeof words);
        snprintf(r->message, sizeof r->message, "the worker %s", words);
    }
    return 1;
}

static int start(bench *b, jl_error *err)
{
    JL_JSON *answer = NULL;
    int64_t began_ns = jl_now_ns();
    jl_error e = {0};
    int rc = jl_child_start(b->job->launch, b->job->nursery, b->ring, &b->child, &e);
    if (rc) {
        b->r->outcome = jl_outcome_of_error(rc);
        /* the model was not looked at: what lacks is here */
        if (b->r->outcome == JL_OUTCOME_INVALID) b->r->outcome = JL_OUTCOME_MISSING;
        b->r->stage = "start";
        snprintf(b->r->message, sizeof b->r->message, "%s", e.msg);
        return 1;
    }
    rc = ask(b, json_pack("{s:s, s:i}", "type", "hello", "protocol", JL_PROTOCOL), "hello", "start",
             0, &answer, err);
    if (rc) return rc;
    snprintf(b->r->start_method, sizeof b->r->start_method, "%s",
             jl_json_text(answer, "start", "exec"));
    b->r->start_ns = jl_now_ns() - began_ns;
    return 0;
}

static json_t *number_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static int load(bench *b, jl_error *err)
{
    const jl_bench_job *j = b->job;
    json_t *m =
        json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:I, s:o, s:s, s:I, s:b, s:s, s:{s:o, s:o, s:o}}",
                  "type", "load", "configuration", j->configuration, "model_name", j->model_name,
                  "zoo", j->zoo, "model_path", text_or_null(j->model_path), "weights_path",
                  text_or_null(j->weights_path), "batch", (json_int_t)j->batch, "inputs_path",
                  text_or_null(j->inputs_path), "io", j->io, "in_flight", (json_int_t)j->in_flight,
                  "trust", j->trust, "scratch", j->scratch, "cost", "flop", number_or_null(j->flop),
                  "bytes", number_or_null(j->moved_bytes), "nodes", number_or_null(j->nodes));
    JL_JSON *answer = NULL;
    bool card = j->device_uuid && !strncmp(j->device_uuid, "GPU-", 4);
    if (card) json_object_set_new(m, "device_uuid", json_string(j->device_uuid));
    int rc = ask(b, m, "loaded", "load", 0, &answer, err);
    if (rc) return rc;
    b->r->load_ns = jl_json_whole(answer, "load_ns", JL_ABSENT);
    json_t *facts = json_object_get(answer, "facts");
    if (j->driver && *j->driver) json_object_set_new(facts, "driver", json_string(j->driver));
    if (j->driver && !*j->driver)
        json_object_set_new(facts, "driver_missing",
                            json_string("neither the kernel module nor a meter tells it"));
    if (j->converter) json_object_set_new(facts, "converter", json_string(j->converter));
    json_object_set_new(facts, "start", json_string(b->r->start_method));
    b->r->facts = json_is_object(facts) ? json_dumps(facts, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    b->r->simulated = !strcmp(jl_json_text(facts, "simulated", "0"), "1");
    const char *uuid = jl_json_text(facts, "device_uuid", j->device_uuid ? j->device_uuid : "");
    snprintf(b->r->device_uuid, sizeof b->r->device_uuid, "%s", uuid);
    if (!card || !strcmp(uuid, j->device_uuid)) return 0;
    b->r->outcome = JL_OUTCOME_MISSING;
    b->r->stage = "load";
    snprintf(b->r->message, sizeof b->r->message, "the worker ran on %s, not on %s", uuid,
             j->device_uuid);
    return 1;
}

static bool warm_enough(bench *b, int64_t now_ns, int64_t *next_ns)
{
    *next_ns = now_ns + WARM_STEP_NS;
    size_t n = jl_ring_count(b->ring);
    if (n == 0) return false;
    int64_t first_ns = b->ring->pairs[1]; /* the first call builds kernels: it warms nothing up */
    if (now_ns - first_ns < b->rules->soak_ns) return false;
    b->r->settled =
        jl_latency_settled(b->ring->pairs, n) &&
        (!b->job->metering || jl_metering_settled(b->job->metering, b->r->device_uuid, first_ns));
    int64_t last_ns = first_ns + b->rules->soak_ns + b->rules->warmup_ns;
    if (last_ns < *next_ns) *next_ns = last_ns;
    return b->r->settled || now_ns >= last_ns;
}

static int warm(bench *b, jl_error *err)
{
    int64_t max_ns = b->rules->warmup_ns + b->rules->soak_ns;
    json_int_t limit_ns = max_ns + b->rules->timeout_ns;
    JL_JSON *answer = NULL;
    b->began_ns = jl_now_ns();
    b->enough = warm_enough;
    atomic_store(&b->ring->header->stop, 0);
    int rc = ask(
        b,
        json_pack("{s:s, s:i, s:I}", "type", "warm", "min_calls", WARM_CALLS, "max_ns", limit_ns),
        "warmed", "warm", max_ns, &answer, err);
    b->enough = NULL;
    if (rc) return rc;
    b->r->warm_ns = jl_now_ns() - b->began_ns;
    b->r->first_call_ns = jl_json_whole(answer, "first_call_ns", JL_ABSENT);
    if (!b->r->settled) /* short calls fill the sample memory before the first look */
        b->r->settled = !strcmp(jl_json_text(answer, "stopped", ""), "capacity");
    return 0;
}

/* The device with the model loaded and nothing to do: power for the net figures. */
static int rest(bench *b, jl_error *err)
{
    jl_metering *m = b->job->metering;
    if (!m || !b->rules->waking_ns) return 0;
    size_t n = jl_meter_set_count(jl_metering_set(m));
    b->r->waking = calloc(n + 1, sizeof *b->r->waking);
    if (!b->r->waking) return jl_fail(err, JL_ERR_MEMORY, "no memory for idle powers");
    int64_t from_ns = jl_now_ns();
    jl_clock_real.sleep_until_ns(NULL, from_ns + b->rules->waking_ns);
    if (b->interrupted && *b->interrupted) return jl_fail(err, JL_ERR_INTERRUPTED, "interrupted");
    jl_metering_idle(m, from_ns, jl_now_ns(), b->r->waking);
    return 0;
}

static bool measured_enough(bench *b, int64_t now_ns, int64_t *next_ns)
{
    int64_t elapsed_ns = now_ns - b->began_ns, min_ns = b->rules->min_time_ns;
    if (elapsed_ns < min_ns) {
        *next_ns = b->began_ns + min_ns;
        return false;
    }
    /* Looks become rarer: each costs time of a processor that the loop may need. */
    *next_ns = now_ns + (elapsed_ns / 8 > WARM_STEP_NS ? elapsed_ns / 8 : WARM_STEP_NS);
    size_t n = jl_ring_count(b->ring);
    if (n < b->rules->min_calls) return false;
    jl_metering *m = b->job->metering;
    if (m && jl_metering_ticks(m, b->r->device_uuid, b->began_ns) < b->rules->min_ticks)
        return false;
    return jl_latency_narrow(b->ring->pairs, n, b->rules->interval_rel);
}

static int keep_calls(bench *b, size_t n, jl_error *err)
{
    b->r->pairs = malloc((2 * n + 1) * sizeof *b->r->pairs);
    if (!b->r->pairs) return jl_fail(err, JL_ERR_MEMORY, "no memory for %zu calls", n);
    memcpy(b->r->pairs, b->ring->pairs, 2 * n * sizeof *b->r->pairs);
    b->r->pair_count = n;
    return 0;
}

static void set_words(json_t *facts, const char *key, int generation, int width)
{
    char words[40];
    snprintf(words, sizeof words, "gen %d x%d", generation, width);
    json_object_set_new(facts, key, json_string(words));
}

/* The PCIe link of a GPU while the loop ran, or why it is not known. */
static void note_link(jl_bench_result *r)
{
    if (!r->facts || !*r->device_uuid || r->simulated) return;
    JL_JSON *facts = json_loads(r->facts, 0, NULL);
    const jl_condition *c = &r->metered.condition;
    if (r->metered.has_condition && c->has_link) {
        set_words(facts, "pcie", c->link_generation, c->link_width);
        set_words(facts, "pcie_most", c->link_most_generation, c->link_most_width);
    } else {
        json_object_set_new(facts, "pcie_missing",
                            json_string(r->metered.has_condition
                                            ? "the board's meter does not tell its link"
                                            : "no meter of this board"));
    }
    char *text = json_dumps(facts, JSON_COMPACT | JSON_SORT_KEYS);
    if (!text) return;
    free(r->facts);
    r->facts = text;
}

/* The window itself says more about settling than the ticks before it: its power may drift after
 * all, or be steady although the warm-up came to its limit before three ticks had agreed. */
static void judge_settling(jl_bench_result *r)
{
    const jl_window *w = &r->metered.scopes[0].window;
    if (!r->metered.has_condition || !w->valid) return;
    bool steady = fabs(w->drift_rel) + 2 * w->drift_se_rel <= STEADY_REL &&
                  jl_latency_settled(r->pairs, r->pair_count);
    r->settled = !w->unsettled && (r->settled || steady);
}

static int measure(bench *b, jl_error *err)
{
    jl_bench_result *r = b->r;
    JL_JSON *answer = NULL;
    jl_load_snapshot before, after;
    atomic_store(&b->ring->header->stop, 0);
    jl_load_take(&before);
    b->began_ns = jl_now_ns();
    b->enough = measured_enough;
    int rc = ask(
        b, json_pack("{s:s, s:I}", "type", "measure", "max_ns", (json_int_t)b->rules->max_time_ns),
        "measured", "measure", b->rules->max_time_ns, &answer, err);
    b->enough = NULL;
    if (rc) return rc;
    jl_load_take(&after);
    r->measure_ns = jl_now_ns() - b->began_ns;
    r->cpu_ns = jl_json_whole(answer, "cpu_ns", JL_ABSENT);
    r->peak_rss_bytes = jl_json_whole(answer, "peak_rss_bytes", JL_ABSENT);
    r->device_memory_bytes = jl_json_whole(answer, "device_memory_bytes", JL_ABSENT);
    snprintf(r->stopped, sizeof r->stopped, "%s", jl_json_text(answer, "stopped", ""));
    r->foreign_cpus = jl_load_foreign_cpus(&before, &after, r->cpu_ns);
    rc = keep_calls(b, jl_ring_count(b->ring), err);
    jl_calls calls = {
        .pairs = r->pairs, .count = r->pair_count, .items_per_call = (double)b->job->batch};
    if (!rc && b->job->metering && r->pair_count)
        jl_metering_estimate(b->job->metering, r->device_uuid, &calls,
                             r->waking ? r->waking : b->job->waking, &r->metered);
    if (!rc) judge_settling(r);
    if (!rc) note_link(r);
    return rc;
}

static int check(bench *b, jl_error *err)
{
    if (!b->job->output_path) return 0;
    JL_JSON *answer = NULL;
    int64_t began_ns = jl_now_ns();
    int rc = ask(b, json_pack("{s:s, s:s}", "type", "check", "path", b->job->output_path),
                 "checked", "check", 0, &answer, err);
    b->r->check_ns = jl_now_ns() - began_ns;
    return rc;
}

static void keep_log(bench *b)
{
    jl_buf log = {0};
    jl_child_log(&b->child, &log);
    if (log.n && !log.failed)
        b->r->log = log.p;
    else
        jl_buf_free(&log);
}

int jl_bench_run(const jl_bench_job *job, const jl_bench_rules *rules, const jl_ring *ring,
                 const volatile sig_atomic_t *interrupted, jl_bench_result *r, jl_error *err)
{
    *r = (jl_bench_result){
        .start_ns = JL_ABSENT,
        .load_ns = JL_ABSENT,
        .warm_ns = JL_ABSENT,
        .measure_ns = JL_ABSENT,
        .check_ns = JL_ABSENT,
        .first_call_ns = JL_ABSENT,
        .cpu_ns = JL_ABSENT,
        .peak_rss_bytes = JL_ABSENT,
        .device_memory_bytes = JL_ABSENT,
        .foreign_cpus = NAN,
    };
    snprintf(r->device_uuid, sizeof r->device_uuid, "%s", job->device_uuid ? job->device_uuid : "");
    bench b = {.job = job,
               .rules = rules,
               .ring = ring,
               .interrupted = interrupted,
               .r = r,
               .child = {.control = -1, .log_fd = -1, .process = {.pidfd = -1}}};
    static int (*const stages[])(bench *, jl_error *) = {start, load, rest, warm, measure, check};
    int64_t began_ns = jl_now_ns();
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof stages / sizeof *stages; i++)
        rc = stages[i](&b, err);
    if (rc > 0) keep_log(&b);
    jl_child_finish(&b.child, rc == 0, NULL);
    r->total_ns = jl_now_ns() - began_ns;
    jl_child_close(&b.child);
    if (rc >= 0) return 0;
    jl_bench_result_free(r);
    return rc;
}
