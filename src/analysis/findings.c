#include "analysis/findings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/order.h"
#include "base/memory.h"
#include "jouleline/multiplicity.h"

const char *jl_finding_kind_name(jl_finding_kind k)
{
    static const char *const names[] = {"headline", "runtime", "precision", "int8",
                                        "regime",   "batch",   "device",    "failure",
                                        "roofline", "energy",  "paradox"};
    return (unsigned)k < JL_FINDING_KINDS ? names[k] : "unknown";
}

void jl_note(jl_notebook *b, jl_finding finding, jl_buf *text, jl_buf *caution, jl_buf *query)
{
    jl_buf *buffers[] = {text, caution, query};
    const char **slots[] = {&finding.text, &finding.caution, &finding.query};
    for (int i = 0; i < 3 && !b->rc; i++) {
        if (buffers[i]->failed)
            b->rc = jl_no_memory(b->err);
        else if (buffers[i]->n)
            *slots[i] = jl_arena_strndup(b->arena, buffers[i]->p, buffers[i]->n);
        if (!b->rc && buffers[i]->n && !*slots[i]) b->rc = jl_no_memory(b->err);
    }
    for (int i = 0; i < 3; i++)
        jl_buf_free(buffers[i]);
    if (!b->rc && b->out->count == b->room) {
        size_t room = b->room ? 2 * b->room : 32;
        jl_finding *grown = realloc(b->out->items, room * sizeof *grown);
        if (grown) {
            b->out->items = grown;
            b->room = room;
        } else {
            b->rc = jl_no_memory(b->err);
        }
    }
    if (!b->rc) b->out->items[b->out->count++] = finding;
}

bool jl_middle_batch(const jl_study_table *t, const jl_study_cell *c)
{
    bool smaller = false, larger = false;
    for (size_t i = 0; i < t->cell_count && !(smaller && larger); i++) {
        const jl_study_cell *o = &t->cells[i];
        if (o->device != c->device || o->configuration != c->configuration ||
            o->in_flight != c->in_flight || o->outcome != JL_OUTCOME_OK || jl_cell_is_probe(t, i))
            continue;
        smaller |= o->batch < c->batch;
        larger |= o->batch > c->batch;
    }
    return smaller && larger;
}

void jl_put_device(jl_buf *b, const jl_study_device *d)
{
    jl_buf_puts(b, d->name);
    if (d->simulated) jl_buf_puts(b, " (simulated)");
}

void jl_put_quoted(jl_buf *b, const char *text)
{
    jl_buf_puts(b, "'");
    for (; *text; text++)
        jl_buf_printf(b, *text == '\'' ? "''" : "%c", *text);
    jl_buf_puts(b, "'");
}

void jl_put_models(jl_buf *b, const jl_study_table *t, const uint32_t *models, size_t n,
                   size_t most)
{
    size_t shown = n > most ? most : n;
    for (size_t i = 0; i < shown; i++) {
        bool last = i + 1 == n && n > 1;
        jl_buf_printf(b, "%s%s", i == 0 ? "" : last ? " and " : ", ", t->models[models[i]].name);
    }
    if (n > shown) jl_buf_printf(b, " and %zu more", n - shown);
}

