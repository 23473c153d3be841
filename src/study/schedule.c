/* A study from plan to the last round. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fake_device.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/rng.h"
#include "jouleline/clock.h"
#include "study/host.h"
#include "study/plan.h"
#include "study/record.h"
#include "study/reference.h"

enum { RING_CALLS = 1 << 18, NURSERIES = 16, MOST_FAILURES = 2 };
/* Others that keep this much of a processor busy disturb a run on the processors. */
static const double FOREIGN_CPUS = 0.3;
static const double FAKE_SLEEP_W = 20;

typedef struct study {
    const jl_study_spec *spec;
    const jl_study_events *events;
    const volatile sig_atomic_t *interrupted;
    jl_study_result *result;
    jl_store *store;
    jl_arena *arena;
    jl_plan plan;
    jl_path scratch;
    jl_ring ring;
    jl_bench_rules rules;
    jl_nursery nurseries[NURSERIES];
    size_t nursery_count;
    int fake_fd;
    jl_meter_set *meters;
    jl_metering *metering;
    jl_id *meter_ids;
    jl_id host, boot, id, round;
    const char *watched_uuid; /* of the run under way */
    jl_idle **waking;         /* one a configuration: this round's, shared along a device */
    int64_t deadline_ns, round_began_ns, longest_round_ns;
    size_t runs_planned, runs_done;
} study;

static bool stop_asked(const study *s)
{
    return (s->interrupted && *s->interrupted) || (s->deadline_ns && jl_now_ns() >= s->deadline_ns);
}

/* --- setting up --- */

static int make_fake_device(study *s, jl_error *err)
{
    const char *uuid = NULL;
    for (size_t i = 0; i < s->plan.configuration_count && !uuid; i++)
        if (s->plan.configurations[i].runtime->simulated)
            uuid = s->plan.configurations[i].parsed.provider;
    if (!uuid) return 0;
    s->fake_fd = memfd_create("jouleline-fake-device", MFD_CLOEXEC);
    if (s->fake_fd < 0 || ftruncate(s->fake_fd, JL_FAKE_DEVICE_BYTES) != 0)
        return jl_fail_errno(err, JL_ERR_IO, "cannot make a simulated device");
    jl_fake_device *d =
        mmap(NULL, JL_FAKE_DEVICE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->fake_fd, 0);
    if (d == MAP_FAILED) return jl_fail_errno(err, JL_ERR_IO, "cannot map a simulated device");
    jl_fake_device_init(d, jl_now_ns(), FAKE_SLEEP_W);
    snprintf(d->uuid, sizeof d->uuid, "FAKE-%s-0", uuid);
    munmap(d, JL_FAKE_DEVICE_BYTES);
    return 0;
}

static int open_meters(study *s, jl_error *err)
{
    jl_meter_options options = {.fake_device_fd = s->fake_fd};
    int rc = jl_meter_set_open(s->spec->meters, s->spec->meter_count, &options, &s->meters, err);
    if (rc) return rc;
    size_t n = jl_meter_set_count(s->meters);
    s->meter_ids = jl_arena_array(s->arena, n + 1, sizeof *s->meter_ids);
    if (!s->meter_ids) return jl_fail(err, JL_ERR_MEMORY, "no memory for the meters");
    for (size_t i = 0; i < n && !rc; i++) {
        const jl_meter_domain *d = jl_meter_set_domain(s->meters, i);
        char uid[256];
        jl_host host;
        jl_host_describe(&host);
        snprintf(uid, sizeof uid, "%s/%s", host.uid, d->id);
        jl_meter_record r = {.uid = uid,
                             .name = d->meter,
                             .domain = d->id,
                             .kind = jl_domain_kind_name(d->kind),
                             .label = d->label,
                             .device_uid = *d->device_uuid ? d->device_uuid : NULL,
                             .tick_s = d->tick_s > 0 ? d->tick_s : NAN,
                             .gain_rel = d->gain_rel > 0 ? d->gain_rel : NAN,
                             .simulated = d->simulated,
                             .modelled = d->modelled};
        rc = jl_store_meter(s->store, s->host, &r, &s->meter_ids[i], err);
    }
    return rc || !n ? rc : jl_metering_start(s->meters, &jl_clock_real, &s->metering, err);
}

