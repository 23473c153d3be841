#include "analysis/cures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/order.h"
#include "analysis/table.h"
#include "base/memory.h"

enum { FEWEST_OTHERS = 2 };
static const char GRAPHS[] = "+cuda_graph=1";

const char *jl_cure_words(jl_cure c)
{
    static const char *const words[JL_CURES] = {"a larger batch", "CUDA Graphs", "another runtime"};
    return (unsigned)c < JL_CURES ? words[c] : "unknown cure";
}

/* --- expectations --- */

static size_t place_of(const jl_study_table *t, const jl_study_cell *c)
{
    return c->device * t->configuration_count + c->configuration;
}

/* The median share of the cells of one place, of other models than this cell's. */
static double share_of_others(const jl_outlook *o, const uint32_t *cells, size_t n, uint32_t cell,
                              bool family, double *shares)
{
    const jl_study_model *models = o->t->models, *own = &models[o->t->cells[cell].model];
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const jl_roof_place *p = &o->places[cells[i]];
        const jl_study_model *m = &models[o->t->cells[cells[i]].model];
        if (m == own || m->probe || p->fraction.why || p->partial ||
            o->t->cells[cells[i]].outcome != JL_OUTCOME_OK ||
            (family && !jl_same_word(m->family, own->family)))
            continue;
        shares[kept++] = p->fraction.value;
    }
    jl_sort_doubles(shares, kept);
    return kept >= FEWEST_OTHERS ? jl_sorted_median(shares, kept) : NAN;
}

static bool same_scene(const jl_study_cell *x, const jl_study_cell *y)
{
    return x->device == y->device && x->configuration == y->configuration && x->batch == y->batch &&
           x->in_flight == y->in_flight;
}

static int find_expectations(jl_outlook *o, jl_error *err)
{
    const jl_study_table *t = o->t;
    JL_OWNED uint32_t *order = malloc((t->cell_count + 1) * sizeof *order);
    JL_OWNED double *shares = malloc((t->cell_count + 1) * sizeof *shares);
    if (!order || !shares) return jl_no_memory(err);
    for (uint32_t i = 0; i < t->cell_count; i++)
        order[i] = i;
    jl_sort_cells(t, order, t->cell_count, JL_BY_CONFIGURATION);
    for (size_t i = 0; i < t->cell_count;) {
        size_t end = i + 1;
        while (end < t->cell_count && same_scene(&t->cells[order[i]], &t->cells[order[end]]))
            end++;
        for (size_t k = i; k < end; k++) {
            double share = share_of_others(o, order + i, end - i, order[k], true, shares);
            if (isnan(share))
                share = share_of_others(o, order + i, end - i, order[k], false, shares);
            o->expected[order[k]] = share;
        }
        i = end;
    }
    return 0;
}

/* --- neighbours --- */

static bool uses_graphs(const jl_study_configuration *c)
{
    return c->options && strstr(c->options, GRAPHS);
}

/* Whether y is x with CUDA Graphs. */
static bool adds_graphs(const jl_study_configuration *x, const jl_study_configuration *y)
{
    if (uses_graphs(x) || !uses_graphs(y) || strcmp(x->runtime, y->runtime) != 0 ||
        strcmp(x->precision, y->precision) != 0)
        return false;
    const char *more = strstr(y->options, GRAPHS), *own = x->options ? x->options : "";
    size_t before = (size_t)(more - y->options);
    return !strncmp(own, y->options, before) && !strcmp(own + before, more + sizeof GRAPHS - 1);
}

static bool takes_less(const jl_outlook *o, uint32_t cell, uint32_t than)
{
    jl_value j = o->energy_j[cell];
    return !j.why && (than == JL_NO_CELL || j.value < o->energy_j[than].value);
}

