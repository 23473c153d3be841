/* A study from the first round to the last. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/scratch.h"
#include "jouleline/clock.h"
#include "study/host.h"
#include "study/state.h"

/* Times --idle that a board is given to lower its clocks. */
enum { WAIT_FOR_SLEEP = 5 };

static bool stop_asked(const jl_study_state *s)
{
    return (s->interrupted && *s->interrupted) || (s->deadline_ns && jl_now_ns() >= s->deadline_ns);
}

static void forget_waking(jl_study_state *s)
{
    for (size_t i = 0; i < s->plan.configuration_count; i++)
        for (size_t k = i; s->waking[i] && k < s->plan.configuration_count; k++)
            if (k > i && s->waking[k] == s->waking[i]) s->waking[k] = NULL;
    for (size_t i = 0; i < s->plan.configuration_count; i++) {
        free(s->waking[i]);
        s->waking[i] = NULL;
    }
}

/* A card keeps its clocks up for seconds after its last context is gone. Waits until they are down;
 * the boards of the study that are not after five times --idle have no sleeping power this round.
 */
static void fall_asleep(const jl_study_state *s)
{
    int64_t until_ns = jl_now_ns() + WAIT_FOR_SLEEP * s->spec->idle_ns;
    for (size_t i = 0; s->loaded_mhz > 0 && i < s->plan.configuration_count; i++)
        while (!jl_metering_asleep(s->metering, s->plan.configurations[i].device.uuid,
                                   s->loaded_mhz) &&
               jl_now_ns() < until_ns && !stop_asked(s))
            jl_clock_real.sleep_until_ns(NULL, jl_now_ns() + JL_NS_PER_S / 4);
}

/* What a board took whose clocks stayed up is not its sleeping power. */
static void reject_awake(const jl_study_state *s, jl_idle *idle)
{
    for (size_t i = 0; s->loaded_mhz > 0 && i < s->plan.configuration_count; i++) {
        const char *uuid = s->plan.configurations[i].device.uuid;
        int domain = jl_metering_gpu(s->metering, uuid);
        if (domain < 0 || !idle[domain].valid ||
            jl_metering_asleep(s->metering, uuid, s->loaded_mhz))
            continue;
        idle[domain].valid = false;
        snprintf(idle[domain].reason, sizeof idle[domain].reason,
                 "its clock was still at %.0f MHz, %.3g s after the last context was closed",
                 idle[domain].sm_clock_mhz, (double)(WAIT_FOR_SLEEP * s->spec->idle_ns) * 1e-9);
    }
}

/* Power of the machine while nothing of ours runs. */
static int rest_asleep(jl_study_state *s, jl_error *err)
{
    if (!s->metering || !s->spec->idle_ns) return 0;
    size_t n = jl_meter_set_count(s->meters);
    JL_OWNED jl_idle *idle = calloc(n + 1, sizeof *idle);
    if (!idle) return jl_fail(err, JL_ERR_MEMORY, "no memory for idle powers");
    fall_asleep(s);
    int64_t from_ns = jl_now_ns() + JL_NS_PER_S / 2; /* the sensor forgets what was before */
    jl_clock_real.sleep_until_ns(NULL, from_ns + s->spec->idle_ns);
    jl_metering_idle(s->metering, from_ns, jl_now_ns(), idle);
    reject_awake(s, idle);
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

/* All cells that the round lacks, in its own random order; probes are cells of the first rounds. */
static int run_round(jl_study_state *s, uint64_t seed, bool with_probes, bool *complete,
                     jl_error *err)
{
    size_t n = s->plan.cell_count - (with_probes ? 0 : s->plan.probe_cell_count);
    JL_OWNED size_t *order = calloc(n + 1, sizeof *order);
    if (!order) return jl_fail(err, JL_ERR_MEMORY, "no memory for a round");
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    jl_rng rng = {seed};
    jl_rng_shuffle(&rng, order, n, sizeof *order);
    s->round_began_ns = jl_now_ns();
    int rc = rest_asleep(s, err);
    size_t ran = 0;
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
        rc = jl_study_run_cell(s, c, (int64_t)i, err);
        ran++;
    }
    if (rc == JL_ERR_INTERRUPTED) {
        *complete = false;
        rc = 0;
    }
    if (!rc) rc = jl_store_round_end(s->store, s->round, *complete, err);
    forget_waking(s);
    /* A round that was resumed ran some of its cells only. */
    int64_t cell_ns = ran ? (jl_now_ns() - s->round_began_ns) / (int64_t)ran : 0;
    if (*complete && cell_ns > s->longest_cell_ns) s->longest_cell_ns = cell_ns;
    return rc;
}

