/* One cell of a round: attempts until one was not disturbed. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jouleline/clock.h"
#include "study/reference.h"
#include "study/state.h"
#include "study/wire.h"

enum { MOST_FAILURES = 2, PROBE_CALLS = 16 };
/* Others that keep this much of a processor busy disturb a run on the processors. */
static const double FOREIGN_CPUS = 0.3;

static void watch(void *ctx)
{
    const jl_study_state *s = ctx;
    char line[160];
    jl_metering_words(s->metering, s->watched_uuid, line, sizeof line);
    if (*line) s->events->watch(s->events->ctx, line);
}

static void job_of(jl_study_state *s, const jl_plan_cell *c, const char *output, jl_bench_job *j)
{
    const jl_plan_model *m = &s->plan.models[c->model];
    const jl_plan_batch *b = &m->batches[c->batch];
    const jl_plan_configuration *conf = &s->plan.configurations[c->configuration];
    const jl_plan_cost *cost = &b->cost[conf->parsed.precision];
    jl_plan_file file = jl_plan_file_of(&s->plan, c->model, c->configuration);
    *j = (jl_bench_job){
        .launch = &conf->launch,
        .nursery = conf->nursery,
        .configuration = conf->text,
        .model_name = m->name,
        .model_path = file.path,
        .converter = file.converter,
        .weights_path = !strcmp(conf->parsed.runtime, "pytorch") ? m->weights : NULL,
        .inputs_path = b->inputs_path,
        .output_path = output,
        .scratch = s->scratch.s,
        .io = s->spec->host_io ? "host" : "device",
        .driver = *conf->device.uuid && !conf->runtime->simulated ? conf->driver : NULL,
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
static bool known_outcome(const jl_study_state *s, const jl_plan_cell *c, jl_run_record *r)
{
    const jl_plan_model *m = &s->plan.models[c->model];
    const jl_plan_batch *b = &m->batches[c->batch];
    const jl_plan_configuration *conf = &s->plan.configurations[c->configuration];
    jl_plan_file file = jl_plan_file_of(&s->plan, c->model, c->configuration);
    r->stage = "prepare";
    r->outcome = JL_OUTCOME_INVALID;
    r->message = m->reason ? m->reason : b->reason;
    if (r->message) return true;
    r->outcome = JL_OUTCOME_MISSING;
    r->message = conf->absent ? conf->reason : NULL;
    if (r->message) return true;
    if (file.reason) {
        r->stage = file.stage;
        r->outcome = file.outcome;
        r->message = file.reason;
        if (file.signal) r->signal = file.signal;
        return true;
    }
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

static const char *disturbance(const jl_study_state *s, const jl_plan_cell *c,
                               const jl_bench_result *r, char *text, size_t size)
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

static int keep_waking(jl_study_state *s, size_t configuration, jl_idle *waking, jl_error *err)
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

/* What a run leaves until it is stored. */
typedef struct trial {
    jl_run_record record;
    jl_bench_result result;
    jl_agreement agreement;
    jl_energy_record energy[JL_METERED_SCOPES + 1];
    jl_ticks_record ticks[JL_HOST_DOMAINS + 1];
    char disturbed[200];
} trial;

static int measure(jl_study_state *s, const jl_plan_cell *c, trial *t, jl_error *err)
{
    jl_run_record *r = &t->record;
    jl_bench_result *b = &t->result;
    int64_t batch = s->plan.models[c->model].batches[c->batch].batch;
    const char *output = jl_arena_printf(s->arena, "%s/outputs.safetensors", s->scratch.s);
    jl_bench_job job;
    bool checked = !s->spec->no_check && !s->plan.models[c->model].probe;
    job_of(s, c, checked ? output : NULL, &job);
    jl_bench_rules rules = s->rules;
    if (s->plan.models[c->model].probe) rules.min_calls = PROBE_CALLS;
    rules.waking_ns = s->metering && !s->waking[c->configuration] ? s->spec->idle_ns : 0;
    int rc = jl_bench_run(&job, &rules, &s->ring, s->interrupted, b, err);
    if (rc) return rc;
    if (b->waking) {
        rc = keep_waking(s, c->configuration, b->waking, err);
        b->waking = NULL; /* lives until the round's end */
    }
    jl_record_fill(b, batch, s->meter_ids, s->metering,
                   s->meters ? jl_meter_set_absent(s->meters) : "", t->energy, t->ticks, r);
    if (r->sm_clock_mhz > s->loaded_mhz) s->loaded_mhz = r->sm_clock_mhz;
    if (b->outcome != JL_OUTCOME_OK) return rc;
    r->disturbed = disturbance(s, c, b, t->disturbed, sizeof t->disturbed);
    if (!checked) return rc;
    jl_reference_compare(&s->plan, c->model, c->batch, c->configuration, output, &t->agreement);
    r->agreement = t->agreement.records;
    r->agreement_count = t->agreement.count;
    if (!t->agreement.numerical) return rc;
    r->outcome = JL_OUTCOME_NUMERICAL;
    r->stage = "check";
    r->message = t->agreement.message;
    return rc;
}

/* Counts failures in a row, and says the first of them. */
static void take_note(jl_study_state *s, jl_plan_cell *c, const jl_run_record *r)
{
    s->result->runs++;
    s->result->failed += r->outcome != JL_OUTCOME_OK && !s->plan.models[c->model].probe;
    bool fruitless = r->outcome != JL_OUTCOME_OK && r->outcome != JL_OUTCOME_NUMERICAL;
    c->failures = fruitless ? c->failures + 1 : 0;
    if (fruitless && c->failures <= MOST_FAILURES) {
        c->last_outcome = r->outcome;
        c->last_failure = r->message ? jl_arena_printf(s->arena, "%s", r->message) : NULL;
    }
    bool numerical = r->outcome == JL_OUTCOME_NUMERICAL && !c->told_numerical;
    if (c->failures != 1 && !numerical) return;
    c->told_numerical |= numerical;
    const jl_plan_model *m = &s->plan.models[c->model];
    char line[1400];
    snprintf(line, sizeof line, "%s %s batch %" PRId64 ": %s: %s", m->name,
             s->plan.configurations[c->configuration].text, m->batches[c->batch].batch,
             jl_outcome_name(r->outcome), r->message ? r->message : "");
    jl_study_say(s->events, line);
}

/* Whether a cell of the same model and configuration said already what runs elsewhere. */
static bool told_elsewhere(const jl_study_state *s, const jl_plan_cell *c)
{
    for (size_t i = 0; i < s->plan.cell_count; i++)
        if (s->plan.cells[i].told_elsewhere && s->plan.cells[i].model == c->model &&
            s->plan.cells[i].configuration == c->configuration)
            return true;
    return false;
}

/* That a precision is emulated, and that nodes ran on another provider than the one asked for. */
static void tell_facts(jl_study_state *s, jl_plan_cell *c, const char *facts)
{
    JL_JSON *j = facts ? json_loads(facts, 0, NULL) : NULL;
    jl_plan_configuration *conf = &s->plan.configurations[c->configuration];
    const jl_plan_model *m = &s->plan.models[c->model];
    const char *emulated = jl_json_text(j, "emulated", NULL),
               *elsewhere = jl_json_text(j, "elsewhere", NULL);
    char line[1400];
    if (m->probe) return;
    if (emulated && !conf->told_emulated) {
        snprintf(line, sizeof line, "%s is emulated: %s", conf->text, emulated);
        jl_study_say(s->events, line);
        conf->told_emulated = true;
    }
    if (!elsewhere || told_elsewhere(s, c)) return;
    snprintf(line, sizeof line, "%s %s: %s of %s nodes run elsewhere: %s", m->name, conf->text,
             jl_json_text(j, "nodes_elsewhere", "some"), jl_json_text(j, "nodes", "its"),
             elsewhere);
    jl_study_say(s->events, line);
    c->told_elsewhere = true;
}

static int attempt(jl_study_state *s, jl_plan_cell *c, int64_t position, int64_t number,
                   bool *again, jl_error *err)
{
    *again = false;
    trial *t = calloc(1, sizeof *t);
    if (!t) return jl_fail(err, JL_ERR_MEMORY, "no memory for a run");
    const jl_plan_configuration *conf = &s->plan.configurations[c->configuration];
    jl_run_record *r = &t->record;
    *r = jl_run_record_empty();
    jl_store_timestamp(r->started_at);
    r->simulated = conf->runtime->simulated;
    int rc = known_outcome(s, c, r) ? 0 : measure(s, c, t, err);
    *again = r->disturbed != NULL;
    r->round = s->round;
    r->cell = c->id;
    r->device = conf->device_id;
    r->position = position;
    r->attempt = number;
    r->input_seed = jl_plan_input_seed(&s->plan);
    if (!rc) rc = jl_store_run(s->store, r, NULL, err);
    if (!rc) take_note(s, c, r);
    if (!rc) tell_facts(s, c, r->facts);
    jl_bench_result_free(&t->result);
    free(t);
    return rc;
}

int jl_study_run_cell(jl_study_state *s, jl_plan_cell *c, int64_t position, jl_error *err)
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
