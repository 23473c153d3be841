/* Sentences on the energy model and on the pairs of models that it explains. */
#include <math.h>
#include <stdlib.h>

#include "analysis/findings.h"
#include "analysis/order.h"
#include "base/memory.h"

static void put_term(jl_buf *text, const jl_coefficient *c, int term)
{
    static const double scale[] = {1, 1e12, 1e12};
    static const char *const units[] = {"W", "pJ a FLOP", "pJ a byte"};
    jl_buf_printf(text, "%s%s ", term ? ", " : "", jl_energy_term_name(term));
    if (c->identified.why) {
        jl_buf_printf(text, "(%s)", jl_why_words(c->identified.why));
        return;
    }
    jl_put_number(text, scale[term] * c->value);
    jl_buf_printf(text, " %s (", units[term]);
    jl_put_number(text, scale[term] * c->interval.low);
    jl_buf_puts(text, " to ");
    jl_put_number(text, scale[term] * c->interval.high);
    jl_buf_puts(text, ")");
}

static void note_fit(jl_notebook *b, uint32_t device, uint32_t configuration,
                     const jl_energy_fit *fit)
{
    const jl_study_device *d = &b->t->devices[device];
    jl_buf text = {0}, caution = {0}, query = {0};
    jl_buf_puts(&text, "On ");
    jl_put_device(&text, d);
    jl_buf_printf(&text, " in %s, the joules of %zu models%s are made up of ",
                  b->t->configurations[configuration].name, fit->models,
                  fit->probes ? " and of the probes" : "");
    for (int k = 0; k < JL_ENERGY_TERMS; k++)
        put_term(&text, &fit->term[k], k);
    jl_buf_puts(&text, " (with 95 % intervals by resampling models). Measured idle power:");
    if (isfinite(d->idle_sleeping_w)) jl_buf_printf(&text, " %.1f W sleeping", d->idle_sleeping_w);
    if (isfinite(d->idle_waking_w))
        jl_buf_printf(&text, "%s %.1f W waking", isfinite(d->idle_sleeping_w) ? "," : "",
                      d->idle_waking_w);
    if (!isfinite(d->idle_sleeping_w) && !isfinite(d->idle_waking_w)) jl_buf_puts(&text, " none");
    jl_buf_printf(
        &text,
        ". On models left out of the fit it errs by %.1f %% on average (time alone %.1f %%, FLOP "
        "alone %.1f %%); condition number %.3g.",
        100 * fit->error.value, 100 * fit->error_time_only.value, 100 * fit->error_flop_only.value,
        fit->condition);
    jl_query_start(&query, "model, batch, round, latency_ns, energy_j_per_item", d);
    jl_buf_puts(&query, " AND configuration = ");
    jl_put_quoted(&query, b->t->configurations[configuration].name);
    jl_query_end(&query);
    jl_value none = jl_none(JL_NOT_TESTED);
    jl_finding f = {.kind = JL_FINDING_ENERGY,
                    .metric = JL_ENERGY,
                    .ratio = none,
                    .effect = none,
                    .p = none,
                    .interval = {.why = JL_NOT_TESTED},
                    .subject = jl_subject(device, configuration, 0)};
    jl_note(b, f, &text, &caution, &query);
}

static void put_pair(jl_buf *text, const jl_notebook *b, const jl_paradox *p)
{
    const jl_study_table *t = b->t;
    const jl_study_cell *small = &t->cells[p->small_cell], *large = &t->cells[p->large_cell];
    const jl_roof_place *place = &b->places[p->large_cell];
    bool compute = !place->bound_s.why && !place->partial && place->binds == JL_ROOF_COMPUTE;
    jl_buf_printf(
        text, "%s has %.0f %% fewer FLOP than %s%s and uses %.2f times its energy per item (",
        t->models[small->model].name, 100 * (1 - p->flop_ratio),
        compute ? "the compute-bound " : "", t->models[large->model].name, p->ratio.value);
    jl_put_interval(text, p->interval);
    jl_buf_puts(text, ", one-sided ");
    jl_put_p(text, p->p);
    jl_buf_printf(text, " over %u pairs, %u rounds", p->family, p->n);
    if (!p->p_net.why && !p->ratio_net.why) {
        jl_buf_printf(text, "; net of waking idle %.2f, ", p->ratio_net.value);
        jl_put_p(text, p->p_net);
    }
    jl_buf_puts(text, ")");
}

/* "batch 32 (8.66 times fewer joules per item measured, 9.1 by the energy model)". */
static void put_cure(jl_buf *text, const jl_study_table *t, const jl_cure_gain *g)
{
    if (g->cure == JL_CURE_BATCHING)
        jl_buf_printf(text, "batch %u (", t->cells[g->cell].batch);
    else if (g->cure == JL_CURE_RUNTIME)
        jl_buf_printf(text, "%s (", t->configurations[t->cells[g->cell].configuration].name);
    else
        jl_buf_printf(text, "%s (", jl_cure_words(g->cure));
    if (g->at_most) {
        jl_buf_printf(text, "at most %.3g times fewer joules per item, as the roofs allow)",
                      g->predicted.value);
        return;
    }
    if (!g->measured.why)
        jl_buf_printf(text, "%.3g times fewer joules per item measured", g->measured.value);
    if (!g->predicted.why)
        jl_buf_printf(text, "%s%.3g by the energy model", g->measured.why ? "" : ", ",
                      g->predicted.value);
    jl_buf_puts(text, ")");
}

static void put_ms(jl_buf *text, double s)
{
    jl_put_number(text, 1e3 * s);
    jl_buf_puts(text, " ms");
}

