#include "jouleline/advise.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/findings.h"
#include "analysis/order.h"
#include "analysis/table.h"
#include "base/memory.h"

enum { BETTER = -1, WORSE = 1 };

/* The value and its unfavourable end. */
typedef struct bounded {
    jl_value value;
    double worst;
    bool certain;
} bounded;

static int bounded_of(const jl_study_table *t, jl_metric metric, size_t cell, bounded *out,
                      jl_error *err)
{
    *out = (bounded){.value = jl_none(JL_NO_VALUES)};
    if (!t->values[metric]) return 0;
    jl_summary s;
    int rc = jl_summarise(t->values[metric] + cell * t->rounds, t->rounds, 0.95, &s, err);
    if (rc || s.median.why) return rc;
    out->value = s.median;
    out->certain = !s.median_interval.why;
    out->worst = out->certain ? s.median_interval.high : s.median.value;
    return 0;
}

static bool limited(double v)
{
    return v > 0 && isfinite(v);
}

static void judge(jl_candidate *c, unsigned miss, double limit, const bounded *b, double worst,
                  bool at_least)
{
    if (!limited(limit)) return;
    bool met = !b->value.why && (at_least ? worst >= limit : worst <= limit);
    if (!met) c->misses |= miss;
    c->certain &= b->certain;
}

static void judge_agreement(const jl_study_table *t, const jl_limits *l, jl_candidate *c)
{
    const jl_study_cell *cell = &t->cells[c->cell];
    bool reference = jl_same_word(t->configurations[cell->configuration].precision, "fp32");
    jl_interval i = {.low = 1, .why = JL_KNOWN};
    c->agreement = jl_some(1);
    if (!reference) jl_wilson(cell->agree_items, cell->checked_items, 0.95, &c->agreement, &i);
    if (limited(l->agreement) && (i.why || i.low < l->agreement)) c->misses |= JL_MISS_AGREEMENT;
}

static int fill(const jl_study_table *t, const jl_limits *l, jl_candidate *c, jl_error *err)
{
    const jl_study_cell *cell = &t->cells[c->cell];
    bounded latency, tail, energy;
    int rc = bounded_of(t, JL_LATENCY, c->cell, &latency, err);
    if (!rc) rc = bounded_of(t, JL_LATENCY_TAIL, c->cell, &tail, err);
    if (!rc) rc = bounded_of(t, JL_ENERGY, c->cell, &energy, err);
    if (rc) return rc;
    double items = (double)cell->batch * cell->in_flight * 1e9;
    c->certain = true;
    c->latency_ns = latency.value;
    c->tail_ns = tail.value;
    c->energy_j = energy.value;
    bool timed = !latency.value.why && latency.value.value > 0;
    c->throughput = timed ? jl_some(items / latency.value.value) : jl_none(JL_NO_VALUES);
    c->power_w = timed && !energy.value.why ? jl_some(energy.value.value * c->throughput.value)
                                            : jl_none(JL_NO_VALUES);
    const bounded *asked = l->tail ? &tail : &latency;
    judge(c, JL_MISS_LATENCY, l->latency_ns, asked, asked->worst, false);
    judge(c, JL_MISS_ENERGY, l->energy_j_per_item, &energy, energy.worst, false);
    judge(c, JL_MISS_THROUGHPUT, l->throughput_items_per_s, &latency,
          timed ? items / latency.worst : 0, true);
    bounded power = {c->power_w, 0, energy.certain && latency.certain};
    judge(c, JL_MISS_POWER, l->power_w, &power,
          timed ? energy.worst * c->throughput.value : INFINITY, false);
    judge_agreement(t, l, c);
    return 0;
}

/* -1, 0, 1 as x is better, equal, worse; a missing value is neither. */
static int prefer(jl_value x, jl_value y, bool more_is_better)
{
    if (x.why || y.why || !(x.value < y.value || x.value > y.value)) return 0;
    return (x.value > y.value) == more_is_better ? BETTER : WORSE;
}

static bool dominates(const jl_candidate *x, const jl_candidate *y)
{
    int by[] = {prefer(x->latency_ns, y->latency_ns, false),
                prefer(x->energy_j, y->energy_j, false), prefer(x->throughput, y->throughput, true),
                prefer(x->agreement, y->agreement, true)};
    bool better = false;
    for (int i = 0; i < 4; i++) {
        if (by[i] == WORSE) return false;
        better |= by[i] == BETTER;
    }
    return better;
}

static int by_energy(const void *a, const void *b)
{
    const jl_candidate *x = a, *y = b;
    if (!x->misses != !y->misses) return x->misses ? 1 : -1;
    if (x->energy_j.why != y->energy_j.why) return x->energy_j.why ? 1 : -1;
    int order = prefer(x->energy_j, y->energy_j, false);
    return order ? order : prefer(x->latency_ns, y->latency_ns, false);
}

static int by_time(const void *a, const void *b)
{
    const jl_candidate *x = a, *y = b;
    if (!x->misses != !y->misses) return x->misses ? 1 : -1;
    int order = prefer(x->throughput, y->throughput, true);
    return order ? order : prefer(x->latency_ns, y->latency_ns, false);
}

