/* Sentences on contrasts: who gains, by how much, which models, and who loses. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/findings.h"
#include "analysis/order.h"
#include "analysis/table.h"
#include "base/memory.h"

/* A contrast read from the side of its subject: the new configuration, or for runtimes the one
 * that takes less. Ratios are subject / other. */
typedef struct reading {
    const jl_notebook *b;
    const jl_contrast *c;
    const jl_contrasts *all;
    bool swapped;
} reading;

enum { LOWER = -1, UNDECIDED = 0, HIGHER = 1 };

static double ratio_of(const reading *r, const jl_member *m)
{
    return r->swapped ? 1 / m->ratio.value : m->ratio.value;
}

static int direction(const reading *r, const jl_member *m)
{
    if (m->p.why || m->ratio.why || m->p.value > r->b->alpha) return UNDECIDED;
    double ratio = ratio_of(r, m);
    return ratio < 1 ? LOWER : ratio > 1 ? HIGHER : UNDECIDED;
}

/* Mean, least and most over the members of one direction, of ratio or of its inverse. */
typedef struct range {
    size_t n;
    double mean, least, most;
    uint32_t most_model;
} range;

static range range_of(const reading *r, int wanted, bool inverse)
{
    range g = {0};
    for (size_t i = 0; i < r->c->count; i++) {
        const jl_member *m = &r->c->members[i];
        if (direction(r, m) != wanted) continue;
        double v = inverse ? 1 / ratio_of(r, m) : ratio_of(r, m);
        if (g.n == 0 || v < g.least) g.least = v;
        if (g.n == 0 || v > g.most) {
            g.most = v;
            g.most_model = r->b->t->cells[m->new_cell].model;
        }
        g.mean += v;
        g.n++;
    }
    if (g.n) g.mean /= (double)g.n;
    return g;
}

static const char *subject(const reading *r, bool other)
{
    bool base = r->swapped != other;
    return r->b->t->configurations[base ? r->c->base_configuration : r->c->new_configuration].name;
}

static void put_subject(const reading *r, jl_buf *text, const char *verb)
{
    jl_buf_puts(text, "On ");
    jl_put_device(text, &r->b->t->devices[r->c->device]);
    if (r->c->kind == JL_CONTRAST_BATCH)
        jl_buf_printf(text, ", %s at batch %u %s per item than at batch %u", subject(r, false),
                      r->c->new_batch, verb, r->c->base_batch);
    else
        jl_buf_printf(text, ", %s %s than %s at batch %u", subject(r, false), verb,
                      subject(r, true), r->c->base_batch);
    if (r->c->in_flight > 1) jl_buf_printf(text, " with %u in flight", r->c->in_flight);
}

/* "4 to 5 %" for small gains, "1.95x on average (1.60x to 2.41x)" for large ones. */
static void put_gain(jl_buf *text, const range *g, bool energy)
{
    if (g->most < 1.25 || energy) {
        double low = energy ? 1 - 1 / g->least : g->least - 1;
        double high = energy ? 1 - 1 / g->most : g->most - 1;
        jl_buf_puts(text, "by ");
        jl_put_range(text, 100 * low, 100 * high, high - low < 0.01 ? 1 : 0, " %");
        if (energy) jl_buf_printf(text, " (%.2fx on average)", g->mean);
    } else {
        jl_buf_printf(text, "%.2fx on average (", g->mean);
        jl_put_range(text, g->least, g->most, 2, "x");
        jl_buf_puts(text, ")");
    }
}

/* The contrast of the same plan for a family; families follow their all-models contrast. */
static const jl_contrast *next_family(const reading *r, const jl_contrast *c)
{
    const jl_contrast *next = c + 1;
    return next < r->all->items + r->all->count && next->family ? next : NULL;
}

static size_t families(const reading *r)
{
    size_t n = 0;
    for (const jl_contrast *f = r->c; (f = next_family(r, f));)
        n++;
    return n;
}

static void put_mean(const reading *r, jl_buf *text, const jl_contrast *c, bool gains)
{
    jl_value mean = gains != r->swapped ? c->gain_mean : c->ratio_mean;
    jl_value sd = gains != r->swapped ? c->gain_sd : c->ratio_sd;
    const char *name = c->family ? c->family : "all";
    if (mean.why)
        jl_buf_printf(text, " %s none", name);
    else if (gains)
        jl_buf_printf(text, " %s %.2f", name, mean.value);
    else
        jl_buf_printf(text, " %s %+.0f %%", name, 100 * (mean.value - 1));
    if (gains && !sd.why) jl_buf_printf(text, " +- %.2f", sd.value);
}