static void look_at(const jl_outlook *l, uint32_t cell, uint32_t other, struct jl_neighbours *to)
{
    const jl_study_table *t = l->t;
    const jl_study_cell *c = &t->cells[cell], *o = &t->cells[other];
    const jl_study_configuration *x = &t->configurations[c->configuration],
                                 *y = &t->configurations[o->configuration];
    if (o->outcome != JL_OUTCOME_OK || o->in_flight != c->in_flight) return;
    if (o->configuration == c->configuration) {
        if (o->batch > (to->larger == JL_NO_CELL ? c->batch : t->cells[to->larger].batch))
            to->larger = other;
        if (o->batch < (to->smaller == JL_NO_CELL ? c->batch : t->cells[to->smaller].batch))
            to->smaller = other;
    } else if (o->batch == c->batch && adds_graphs(x, y)) {
        to->graphs = other;
    } else if (o->batch == c->batch && strcmp(x->runtime, y->runtime) != 0 &&
               !strcmp(x->precision, y->precision) && takes_less(l, other, to->runtime)) {
        to->runtime = other;
    }
}

/* The cells of one device and model lie together in order. */
static int find_neighbours(jl_outlook *o, jl_error *err)
{
    const jl_study_table *t = o->t;
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
            struct jl_neighbours *n = &o->neighbours[order[x]];
            *n = (struct jl_neighbours){JL_NO_CELL, JL_NO_CELL, JL_NO_CELL, JL_NO_CELL};
            for (size_t y = i; y < end; y++)
                look_at(o, order[x], order[y], n);
        }
        i = end;
    }
    return 0;
}

int jl_outlook_make(const jl_study_table *t, const jl_energy_fit *fits, jl_outlook *o,
                    jl_error *err)
{
    *o = (jl_outlook){.t = t,
                      .fits = fits,
                      .places = malloc((t->cell_count + 1) * sizeof *o->places),
                      .latency_ns = malloc((t->cell_count + 1) * sizeof *o->latency_ns),
                      .energy_j = malloc((t->cell_count + 1) * sizeof *o->energy_j),
                      .rows = malloc((t->cell_count + 1) * sizeof *o->rows),
                      .expected = malloc((t->cell_count + 1) * sizeof *o->expected),
                      .neighbours = malloc((t->cell_count + 1) * sizeof *o->neighbours)};
    if (!o->places || !o->latency_ns || !o->energy_j || !o->rows || !o->expected || !o->neighbours)
        return jl_no_memory(err);
    for (uint32_t i = 0; i < t->cell_count; i++) {
        o->latency_ns[i] = jl_cell_median(t, JL_LATENCY, i);
        o->energy_j[i] = jl_cell_median(t, JL_ENERGY, i);
        if (!jl_energy_row_of(t, i, &o->rows[i])) o->rows[i].t_s = 0;
    }
    int rc = jl_study_roofline(t, o->places, err);
    if (!rc) rc = find_expectations(o, err);
    return rc ? rc : find_neighbours(o, err);
}

void jl_outlook_free(jl_outlook *o)
{
    free(o->places);
    free(o->latency_ns);
    free(o->energy_j);
    free(o->rows);
    free(o->expected);
    free(o->neighbours);
    *o = (jl_outlook){0};
}

/* --- gains --- */

/* Joules per item of a cell, from what the graph says of it and what others reach there. */
static jl_value joules_expected(const jl_outlook *o, uint32_t cell)
{
    const jl_study_cell *c = &o->t->cells[cell];
    const jl_roof_place *p = &o->places[cell];
    if (p->partial || p->bound_s.why || !(o->expected[cell] > 0)) return jl_none(JL_NO_VALUES);
    jl_value j = jl_energy_predict(&o->fits[place_of(o->t, c)],
                                   p->bound_s.value / o->expected[cell], c->flop, c->bytes);
    if (!j.why) j.value /= c->batch;
    return j;
}