static int find_study(study *s, jl_error *err)
{
    char uid[33] = "";
    uint64_t seed = s->spec->seed;
    int rc = 0;
    if (s->spec->resume)
        rc = jl_store_study_find(s->store, s->plan.spec_json, &s->id, uid, &seed, err);
    if (rc) return rc;
    if (s->spec->resume && !s->id)
        jl_study_say(s->events, "nothing to resume: the store holds no study with these settings; "
                                "starting a new one");
    if (!s->id) {
        jl_study_record r = {.name = s->spec->name, .spec = s->plan.spec_json, .seed = seed};
        jl_store_uid(r.uid);
        snprintf(uid, sizeof uid, "%s", r.uid);
        rc = jl_store_study(s->store, &r, &s->id, err);
    }
    memcpy(s->result->uid, uid, sizeof s->result->uid);
    /* Inputs and orders follow the study's seed, also when it is resumed. */
    jl_study_spec *own = jl_arena_alloc(s->arena, sizeof *own);
    if (!own) return jl_fail(err, JL_ERR_MEMORY, "no memory for a study");
    *own = *s->spec;
    own->seed = seed;
    s->spec = s->plan.spec = own;
    return rc;
}

static int store_configuration(study *s, jl_plan_configuration *c, jl_error *err)
{
    int rc = jl_store_configuration(s->store, c->text, &c->id, err);
    if (rc || c->absent) return rc;
    jl_host host;
    jl_host_describe(&host);
    char uid[128];
    if (*c->device.uuid)
        snprintf(uid, sizeof uid, "%s", c->device.uuid);
    else
        snprintf(uid, sizeof uid, "%s-%s-%d", host.uid, c->device.provider, c->device.index);
    bool cpu = !strcmp(c->device.provider, "cpu") && !c->device.simulated;
    jl_device_record d = {.uid = uid,
                          .kind = c->device.provider,
                          .name = cpu && *host.cpu ? host.cpu : c->device.name,
                          .position = c->device.index,
                          .simulated = c->device.simulated};
    return jl_store_device(s->store, s->host, &d, &c->device_id, err);
}

static int store_plan(study *s, jl_error *err)
{
    jl_plan *p = &s->plan;
    int rc = 0;
    for (size_t i = 0; i < p->model_count && !rc; i++) {
        jl_plan_model *m = &p->models[i];
        char uid[160];
        snprintf(uid, sizeof uid, "unread-%s", m->name);
        jl_model_record r = {.uid = m->uid ? m->uid : uid,
                             .name = m->name,
                             .kind = m->zoo ? "zoo" : "file",
                             .family = m->family,
                             .path = m->zoo    ? NULL
                                     : m->onnx ? m->onnx
                                               : m->torch,
                             .bytes = m->bytes,
                             .parameters = m->parameters,
                             .opset = m->opset};
        rc = jl_store_model(s->store, &r, &m->id, err);
    }
    for (size_t i = 0; i < p->configuration_count && !rc; i++)
        rc = store_configuration(s, &p->configurations[i], err);
    for (size_t i = 0; i < p->cell_count && !rc; i++) {
        jl_plan_cell *c = &p->cells[i];
        const jl_plan_model *m = &p->models[c->model];
        const jl_plan_batch *b = &m->batches[c->batch];
        const jl_plan_configuration *conf = &p->configurations[c->configuration];
        const jl_plan_cost *cost = &b->cost[conf->parsed.precision];
        jl_cell_record r = {.model = m->id,
                            .configuration = conf->id,
                            .batch = b->batch,
                            .in_flight = c->in_flight,
                            .io = s->spec->host_io ? "host" : "device",
                            .inputs = b->inputs_key ? b->inputs_key : "",
                            .flop = cost->flop,
                            .moved_bytes = cost->moved_bytes,
                            .nodes = cost->nodes};
        rc = jl_store_cell(s->store, s->id, &r, &c->id, err);
    }
    return rc;
}

static bool wants_fork(const study *s, const jl_plan_configuration *c)
{
    if (s->spec->start == JL_START_AUTO) return !strcmp(c->parsed.runtime, "pytorch");
    return s->spec->start == JL_START_FORK;
}

