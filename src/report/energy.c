/* The energy model of each configuration, and each cell's joules by cause. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "jouleline/energy_model.h"
#include "report/sections.h"

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

static void put_split(jl_sheet *s, jl_report *r, const jl_study_table *t, size_t cell,
                      const jl_energy_fit *f)
{
    jl_arena *a = jl_report_arena(r);
    const jl_study_cell *c = &t->cells[cell];
    jl_energy_row row;
    jl_value split[JL_ENERGY_TERMS];
    if (!jl_energy_row_of(t, cell, &row)) return;
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

int jl_section_energy(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                      jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    JL_OWNED jl_energy_fit *fits =
        calloc(t->device_count * t->configuration_count + 1, sizeof *fits);
    JL_OWNED size_t *order = calloc(t->cell_count + 1, sizeof *order);
    if (!fits || !order) return jl_fail(err, JL_ERR_MEMORY, "no memory for the energy model");
    jl_sheet *s =
        jl_report_sheet(r, "energy_model",
                        "Where the joules go: joules = power x time + arithmetic + memory traffic",
                        fit_columns, FIT_COLUMNS);
    int rc = jl_study_energy_fits(t, o->seed, fits, err);
    size_t fitted = 0, n = t->device_count * t->configuration_count;
    for (size_t i = 0; i < n && !rc; i++)
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
    size_t count = jl_cells_by_configuration(t, order);
    for (size_t i = 0; i < count; i++) {
        const jl_study_cell *c = &t->cells[order[i]];
        const jl_energy_fit *f = &fits[c->device * t->configuration_count + c->configuration];
        if (!f->why) put_split(s, r, t, order[i], f);
    }
    jl_sheet_note(s, "Static: the static power over the call's time. Shares of the fit's joules; "
                     "none where the term is not identifiable.");
    return 0;
}