/* The mean of every family, as a gain (with its SD) or as a change in per cent. */
static void put_families(const reading *r, jl_buf *text, bool gains)
{
    if (gains) {
        jl_buf_puts(text, "; mean +- SD over models:");
        put_mean(r, text, r->c, true);
    }
    if (families(r) < 2) return;
    bool first = !gains;
    for (const jl_contrast *f = r->c; (f = next_family(r, f)); first = false) {
        if (!first) jl_buf_puts(text, ",");
        put_mean(r, text, f, gains);
    }
    if (!gains) jl_buf_puts(text, " on average");
}

/* Whether the members that gain are exactly some whole families; names them. */
static bool put_whole_families(const reading *r, jl_buf *text)
{
    jl_buf names = {0};
    size_t listed = 0, whole = 0;
    for (const jl_contrast *f = r->c; (f = next_family(r, f));) {
        size_t gaining = 0;
        for (size_t i = 0; i < f->count; i++) {
            reading family = {r->b, f, r->all, r->swapped};
            gaining += direction(&family, &f->members[i]) == LOWER;
        }
        if (gaining != 0 && gaining != f->count) {
            jl_buf_free(&names);
            return false;
        }
        if (!gaining) continue;
        jl_buf_printf(&names, "%s%s", whole++ ? " and " : "", f->family);
        listed += gaining;
    }
    bool ok = whole > 0 && listed == range_of(r, LOWER, true).n;
    if (ok) jl_buf_printf(text, ", exactly the %s models", names.p);
    jl_buf_free(&names);
    return ok;
}

/* Whether arithmetic intensity clearly parts those that gain from the others; says where. */
static bool put_intensity(const reading *r, jl_buf *text)
{
    double least_gaining = INFINITY, most_other = 0;
    for (size_t i = 0; i < r->c->count; i++) {
        const jl_study_cell *c = &r->b->t->cells[r->c->members[i].base];
        double intensity = c->flop / c->bytes;
        if (!(intensity > 0 && intensity < 1e300)) return false;
        if (direction(r, &r->c->members[i]) == LOWER)
            least_gaining = fmin(least_gaining, intensity);
        else
            most_other = fmax(most_other, intensity);
    }
    if (!(least_gaining > 1.25 * most_other) || !isfinite(least_gaining)) return false;
    jl_buf_puts(text, ", the compute-intensive ones only (at least ");
    jl_put_number(text, least_gaining);
    jl_buf_puts(text, " FLOP/byte, the others at most ");
    jl_put_number(text, most_other);
    jl_buf_puts(text, ")");
    return true;
}

static void put_names(const reading *r, jl_buf *text, int wanted)
{
    uint32_t models[8];
    size_t n = 0, total = 0;
    for (size_t i = 0; i < r->c->count; i++)
        if (direction(r, &r->c->members[i]) == wanted) {
            if (n < 8) models[n++] = r->b->t->cells[r->c->members[i].new_cell].model;
            total++;
        }
    if (total == 0 || total > 8) return;
    jl_buf_puts(text, " (");
    jl_put_models(text, r->b->t, models, n, 8);
    jl_buf_puts(text, ")");
}

static void put_losses(const reading *r, jl_buf *text, const range *lost)
{
    const char *worst = r->b->t->models[lost->most_model].name;
    if (lost->n == r->c->count && families(r) >= 2)
        put_families(r, text, false);
    else
        jl_buf_printf(text, " %+.0f %% on average", 100 * (lost->mean - 1));
    if (lost->n > 1) jl_buf_printf(text, ", worst %s %+.0f %%", worst, 100 * (lost->most - 1));
}

static const char *words(jl_metric m, bool modelled, bool less)
{
    if (m == JL_LATENCY) return less ? "is faster" : "is slower";
    if (modelled) return less ? "uses less modelled energy" : "uses more modelled energy";
    return less ? "uses less energy" : "uses more energy";
}

static const char *batch_words(jl_metric m, bool modelled, bool less)
{
    if (m == JL_LATENCY) return less ? "takes less time" : "takes more time";
    return words(m, modelled, less);
}