/* The times behind a cause. */
static void put_times(jl_buf *text, const jl_notebook *b, const jl_paradox *p)
{
    const jl_roof_place *place = &b->places[p->small_cell];
    const jl_study_cell *c = &b->t->cells[p->small_cell];
    if (place->partial || place->fraction.why) return;
    jl_buf_printf(text, ": a call of %s takes ", b->t->models[c->model].name);
    put_ms(text, place->bound_s.value / place->fraction.value);
    jl_buf_puts(text, ", while at the roofs its arithmetic needs ");
    put_ms(text, place->least_s[JL_ROOF_COMPUTE].value);
    jl_buf_puts(text, ", its bytes ");
    put_ms(text, place->least_s[JL_ROOF_MEMORY].value);
    jl_buf_printf(text, " and starting its %.0f nodes ", c->dispatches);
    put_ms(text, place->least_s[JL_ROOF_DISPATCH].value);
}

static void put_cause(jl_buf *text, const jl_notebook *b, const jl_paradox *p)
{
    if (p->cause == JL_CAUSE_UNKNOWN) {
        bool partial = b->places[p->small_cell].partial || b->places[p->small_cell].bound_s.why;
        jl_buf_puts(text, partial ? " The cause cannot be told: not all roofs are known (--probes)."
                                  : " No cause could be told.");
        return;
    }
    jl_buf_printf(text, " Cause: %s", jl_cause_words(p->cause));
    put_times(text, b, p);
    jl_buf_puts(text, ".");
    for (size_t i = 0; i < p->cure_count; i++) {
        jl_buf_puts(text, i == 0 ? " What helps: " : i + 1 < p->cure_count ? ", " : " and ");
        put_cure(text, b->t, &p->cures[i]);
    }
    if (p->cure_count) jl_buf_puts(text, ".");
}

/* The pairs of one device, configuration and batch: p[0 .. n - 1], worst first. */
static void note_pairs(jl_notebook *b, const jl_paradox *p, size_t n)
{
    const jl_study_table *t = b->t;
    size_t shown = 0, net = 0, net_tested = 0;
    const jl_paradox *worst = NULL;
    for (size_t i = 0; i < n; i++) {
        if (p[i].p.why || p[i].p.value > b->alpha) continue;
        if (!worst) worst = &p[i];
        shown++;
        net_tested += !p[i].p_net.why;
        net += !p[i].p_net.why && p[i].p_net.value <= b->alpha;
    }
    if (!worst) return;
    const jl_study_cell *c = &t->cells[worst->small_cell];
    jl_buf text = {0}, caution = {0}, query = {0};
    jl_buf_puts(&text, "On ");
    jl_put_device(&text, &t->devices[c->device]);
    jl_buf_printf(&text,
                  " in %s at batch %u, %zu pair%s of models show%s fewer FLOP with more %senergy",
                  t->configurations[c->configuration].name, c->batch, shown, shown == 1 ? "" : "s",
                  shown == 1 ? "s" : "", t->modelled_energy ? "modelled " : "");
    if (net_tested) jl_buf_printf(&text, " (%zu also net of waking idle)", net);
    jl_buf_puts(&text, ". The largest: ");
    put_pair(&text, b, worst);
    jl_buf_puts(&text, ".");
    put_cause(&text, b, worst);
    jl_query_start(&query, "model, batch, round, energy_j_per_item, net_waking_j_per_item",
                   &t->devices[c->device]);
    jl_buf_puts(&query, " AND configuration = ");
    jl_put_quoted(&query, t->configurations[c->configuration].name);
    jl_buf_printf(&query, " AND batch = %u AND in_flight = %u", c->batch, c->in_flight);
    jl_query_end(&query);
    jl_finding f = {.kind = JL_FINDING_PARADOX,
                    .metric = JL_ENERGY,
                    .rounds = worst->n,
                    .ratio = worst->ratio,
                    .interval = worst->interval,
                    .effect = worst->effect,
                    .p = worst->p,
                    .subject = jl_subject(c->device, c->configuration, 0)};
    jl_note(b, f, &text, &caution, &query);
}

static void note_paradoxes(jl_notebook *b, const jl_energy_fit *fits)
{
    __attribute__((cleanup(jl_paradoxes_free))) jl_paradoxes all = {0};
    b->rc = jl_find_paradoxes(b->t, fits, b->seed, &all, b->err);
    const jl_study_cell *cells = b->t->cells;
    for (size_t i = 0; i < all.count && !b->rc;) {
        const jl_study_cell *x = &cells[all.items[i].small_cell];
        size_t end = i;
        while (end < all.count) {
            const jl_study_cell *y = &cells[all.items[end].small_cell];
            if (y->device != x->device || y->configuration != x->configuration ||
                y->batch != x->batch || y->in_flight != x->in_flight)
                break;
            end++;
        }
        if (!jl_middle_batch(b->t, x)) note_pairs(b, &all.items[i], end - i);
        i = end;
    }
}

void jl_note_energy(jl_notebook *b)
{
    const jl_study_table *t = b->t;
    if (!t->values[JL_ENERGY]) return;
    size_t pairs = t->device_count * t->configuration_count;
    JL_OWNED jl_energy_fit *fits = calloc(pairs + 1, sizeof *fits);
    if (!fits) {
        b->rc = jl_no_memory(b->err);
        return;
    }
    b->rc = jl_study_energy_fits(t, b->seed, fits, b->err);
    for (uint32_t d = 0; d < t->device_count && !b->rc; d++)
        for (uint32_t c = 0; c < t->configuration_count && !b->rc; c++) {
            const jl_energy_fit *fit = &fits[d * t->configuration_count + c];
            if (!fit->why) note_fit(b, d, c, fit);
        }
    if (!b->rc) note_paradoxes(b, fits);
}
