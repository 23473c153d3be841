#include "jouleline/paradox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/max_t.h"
#include "analysis/order.h"
#include "analysis/rank_null.h"
#include "analysis/table.h"
#include "base/memory.h"
#include "jouleline/comparison.h"

const char *jl_cause_words(jl_cause c)
{
    switch (c) {
    case JL_CAUSE_DISPATCH:
        return "static power over the time that dispatch takes";
    case JL_CAUSE_BYTES:
        return "more bytes moved, with memory as the binding roof";
    case JL_CAUSE_UTILISATION:
        return "low utilisation of the binding roof";
    case JL_CAUSE_UNKNOWN:
        break;
    }
    return "no cause could be told";
}

const char *jl_cure_words(jl_cure c)
{
    switch (c) {
    case JL_CURE_BATCHING:
        return "a larger batch";
    case JL_CURE_FEWER_DISPATCHES:
        return "CUDA Graphs or a runtime that fuses nodes";
    case JL_CURE_FUSION:
        return "a runtime that fuses nodes and moves fewer bytes";
    case JL_CURE_NONE:
        break;
    }
    return "none known";
}

/* What the tests of one device, configuration, batch and in-flight share. */
typedef struct scene {
    const jl_study_table *t;
    const jl_roof_place *places;
    const jl_roofs *roofs;    /* of its device and configuration */
    const jl_energy_fit *fit; /* or NULL */
    jl_signed_nulls *nulls;
    double *d, *kept;        /* a row of rounds each */
    jl_max_t_options flips;  /* of its joint tests */
    const uint32_t *larger;  /* per cell: the same with the largest batch that ran, or itself */
    const jl_value *other_j; /* per cell: the least energy of the other runtimes, same precision */
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

static void find_cause(const scene *s, jl_paradox *p)
{
    const jl_roof_place *small = &s->places[p->small_cell], *large = &s->places[p->large_cell];
    if (small->bound_s.why || small->fraction.why) return;
    bool more_bytes = s->t->cells[p->small_cell].bytes > s->t->cells[p->large_cell].bytes;
    if (small->binds == JL_ROOF_DISPATCH)
        p->cause = JL_CAUSE_DISPATCH;
    else if (small->fraction.value < 0.5)
        p->cause = JL_CAUSE_UTILISATION;
    else if (small->binds == JL_ROOF_MEMORY &&
             (more_bytes || (!large->bound_s.why && large->binds == JL_ROOF_COMPUTE)))
        p->cause = JL_CAUSE_BYTES;
}

/* Joules per item of a call under the roofs: time is the longest roof over the fraction that
 * the cell achieves now. */
static jl_value joules_at(const scene *s, const jl_study_cell *c, double times, double fraction,
                          bool with_dispatch)
{
    double flop = c->flop * times, bytes = c->bytes * times, t_s = 0;
    const double amount[] = {flop, bytes, with_dispatch ? c->dispatches : 0};
    for (int r = 0; r < JL_ROOF_COUNT; r++) {
        if (s->roofs->rate[r].why || !(amount[r] >= 0)) return jl_none(JL_NO_VALUES);
        t_s = fmax(t_s, amount[r] / s->roofs->rate[r].value);
    }
    jl_value j =
        s->fit ? jl_energy_predict(s->fit, t_s / fraction, flop, bytes) : jl_none(JL_NOT_TESTED);
    if (!j.why) j.value /= c->batch * times;
    return j;
}

static void predict(const scene *s, jl_paradox *p, double times, bool with_dispatch)
{
    const jl_study_cell *c = &s->t->cells[p->small_cell];
    double fraction = fmin(1, s->places[p->small_cell].fraction.value);
    if (!(fraction > 0)) return;
    jl_value now = joules_at(s, c, 1, fraction, true);
    jl_value cured = joules_at(s, c, times, fraction, with_dispatch);
    if (!now.why && !cured.why && cured.value > 0)
        p->gain_predicted = jl_some(now.value / cured.value);
}

static void look_at(const jl_study_table *t, uint32_t cell, uint32_t other, uint32_t *larger,
                    jl_value *other_j)
{
    const jl_study_cell *c = &t->cells[cell], *o = &t->cells[other];
    if (o->outcome != JL_OUTCOME_OK || o->in_flight != c->in_flight) return;
    if (o->configuration == c->configuration) {
        if (o->batch > t->cells[*larger].batch) *larger = other;
        return;
    }
    if (o->batch != c->batch || !jl_same_word(t->configurations[o->configuration].precision,
                                              t->configurations[c->configuration].precision))
        return;
    jl_value j = jl_cell_median(t, JL_ENERGY, other);
    if (!j.why && (other_j->why || j.value < other_j->value)) *other_j = j;
}

/* larger and other_j of every cell; the cells of one device and model lie together in order. */
static int find_neighbours(const jl_study_table *t, uint32_t *larger, jl_value *other_j,
                           jl_error *err)
{
    JL_OWNED uint32_t *order = malloc((t->cell_count + 1) * sizeof *order);
    if (!order) return jl_no_memory(err);
    for (uint32_t i = 0; i < t->cell_count; i++)
        order[i] = i;
    jl_sort_cells(t, order, t->cell_count, JL_BY_MODEL);
    for (size_t i = 0; i < t->cell_count;) {
        const jl_study_cell *c = &t->cells[order[i]];
        size_t end = i + 1;
        while (end < t->cell_count && t->cells[order[end]].device == c->device &&
               t->cells[order[end]].model == c->model)
            end++;
        for (size_t x = i; x < end; x++) {
            larger[order[x]] = order[x];
            other_j[order[x]] = jl_none(JL_NO_VALUES);
            for (size_t y = i; y < end; y++)
                look_at(t, order[x], order[y], &larger[order[x]], &other_j[order[x]]);
        }
        i = end;
    }
    return 0;
}

static void find_cure(const scene *s, jl_paradox *p)
{
    const jl_study_table *t = s->t;
    jl_value now = jl_cell_median(t, JL_ENERGY, p->small_cell);
    uint32_t larger = s->larger[p->small_cell];
    uint32_t batch = t->cells[p->small_cell].batch;
    jl_value after = jl_none(JL_NO_VALUES);
    if (p->cause == JL_CAUSE_UNKNOWN) return;
    if (larger != p->small_cell && p->cause != JL_CAUSE_BYTES) {
        p->cure = JL_CURE_BATCHING;
        p->cure_batch = t->cells[larger].batch;
        after = jl_cell_median(t, JL_ENERGY, larger);
        predict(s, p, (double)p->cure_batch / batch, true);
    } else if (p->cause == JL_CAUSE_DISPATCH) {
        p->cure = JL_CURE_FEWER_DISPATCHES;
        after = s->other_j[p->small_cell];
        predict(s, p, 1, false);
    } else if (p->cause == JL_CAUSE_BYTES) {
        p->cure = JL_CURE_FUSION;
        after = s->other_j[p->small_cell];
    }
    if (!now.why && !after.why && after.value > 0 && now.value > 0)
        p->gain_measured = jl_some(now.value / after.value);
    bool helps = p->gain_measured.why ? p->gain_predicted.why || p->gain_predicted.value > 1
                                      : p->gain_measured.value > 1;
    if (!helps) p->cure = JL_CURE_NONE; /* what was measured or predicted says no */
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
    jl_value none = jl_none(JL_NOT_TESTED);
    for (size_t i = 0; i < count && p; i++)
        for (size_t j = 0; j < count; j++) {
            const jl_study_cell *small = &s->t->cells[cells[i]], *large = &s->t->cells[cells[j]];
            if (!candidate(small, large)) continue;
            p[made++] = (jl_paradox){.small_cell = cells[i],
                                     .large_cell = cells[j],
                                     .flop_ratio = small->flop / large->flop,
                                     .family = (uint32_t)*m,
                                     .gain_predicted = none,
                                     .gain_measured = none};
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
        find_cure(s, &p[i]);
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
                    const jl_roof_place *places, const jl_energy_fit *fits, uint64_t seed,
                    jl_paradoxes *out, jl_error *err)
{
    __attribute__((cleanup(jl_signed_nulls_free))) jl_signed_nulls nulls = {0};
    JL_OWNED double *d = malloc((t->rounds + 1) * sizeof *d);
    JL_OWNED double *kept = malloc((t->rounds + 1) * sizeof *kept);
    JL_OWNED uint32_t *larger = malloc((t->cell_count + 1) * sizeof *larger);
    JL_OWNED jl_value *other_j = malloc((t->cell_count + 1) * sizeof *other_j);
    if (!d || !kept || !larger || !other_j) return jl_no_memory(err);
    int rc = find_neighbours(t, larger, other_j, err);
    jl_max_t_options flips = {.alternative = JL_GREATER,
                              .shift = log(JL_PARADOX_ENERGY_RATIO),
                              .draws = jl_usual_draws(count_all(t, order, count)),
                              .seed = seed};
    for (size_t i = 0; i < count && !rc;) {
        const jl_study_cell *c = &t->cells[order[i]];
        size_t end = i + 1;
        while (end < count && same_scene(c, &t->cells[order[end]]))
            end++;
        jl_roofs roofs;
        rc = jl_study_roofs(t, c->device, c->configuration, &roofs, err);
        const jl_energy_fit *fit =
            fits ? &fits[c->device * t->configuration_count + c->configuration] : NULL;
        scene s = {t, places, &roofs, fit, &nulls, d, kept, flips, larger, other_j};
        if (!rc) rc = add_scene(&s, order + i, end - i, out, err);
        i = end;
    }
    return rc;
}

int jl_find_paradoxes(const jl_study_table *t, const jl_energy_fit *fits, uint64_t seed,
                      jl_paradoxes *out, jl_error *err)
{
    *out = (jl_paradoxes){0};
    JL_OWNED uint32_t *order = malloc((t->cell_count + 1) * sizeof *order);
    JL_OWNED jl_roof_place *places = malloc((t->cell_count + 1) * sizeof *places);
    if (!order || !places) return jl_no_memory(err);
    size_t count = 0;
    for (uint32_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].outcome == JL_OUTCOME_OK && !t->models[t->cells[i].model].probe)
            order[count++] = i;
    jl_sort_cells(t, order, count, JL_BY_CONFIGURATION);
    int rc = jl_study_roofline(t, places, err);
    if (!rc) rc = find_all(t, order, count, places, fits, seed, out, err);
    if (rc) jl_paradoxes_free(out);
    return rc;
}

void jl_paradoxes_free(jl_paradoxes *p)
{
    free(p->items);
    *p = (jl_paradoxes){0};
}
