/* Roofs, the energy model, and the pairs of models that go against the count of operations. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "jouleline/energy_model.h"
#include "jouleline/multiplicity.h"
#include "jouleline/paradox.h"
#include "jouleline/roofline.h"
#include "report/sections.h"

/* Whether a device ran models on a configuration at all. */
static bool ran(const jl_study_table *t, uint32_t device, uint32_t configuration)
{
    for (size_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].device == device && t->cells[i].configuration == configuration &&
            t->cells[i].outcome == JL_OUTCOME_OK && !jl_cell_is_probe(t, i))
            return true;
    return false;
}

static int by_place(const void *a, const void *b, void *table)
{
    const jl_study_table *t = table;
    const jl_study_cell *x = &t->cells[*(const uint32_t *)a], *y = &t->cells[*(const uint32_t *)b];
    const uint32_t p[] = {x->device, x->configuration, x->model, x->batch, x->in_flight};
    const uint32_t q[] = {y->device, y->configuration, y->model, y->batch, y->in_flight};
    for (int i = 0; i < 5; i++)
        if (p[i] != q[i]) return p[i] < q[i] ? -1 : 1;
    return 0;
}

/* --- roofline --- */

static const jl_sheet_column roof_columns[] = {
    {"device", NULL, false},
    {"configuration", "configuration", false},
    {"flop_per_s", NULL, false},
    {"bytes_per_s", NULL, false},
    {"dispatches_per_s", NULL, false},
    {NULL, "compute GFLOP/s", true},
    {NULL, "memory GB/s", true},
    {NULL, "dispatch us/node", true},
    {NULL, "memory binds below FLOP/byte", true},
    {"simulated", NULL, false},
};
enum { ROOF_COLUMNS = sizeof roof_columns / sizeof *roof_columns };

static const jl_sheet_column place_columns[] = {
    {"device", NULL, false},    {"configuration", NULL, false}, {"model", "model", false},
    {"batch", "batch", true},   {"in_flight", NULL, false},     {"intensity", "FLOP / byte", true},
    {"compute_s", NULL, false}, {NULL, "compute ms", true},     {"memory_s", NULL, false},
    {NULL, "memory ms", true},  {"dispatch_s", NULL, false},    {NULL, "dispatch ms", true},
    {"bound_s", NULL, false},   {"time_s", NULL, false},        {NULL, "took ms", true},
    {"binds", NULL, false},     {NULL, "bound by", false},      {"fraction", NULL, false},
    {NULL, "reached", true},    {"partial", NULL, false},       {"simulated", NULL, false},
};
enum { PLACE_COLUMNS = sizeof place_columns / sizeof *place_columns };

/* Cells by device, configuration, model, batch; the caller frees them. NULL: no memory. */
static uint32_t *cells_in_order(const jl_study_table *t)
{
    uint32_t *order = malloc((t->cell_count + 1) * sizeof *order);
    for (uint32_t i = 0; order && i < t->cell_count; i++)
        order[i] = i;
    if (order) qsort_r(order, t->cell_count, sizeof *order, by_place, (void *)(uintptr_t)t);
    return order;
}

static int put_roofs(jl_report *r, const jl_study_data *d, bool *any, jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    jl_arena *a = jl_report_arena(r);
    jl_sheet *s =
        jl_report_sheet(r, "roofs", "Roofs: the most that each configuration reached in a probe",
                        roof_columns, ROOF_COLUMNS);
    for (uint32_t i = 0; i < t->device_count; i++)
        for (uint32_t k = 0; k < t->configuration_count; k++) {
            jl_roofs roofs;
            if (!ran(t, i, k)) continue;
            int rc = jl_study_roofs(t, i, k, &roofs, err);
            if (rc) return rc;
            const jl_value *v = roofs.rate;
            if (v[0].why && v[1].why && v[2].why) continue;
            *any = true;
            jl_sheet_row(s, jl_several_devices(r, t) ? jl_device_label(r, t, i) : NULL);
            jl_sheet_text(s, t->devices[i].name);
            jl_sheet_text(s, t->configurations[k].name);
            for (int roof = 0; roof < JL_ROOF_COUNT; roof++)
                jl_sheet_value(s, v[roof]);
            jl_sheet_text(s, jl_digits(a, v[JL_ROOF_COMPUTE], 1e-9));
            jl_sheet_text(s, jl_digits(a, v[JL_ROOF_MEMORY], 1e-9));
            jl_value us = v[JL_ROOF_DISPATCH], ridge = v[JL_ROOF_COMPUTE];
            if (!us.why) us.value = 1e6 / us.value;
            if (!ridge.why)
                ridge = v[JL_ROOF_MEMORY].why ? v[JL_ROOF_MEMORY]
                                              : jl_some(ridge.value / v[JL_ROOF_MEMORY].value);
            jl_sheet_text(s, jl_digits(a, us, 1));
            jl_sheet_text(s, jl_digits(a, ridge, 1));
            jl_sheet_bool(s, t->devices[i].simulated);
        }
    if (*any)
        jl_sheet_note(s, "A probe is a synthetic model that does one thing: large matrix products "
                         "(compute), a pass over far more data than caches hold (memory), or "
                         "hundreds of tiny nodes (dispatch: what starting one node takes). Each "
                         "was run like every model, through the same runtime and precision.");
    if (jl_study_data_borrowed_probes(d) && *any)
        jl_sheet_note(s, "This study measured no probes: these are of other studies in the store.");
    if (!*any)
        jl_sheet_note(s, "No roofs: the study measured no probes. 'jouleline run --probes on' "
                         "measures them beside the models, in the first three rounds.");
    return 0;
}

