/* The pairs of models that go against the count of operations: why, and what helps. */
#include "jouleline/paradox.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "jouleline/multiplicity.h"
#include "report/sections.h"

static const jl_sheet_column paradox_columns[] = {
    {"device", NULL, false},
    {"configuration", NULL, false},
    {"batch", NULL, false},
    {"small", "fewer FLOP", false},
    {"large", "more FLOP", false},
    {"flop_ratio", "FLOP ratio", true},
    {"ratio", "J/item ratio", true},
    JL_INTERVAL_COLUMNS,
    {"rounds", NULL, false},
    {"effect", NULL, false},
    {"p", "p", true},
    {"family", NULL, false},
    {"ratio_net", "net", true},
    {"p_net", NULL, false},
    {"cause", NULL, false},
    {"batching_to", NULL, false},
    {"batching_predicted", NULL, false},
    {"batching_measured", NULL, false},
    {"cuda_graphs_predicted", NULL, false},
    {"cuda_graphs_measured", NULL, false},
    {"runtime", NULL, false},
    {"runtime_predicted", NULL, false},
    {"runtime_measured", NULL, false},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
};
enum { PARADOX_COLUMNS = sizeof paradox_columns / sizeof *paradox_columns };

static const jl_sheet_column cause_columns[] = {
    {"model", "model", false},           {"cause", "cause", false},
    {"batching", "larger batch", false}, {"cuda_graphs", "CUDA Graphs", false},
    {"runtime", "other runtime", false},
};
enum { CAUSE_COLUMNS = sizeof cause_columns / sizeof *cause_columns };
enum { READERS_PAIRS = 5 }; /* of one device, configuration and batch */

static const jl_cure_gain *find_cure(const jl_paradox *p, jl_cure cure)
{
    for (size_t i = 0; i < p->cure_count; i++)
        if (p->cures[i].cure == cure) return &p->cures[i];
    return NULL;
}

static const char *short_text(jl_arena *a, jl_value v)
{
    return v.why ? NULL : jl_arena_printf(a, "%.3g", v.value);
}

/* "at 32: 6.41 (6.1)": measured, and as the model has it. */
static const char *cure_text(jl_arena *a, const jl_study_table *t, const jl_paradox *p,
                             jl_cure cure)
{
    const jl_cure_gain *g = find_cure(p, cure);
    if (!g) return NULL;
    const jl_study_cell *by = g->cell == JL_NO_CELL ? NULL : &t->cells[g->cell];
    const char *where = "", *measured = short_text(a, g->measured),
               *model = short_text(a, g->predicted);
    if (cure == JL_CURE_BATCHING && by) where = jl_arena_printf(a, "at %u: ", by->batch);
    if (cure == JL_CURE_RUNTIME && by)
        where = jl_arena_printf(a, "%s: ", t->configurations[by->configuration].name);
    if (g->at_most) return jl_arena_printf(a, "at most %s", model);
    return jl_arena_printf(a, "%s%s%s%s%s", where, measured ? measured : "",
                           model ? measured ? " (" : "(" : "", model ? model : "",
                           model ? ")" : "");
}

static const char *scene_heading(jl_report *r, const jl_study_table *t, const jl_study_cell *c)
{
    return jl_arena_printf(jl_report_arena(r), "%s, batch %u, %s",
                           t->configurations[c->configuration].name, c->batch,
                           jl_device_label(r, t, c->device));
}

static void put_cause(jl_sheet *s, jl_report *r, const jl_study_table *t, const jl_paradox *p)
{
    const jl_study_cell *c = &t->cells[p->small_cell];
    jl_sheet_row(s, scene_heading(r, t, c));
    jl_sheet_text(s, t->models[c->model].name);
    jl_sheet_text(s, jl_cause_words(p->cause));
    for (int k = 0; k < JL_CURES; k++)
        jl_sheet_text(s, cure_text(jl_report_arena(r), t, p, (jl_cure)k));
}

static void put_cure(jl_sheet *s, const jl_study_table *t, const jl_paradox *p, jl_cure cure)
{
    const jl_cure_gain none = {.cell = JL_NO_CELL,
                               .predicted = jl_none(JL_NO_VALUES),
                               .measured = jl_none(JL_NO_VALUES)},
                       *found = find_cure(p, cure), *g = found ? found : &none;
    const jl_study_cell *by = g->cell == JL_NO_CELL ? NULL : &t->cells[g->cell];
    if (cure == JL_CURE_BATCHING) jl_sheet_number(s, by ? (double)by->batch : NAN);
    if (cure == JL_CURE_RUNTIME)
        jl_sheet_text(s, by ? t->configurations[by->configuration].name : NULL);
    jl_sheet_value(s, g->predicted);
    jl_sheet_value(s, g->measured);
}