/* One nursery a runtime and library. */
static int start_nurseries(study *s, jl_error *err)
{
    jl_plan *p = &s->plan;
    const char *keys[NURSERIES];
    for (size_t i = 0; i < p->configuration_count; i++) {
        jl_plan_configuration *c = &p->configurations[i];
        if (c->absent || !wants_fork(s, c)) continue;
        const char *lib = jl_configuration_option(&c->parsed, "lib");
        const char *key = jl_arena_printf(s->arena, "%s-%s %s", c->parsed.runtime,
                                          c->parsed.provider, lib ? lib : "");
        for (size_t k = 0; key && k < s->nursery_count; k++)
            if (!strcmp(keys[k], key)) c->nursery = &s->nurseries[k];
        if (c->nursery || !key) continue;
        if (s->nursery_count == NURSERIES)
            return jl_fail(err, JL_ERR_LIMIT,
                           "more than %d libraries to fork from; use --start exec", NURSERIES);
        jl_nursery *n = &s->nurseries[s->nursery_count];
        jl_error e = {0};
        if (jl_nursery_start(&c->launch, c->text, s->spec->timeout_ns, n, &e)) {
            char line[1200];
            snprintf(line, sizeof line, "%s; starting its workers one by one", e.msg);
            jl_study_say(s->events, line);
            continue;
        }
        keys[s->nursery_count++] = key;
        c->nursery = n;
    }
    return 0;
}

/* --- one run --- */

static void watch(void *ctx)
{
    const study *s = ctx;
    char line[160];
    jl_metering_words(s->metering, s->watched_uuid, line, sizeof line);
    if (*line) s->events->watch(s->events->ctx, line);
}

static void job_of(study *s, const jl_plan_cell *c, const char *output, jl_bench_job *j)
{
    const jl_plan_model *m = &s->plan.models[c->model];
    const jl_plan_batch *b = &m->batches[c->batch];
    const jl_plan_configuration *conf = &s->plan.configurations[c->configuration];
    const jl_plan_cost *cost = &b->cost[conf->parsed.precision];
    const char *reason;
    *j = (jl_bench_job){
        .launch = &conf->launch,
        .nursery = conf->nursery,
        .configuration = conf->text,
        .model_name = m->name,
        .model_path = jl_plan_model_path(m, &conf->parsed, &reason),
        .weights_path = !strcmp(conf->parsed.runtime, "pytorch") ? m->weights : NULL,
        .inputs_path = b->inputs_path,
        .output_path = output,
        .scratch = s->scratch.s,
        .io = s->spec->host_io ? "host" : "device",
        .zoo = m->zoo,
        .trust = s->spec->trust,
        .batch = b->batch,
        .in_flight = c->in_flight,
        .flop = cost->flop,
        .moved_bytes = cost->moved_bytes,
        .nodes = cost->nodes,
        .metering = s->metering,
        .waking = s->waking[c->configuration],
        .device_uuid = conf->device.uuid,
        .watch = s->metering && s->events && s->events->watch ? watch : NULL,
        .watch_ctx = s,
    };
    s->watched_uuid = conf->device.uuid;
}

/* What is known before a worker starts. */
static bool known_outcome(const study *s, const jl_plan_cell *c, jl_run_record *r)
{
    const jl_plan_model *m = &s->plan.models[c->model];
    const jl_plan_batch *b = &m->batches[c->batch];
    const jl_plan_configuration *conf = &s->plan.configurations[c->configuration];
    const char *reason = NULL;
    r->stage = "prepare";
    r->outcome = JL_OUTCOME_INVALID;
    r->message = m->reason ? m->reason : b->reason;
    if (r->message) return true;
    r->outcome = JL_OUTCOME_MISSING;
    r->message = conf->absent ? conf->reason : NULL;
    if (r->message) return true;
    jl_plan_model_path(m, &conf->parsed, &reason);
    r->outcome = JL_OUTCOME_UNSUPPORTED;
    r->message = reason;
    if (r->message) return true;
    if (c->failures >= MOST_FAILURES) {
        r->outcome = c->last_outcome;
        r->message = jl_arena_printf(s->arena, "not tried again after %d failures: %s", c->failures,
                                     c->last_failure ? c->last_failure : "");
        return true;
    }
    r->stage = NULL;
    r->outcome = JL_OUTCOME_OK;
    return false;
}