static void put_place(jl_sheet *s, jl_report *r, const jl_study_table *t, const jl_study_cell *c,
                      const jl_roof_place *p)
{
    jl_arena *a = jl_report_arena(r);
    const char *configuration = t->configurations[c->configuration].name;
    jl_sheet_row(s, jl_several_devices(r, t) ? jl_arena_printf(a, "%s, %s", configuration,
                                                               jl_device_label(r, t, c->device))
                                             : configuration);
    jl_sheet_text(s, t->devices[c->device].name);
    jl_sheet_text(s, configuration);
    jl_sheet_text(s, t->models[c->model].name);
    jl_sheet_count(s, c->batch);
    jl_sheet_count(s, c->in_flight);
    jl_value took_s = jl_none(JL_NO_VALUES);
    if (!p->fraction.why) took_s = jl_some(p->bound_s.value / p->fraction.value);
    jl_sheet_value(s, p->intensity);
    for (int roof = 0; roof < JL_ROOF_COUNT; roof++) {
        jl_sheet_value(s, p->least_s[roof]);
        jl_sheet_text(s, jl_digits(a, p->least_s[roof], 1e3));
    }
    jl_sheet_value(s, p->bound_s);
    jl_sheet_value(s, took_s);
    jl_sheet_text(s, jl_digits(a, took_s, 1e3));
    jl_sheet_text(s, jl_roof_name(p->binds));
    jl_sheet_text(s, p->partial ? "one is unknown" : jl_roof_name(p->binds));
    jl_sheet_value(s, p->fraction);
    jl_sheet_text(s, p->fraction.why || p->partial
                         ? NULL
                         : jl_arena_printf(a, "%.0f %%", 100 * p->fraction.value));
    jl_sheet_bool(s, p->partial);
    jl_sheet_bool(s, t->devices[c->device].simulated);
}

int jl_section_roofline(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                        jl_error *err)
{
    (void)o;
    const jl_study_table *t = jl_study_data_table(d);
    JL_OWNED jl_roof_place *places = calloc(t->cell_count + 1, sizeof *places);
    if (!places) return jl_fail(err, JL_ERR_MEMORY, "no memory for the roofline");
    bool any = false;
    int rc = put_roofs(r, d, &any, err);
    if (!rc && any) rc = jl_study_roofline(t, places, err);
    if (rc || !any) return rc;
    jl_sheet *s =
        jl_report_sheet(r, "roofline", "Which roof binds each cell", place_columns, PLACE_COLUMNS);
    JL_OWNED uint32_t *order = cells_in_order(t);
    if (!order) return jl_fail(err, JL_ERR_MEMORY, "no memory for the roofline");
    for (size_t i = 0; i < t->cell_count; i++)
        if (!places[order[i]].bound_s.why && !jl_cell_is_probe(t, order[i]))
            put_place(s, r, t, &t->cells[order[i]], &places[order[i]]);
    jl_sheet_note(s, "Three least times of a call: its FLOP, its bytes and its nodes, each at the "
                     "roof. No call should be shorter than the longest of them, whose roof binds "
                     "it; reached: that time over the one that it took. Above 100 %% its bytes "
                     "came from a cache, the runtime fused nodes, or its nodes start faster than "
                     "those of the probe.");
    jl_note_origin(s, d);
    return 0;
}

/* --- energy model --- */