void jl_put_number(jl_buf *b, double v)
{
    double size = v < 0 ? -v : v;
    if (size >= 1e6 || (size > 0 && size < 1e-3))
        jl_buf_printf(b, "%.3g", v);
    else
        jl_buf_printf(b, size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.3g", v);
}

void jl_put_interval(jl_buf *b, jl_interval i)
{
    if (i.why) {
        jl_buf_printf(b, "no interval: %s", jl_why_words(i.why));
        return;
    }
    jl_buf_printf(b, "%.1f %% interval ", 100 * i.level);
    jl_put_number(b, i.low);
    jl_buf_puts(b, " to ");
    jl_put_number(b, i.high);
}

void jl_put_p(jl_buf *b, jl_value p)
{
    if (p.why)
        jl_buf_printf(b, "p %s", jl_why_words(p.why));
    else
        jl_buf_printf(b, p.value >= 0.1 ? "p = %.2f" : "p = %.2g", p.value);
}

void jl_put_range(jl_buf *b, double low, double high, int digits, const char *unit)
{
    char x[64], y[64];
    snprintf(x, sizeof x, "%.*f", digits, low);
    snprintf(y, sizeof y, "%.*f", digits, high);
    if (strcmp(x, y))
        jl_buf_printf(b, "%s to %s%s", x, y, unit);
    else
        jl_buf_printf(b, "%s%s", y, unit);
}

void jl_query_start(jl_buf *q, const char *columns, const jl_study_device *d)
{
    jl_buf_printf(q, "SELECT %s FROM result WHERE ", columns);
    jl_buf_puts(q, d->uuid ? "device_uid = " : "device = ");
    jl_put_quoted(q, d->uuid ? d->uuid : d->name);
}

void jl_query_end(jl_buf *q)
{
    jl_buf_puts(
        q,
        " AND outcome = 'ok' AND round_complete = 1 ORDER BY model, configuration, batch, round");
}

char *jl_headline_text(const jl_study_table *t, const jl_headline *h)
{
    jl_buf b = {0};
    const char *what =
        h->metric == JL_ENERGY ? t->modelled_energy ? "modelled joules" : "joules" : "time";
    jl_buf_puts(&b, "On ");
    jl_put_device(&b, &t->devices[h->device]);
    if (h->why) {
        jl_buf_printf(&b, ", no two configurations can be compared: %s.", jl_why_words(h->why));
    } else {
        const char *best = t->configurations[h->best].name, *next = t->configurations[h->next].name;
        bool shown = !h->p.why && h->p.value <= 0.05;
        uint32_t least = (uint32_t)jl_rounds_needed(1, 0.05);
        jl_buf_printf(&b, ", %s %s the %s %s per inference", best, h->n < least ? "used" : "uses",
                      h->metric == JL_ENERGY ? "fewest" : "least", what);
        if (h->n == 1)
            jl_buf_puts(&b, " in the only round so far");
        else if (h->n < least)
            jl_buf_printf(&b, " in the %u rounds so far", h->n);
        else if (!shown)
            jl_buf_puts(&b, ", but the difference is not shown");
        jl_buf_puts(&b, ": ");
        jl_put_number(&b, h->ratio.value);
        jl_buf_printf(&b, " times that of the next, %s (", next);
        if (h->n < least) {
            jl_buf_printf(&b, "no test is possible below %u rounds", least);
        } else {
            jl_put_interval(&b, h->interval);
            jl_buf_puts(&b, ", ");
            jl_put_p(&b, h->p);
        }
        jl_buf_printf(&b, "; %u round%s, %u cell%s, %s).", h->n, h->n == 1 ? "" : "s", h->cells,
                      h->cells == 1 ? "" : "s",
                      t->devices[h->device].simulated                ? "simulated"
                      : h->metric == JL_ENERGY && t->modelled_energy ? "modelled"
                                                                     : "measured");
    }
    if (b.failed) {
        jl_buf_free(&b);
        return NULL;
    }
    return b.p;
}

static void note_headlines(jl_notebook *b)
{
    for (uint32_t d = 0; d < b->t->device_count && !b->rc; d++) {
        jl_headline h;
        b->rc = jl_find_headline(b->t, d, &h, b->err);
        if (b->rc || h.why) continue;
        JL_OWNED char *sentence = jl_headline_text(b->t, &h);
        jl_buf text = {0}, caution = {0}, query = {0};
        if (!sentence)
            b->rc = jl_no_memory(b->err);
        else
            jl_buf_puts(&text, sentence);
        jl_query_start(&query, "model, configuration, batch, round", &b->t->devices[d]);
        jl_query_end(&query);
        jl_finding f = {.kind = JL_FINDING_HEADLINE,
                        .metric = h.metric,
                        .rounds = h.n,
                        .ratio = h.ratio,
                        .interval = h.interval,
                        .p = h.p,
                        .effect = jl_none(JL_NOT_TESTED)};
        jl_note(b, f, &text, &caution, &query);
    }
}

/* The rules run by metric; readers want them by kind. Stable, since texts follow the table. */
static void sort_by_kind(jl_findings *f)
{
    for (size_t i = 1; i < f->count; i++) {
        jl_finding v = f->items[i];
        size_t j = i;
        for (; j > 0 && f->items[j - 1].kind > v.kind; j--)
            f->items[j] = f->items[j - 1];
        f->items[j] = v;
    }
}

int jl_find(const jl_study_table *t, const jl_findings_options *options, jl_findings *out,
            jl_error *err)
{
    jl_findings_options o = options ? *options : (jl_findings_options){0};
    jl_arena *arena = jl_arena_new();
    *out = (jl_findings){.memory = arena};
    JL_OWNED jl_roof_place *places = malloc((t->cell_count + 1) * sizeof *places);
    jl_notebook b = {.t = t,
                     .alpha = o.alpha > 0 ? o.alpha : 0.05,
                     .seed = o.seed,
                     .out = out,
                     .arena = arena,
                     .places = places,
                     .err = err};
    b.rc = arena && places ? jl_study_roofline(t, places, err) : jl_no_memory(err);
    if (!b.rc) note_headlines(&b);
    for (jl_metric m = JL_LATENCY; m <= JL_ENERGY && !b.rc; m++) {
        if (!t->values[m]) continue;
        jl_note_contrasts(&b, m);
        if (!b.rc) jl_note_devices(&b, m);
    }
    if (!b.rc) jl_note_failures(&b);
    if (!b.rc) jl_note_roofs(&b);
    if (!b.rc) jl_note_energy(&b);
    if (b.rc)
        jl_findings_free(out);
    else
        sort_by_kind(out);
    return b.rc;
}

/* How far the ratio is from 1 for sure; energy goes before time of the same size. */
static double strength(const jl_finding *f)
{
    if (f->ratio.why || !(f->ratio.value > 0)) return 0;
    double low = fabs(log(f->ratio.value)), high = low;
    if (!f->interval.why && f->interval.low > 0) {
        if (f->interval.low <= 1 && f->interval.high >= 1) return 0;
        low = fabs(log(f->interval.low));
        high = fabs(log(f->interval.high));
    }
    return fmin(low, high) * (f->metric == JL_ENERGY ? 1.1 : 1);
}

/* The strongest of a kind whose subject was not chosen yet, or SIZE_MAX. */
static size_t strongest(const jl_findings *f, jl_finding_kind kind, const bool *chosen)
{
    enum { OF_ONE_KIND = 3 };
    size_t best = SIZE_MAX, already = 0;
    for (size_t i = 0; i < f->count; i++)
        already += chosen[i] && f->items[i].kind == kind;
    if (already == OF_ONE_KIND) return SIZE_MAX;
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].kind != kind) continue;
        bool told = false;
        for (size_t k = 0; k < f->count && !told; k++)
            told =
                chosen[k] && f->items[k].kind == kind && f->items[k].subject == f->items[i].subject;
        bool weak = !f->items[i].ratio.why && !(strength(&f->items[i]) > 0);
        if (told || weak) continue;
        if (best == SIZE_MAX || strength(&f->items[i]) > strength(&f->items[best])) best = i;
    }
    return best;
}

size_t jl_findings_brief(const jl_findings *f, size_t most, bool *chosen)
{
    static const jl_finding_kind order[] = {
        JL_FINDING_RUNTIME, JL_FINDING_PRECISION, JL_FINDING_INT8,
        JL_FINDING_REGIME,  JL_FINDING_BATCH,     JL_FINDING_DEVICE,
        JL_FINDING_PARADOX, JL_FINDING_ENERGY,    JL_FINDING_ROOFLINE};
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        chosen[i] = false;
    for (bool more = true; more;) {
        more = false;
        for (size_t k = 0; k < sizeof order / sizeof *order && n < most; k++) {
            size_t at = strongest(f, order[k], chosen);
            if (at == SIZE_MAX) continue;
            chosen[at] = more = true;
            n++;
        }
    }
    return n;
}

void jl_findings_free(jl_findings *f)
{
    free(f->items);
    jl_arena_free(f->memory);
    *f = (jl_findings){0};
}