static void put_candidate(jl_buf *b, const jl_study_table *t, const jl_candidate *c)
{
    const jl_study_cell *cell = &t->cells[c->cell];
    jl_buf_printf(b, "%s at batch %u", t->configurations[cell->configuration].name, cell->batch);
    if (cell->in_flight > 1) jl_buf_printf(b, ", %u in flight,", cell->in_flight);
    jl_buf_puts(b, " on ");
    jl_put_device(b, &t->devices[cell->device]);
}

static void put_values(jl_buf *b, const jl_study_table *t, const jl_candidate *c)
{
    if (!c->energy_j.why) {
        jl_put_number(b, c->energy_j.value);
        jl_buf_printf(b, " J per item%s, ", t->modelled_energy ? " (modelled)" : "");
    }
    if (!c->throughput.why) {
        jl_put_number(b, c->throughput.value);
        jl_buf_puts(b, " items/s, ");
    }
    if (!c->latency_ns.why) {
        jl_put_number(b, c->latency_ns.value * 1e-6);
        jl_buf_puts(b, " ms a call");
    }
    if (!c->tail_ns.why) {
        jl_buf_printf(b, " (P%g ", 100 * t->tail_percentile);
        jl_put_number(b, c->tail_ns.value * 1e-6);
        jl_buf_puts(b, " ms)");
    }
}

/* How many cells each limit rules out, for when none is left. */
static void put_misses(jl_buf *b, const jl_advice *a)
{
    static const char *const names[] = {"latency", "energy", "power", "throughput", "agreement"};
    const char *comma = "";
    for (int k = 0; k < 5; k++) {
        size_t n = 0;
        for (size_t i = 0; i < a->count; i++)
            n += (a->items[i].misses >> k) & 1;
        if (n) jl_buf_printf(b, "%s%s rules out %zu", comma, names[k], n);
        if (n) comma = ", ";
    }
}

static int explain(const jl_study_table *t, uint32_t model, const jl_limits *l, jl_advice *a,
                   jl_error *err)
{
    jl_buf b = {0};
    const char *name = t->models[model].name;
    if (a->count == 0) {
        jl_buf_printf(&b, "No measured cell of %s ran.", name);
    } else if (a->meeting == 0) {
        jl_buf_printf(&b, "None of the %zu cells of %s meets the limits: ", a->count, name);
        put_misses(&b, a);
        jl_buf_puts(&b, ".");
    } else {
        jl_buf_printf(&b, "For %s use ", name);
        put_candidate(&b, t, &a->items[0]);
        jl_buf_puts(&b, ": ");
        put_values(&b, t, &a->items[0]);
        jl_buf_printf(&b, ". It %s of the %zu cell%s that meet%s the limits",
                      a->by_energy ? "takes the fewest joules per item"
                                   : "takes the least time per item",
                      a->meeting, a->meeting == 1 ? "" : "s", a->meeting == 1 ? "s" : "");
        if (a->meeting > 1) {
            jl_buf_puts(&b, "; the next is ");
            put_candidate(&b, t, &a->items[1]);
            jl_buf_puts(&b, " with ");
            put_values(&b, t, &a->items[1]);
        }
        jl_buf_puts(&b, ".");
        if (!a->items[0].certain)
            jl_buf_puts(
                &b, " Too few rounds for an interval: a limit was decided by the median alone.");
        if (limited(l->latency_ns))
            jl_buf_printf(&b, " Latency is closed loop, %u in flight.",
                          t->cells[a->items[0].cell].in_flight);
    }
    if (b.failed) {
        jl_buf_free(&b);
        return jl_no_memory(err);
    }
    a->text = b.p;
    return 0;
}

int jl_advise(const jl_study_table *t, uint32_t model, uint32_t device, const jl_limits *limits,
              jl_advice *out, jl_error *err)
{
    *out = (jl_advice){0};
    if (model >= t->model_count || (device != UINT32_MAX && device >= t->device_count))
        return jl_fail(err, JL_ERR_USAGE, "advise: model %u of %zu, device %u of %zu", model,
                       t->model_count, device, t->device_count);
    out->items = malloc((t->cell_count + 1) * sizeof *out->items);
    int rc = out->items ? 0 : jl_no_memory(err);
    for (uint32_t i = 0; i < t->cell_count && !rc; i++) {
        const jl_study_cell *c = &t->cells[i];
        if (c->model != model || (device != UINT32_MAX && c->device != device) ||
            c->outcome != JL_OUTCOME_OK)
            continue;
        jl_candidate *made = &out->items[out->count++];
        *made = (jl_candidate){.cell = i};
        rc = fill(t, limits, made, err);
        out->meeting += made->misses == 0;
        out->by_energy |= !made->energy_j.why;
    }
    for (size_t i = 0; i < out->count && !rc; i++) {
        out->items[i].pareto = true;
        for (size_t k = 0; k < out->count; k++)
            out->items[i].pareto &= !dominates(&out->items[k], &out->items[i]);
    }
    if (!rc) {
        qsort(out->items, out->count, sizeof *out->items, out->by_energy ? by_energy : by_time);
        rc = explain(t, model, limits, out, err);
    }
    if (rc) jl_advice_free(out);
    return rc;
}

void jl_advice_free(jl_advice *a)
{
    free(a->items);
    free(a->text);
    *a = (jl_advice){0};
}