static const jl_sheet_column fit_columns[] = {
    {"device", NULL, false},
    {"configuration", NULL, false},
    {"term", "term", false},
    {"value", NULL, true},
    {"unit", NULL, false},
    {NULL, "value", true},
    {NULL, "unit", false},
    {"low", NULL, false},
    {"high", NULL, false},
    {"level", NULL, false},
    {NULL, "interval", true},
    {"identified", "told apart", false},
    {"inflation", NULL, true},
    {"rows", NULL, false},
    {"models", NULL, false},
    {"probes", NULL, false},
    {"condition", NULL, false},
    {"error", NULL, false},
    {"error_time_only", NULL, false},
    {"error_flop_only", NULL, false},
    {"idle_sleeping_w", NULL, false},
    {"idle_waking_w", NULL, false},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
};
enum { FIT_COLUMNS = sizeof fit_columns / sizeof *fit_columns };

static const jl_sheet_column split_columns[] = {
    {"device", NULL, false},
    {"configuration", NULL, false},
    {"model", "model", false},
    {"batch", "batch", true},
    {"energy_j", "measured J/call", true},
    {"predicted_j", "model J/call", true},
    {"static_j", NULL, false},
    {"arithmetic_j", NULL, false},
    {"traffic_j", NULL, false},
    {NULL, "static", true},
    {NULL, "arithmetic", true},
    {NULL, "traffic", true},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
};
enum { SPLIT_COLUMNS = sizeof split_columns / sizeof *split_columns };

static const char *fit_heading(jl_report *r, const jl_study_table *t, uint32_t device,
                               uint32_t configuration)
{
    return jl_arena_printf(jl_report_arena(r), "%s, %s", t->configurations[configuration].name,
                           jl_device_label(r, t, device));
}

static void put_fit(jl_sheet *s, jl_report *r, const jl_study_table *t, uint32_t device,
                    uint32_t configuration, const jl_energy_fit *f)
{
    static const char *const units[] = {"W", "J/flop", "J/byte"}, *const shown_units[] = {
                                                                      "W", "pJ/FLOP", "pJ/byte"};
    static const double scale[] = {1, 1e12, 1e12};
    const jl_study_device *d = &t->devices[device];
    const char *heading = fit_heading(r, t, device, configuration);
    for (int k = 0; k < JL_ENERGY_TERMS; k++) {
        const jl_coefficient *c = &f->term[k];
        jl_sheet_row(s, heading);
        jl_sheet_text(s, d->name);
        jl_sheet_text(s, t->configurations[configuration].name);
        jl_sheet_text(s, jl_energy_term_name(k));
        jl_sheet_number(s, c->value);
        jl_sheet_text(s, units[k]);
        jl_sheet_text(s, jl_digits(jl_report_arena(r), jl_some(c->value), scale[k]));
        jl_sheet_text(s, shown_units[k]);
        jl_sheet_interval(s, &c->interval, scale[k]);
        jl_sheet_text(s, c->identified.why ? jl_why_words(c->identified.why) : "yes");
        jl_sheet_number(s, c->inflation);
        jl_sheet_count(s, f->rows);
        jl_sheet_count(s, f->models);
        jl_sheet_count(s, f->probes);
        jl_sheet_number(s, f->condition);
        jl_sheet_value(s, f->error);
        jl_sheet_value(s, f->error_time_only);
        jl_sheet_value(s, f->error_flop_only);
        jl_sheet_number(s, d->idle_sleeping_w);
        jl_sheet_number(s, d->idle_waking_w);
        jl_sheet_bool(s, d->simulated);
        jl_sheet_bool(s, t->modelled_energy);
    }
    jl_arena *a = jl_report_arena(r);
    jl_value sleeping =
                 isfinite(d->idle_sleeping_w) ? jl_some(d->idle_sleeping_w) : jl_none(JL_NO_VALUES),
             waking =
                 isfinite(d->idle_waking_w) ? jl_some(d->idle_waking_w) : jl_none(JL_NO_VALUES);
    const char *asleep = jl_digits(a, sleeping, 1), *awake = jl_digits(a, waking, 1);
    jl_sheet_note(s,
                  "%s: static power %s W; measured idle: %s%s asleep, %s%s with a model loaded. "
                  "%zu cells of %zu models and %zu probes; on models left out of the fit it errs "
                  "by %.1f %% (time alone %.1f %%, FLOP alone %.1f %%), condition number %.3g.",
                  heading, jl_digits(a, jl_some(f->term[JL_ENERGY_STATIC].value), 1),
                  asleep ? asleep : "not known", asleep ? " W" : "", awake ? awake : "not known",
                  awake ? " W" : "", f->rows - f->probes, f->models, f->probes,
                  100 * f->error.value, 100 * f->error_time_only.value,
                  100 * f->error_flop_only.value, f->condition);
}