/* The least joules per item of a cell without dispatch: what the other two roofs allow. */
static jl_value least_joules_undispatched(const jl_outlook *o, uint32_t cell)
{
    const jl_study_cell *c = &o->t->cells[cell];
    const jl_roof_place *p = &o->places[cell];
    if (p->least_s[JL_ROOF_COMPUTE].why || p->least_s[JL_ROOF_MEMORY].why)
        return jl_none(JL_NO_VALUES);
    double t_s = fmax(p->least_s[JL_ROOF_COMPUTE].value, p->least_s[JL_ROOF_MEMORY].value);
    jl_value j = jl_energy_predict(&o->fits[place_of(o->t, c)], t_s, c->flop, c->bytes);
    if (!j.why) j.value /= c->batch;
    return j;
}

static jl_value predict(const jl_outlook *o, uint32_t cell, const jl_cure_gain *g)
{
    const jl_study_cell *c = &o->t->cells[cell];
    const jl_energy_row *row = &o->rows[cell];
    if (!o->fits) return jl_none(JL_NOT_TESTED);
    if (!(row->t_s > 0)) return jl_none(JL_NO_VALUES);
    jl_value now = jl_energy_predict(&o->fits[place_of(o->t, c)], row->t_s, row->flop, row->bytes);
    jl_value after = g->at_most ? least_joules_undispatched(o, cell) : joules_expected(o, g->cell);
    if (now.why || after.why || !(after.value > 0)) return jl_none(JL_NO_VALUES);
    return jl_some(now.value / c->batch / after.value);
}

static jl_value measure(const jl_outlook *o, uint32_t cell, uint32_t other)
{
    if (other == JL_NO_CELL) return jl_none(JL_NO_VALUES);
    jl_value now = o->energy_j[cell], after = o->energy_j[other];
    if (now.why || after.why || !(after.value > 0)) return jl_none(JL_NO_VALUES);
    return jl_some(now.value / after.value);
}

static double worth(const jl_cure_gain *g)
{
    return !g->measured.why ? g->measured.value : !g->predicted.why ? g->predicted.value : 0;
}

/* What was measured comes before what is only predicted. */
static int by_worth(const void *a, const void *b)
{
    const jl_cure_gain *p = a, *q = b;
    double x = worth(p), y = worth(q);
    if (!p->measured.why != !q->measured.why) return p->measured.why ? 1 : -1;
    return (x < y) - (x > y);
}

/* Whether there is such a cell, or a prediction without one makes sense. */
static bool applies(const jl_outlook *o, uint32_t cell, jl_cause cause, jl_cure cure,
                    uint32_t shown_by)
{
    const jl_study_configuration *c = &o->t->configurations[o->t->cells[cell].configuration];
    switch (cure) {
    case JL_CURE_BATCHING:
        return cause != JL_CAUSE_BYTES && shown_by != JL_NO_CELL;
    case JL_CURE_GRAPHS:
        return cause == JL_CAUSE_DISPATCH && !uses_graphs(c) && !strcmp(c->provider, "cuda");
    case JL_CURE_RUNTIME:
    case JL_CURES:
        break;
    }
    return shown_by != JL_NO_CELL;
}

size_t jl_find_cures(const jl_outlook *o, uint32_t cell, jl_cause cause,
                     jl_cure_gain cures[JL_CURES])
{
    const struct jl_neighbours *n = &o->neighbours[cell];
    const uint32_t cells[JL_CURES] = {[JL_CURE_BATCHING] = n->larger,
                                      [JL_CURE_GRAPHS] = n->graphs,
                                      [JL_CURE_RUNTIME] = n->runtime};
    size_t count = 0;
    for (int c = 0; c < JL_CURES && cause != JL_CAUSE_UNKNOWN; c++) {
        jl_cure_gain *g = &cures[count];
        *g =
            (jl_cure_gain){.cure = (jl_cure)c, .cell = cells[c], .at_most = cells[c] == JL_NO_CELL};
        if (!applies(o, cell, cause, g->cure, g->cell)) continue;
        g->predicted = predict(o, cell, g);
        g->measured = measure(o, cell, g->cell);
        count += worth(g) > 1; /* what was measured or predicted not to help is no cure */
    }
    qsort(cures, count, sizeof *cures, by_worth);
    return count;
}
