#include "jouleline/paradox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cures.h"
#include "analysis/max_t.h"
#include "analysis/order.h"
#include "analysis/rank_null.h"
#include "analysis/table.h"
#include "base/memory.h"
#include "jouleline/comparison.h"

static const double LOW_SHARE = 0.5, GROWS = 1.5;

const char *jl_cause_words(jl_cause c)
{
    switch (c) {
    case JL_CAUSE_DISPATCH:
        return "static power while nodes are dispatched";
    case JL_CAUSE_BYTES:
        return "more bytes moved, with memory as the binding roof";
    case JL_CAUSE_UTILISATION:
        return "low utilisation of the binding roof";
    case JL_CAUSE_UNKNOWN:
        break;
    }
    return "no cause could be told";
}

/* What the tests of one device, configuration, batch and in-flight share. */
typedef struct scene {
    const jl_study_table *t;
    const jl_outlook *outlook;
    jl_signed_nulls *nulls;
    double *d, *kept;       /* a row of rounds each */
    jl_max_t_options flips; /* of its joint tests */
} scene;

static int shift_of(const scene *s, jl_metric metric, const jl_paradox *p, jl_shift *h,
                    jl_error *err)
{
    *h = (jl_shift){.estimate = jl_none(JL_NOT_TESTED)};
    if (!s->t->values[metric]) return 0;
    jl_log_ratios(s->t, metric, p->large_cell, p->small_cell, s->d);
    size_t n = jl_keep_finite(s->d, s->t->rounds, s->kept);
    int rc = jl_hodges_lehmann_with(s->nulls, s->kept, n, 0.95, h, err);
    if (!h->estimate.why) h->estimate.value = exp(h->estimate.value);
    return rc;
}

static int test_pair(const scene *s, jl_paradox *p, jl_error *err)
{
    jl_shift net, gross;
    int rc = shift_of(s, JL_ENERGY_NET_WAKING, p, &net, err);
    if (!rc) rc = shift_of(s, JL_ENERGY, p, &gross, err);
    if (rc) return rc;
    p->ratio_net = net.estimate;
    p->n = (uint32_t)gross.n;
    p->ratio = gross.estimate;
    p->interval = gross.interval;
    if (!gross.interval.why) {
        p->interval.low = exp(gross.interval.low);
        p->interval.high = exp(gross.interval.high);
    }
    for (size_t i = 0; i < gross.n; i++) /* still those of the gross energy */
        s->kept[i] -= log(JL_PARADOX_ENERGY_RATIO);
    jl_signed_rank w;
    rc = jl_wilcoxon_with(s->nulls, s->kept, gross.n, JL_ZEROS_PRATT, JL_GREATER, &w, err);
    p->effect = w.rank_biserial;
    return rc;
}

/* The one-sided max-t of one metric over the pairs of a scene. */
static int test_jointly(const scene *s, jl_metric metric, jl_paradox *p, size_t m, jl_value *out,
                        jl_error *err)
{
    size_t rounds = s->t->rounds;
    if (!s->t->values[metric]) {
        for (size_t i = 0; i < m; i++)
            out[i] = jl_none(JL_NOT_TESTED);
        return 0;
    }
    JL_OWNED double *d = malloc((m * rounds + 1) * sizeof *d);
    if (!d) return jl_no_memory(err);
    for (size_t i = 0; i < m; i++)
        jl_log_ratios(s->t, metric, p[i].large_cell, p[i].small_cell, d + i * rounds);
    jl_max_t summary;
    return jl_max_t_test(d, m, rounds, &s->flips, out, &summary, err);
}

/* A call that dispatch holds up takes as long at a small batch. */
static bool grows_with_batch(const scene *s, uint32_t cell)
{
    uint32_t smaller = s->outlook->neighbours[cell].smaller;
    if (smaller == JL_NO_CELL) return false;
    jl_value now = s->outlook->latency_ns[cell], then = s->outlook->latency_ns[smaller];
    return !now.why && !then.why && now.value > GROWS * then.value;
}

static void find_cause(const scene *s, jl_paradox *p)
{
    const jl_roof_place *small = &s->outlook->places[p->small_cell],
                        *large = &s->outlook->places[p->large_cell];
    if (small->bound_s.why || small->fraction.why || small->partial) return;
    bool more_bytes = s->t->cells[p->small_cell].bytes > s->t->cells[p->large_cell].bytes;
    bool low = small->fraction.value < LOW_SHARE;
    if (small->binds == JL_ROOF_DISPATCH && !(low && grows_with_batch(s, p->small_cell)))
        p->cause = JL_CAUSE_DISPATCH;
    else if (low)
        p->cause = JL_CAUSE_UTILISATION;
    else if (small->binds == JL_ROOF_MEMORY &&
             (more_bytes || (!large->bound_s.why && large->binds == JL_ROOF_COMPUTE)))
        p->cause = JL_CAUSE_BYTES;
}

static int by_ratio(const void *a, const void *b)
{
    const jl_paradox *x = a, *y = b;
    double p = x->ratio.why ? 0 : x->ratio.value, q = y->ratio.why ? 0 : y->ratio.value;
    return (p < q) - (p > q);
}

static bool candidate(const jl_study_cell *small, const jl_study_cell *large)
{
    return small->flop > 0 && large->flop <= JL_LARGEST &&
           small->flop <= JL_PARADOX_FLOP_RATIO * large->flop;
}