static void put_split(jl_sheet *s, jl_report *r, const jl_study_table *t, uint32_t cell,
                      const jl_energy_fit *f)
{
    jl_arena *a = jl_report_arena(r);
    const jl_study_cell *c = &t->cells[cell];
    jl_energy_row row;
    jl_value split[JL_ENERGY_TERMS];
    if (t->models[c->model].probe || !jl_energy_row_of(t, cell, &row)) return;
    jl_energy_split(f, &row, split);
    jl_value predicted = jl_energy_predict(f, row.t_s, row.flop, row.bytes);
    jl_sheet_row(s, fit_heading(r, t, c->device, c->configuration));
    jl_sheet_text(s, t->devices[c->device].name);
    jl_sheet_text(s, t->configurations[c->configuration].name);
    jl_sheet_text(s, t->models[c->model].name);
    jl_sheet_count(s, c->batch);
    jl_sheet_number(s, row.energy_j);
    jl_sheet_value(s, predicted);
    for (int k = 0; k < JL_ENERGY_TERMS; k++)
        jl_sheet_value(s, split[k]);
    for (int k = 0; k < JL_ENERGY_TERMS; k++)
        jl_sheet_text(s,
                      split[k].why ? NULL
                      : predicted.why || !(predicted.value > 0)
                          ? NULL
                          : jl_arena_printf(a, "%.0f %%", 100 * split[k].value / predicted.value));
    jl_sheet_bool(s, t->devices[c->device].simulated);
    jl_sheet_bool(s, t->modelled_energy);
}

/* One a device and configuration, row major. */
static int make_fits(const jl_study_table *t, uint64_t seed, jl_energy_fit *fits, jl_error *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < t->device_count && !rc; i++)
        for (uint32_t k = 0; k < t->configuration_count && !rc; k++) {
            jl_energy_fit *f = &fits[i * t->configuration_count + k];
            f->why = JL_TOO_FEW;
            if (ran(t, i, k)) rc = jl_study_energy_fit(t, i, k, seed, f, err);
        }
    return rc;
}

int jl_section_energy(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                      jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    JL_OWNED jl_energy_fit *fits =
        calloc(t->device_count * t->configuration_count + 1, sizeof *fits);
    if (!fits) return jl_fail(err, JL_ERR_MEMORY, "no memory for the energy model");
    jl_sheet *s =
        jl_report_sheet(r, "energy_model",
                        "Where the joules go: joules = power x time + arithmetic + memory traffic",
                        fit_columns, FIT_COLUMNS);
    int rc = t->values[JL_ENERGY] ? make_fits(t, o->seed, fits, err) : 0;
    size_t fitted = 0, n = t->device_count * t->configuration_count;
    for (size_t i = 0; i < n && t->values[JL_ENERGY] && !rc; i++)
        if (!fits[i].why) {
            put_fit(s, r, t, (uint32_t)(i / t->configuration_count),
                    (uint32_t)(i % t->configuration_count), &fits[i]);
            fitted++;
        }
    if (fitted)
        jl_sheet_note(s, "Fitted to the joules of every cell and probe, by relative errors. A term "
                         "that is not identifiable cannot be told apart from the others by these "
                         "measurements: its interval, from drawing models anew, is wider than half "
                         "its value.");
    else
        jl_sheet_note(
            s, t->values[JL_ENERGY]
                   ? "No fit: it needs joules, times, FLOP and bytes of at least four models."
                   : "No fit: no joules were measured.");
    jl_note_origin(s, d);
    if (rc || !fitted) return rc;
    s = jl_report_sheet(r, "energy", "Each cell's joules by cause", split_columns, SPLIT_COLUMNS);
    JL_OWNED uint32_t *order = cells_in_order(t);
    if (!order) return jl_fail(err, JL_ERR_MEMORY, "no memory for the energy model");
    for (size_t i = 0; i < t->cell_count; i++) {
        const jl_study_cell *c = &t->cells[order[i]];
        const jl_energy_fit *f = &fits[c->device * t->configuration_count + c->configuration];
        if (!f->why) put_split(s, r, t, order[i], f);
    }
    jl_sheet_note(s, "Static: the static power over the call's time. Shares of the fit's joules; "
                     "none where the term is not identifiable.");
    return 0;
}

/* --- paradox pairs --- */

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
    int rc = t->values[JL_ENERGY] ? make_fits(t, o->seed, fits, err) : 0;
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