static void put_audit(const reading *r, jl_buf *caution)
{
    const jl_study_cell *a = &r->b->t->cells[r->c->members[0].base],
                        *z = &r->b->t->cells[r->c->members[0].new_cell];
    jl_audit audit = jl_audit_begin(r->b->t, a, r->b->t, z);
    const char *name, *x, *y;
    while (jl_audit_next(&audit, &name, &x, &y))
        jl_buf_printf(caution, "%s%s (%s against %s)", caution->n ? ", " : "Not held equal: ", name,
                      y ? y : "unknown", x ? x : "unknown");
}

static void put_query(const reading *r, jl_buf *q)
{
    const jl_contrast *c = r->c;
    const jl_study_table *t = r->b->t;
    char columns[96];
    snprintf(columns, sizeof columns, "model, configuration, batch, round, %s",
             jl_metric_column(c->metric));
    jl_query_start(q, columns, &t->devices[c->device]);
    jl_buf_puts(q, " AND configuration IN (");
    jl_put_quoted(q, t->configurations[c->base_configuration].name);
    if (c->new_configuration != c->base_configuration) {
        jl_buf_puts(q, ", ");
        jl_put_quoted(q, t->configurations[c->new_configuration].name);
    }
    jl_buf_printf(q, ") AND batch IN (%u", c->base_batch);
    if (c->new_batch != c->base_batch) jl_buf_printf(q, ", %u", c->new_batch);
    jl_buf_printf(q, ") AND in_flight = %u", c->in_flight);
    if (c->family) {
        jl_buf_puts(q, " AND family = ");
        jl_put_quoted(q, c->family);
    }
    jl_query_end(q);
}

/* Ratio, interval and effect from the subject's side, as the sentence gives them. */
static jl_finding finding_of(const reading *r, jl_finding_kind kind)
{
    const jl_contrast *c = r->c;
    jl_finding f = {.kind = kind,
                    .metric = c->metric,
                    .rounds = c->n,
                    .ratio = c->ratio,
                    .interval = c->interval,
                    .effect = c->effect,
                    .p = c->p,
                    .subject = jl_subject(c->device, c->base_configuration, c->new_configuration)};
    if (!r->swapped) return f;
    if (!f.ratio.why) f.ratio.value = 1 / f.ratio.value;
    if (!f.interval.why) {
        f.interval.low = 1 / c->interval.high;
        f.interval.high = 1 / c->interval.low;
    }
    if (!f.effect.why) f.effect.value = -f.effect.value;
    return f;
}

static void put_sum(const reading *r, jl_buf *text)
{
    jl_finding f = finding_of(r, JL_FINDING_RUNTIME);
    jl_buf_printf(text, ". Geometric mean ratio over %zu model%s ", r->c->count,
                  r->c->count == 1 ? "" : "s");
    if (f.ratio.why)
        jl_buf_puts(text, jl_why_words(f.ratio.why));
    else
        jl_put_number(text, f.ratio.value);
    jl_buf_puts(text, " (");
    jl_put_interval(text, f.interval);
    jl_buf_puts(text, ", ");
    jl_put_p(text, f.p);
    if (!f.effect.why) jl_buf_printf(text, ", effect %+.2f", f.effect.value);
    jl_buf_printf(text, ", %u rounds; corrected over everything compared on this device).",
                  f.rounds);
}

static void note_contrast(jl_notebook *b, const reading *r)
{
    static const jl_finding_kind kinds[] = {JL_FINDING_RUNTIME, JL_FINDING_PRECISION,
                                            JL_FINDING_REGIME, JL_FINDING_BATCH};
    const jl_contrast *c = r->c;
    bool modelled = b->t->modelled_energy, energy = c->metric != JL_LATENCY;
    const char *(*verb)(jl_metric, bool, bool) = c->kind == JL_CONTRAST_BATCH ? batch_words : words;
    range won = range_of(r, LOWER, true), lost = range_of(r, HIGHER, false);
    if (won.n == 0 && lost.n == 0) return;
    jl_buf text = {0}, caution = {0}, query = {0};
    if (won.n) {
        put_subject(r, &text, verb(c->metric, modelled, true));
        jl_buf_printf(&text, " for %zu of %zu models", won.n, c->count);
        if (won.n < c->count) {
            bool told = put_whole_families(r, &text);
            told |= put_intensity(r, &text);
            if (!told) put_names(r, &text, LOWER);
        }
        jl_buf_puts(&text, ": ");
        put_gain(&text, &won, energy);
        put_families(r, &text, true);
        if (lost.n) {
            jl_buf_printf(&text, ". It %s for %zu of %zu", verb(c->metric, modelled, false), lost.n,
                          c->count);
            put_names(r, &text, HIGHER);
            jl_buf_puts(&text, ":");
            put_losses(r, &text, &lost);
        }
    } else {
        put_subject(r, &text, verb(c->metric, modelled, false));
        jl_buf_printf(&text, " for %zu of %zu models:", lost.n, c->count);
        put_losses(r, &text, &lost);
    }
    put_sum(r, &text);
    if (c->kind != JL_CONTRAST_BATCH) put_audit(r, &caution);
    put_query(r, &query);
    jl_note(b, finding_of(r, kinds[c->kind]), &text, &caution, &query);
}

