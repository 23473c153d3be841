#include "report/compare.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "jouleline/comparison.h"
#include "jouleline/portability.h"

static const jl_sheet_column columns[] = {
    {"model_base", NULL, false},
    {"model_new", NULL, false},
    {"batch", NULL, false},
    {"in_flight", NULL, false},
    {"configuration_base", NULL, false},
    {"configuration_new", NULL, false},
    {"device", NULL, false},
    {NULL, "cell", false},
    {"metric", NULL, false},
    {"base", NULL, false},
    {"new", NULL, false},
    {NULL, "base", true},
    {NULL, "new", true},
    {"ratio", "new / base", true},
    JL_INTERVAL_COLUMNS,
    {"rounds", "rounds", true},
    {"margin", NULL, false},
    {"verdict", "verdict", false},
    {"rounds_needed", "rounds needed", true},
    {"not_held_equal", NULL, false},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

typedef struct work {
    const jl_compared *c;
    const jl_study_table *base, *new_table;
    bool paired;
    jl_match *ran; /* matches that ran on both sides */
    size_t count;
    size_t counts[3]; /* by verdict */
} work;

static bool ok(const jl_study_table *t, uint32_t cell)
{
    return t->cells[cell].outcome == JL_OUTCOME_OK;
}

static void fill_logs(const jl_study_table *t, jl_metric m, uint32_t cell, double *out)
{
    for (size_t i = 0; i < t->rounds; i++) {
        double v = t->values[m][cell * t->rounds + i];
        out[i] = v > 0 ? log(v) : NAN;
    }
}

static int judge_paired(const work *w, jl_metric m, double margin, jl_verdict *out, jl_error *err)
{
    size_t n = w->base->rounds;
    JL_OWNED double *d = calloc(w->count * n + 1, sizeof *d);
    if (!d) return jl_fail(err, JL_ERR_MEMORY, "no memory for the comparison");
    for (size_t i = 0; i < w->count; i++)
        jl_log_ratios(w->base, m, w->ran[i].base, w->ran[i].new_cell, d + i * n);
    return jl_judge(d, w->count, n, margin, w->c->level, w->c->seed, out, err);
}

static bool one_sensor(const work *w, const jl_match *x)
{
    const jl_study_device *a = &w->base->devices[w->base->cells[x->base].device],
                          *b = &w->new_table->devices[w->new_table->cells[x->new_cell].device];
    return a->uuid && b->uuid && !strcmp(a->uuid, b->uuid);
}

/* Joules of different sensors: inside both gain errors nothing is claimed. */
static void widen(const work *w, const jl_match *x, double margin, jl_verdict *v)
{
    const jl_study_device *a = &w->base->devices[w->base->cells[x->base].device],
                          *b = &w->new_table->devices[w->new_table->cells[x->new_cell].device];
    if (v->interval.why || one_sensor(w, x)) return;
    double gain = (1 + a->gain_error) * (1 + b->gain_error);
    double low = v->interval.low / gain, high = v->interval.high * gain;
    bool sure = v->kind == JL_VERDICT_REGRESSION ? low > 1 + margin : high < 1 + margin;
    if (!sure && v->kind != JL_VERDICT_INCONCLUSIVE) {
        v->kind = JL_VERDICT_INCONCLUSIVE; /* and no number of rounds helps */
        v->rounds_needed = jl_none(JL_NOT_IDENTIFIABLE);
    }
}

static int judge_unpaired(const work *w, jl_metric m, double margin, jl_verdict *out, jl_error *err)
{
    size_t n1 = w->base->rounds, n2 = w->new_table->rounds;
    JL_OWNED double *base = calloc(w->count * n1 + 1, sizeof *base);
    JL_OWNED double *new_values = calloc(w->count * n2 + 1, sizeof *new_values);
    if (!base || !new_values) return jl_fail(err, JL_ERR_MEMORY, "no memory for the comparison");
    for (size_t i = 0; i < w->count; i++) {
        fill_logs(w->base, m, w->ran[i].base, base + i * n1);
        fill_logs(w->new_table, m, w->ran[i].new_cell, new_values + i * n2);
    }
    int rc = jl_judge_unpaired(base, n1, new_values, n2, w->count, margin, w->c->level, out, err);
    for (size_t i = 0; i < w->count && !rc && m == JL_ENERGY; i++)
        widen(w, &w->ran[i], margin, &out[i]);
    return rc;
}

/* --- the sheet --- */

/* "resnet50, batch 8, ort-cpu/fp32", without what is compared: that stands above the table. */
static const char *cell_words(jl_report *r, const char *base_model, const char *new_model,
                              uint32_t batch, const char *base, const char *new_name)
{
    bool model = !strcmp(base_model, new_model), configuration = !strcmp(base, new_name);
    return jl_arena_printf(jl_report_arena(r), "%s%sbatch %u%s%s", model ? base_model : "",
                           model ? ", " : "", batch, configuration ? ", " : "",
                           configuration ? base : "");
}

static void put_cells(jl_sheet *s, jl_report *r, const work *w, const jl_match *x,
                      const char *heading)
{
    const jl_study_cell *a = &w->base->cells[x->base], *b = &w->new_table->cells[x->new_cell];
    const char *ma = w->base->models[a->model].name, *mb = w->new_table->models[b->model].name,
               *ca = w->base->configurations[a->configuration].name,
               *cb = w->new_table->configurations[b->configuration].name;
    jl_sheet_row(s, heading);
    jl_sheet_text(s, ma);
    jl_sheet_text(s, mb);
    jl_sheet_count(s, a->batch);
    jl_sheet_count(s, a->in_flight);
    jl_sheet_text(s, ca);
    jl_sheet_text(s, cb);
    jl_sheet_text(s, w->new_table->devices[b->device].name);
    jl_sheet_text(s, cell_words(r, ma, mb, a->batch, ca, cb));
}

static int put_median(jl_sheet *s, const jl_study_table *t, jl_metric m, uint32_t cell,
                      jl_value *out, jl_error *err)
{
    jl_summary x;
    int rc = jl_summarise(t->values[m] + cell * t->rounds, t->rounds, 0.95, &x, err);
    if (rc) return rc;
    *out = x.median;
    jl_sheet_value(s, x.median);
    return 0;
}

static int put_verdict(jl_sheet *s, jl_report *r, const work *w, jl_metric m, const jl_match *x,
                       double margin, const jl_verdict *v, jl_error *err)
{
    jl_arena *a = jl_report_arena(r);
    bool energy = m == JL_ENERGY;
    jl_value base, new_value;
    put_cells(s, r, w, x,
              jl_arena_printf(a, "%s, margin %g %%",
                              energy ? "Energy, J per item" : "Latency, ms per call",
                              100 * margin));
    jl_sheet_text(s, jl_metric_column(m));
    int rc = put_median(s, w->base, m, x->base, &base, err);
    if (!rc) rc = put_median(s, w->new_table, m, x->new_cell, &new_value, err);
    if (rc) return rc;
    jl_sheet_text(s, jl_digits(a, base, energy ? 1 : 1e-6));
    jl_sheet_text(s, jl_digits(a, new_value, energy ? 1 : 1e-6));
    jl_sheet_value(s, v->ratio);
    jl_sheet_interval(s, &v->interval, 1);
    jl_sheet_count(s, v->n);
    jl_sheet_number(s, margin);
    jl_sheet_text(s, jl_verdict_name(v->kind));
    bool known = v->kind == JL_VERDICT_INCONCLUSIVE && !v->rounds_needed.why;
    if (known)
        jl_sheet_count(s, (uint64_t)v->rounds_needed.value);
    else
        jl_sheet_text(s, NULL);
    jl_sheet_text(s, jl_not_held_equal(r, w->base, &w->base->cells[x->base], w->new_table,
                                       &w->new_table->cells[x->new_cell]));
    jl_sheet_bool(s, w->new_table->devices[w->new_table->cells[x->new_cell].device].simulated);
    jl_sheet_bool(s, w->base->modelled_energy || w->new_table->modelled_energy);
    return 0;
}

/* Cells that do not run on a side have no ratio. */
static void note_failures(jl_sheet *s, work *w)
{
    for (size_t i = 0; i < w->c->count; i++) {
        const jl_match *x = &w->c->matches[i];
        const jl_study_cell *a = &w->base->cells[x->base], *b = &w->new_table->cells[x->new_cell];
        bool runs = ok(w->base, x->base), still = ok(w->new_table, x->new_cell);
        if (runs && still) continue;
        const jl_study_cell *bad = still ? a : b;
        const char *message = bad->message ? bad->message : "";
        jl_sheet_note(s, "%s, batch %u, %s: %s in the %s%s%s%s", w->base->models[a->model].name,
                      a->batch, w->new_table->configurations[b->configuration].name,
                      jl_outcome_name(bad->outcome), still ? "base only" : "new version",
                      runs ? ", where the base runs: a regression" : "", *message ? ": " : "",
                      message);
        w->counts[JL_VERDICT_REGRESSION] += runs && !still;
    }
}

static void note_facts(jl_sheet *s, const work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const jl_study_cell *a = &w->base->cells[w->ran[i].base],
                            *b = &w->new_table->cells[w->ran[i].new_cell];
        jl_audit x = jl_audit_begin(w->base, a, w->new_table, b);
        const char *name, *va, *vb;
        while (jl_audit_next(&x, &name, &va, &vb))
            jl_sheet_note(s, "Not held equal: %s: %s (base), %s (new).", name,
                          va ? va : "not known", vb ? vb : "not known");
    }
}