static const char *disturbance(const study *s, const jl_plan_cell *c, const jl_bench_result *r,
                               char *text, size_t size)
{
    const jl_configuration *conf = &s->plan.configurations[c->configuration].parsed;
    if (r->metered.has_condition && r->metered.condition.disturbed) {
        snprintf(text, size, "%s", r->metered.condition.why);
        return text;
    }
    if (!r->simulated && !strcmp(conf->provider, "cpu") && r->foreign_cpus > FOREIGN_CPUS) {
        snprintf(text, size, "other programs kept %.1f processors busy", r->foreign_cpus);
        return text;
    }
    return NULL;
}

static int keep_waking(study *s, size_t configuration, jl_idle *waking, jl_error *err)
{
    const jl_plan_configuration *c = &s->plan.configurations[configuration];
    for (size_t i = 0; i < s->plan.configuration_count; i++)
        if (s->plan.configurations[i].device_id == c->device_id) s->waking[i] = waking;
    int rc = 0;
    for (size_t i = 0; i < jl_meter_set_count(s->meters) && !rc; i++) {
        jl_idle_record r = {.round = s->round,
                            .meter = s->meter_ids[i],
                            .device = c->device_id,
                            .configuration = c->id,
                            .waking = true,
                            .power_w = waking[i].valid ? waking[i].power_w : NAN,
                            .power_se_w = waking[i].valid ? waking[i].power_se_w : NAN,
                            .duration_s = (double)(waking[i].to_ns - waking[i].from_ns) * 1e-9,
                            .sm_clock_mhz = waking[i].sm_clock_mhz,
                            .temperature_c = waking[i].temperature_c,
                            .reason = waking[i].valid ? NULL : waking[i].reason};
        rc = jl_store_idle(s->store, &r, err);
    }
    return rc;
}

static int attempt(study *s, jl_plan_cell *c, int64_t position, int64_t number, bool *again,
                   jl_error *err)
{
    *again = false;
    jl_run_record r = jl_run_record_empty();
    jl_bench_result b = {0};
    jl_agreement agreement = {0};
    jl_energy_record energy[JL_METERED_SCOPES + 1];
    const jl_plan_configuration *conf = &s->plan.configurations[c->configuration];
    const jl_plan_batch *batch = &s->plan.models[c->model].batches[c->batch];
    char disturbed[200];
    jl_store_timestamp(r.started_at);
    r.simulated = conf->runtime->simulated;
    int rc = 0;
    if (!known_outcome(s, c, &r)) {
        const char *output = jl_arena_printf(s->arena, "%s/outputs.safetensors", s->scratch.s);
        jl_bench_job job;
        job_of(s, c, s->spec->no_check ? NULL : output, &job);
        jl_bench_rules rules = s->rules;
        rules.waking_ns = s->metering && !s->waking[c->configuration] ? s->spec->idle_ns : 0;
        rc = jl_bench_run(&job, &rules, &s->ring, s->interrupted, &b, err);
        if (rc) return rc;
        if (b.waking) {
            rc = keep_waking(s, c->configuration, b.waking, err);
            b.waking = NULL; /* lives until the round's end */
        }
        jl_record_fill(&b, batch->batch, s->meter_ids, s->metering,
                       s->meters ? jl_meter_set_absent(s->meters) : "", energy, &r);
        if (b.outcome == JL_OUTCOME_OK && !s->spec->no_check)
            jl_reference_compare(&s->plan, c->model, c->batch, c->configuration, output,
                                 &agreement);
        r.agreement = agreement.records;
        r.agreement_count = agreement.count;
        if (agreement.numerical) {
            r.outcome = JL_OUTCOME_NUMERICAL;
            r.stage = "check";
            r.message = agreement.message;
        }
        r.disturbed =
            b.outcome == JL_OUTCOME_OK ? disturbance(s, c, &b, disturbed, sizeof disturbed) : NULL;
        *again = r.disturbed != NULL;
    }
    r.round = s->round;
    r.cell = c->id;
    r.device = conf->device_id;
    r.position = position;
    r.attempt = number;
    r.input_seed = s->spec->seed;
    if (!rc) rc = jl_store_run(s->store, &r, NULL, err);
    s->result->runs++;
    s->result->failed += r.outcome != JL_OUTCOME_OK;
    bool fruitless = r.outcome != JL_OUTCOME_OK && r.outcome != JL_OUTCOME_NUMERICAL;
    c->failures = fruitless ? c->failures + 1 : 0;
    if (fruitless && c->failures <= MOST_FAILURES) {
        c->last_outcome = r.outcome;
        c->last_failure = r.message ? jl_arena_printf(s->arena, "%s", r.message) : NULL;
    }
    if (fruitless && c->failures == 1) {
        char line[1400];
        snprintf(line, sizeof line, "%s %s batch %" PRId64 ": %s: %s",
                 s->plan.models[c->model].name, conf->text, batch->batch,
                 jl_outcome_name(r.outcome), r.message ? r.message : "");
        jl_study_say(s->events, line);
    }
    jl_bench_result_free(&b);
    return rc;
}

