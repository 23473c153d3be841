#include "study/reference.h"

#include <stdio.h>
#include <unistd.h>

#include "base/paths.h"
#include "jouleline/clock.h"

static const char REAL[] = "ort-cpu/fp32", SIMULATED[] = "fake-cpu/fp32+work=0";

static int path_of(const jl_plan *p, size_t model, size_t batch, bool simulated, jl_path *path)
{
    jl_path cache;
    jl_error e;
    const jl_plan_model *m = &p->models[model];
    const jl_plan_batch *b = &m->batches[batch];
    if (!m->uid || !b->inputs_key) return JL_ERR_MISSING;
    if (jl_path_cache_dir(&cache, &e)) return e.code;
    int n = snprintf(path->s, sizeof path->s, "%s/references", cache.s);
    if (n < 0 || (size_t)n + 100 > sizeof path->s || jl_make_dirs(path->s, &e)) return JL_ERR_LIMIT;
    snprintf(path->s + n, sizeof path->s - (size_t)n, "/%s-%s-%s.safetensors",
             simulated ? "fake" : "ort", m->uid, b->inputs_key);
    return 0;
}

static bool wanted(const jl_plan *p, bool simulated)
{
    for (size_t i = 0; i < p->configuration_count; i++)
        if (!p->configurations[i].absent && p->configurations[i].runtime->simulated == simulated)
            return true;
    return false;
}

/* One call, whose outputs are kept under a temporary name until they are whole. */
static int make_one(const jl_plan *p, size_t model, size_t batch, const char *configuration,
                    const jl_path *path, const char *scratch, const jl_ring *ring,
                    const volatile sig_atomic_t *interrupted, jl_error *err)
{
    const jl_plan_model *m = &p->models[model];
    const jl_plan_batch *b = &m->batches[batch];
    jl_configuration c;
    jl_launch launch;
    int rc = jl_configuration_parse(configuration, &c, err);
    if (!rc) rc = jl_launch_of(&c, NULL, 0, 0, &launch, err);
    if (rc) return rc;
    jl_bench_job job = {.launch = &launch,
                        .configuration = configuration,
                        .model_name = m->name,
                        .model_path = m->onnx,
                        .inputs_path = b->inputs_path,
                        .output_path = path->s,
                        .scratch = scratch,
                        .io = "host",
                        .zoo = m->zoo,
                        .trust = p->spec->trust,
                        .batch = b->batch,
                        .in_flight = 1,
                        .flop = b->cost[0].flop,
                        .moved_bytes = b->cost[0].moved_bytes,
                        .nodes = b->cost[0].nodes,
                        .device_uuid = ""};
    jl_bench_rules rules = jl_bench_rules_default();
    rules.warmup_ns = rules.min_time_ns = rules.max_time_ns = 1;
    rules.timeout_ns = p->spec->timeout_ns;
    jl_bench_result r;
    rc = jl_bench_run(&job, &rules, ring, interrupted, &r, err);
    if (rc) return rc;
    if (r.outcome != JL_OUTCOME_OK)
        rc = jl_fail(err, JL_ERR_UNSUPPORTED, "%s: %s", jl_outcome_name(r.outcome), r.message);
    jl_bench_result_free(&r);
    return rc;
}

int jl_reference_make(jl_plan *p, const char *scratch, const jl_ring *ring,
                      const jl_study_events *events, const volatile sig_atomic_t *interrupted,
                      jl_error *err)
{
    for (int simulated = 0; simulated < 2; simulated++) {
        if (!wanted(p, simulated)) continue;
        for (size_t m = 0; m < p->model_count; m++)
            for (size_t b = 0; b < p->models[m].batch_count; b++) {
                jl_path path;
                jl_error e = {0};
                if (p->models[m].probe || p->models[m].reason || p->models[m].batches[b].reason ||
                    (!simulated && !p->models[m].onnx) || path_of(p, m, b, simulated, &path) ||
                    access(path.s, R_OK) == 0)
                    continue;
                if (events && events->progress)
                    events->progress(events->ctx, 0, 0, p->models[m].name);
                int rc = make_one(p, m, b, simulated ? SIMULATED : REAL, &path, scratch, ring,
                                  interrupted, &e);
                if (rc == JL_ERR_INTERRUPTED) return 0;
                if (!rc) continue;
                char line[1400];
                snprintf(line, sizeof line, "%s batch %lld is not checked against FP32: %s",
                         p->models[m].name, (long long)p->models[m].batches[b].batch, e.msg);
                jl_study_say(events, line);
            }
    }
    (void)err;
    return 0;
}

void jl_reference_compare(const jl_plan *p, size_t model, size_t batch, size_t configuration,
                          const char *outputs, jl_agreement *a)
{
    const jl_plan_configuration *c = &p->configurations[configuration];
    jl_path path;
    jl_error e = {0};
    *a = (jl_agreement){0};
    bool simulated = c->runtime->simulated;
    if (path_of(p, model, batch, simulated, &path) || access(path.s, R_OK) != 0) return;
    if (jl_agreement_of(outputs, path.s, simulated ? SIMULATED : REAL,
                        p->models[model].batches[batch].batch, c->parsed.precision, a, &e) == 0)
        return;
    a->count = 0;
    a->numerical = true;
    snprintf(a->message, sizeof a->message, "%.500s", e.msg);
}
