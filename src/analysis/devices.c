#include "jouleline/devices.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/order.h"
#include "analysis/table.h"
#include "base/memory.h"
#include "jouleline/multiplicity.h"
#include "jouleline/unpaired.h"

/* Logarithms of a cell's values; a run outside complete rounds counts, there are no pairs. */
static void logs(const jl_study_table *t, jl_metric metric, uint32_t cell, double *out)
{
    const double *v = t->values[metric] + cell * t->rounds;
    for (size_t r = 0; r < t->rounds; r++)
        out[r] = v[r] > 0 && isfinite(v[r]) ? log(v[r]) : NAN;
}

static jl_interval widen(const jl_study_table *t, jl_metric metric, const jl_device_ratio *r)
{
    jl_interval wide = r->interval;
    if (metric == JL_LATENCY || wide.why) return wide;
    double a = t->devices[t->cells[r->base].device].gain_error;
    double b = t->devices[t->cells[r->new_cell].device].gain_error;
    if (!(a >= 0 && a < 1 && b >= 0 && b < 1)) return (jl_interval){.why = JL_NO_VALUES};
    wide.low *= (1 - b) / (1 + a);
    wide.high *= (1 + b) / (1 - a);
    return wide;
}

static int compare(const jl_study_table *t, jl_metric metric, jl_device_ratio *r, double *a,
                   double *b, jl_error *err)
{
    logs(t, metric, r->base, a);
    logs(t, metric, r->new_cell, b);
    jl_two_sample_shift s;
    jl_rank_sum w;
    int rc = jl_hodges_lehmann_2(b, t->rounds, a, t->rounds, 0.95, &s, err);
    if (!rc) rc = jl_mann_whitney(b, t->rounds, a, t->rounds, JL_TWO_SIDED, &w, err);
    if (rc) return rc;
    r->n1 = (uint32_t)w.n2;
    r->n2 = (uint32_t)w.n1;
    r->ratio = s.estimate.why ? s.estimate : jl_some(exp(s.estimate.value));
    r->interval = s.interval;
    if (!s.interval.why) {
        r->interval.low = exp(s.interval.low);
        r->interval.high = exp(s.interval.high);
    }
    r->with_gain = widen(t, metric, r);
    r->effect = w.rank_biserial;
    r->p = w.p;
    return 0;
}

static int correct(jl_device_ratio *r, size_t n, jl_error *err)
{
    JL_OWNED jl_value *p = malloc((n + 1) * sizeof *p);
    if (!p) return jl_no_memory(err);
    for (size_t i = 0; i < n; i++)
        p[i] = r[i].p;
    int rc = jl_holm(p, n, n, p, err);
    for (size_t i = 0; i < n && !rc; i++)
        r[i].p = p[i];
    return rc;
}

static int compare_two(const jl_study_table *t, jl_metric metric, const jl_cell_lookup *lookup,
                       const uint32_t *order, uint32_t first, uint32_t second,
                       jl_device_ratios *out, jl_error *err)
{
    JL_OWNED double *a = malloc((t->rounds + 1) * sizeof *a);
    JL_OWNED double *b = malloc((t->rounds + 1) * sizeof *b);
    jl_device_ratio *grown = realloc(out->items, (out->count + t->cell_count + 1) * sizeof *grown);
    if (grown) out->items = grown;
    if (!a || !b || !grown) return jl_no_memory(err);
    size_t from = out->count;
    for (size_t i = 0; i < t->cell_count; i++) {
        jl_study_cell place = t->cells[order[i]];
        if (place.device != first || place.outcome != JL_OUTCOME_OK || t->models[place.model].probe)
            continue;
        place.device = second;
        uint32_t other = jl_cell_that_ran(lookup, &place);
        if (other == JL_NO_CELL) continue;
        jl_device_ratio *r = &out->items[out->count++];
        *r = (jl_device_ratio){.base = order[i], .new_cell = other};
        int rc = compare(t, metric, r, a, b, err);
        if (rc) return rc;
    }
    return correct(out->items + from, out->count - from, err);
}

int jl_compare_devices(const jl_study_table *t, jl_metric metric, jl_device_ratios *out,
                       jl_error *err)
{
    *out = (jl_device_ratios){0};
    if (!t->values[metric]) return 0;
    __attribute__((cleanup(jl_cell_lookup_free))) jl_cell_lookup lookup = {0};
    JL_OWNED uint32_t *order = malloc((t->cell_count + 1) * sizeof *order);
    if (!order) return jl_no_memory(err);
    int rc = jl_cell_lookup_make(t, &lookup, err);
    if (rc) return rc;
    for (uint32_t i = 0; i < t->cell_count; i++)
        order[i] = i;
    jl_sort_cells(t, order, t->cell_count, JL_BY_CONFIGURATION);
    for (uint32_t a = 0; a < t->device_count && !rc; a++)
        for (uint32_t b = a + 1; b < t->device_count && !rc; b++)
            rc = compare_two(t, metric, &lookup, order, a, b, out, err);
    if (rc) jl_device_ratios_free(out);
    return rc;
}

void jl_device_ratios_free(jl_device_ratios *r)
{
    free(r->items);
    *r = (jl_device_ratios){0};
}

int jl_device_direction(const jl_device_ratio *r, double alpha)
{
    if (r->p.why || r->p.value > alpha || r->with_gain.why) return 0;
    return r->with_gain.high < 1 ? -1 : r->with_gain.low > 1 ? 1 : 0;
}