/* The candidates among the cells of one scene: m of them, or NULL without memory. */
static jl_paradox *list_candidates(const scene *s, const uint32_t *cells, size_t count, size_t *m)
{
    *m = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            *m += candidate(&s->t->cells[cells[i]], &s->t->cells[cells[j]]);
    jl_paradox *p = malloc((*m + 1) * sizeof *p);
    size_t made = 0;
    for (size_t i = 0; i < count && p; i++)
        for (size_t j = 0; j < count; j++) {
            const jl_study_cell *small = &s->t->cells[cells[i]], *large = &s->t->cells[cells[j]];
            if (!candidate(small, large)) continue;
            p[made++] = (jl_paradox){.small_cell = cells[i],
                                     .large_cell = cells[j],
                                     .flop_ratio = small->flop / large->flop,
                                     .family = (uint32_t)*m};
        }
    return p;
}

/* Tests the candidates of one scene together; those whose ratio is above the limit are kept. */
static int add_scene(const scene *s, const uint32_t *cells, size_t count, jl_paradoxes *out,
                     jl_error *err)
{
    size_t m, kept = 0;
    JL_OWNED jl_paradox *p = list_candidates(s, cells, count, &m);
    JL_OWNED jl_value *gross = malloc((m + 1) * sizeof *gross);
    JL_OWNED jl_value *net = malloc((m + 1) * sizeof *net);
    if (!p || !gross || !net) return jl_no_memory(err);
    if (m == 0) return 0;
    int rc = test_jointly(s, JL_ENERGY, p, m, gross, err);
    if (!rc) rc = test_jointly(s, JL_ENERGY_NET_WAKING, p, m, net, err);
    for (size_t i = 0; !rc && i < m; i++) {
        rc = test_pair(s, &p[i], err);
        if (rc || p[i].ratio.why || p[i].ratio.value <= JL_PARADOX_ENERGY_RATIO) continue;
        p[i].p = gross[i];
        p[i].p_net = net[i];
        find_cause(s, &p[i]);
        p[i].cure_count = jl_find_cures(s->outlook, p[i].small_cell, p[i].cause, p[i].cures);
        p[kept++] = p[i];
    }
    if (rc || kept == 0) return rc;
    qsort(p, kept, sizeof *p, by_ratio);
    jl_paradox *grown = realloc(out->items, (out->count + kept) * sizeof *grown);
    if (!grown) return jl_no_memory(err);
    memcpy(grown + out->count, p, kept * sizeof *p);
    out->items = grown;
    out->count += kept;
    return 0;
}

static bool same_scene(const jl_study_cell *x, const jl_study_cell *y)
{
    return x->device == y->device && x->configuration == y->configuration && x->batch == y->batch &&
           x->in_flight == y->in_flight;
}

/* Candidates of all scenes: a very large study makes do with fewer draws each. */
static size_t count_all(const jl_study_table *t, const uint32_t *order, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count && same_scene(&t->cells[order[i]], &t->cells[order[j]]);
             j++)
            n += candidate(&t->cells[order[i]], &t->cells[order[j]]) ||
                 candidate(&t->cells[order[j]], &t->cells[order[i]]);
    return n;
}

static int find_all(const jl_study_table *t, const uint32_t *order, size_t count,
                    const jl_outlook *outlook, uint64_t seed, jl_paradoxes *out, jl_error *err)
{
    __attribute__((cleanup(jl_signed_nulls_free))) jl_signed_nulls nulls = {0};
    JL_OWNED double *d = malloc((t->rounds + 1) * sizeof *d);
    JL_OWNED double *kept = malloc((t->rounds + 1) * sizeof *kept);
    if (!d || !kept) return jl_no_memory(err);
    int rc = 0;
    jl_max_t_options flips = {.alternative = JL_GREATER,
                              .shift = log(JL_PARADOX_ENERGY_RATIO),
                              .draws = jl_usual_draws(count_all(t, order, count)),
                              .seed = seed};
    for (size_t i = 0; i < count && !rc;) {
        const jl_study_cell *c = &t->cells[order[i]];
        size_t end = i + 1;
        while (end < count && same_scene(c, &t->cells[order[end]]))
            end++;
        scene s = {t, outlook, &nulls, d, kept, flips};
        rc = add_scene(&s, order + i, end - i, out, err);
        i = end;
    }
    return rc;
}

int jl_find_paradoxes(const jl_study_table *t, const jl_energy_fit *fits, uint64_t seed,
                      jl_paradoxes *out, jl_error *err)
{
    *out = (jl_paradoxes){0};
    JL_OWNED uint32_t *order = malloc((t->cell_count + 1) * sizeof *order);
    __attribute__((cleanup(jl_outlook_free))) jl_outlook outlook = {0};
    if (!order) return jl_no_memory(err);
    size_t count = 0;
    for (uint32_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].outcome == JL_OUTCOME_OK && !t->models[t->cells[i].model].probe)
            order[count++] = i;
    jl_sort_cells(t, order, count, JL_BY_CONFIGURATION);
    int rc = jl_outlook_make(t, fits, &outlook, err);
    if (!rc) rc = find_all(t, order, count, &outlook, seed, out, err);
    if (rc) jl_paradoxes_free(out);
    return rc;
}

void jl_paradoxes_free(jl_paradoxes *p)
{
    free(p->items);
    *p = (jl_paradoxes){0};
}