static int run_cell(study *s, jl_plan_cell *c, int64_t position, jl_error *err)
{
    char now[256];
    const jl_plan_model *m = &s->plan.models[c->model];
    snprintf(now, sizeof now, "%s %s batch %" PRId64, m->name,
             s->plan.configurations[c->configuration].text, m->batches[c->batch].batch);
    if (s->events && s->events->progress)
        s->events->progress(s->events->ctx, s->runs_done, s->runs_planned, now);
    if (s->spec->settle_ns) jl_clock_real.sleep_until_ns(NULL, jl_now_ns() + s->spec->settle_ns);
    bool again = true;
    int rc = 0;
    for (int64_t n = 1; again && !rc && n <= 1 + s->spec->retries; n++)
        rc = attempt(s, c, position, n, &again, err);
    s->runs_done++;
    return rc;
}

/* --- rounds --- */

static void forget_waking(study *s)
{
    for (size_t i = 0; i < s->plan.configuration_count; i++)
        for (size_t k = i; s->waking[i] && k < s->plan.configuration_count; k++)
            if (k > i && s->waking[k] == s->waking[i]) s->waking[k] = NULL;
    for (size_t i = 0; i < s->plan.configuration_count; i++) {
        free(s->waking[i]);
        s->waking[i] = NULL;
    }
}

/* Power of the machine while nothing of ours runs. */
static int rest_asleep(study *s, jl_error *err)
{
    if (!s->metering || !s->spec->idle_ns) return 0;
    size_t n = jl_meter_set_count(s->meters);
    JL_OWNED jl_idle *idle = calloc(n + 1, sizeof *idle);
    if (!idle) return jl_fail(err, JL_ERR_MEMORY, "no memory for idle powers");
    int64_t from_ns = jl_now_ns() + JL_NS_PER_S / 2; /* clocks come down first */
    jl_clock_real.sleep_until_ns(NULL, from_ns + s->spec->idle_ns);
    jl_metering_idle(s->metering, from_ns, jl_now_ns(), idle);
    jl_metering_set_sleeping(s->metering, idle);
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        jl_idle_record r = {.round = s->round,
                            .meter = s->meter_ids[i],
                            .power_w = idle[i].valid ? idle[i].power_w : NAN,
                            .power_se_w = idle[i].valid ? idle[i].power_se_w : NAN,
                            .duration_s = (double)(idle[i].to_ns - idle[i].from_ns) * 1e-9,
                            .sm_clock_mhz = idle[i].sm_clock_mhz,
                            .temperature_c = idle[i].temperature_c,
                            .reason = idle[i].valid ? NULL : idle[i].reason};
        rc = jl_store_idle(s->store, &r, err);
    }
    return rc;
}

/* All cells that the round lacks, in its own random order. */
static int run_round(study *s, uint64_t seed, bool *complete, jl_error *err)
{
    size_t n = s->plan.cell_count;
    JL_OWNED size_t *order = calloc(n + 1, sizeof *order);
    if (!order) return jl_fail(err, JL_ERR_MEMORY, "no memory for a round");
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    jl_rng rng = {seed};
    jl_rng_shuffle(&rng, order, n, sizeof *order);
    s->round_began_ns = jl_now_ns();
    int rc = rest_asleep(s, err);
    *complete = true;
    for (size_t i = 0; i < n && !rc; i++) {
        jl_plan_cell *c = &s->plan.cells[order[i]];
        bool has;
        jl_id device;
        rc = jl_store_round_has(s->store, s->round, c->id, &has, &device, err);
        if (rc || has) continue;
        if (stop_asked(s)) {
            *complete = false;
            break;
        }
        rc = run_cell(s, c, (int64_t)i, err);
    }
    if (rc == JL_ERR_INTERRUPTED) {
        *complete = false;
        rc = 0;
    }
    if (!rc) rc = jl_store_round_end(s->store, s->round, *complete, err);
    forget_waking(s);
    int64_t took_ns = jl_now_ns() - s->round_began_ns;
    if (*complete && took_ns > s->longest_round_ns) s->longest_round_ns = took_ns;
    return rc;
}