static int judge_metric(jl_sheet *s, jl_report *r, work *w, jl_metric m, double margin,
                        jl_error *err)
{
    if (!w->count || !w->base->values[m] || !w->new_table->values[m]) return 0;
    JL_OWNED jl_verdict *v = calloc(w->count, sizeof *v);
    if (!v) return jl_fail(err, JL_ERR_MEMORY, "no memory for the comparison");
    int rc = w->paired ? judge_paired(w, m, margin, v, err) : judge_unpaired(w, m, margin, v, err);
    for (size_t i = 0; i < w->count && !rc; i++) {
        rc = put_verdict(s, r, w, m, &w->ran[i], margin, &v[i], err);
        w->counts[v[i].kind]++;
    }
    return rc;
}

static const char *sentence_of(jl_report *r, const work *w, jl_verdict_kind worst)
{
    static const char *const words[] = {[JL_VERDICT_PASS] = "Pass",
                                        [JL_VERDICT_REGRESSION] = "Regression",
                                        [JL_VERDICT_INCONCLUSIVE] = "Inconclusive"};
    const size_t *n = w->counts;
    bool simulated = false;
    for (size_t i = 0; i < w->count; i++)
        simulated |= w->base->devices[w->base->cells[w->ran[i].base].device].simulated;
    return jl_arena_printf(
        jl_report_arena(r),
        "%s: of %zu comparisons %zu worse than the margin, %zu within it, %zu undecided (%s, %s).",
        words[worst], n[0] + n[1] + n[2], n[JL_VERDICT_REGRESSION], n[JL_VERDICT_PASS],
        n[JL_VERDICT_INCONCLUSIVE], w->paired ? "paired by rounds" : "unpaired",
        simulated ? "simulated" : "measured");
}

