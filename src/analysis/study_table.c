#include "jouleline/study_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/order.h"
#include "analysis/table.h"
#include "base/memory.h"

const char *jl_metric_name(jl_metric m)
{
    static const char *const names[] = {
        "latency",  "energy",      "energy net of waking idle", "energy net of sleeping idle",
        "CPU time", "tail latency"};
    return (unsigned)m < JL_METRIC_COUNT ? names[m] : "unknown metric";
}

const char *jl_metric_column(jl_metric m)
{
    static const char *const columns[] = {"latency_ns", "energy_j_per_item",
                                          "net_waking_j_per_item", "net_sleeping_j_per_item",
                                          "cpu_ns_per_item"};
    return (unsigned)m < JL_LATENCY_TAIL ? columns[m] : NULL;
}

static int check_cell(const jl_study_table *t, size_t i, jl_error *err)
{
    const jl_study_cell *c = &t->cells[i];
    if (c->model >= t->model_count || c->configuration >= t->configuration_count ||
        c->device >= t->device_count)
        return jl_fail(err, JL_ERR_USAGE,
                       "study table: cell %zu names model %u of %zu, configuration %u of %zu, "
                       "device %u of %zu",
                       i, c->model, t->model_count, c->configuration, t->configuration_count,
                       c->device, t->device_count);
    if (c->batch < 1 || c->in_flight < 1)
        return jl_fail(err, JL_ERR_USAGE, "study table: cell %zu has batch %u, in-flight %u", i,
                       c->batch, c->in_flight);
    if ((unsigned)c->outcome >= JL_OUTCOME_COUNT || c->agree_items > c->checked_items ||
        (c->fact_count && !c->facts))
        return jl_fail(err, JL_ERR_USAGE, "study table: cell %zu: outcome %d, %llu of %llu agree",
                       i, (int)c->outcome, (unsigned long long)c->agree_items,
                       (unsigned long long)c->checked_items);
    for (size_t k = 0; k < c->fact_count; k++)
        if (!c->facts[k].name)
            return jl_fail(err, JL_ERR_USAGE, "study table: fact %zu of cell %zu has no name", k,
                           i);
    return 0;
}

int jl_study_table_check(const jl_study_table *t, jl_error *err)
{
    if ((t->model_count && !t->models) || (t->configuration_count && !t->configurations) ||
        (t->device_count && !t->devices) || (t->cell_count && !t->cells))
        return jl_fail(err, JL_ERR_USAGE, "study table: a count without its array");
    if (t->cell_count >= UINT32_MAX || t->rounds >= UINT32_MAX ||
        (t->rounds && t->cell_count > SIZE_MAX / sizeof(double) / t->rounds))
        return jl_fail(err, JL_ERR_LIMIT, "study table: %zu cells x %zu rounds", t->cell_count,
                       t->rounds);
    for (size_t i = 0; i < t->model_count; i++)
        if (!t->models[i].name)
            return jl_fail(err, JL_ERR_USAGE, "study table: model %zu has no name", i);
    for (size_t i = 0; i < t->configuration_count; i++) {
        const jl_study_configuration *c = &t->configurations[i];
        if (!c->name || !c->runtime || !c->provider || !c->precision)
            return jl_fail(err, JL_ERR_USAGE, "study table: configuration %zu lacks a name", i);
    }
    for (size_t i = 0; i < t->device_count; i++)
        if (!t->devices[i].name)
            return jl_fail(err, JL_ERR_USAGE, "study table: device %zu has no name", i);
    for (size_t i = 0; i < t->cell_count; i++) {
        int rc = check_cell(t, i, err);
        if (rc) return rc;
    }
    return 0;
}

int jl_study_summaries(const jl_study_table *t, jl_metric metric, double level, jl_summary *out,
                       jl_error *err)
{
    static const double nothing = NAN;
    for (size_t i = 0; i < t->cell_count; i++) {
        const double *row = t->values[metric] ? t->values[metric] + i * t->rounds : &nothing;
        int rc = jl_summarise(row, t->values[metric] ? t->rounds : 0, level, &out[i], err);
        if (rc) return rc;
    }
    return 0;
}

jl_value jl_cell_median(const jl_study_table *t, jl_metric metric, size_t cell)
{
    if (!t->values[metric]) return jl_none(JL_NO_VALUES);
    double few[64];
    JL_OWNED double *many = t->rounds > 64 ? malloc(t->rounds * sizeof *many) : NULL;
    double *kept = t->rounds > 64 ? many : few;
    if (!kept) return jl_none(JL_NO_VALUES);
    size_t n = jl_keep_finite(t->values[metric] + cell * t->rounds, t->rounds, kept);
    if (n == 0) return jl_none(JL_NO_VALUES);
    jl_sort_doubles(kept, n);
    return jl_some(jl_sorted_median(kept, n));
}

bool jl_same_word(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

bool jl_same_options(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

typedef struct sort_context {
    const jl_study_table *t;
    jl_cell_order order;
} sort_context;

static int compare_places(const jl_study_cell *x, const jl_study_cell *y, bool model_first)
{
    const uint32_t p[] = {x->device, model_first ? x->model : x->configuration, x->batch,
                          x->in_flight, model_first ? x->configuration : x->model};
    const uint32_t q[] = {y->device, model_first ? y->model : y->configuration, y->batch,
                          y->in_flight, model_first ? y->configuration : y->model};
    for (int i = 0; i < 5; i++)
        if (p[i] != q[i]) return p[i] < q[i] ? -1 : 1;
    return 0;
}

static int by_place(const void *a, const void *b, void *context)
{
    const sort_context *s = context;
    return compare_places(&s->t->cells[*(const uint32_t *)a], &s->t->cells[*(const uint32_t *)b],
                          s->order == JL_BY_MODEL);
}

void jl_sort_cells(const jl_study_table *t, uint32_t *cells, size_t count, jl_cell_order order)
{
    sort_context s = {t, order};
    qsort_r(cells, count, sizeof *cells, by_place, &s);
}

int jl_cell_lookup_make(const jl_study_table *t, jl_cell_lookup *out, jl_error *err)
{
    *out = (jl_cell_lookup){t, malloc((t->cell_count + 1) * sizeof *out->order)};
    if (!out->order) return jl_no_memory(err);
    for (size_t i = 0; i < t->cell_count; i++)
        out->order[i] = (uint32_t)i;
    jl_sort_cells(t, out->order, t->cell_count, JL_BY_MODEL);
    return 0;
}

void jl_cell_lookup_free(jl_cell_lookup *l)
{
    free(l->order);
}

uint32_t jl_cell_at(const jl_cell_lookup *l, const jl_study_cell *place)
{
    size_t low = 0, high = l->t->cell_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = compare_places(&l->t->cells[l->order[mid]], place, true);
        if (order == 0) return l->order[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return JL_NO_CELL;
}

uint32_t jl_cell_that_ran(const jl_cell_lookup *l, const jl_study_cell *place)
{
    uint32_t at = jl_cell_at(l, place);
    return at != JL_NO_CELL && l->t->cells[at].outcome == JL_OUTCOME_OK ? at : JL_NO_CELL;
}