/* A round under way can go on only on the boot and the devices that it began on. */
static int can_go_on(study *s, const jl_round_record *r, bool *yes, jl_error *err)
{
    *yes = r->boot == s->boot;
    int rc = 0;
    for (size_t i = 0; i < s->plan.cell_count && *yes && !rc; i++) {
        const jl_plan_cell *c = &s->plan.cells[i];
        bool has;
        jl_id device;
        rc = jl_store_round_has(s->store, r->id, c->id, &has, &device, err);
        *yes = !has || device == s->plan.configurations[c->configuration].device_id;
    }
    return rc;
}

/* Complete rounds so far, the round to go on with (id 0: none) and the next free number. */
static int look_at_rounds(study *s, size_t *complete, jl_round_record *open, int64_t *next,
                          jl_error *err)
{
    jl_round_record *rounds;
    size_t count;
    *complete = 0;
    *next = 1;
    *open = (jl_round_record){0};
    int rc = jl_store_rounds(s->store, s->id, &rounds, &count, err);
    for (size_t i = 0; i < count && !rc; i++) {
        bool yes = false;
        *complete += rounds[i].complete;
        if (rounds[i].number >= *next) *next = rounds[i].number + 1;
        if (!rounds[i].complete && !open->id) rc = can_go_on(s, &rounds[i], &yes, err);
        if (yes) *open = rounds[i];
    }
    free(rounds);
    return rc;
}

static bool time_for_a_round(const study *s)
{
    if (!s->deadline_ns) return true;
    int64_t expected_ns = s->longest_round_ns;
    if (!expected_ns) /* a first guess: start, load, warm-up and check take about a second */
        expected_ns = (int64_t)s->plan.cell_count * (s->spec->min_time_ns + JL_NS_PER_S);
    return jl_now_ns() + expected_ns <= s->deadline_ns;
}

static int run_rounds(study *s, jl_error *err)
{
    size_t complete, target = (size_t)s->spec->rounds;
    jl_round_record open;
    int64_t next;
    int rc = look_at_rounds(s, &complete, &open, &next, err);
    s->runs_planned = (complete < target ? target - complete : 0) * s->plan.cell_count;
    while (!rc && complete < target && !stop_asked(s) && (open.id || time_for_a_round(s))) {
        uint64_t seed = open.id ? open.seed : jl_mix64(s->spec->seed ^ (uint64_t)next << 32);
        JL_OWNED char *conditions = jl_host_conditions();
        s->round = open.id;
        if (!open.id)
            rc = jl_store_round_begin(s->store, s->id, next++, s->boot, seed, conditions, &s->round,
                                      err);
        open.id = 0;
        bool whole = false;
        if (!rc) rc = run_round(s, seed, &whole, err);
        complete += whole;
    }
    s->result->rounds = complete;
    s->result->stopped = complete < target;
    return rc;
}

/* --- the whole --- */

static int prepare(study *s, jl_error *err)
{
    jl_host host;
    jl_host_describe(&host);
    int rc = jl_plan_new(s->spec, s->arena, &s->plan, err);
    if (!rc) rc = jl_store_claim(s->store, &host.record, &s->host, &s->boot, err);
    if (!rc) rc = find_study(s, err);
    if (!rc) rc = make_fake_device(s, err);
    if (!rc) rc = jl_plan_probe(&s->plan, s->fake_fd, err);
    if (!rc) rc = jl_plan_prepare(&s->plan, s->scratch.s, s->events, s->interrupted, err);
    s->waking = jl_arena_array(s->arena, s->plan.configuration_count + 1, sizeof *s->waking);
    if (!rc && !s->waking) rc = jl_fail(err, JL_ERR_MEMORY, "no memory for a study");
    if (!rc) rc = store_plan(s, err);
    if (!rc) rc = jl_ring_create(&s->ring, RING_CALLS, err);
    if (!rc) rc = start_nurseries(s, err);
    if (!rc && !s->spec->no_check)
        rc = jl_reference_make(&s->plan, s->scratch.s, &s->ring, s->events, s->interrupted, err);
    if (!rc) rc = open_meters(s, err);
    s->result->cells = s->plan.cell_count;
    return rc;
}