int jl_report_compared(jl_report *r, const jl_compared *c, jl_verdict_kind *worst,
                       const char **sentence, jl_error *err)
{
    work w = {.c = c,
              .base = jl_study_data_table(c->base),
              .new_table = jl_study_data_table(c->new_data),
              .paired = c->base == c->new_data};
    JL_OWNED jl_match *ran = calloc(c->count + 1, sizeof *ran);
    if (!ran) return jl_fail(err, JL_ERR_MEMORY, "no memory for the comparison");
    w.ran = ran;
    for (size_t i = 0; i < c->count; i++)
        if (ok(w.base, c->matches[i].base) && ok(w.new_table, c->matches[i].new_cell))
            ran[w.count++] = c->matches[i];
    jl_sheet *s = jl_report_sheet(r, "compare", NULL, columns, COLUMNS);
    int rc = judge_metric(s, r, &w, JL_LATENCY, c->margins[0], err);
    if (!rc) rc = judge_metric(s, r, &w, JL_ENERGY, c->margins[1], err);
    if (rc) return rc;
    note_failures(s, &w);
    jl_sheet_note(s, w.paired
                         ? "Intervals are simultaneous over the cells of a metric."
                         : "Unpaired: drift between the two measurements (temperature, load, "
                           "clocks) is part of the difference. Intervals are simultaneous over "
                           "the cells of a metric (Bonferroni).");
    for (size_t i = 0; i < w.count && !w.paired; i++)
        if (!one_sensor(&w, &ran[i]))
            jl_sheet_note(s, "Joules of another device are judged only beyond the gain errors of "
                             "both sensors.");
    note_facts(s, &w);
    jl_note_origin(s, c->new_data);
    *worst = w.counts[JL_VERDICT_REGRESSION] ? JL_VERDICT_REGRESSION
             : w.counts[JL_VERDICT_INCONCLUSIVE] || !w.counts[JL_VERDICT_PASS]
                 ? JL_VERDICT_INCONCLUSIVE
                 : JL_VERDICT_PASS;
    *sentence = sentence_of(r, &w, *worst);
    return 0;
}