/* A round under way can go on only on the boot and the devices that it began on. */
static int can_go_on(jl_study_state *s, const jl_round_record *r, bool *yes, jl_error *err)
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
static int look_at_rounds(jl_study_state *s, size_t *complete, jl_round_record *open, int64_t *next,
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

static bool time_for_a_round(const jl_study_state *s, int64_t number)
{
    if (!s->deadline_ns) return true;
    size_t cells = s->plan.cell_count - s->plan.probe_cell_count +
                   jl_plan_probe_runs(&s->plan, (size_t)number, 1);
    int64_t cell_ns = s->longest_cell_ns;
    if (!cell_ns) /* a first guess: start, load, warm-up and check take about a second */
        cell_ns = s->spec->min_time_ns + JL_NS_PER_S;
    return jl_now_ns() + (int64_t)cells * cell_ns <= s->deadline_ns;
}

static int run_rounds(jl_study_state *s, jl_error *err)
{
    size_t complete, target = (size_t)s->spec->rounds;
    jl_round_record open;
    int64_t next;
    int rc = look_at_rounds(s, &complete, &open, &next, err);
    size_t lacking = complete < target ? target - complete : 0;
    int64_t number = open.id ? open.number : next;
    s->runs_planned = lacking * (s->plan.cell_count - s->plan.probe_cell_count) +
                      jl_plan_probe_runs(&s->plan, (size_t)number, lacking);
    while (!rc && complete < target && !stop_asked(s) && (open.id || time_for_a_round(s, next))) {
        uint64_t seed = open.id ? open.seed : jl_mix64(s->seed ^ (uint64_t)next << 32);
        JL_OWNED char *conditions = jl_host_conditions(NULL);
        s->round = open.id;
        number = open.id ? open.number : next;
        if (!open.id)
            rc = jl_store_round_begin(s->store, s->id, next++, s->boot, seed, conditions, &s->round,
                                      err);
        open.id = 0;
        bool whole = false;
        if (!rc)
            rc = run_round(s, seed, (size_t)number <= jl_plan_probe_rounds(&s->plan), &whole, err);
        complete += whole;
    }
    s->result->rounds = complete;
    s->result->stopped = complete < target;
    return rc;
}

int jl_study_check(const jl_study_spec *spec, jl_study_size *size, jl_error *err)
{
    jl_arena *arena = jl_arena_new();
    jl_plan p;
    int rc = arena ? jl_plan_new(spec, arena, &p, err)
                   : jl_fail(err, JL_ERR_MEMORY, "no memory for a study");
    if (!rc) {
        *size = (jl_study_size){.cells = p.cell_count - p.probe_cell_count,
                                .models = p.model_count - p.probe_count,
                                .configurations = p.configuration_count,
                                .probe_cells = p.probe_cell_count};
        size->runs = size->cells * (size_t)spec->rounds;
        size->probe_runs = jl_plan_probe_runs(&p, 1, (size_t)spec->rounds);
        int64_t runs = (int64_t)(size->runs + size->probe_runs);
        size->least_ns = runs * spec->min_time_ns;
        size->most_ns = runs * (spec->max_time_ns + spec->warmup_ns + spec->soak_ns);
    }
    jl_arena_free(arena);
    return rc;
}

int jl_study_run(const jl_study_spec *spec, jl_store *store, const jl_study_events *events,
                 const volatile sig_atomic_t *interrupted, jl_study_result *result, jl_error *err)
{
    *result = (jl_study_result){0};
    jl_study_state s = {.spec = spec,
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
    if (!rc && spec->converter_python &&
        setenv("JOULELINE_CONVERTER_PYTHON", spec->converter_python, 1) != 0)
        rc = jl_fail_errno(err, JL_ERR_MEMORY, "cannot set the converters' interpreter");
    if (!rc) rc = jl_scratch_make(&s.scratch, "run", err);
    if (!rc) rc = jl_study_set_up(&s, err);
    if (!rc) rc = run_rounds(&s, err);
    jl_study_tear_down(&s);
    jl_scratch_remove(&s.scratch);
    jl_arena_free(s.arena);
    return rc;
}