static void remove_scratch(const jl_path *scratch)
{
    const char *argv[] = {"rm", "-rf", "--", scratch->s, NULL};
    jl_process_run(&(jl_spawn){.argv = argv}, 60 * JL_NS_PER_S, 0, NULL, NULL, NULL, NULL);
}

static int make_scratch(jl_path *scratch, jl_error *err)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(scratch->s, sizeof scratch->s, "%s/jouleline-XXXXXX",
                     base && *base ? base : "/tmp");
    if (n < 0 || (size_t)n >= sizeof scratch->s)
        return jl_fail(err, JL_ERR_LIMIT, "TMPDIR is too long");
    if (!mkdtemp(scratch->s)) {
        int rc = jl_fail_errno(err, JL_ERR_IO, "cannot make the scratch folder %s (set TMPDIR)",
                               scratch->s);
        scratch->s[0] = '\0';
        return rc;
    }
    return 0;
}

int jl_study_check(const jl_study_spec *spec, jl_study_size *size, jl_error *err)
{
    jl_arena *arena = jl_arena_new();
    jl_plan p;
    int rc = arena ? jl_plan_new(spec, arena, &p, err)
                   : jl_fail(err, JL_ERR_MEMORY, "no memory for a study");
    if (!rc) {
        *size = (jl_study_size){.cells = p.cell_count,
                                .models = p.model_count,
                                .configurations = p.configuration_count};
        size->runs = p.cell_count * (size_t)spec->rounds;
        size->least_ns = (int64_t)size->runs * spec->min_time_ns;
        size->most_ns = (int64_t)size->runs * (spec->max_time_ns + spec->warmup_ns + spec->soak_ns);
    }
    jl_arena_free(arena);
    return rc;
}

int jl_study_run(const jl_study_spec *spec, jl_store *store, const jl_study_events *events,
                 const volatile sig_atomic_t *interrupted, jl_study_result *result, jl_error *err)
{
    *result = (jl_study_result){0};
    jl_study_spec own = *spec;
    while (!own.seed)
        if (getrandom(&own.seed, sizeof own.seed, 0) < 0) own.seed = (uint64_t)jl_now_ns();
    own.seed >>= 1; /* SQLite's numbers are signed */
    study s = {.spec = &own,
               .events = events,
               .interrupted = interrupted,
               .result = result,
               .store = store,
               .arena = jl_arena_new(),
               .ring = {.fd = -1},
               .deadline_ns = spec->stop_after_ns ? jl_now_ns() + spec->stop_after_ns : 0};
    s.rules = jl_bench_rules_default();
    s.rules.min_time_ns = spec->min_time_ns;
    s.rules.max_time_ns = spec->max_time_ns;
    s.rules.warmup_ns = spec->warmup_ns;
    s.rules.soak_ns = spec->soak_ns;
    s.rules.timeout_ns = spec->timeout_ns;
    int rc = s.arena ? 0 : jl_fail(err, JL_ERR_MEMORY, "no memory for a study");
    if (!rc && spec->python && setenv("JOULELINE_PYTHON", spec->python, 1) != 0)
        rc = jl_fail_errno(err, JL_ERR_MEMORY, "cannot set the interpreter");
    if (!rc) rc = make_scratch(&s.scratch, err);
    if (!rc) rc = prepare(&s, err);
    if (!rc) rc = run_rounds(&s, err);
    jl_metering_stop(s.metering);
    jl_meter_set_close(s.meters);
    for (size_t i = 0; i < s.nursery_count; i++)
        jl_nursery_end(&s.nurseries[i]);
    jl_ring_close(&s.ring);
    if (s.fake_fd > 0) close(s.fake_fd);
    if (*s.scratch.s) remove_scratch(&s.scratch);
    jl_arena_free(s.arena);
    return rc;
}