static void put_paradox(jl_sheet *s, jl_report *r, const jl_study_table *t, const jl_paradox *p)
{
    const jl_study_cell *small = &t->cells[p->small_cell], *large = &t->cells[p->large_cell];
    const jl_study_device *d = &t->devices[small->device];
    const char *configuration = t->configurations[small->configuration].name;
    jl_sheet_row(s, scene_heading(r, t, small));
    jl_sheet_text(s, d->name);
    jl_sheet_text(s, configuration);
    jl_sheet_count(s, small->batch);
    jl_sheet_text(s, t->models[small->model].name);
    jl_sheet_text(s, t->models[large->model].name);
    jl_sheet_number(s, p->flop_ratio);
    jl_sheet_value(s, p->ratio);
    jl_sheet_interval(s, &p->interval, 1);
    jl_sheet_count(s, p->n);
    jl_sheet_value(s, p->effect);
    jl_sheet_p(s, p->p);
    jl_sheet_count(s, p->family);
    jl_sheet_value(s, p->ratio_net);
    jl_sheet_p(s, p->p_net);
    jl_sheet_text(s, jl_cause_words(p->cause));
    for (int c = 0; c < JL_CURES; c++)
        put_cure(s, t, p, (jl_cure)c);
    jl_sheet_bool(s, d->simulated);
    jl_sheet_bool(s, t->modelled_energy);
}

/* The pairs that readers see: of each scene the first few that were shown, or, where the rounds
 * allow no test, that were estimated. all->items lie by scene, the largest ratio first. */
static size_t choose_pairs(const jl_study_table *t, const jl_paradoxes *all, bool *chosen)
{
    size_t n = 0;
    for (size_t i = 0, end; i < all->count; i = end) {
        const jl_study_cell *x = &t->cells[all->items[i].small_cell];
        size_t taken = 0;
        for (end = i; end < all->count; end++) {
            const jl_paradox *p = &all->items[end];
            const jl_study_cell *y = &t->cells[p->small_cell];
            if (y->device != x->device || y->configuration != x->configuration ||
                y->batch != x->batch || y->in_flight != x->in_flight)
                break;
            bool testable = p->n >= jl_rounds_needed(1, 0.05);
            chosen[end] = taken < READERS_PAIRS && (!testable || (!p->p.why && p->p.value <= 0.05));
            taken += chosen[end];
        }
        n += taken;
    }
    return n;
}

static void note_pairs(jl_sheet *s, const jl_study_data *d, size_t shown, size_t count)
{
    if (count)
        jl_sheet_note(s,
                      "The model on the left needs at least 10 %% fewer FLOP than the one beside "
                      "it and takes more than 1.05 times its joules per item. p: one-sided against "
                      "1.05, by joint sign flips over all pairs of the device, configuration and "
                      "batch; net: the ratio without the power of the idle device with a model "
                      "loaded.");
    else
        jl_sheet_note(s, jl_study_data_table(d)->values[JL_ENERGY] ? "No such pair."
                                                                   : "No joules were measured.");
    if (shown < count)
        jl_sheet_note(s,
                      "%zu of %zu estimated pairs: those shown by the test, at most %d of a "
                      "configuration and batch, the largest first; -o csv has them all.",
                      shown, count, READERS_PAIRS);
    jl_note_origin(s, d);
}

static void put_causes(jl_report *r, const jl_study_table *t, const jl_paradoxes *all,
                       const bool *chosen)
{
    jl_sheet *s =
        jl_report_sheet(r, "paradox_causes", "Why, and what helps", cause_columns, CAUSE_COLUMNS);
    for (size_t i = 0; i < all->count; i++) {
        bool before = false;
        for (size_t k = i; k-- > 0 && i - k < READERS_PAIRS * READERS_PAIRS && !before;)
            before = chosen[k] && all->items[k].small_cell == all->items[i].small_cell;
        if (chosen[i] && !before) put_cause(s, r, t, &all->items[i]);
    }
    if (jl_sheet_rows(s))
        jl_sheet_note(s, "How many times fewer joules per item the model takes then, as measured "
                         "in this study and, in brackets, by the energy model at the share of the "
                         "binding roof that other models of its family reach there. At most: what "
                         "the roofs allow without dispatch, not measured.");
}

int jl_section_paradox(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                       jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    JL_OWNED jl_energy_fit *fits =
        calloc(t->device_count * t->configuration_count + 1, sizeof *fits);
    if (!fits) return jl_fail(err, JL_ERR_MEMORY, "no memory for the energy model");
    jl_sheet *s = jl_report_sheet(r, "paradox", "Fewer operations, more energy", paradox_columns,
                                  PARADOX_COLUMNS);
    __attribute__((cleanup(jl_paradoxes_free))) jl_paradoxes all = {0};
    int rc = jl_study_energy_fits(t, o->seed, fits, err);
    if (!rc && t->values[JL_ENERGY]) rc = jl_find_paradoxes(t, fits, o->seed, &all, err);
    if (rc) return rc;
    JL_OWNED bool *chosen = calloc(all.count + 1, sizeof *chosen);
    if (!chosen) return jl_fail(err, JL_ERR_MEMORY, "no memory for the pairs");
    size_t shown = choose_pairs(t, &all, chosen);
    for (size_t i = 0; i < all.count; i++)
        if (chosen[i] || !o->for_readers) put_paradox(s, r, t, &all.items[i]);
    note_pairs(s, d, o->for_readers ? shown : all.count, all.count);
    if (o->for_readers && shown) put_causes(r, t, &all, chosen);
    return 0;
}