/* INT8 by family: the saving, with the agreement that it costs. */
static void note_int8(jl_notebook *b, const reading *r)
{
    const jl_contrast *c = r->c;
    range won = range_of(r, LOWER, true);
    double least = 1, most = 0;
    size_t checked = 0;
    for (size_t i = 0; i < c->count; i++) {
        const jl_study_cell *cell = &b->t->cells[c->members[i].new_cell];
        if (direction(r, &c->members[i]) != LOWER || !cell->checked_items) continue;
        double share = (double)cell->agree_items / (double)cell->checked_items;
        least = fmin(least, share);
        most = fmax(most, share);
        checked++;
    }
    if (won.n == 0) return;
    jl_buf text = {0}, caution = {0}, query = {0};
    jl_buf_puts(&text, "On ");
    jl_put_device(&text, &b->t->devices[c->device]);
    jl_buf_printf(&text, ", INT8 (%s) saves ", subject(r, false));
    jl_put_range(&text, 100 * (1 - 1 / won.least), 100 * (1 - 1 / won.most), 0, " %");
    jl_buf_printf(&text, " %s against %s at batch %u for %zu of %zu %s models",
                  c->metric == JL_LATENCY ? "time"
                  : b->t->modelled_energy ? "modelled energy"
                                          : "energy",
                  subject(r, true), c->base_batch, won.n, c->count, c->family);
    if (checked) {
        jl_buf_puts(&text, ", with ");
        jl_put_range(&text, 100 * least, 100 * most, 0, " %");
        jl_buf_printf(&text, " top-1 agreement with FP32 (%zu checked)", checked);
    } else
        jl_buf_puts(&text, ", its agreement with FP32 not checked");
    put_sum(r, &text);
    put_audit(r, &caution);
    put_query(r, &query);
    jl_note(b, finding_of(r, JL_FINDING_INT8), &text, &caution, &query);
}

/* Sentences are on the smallest and the largest batch (of batch contrasts on the largest); the
 * ones between are in the tables. */
static bool between(const jl_contrasts *all, const jl_contrast *c)
{
    bool smaller = c->kind == JL_CONTRAST_BATCH, larger = false;
    for (size_t i = 0; i < all->count; i++) {
        const jl_contrast *o = &all->items[i];
        if (o->kind != c->kind || o->device != c->device || o->in_flight != c->in_flight ||
            o->base_configuration != c->base_configuration ||
            o->new_configuration != c->new_configuration)
            continue;
        smaller |= o->new_batch < c->new_batch;
        larger |= o->new_batch > c->new_batch;
    }
    return smaller && larger;
}

void jl_note_contrasts(jl_notebook *b, jl_metric metric)
{
    __attribute__((cleanup(jl_contrasts_free))) jl_contrasts all = {0};
    b->rc = jl_find_contrasts(b->t, metric, b->alpha, b->seed, &all, b->err);
    for (size_t i = 0; i < all.count && !b->rc; i++) {
        const jl_contrast *c = &all.items[i];
        reading r = {b, c, &all, false};
        bool int8 = c->kind == JL_CONTRAST_PRECISION &&
                    jl_same_word(b->t->configurations[c->new_configuration].precision, "int8");
        if (between(&all, c)) continue;
        if (c->family) {
            if (int8) note_int8(b, &r);
            continue;
        }
        r.swapped = c->kind == JL_CONTRAST_RUNTIME && !c->ratio.why && c->ratio.value > 1;
        note_contrast(b, &r);
    }
}
