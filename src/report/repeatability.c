/* How far the joules of a cell repeat from run to run, what that is made of, and idle powers. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "jouleline/repeatability.h"
#include "report/sections.h"

static const double LEVEL = 0.95;

static const jl_sheet_column columns[] = {
    {"model", NULL, false},
    {NULL, "batch", true},
    {"configuration", "configuration", false},
    {"device", NULL, false},
    {"device_uuid", NULL, false},
    {"batch", NULL, false},
    {NULL, "in flight", true},
    {"in_flight", NULL, false},
    {"runs", "runs", true},
    {"energy_j_per_item_mean", "mean J/item", JL_RIGHT_IF_ROOM},
    {"variation_rel", NULL, false},
    {"variation_low_rel", NULL, false},
    {"variation_high_rel", NULL, false},
    {NULL, "varies %", true},
    {NULL, "interval", true},
    {"sensor_rel", NULL, false},
    {NULL, "sensor %", true},
    {"sampling_rel", NULL, false},
    {NULL, "within runs %", true},
    {"between_rel", NULL, false},
    {"between_low_rel", NULL, false},
    {"between_high_rel", NULL, false},
    {"between_p", NULL, false},
    {NULL, "between runs %", true},
    {"drift_rel", NULL, false},
    {NULL, "drift %", true},
    {"power_over_counter_rel", NULL, false},
    {"unsettled_runs", NULL, false},
    {"simulated", NULL, false},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* What the notes below the table have to explain. */
typedef struct seen {
    bool few, unstated, hidden, overstated;
    size_t power_runs;
    double power_least, power_most;
} seen;

static const double *of_cell(const jl_study_table *t, const double *all, size_t cell)
{
    return all ? all + cell * t->rounds : NULL;
}

/* Two digits are what a variation over ten runs carries. */
static const char *percent(jl_arena *a, double rel)
{
    double p = 100 * rel;
    return jl_arena_printf(a, fabs(p) < 9.95 ? "%#.2g" : "%.0f", fabs(p) < 0.005 ? 0 : p);
}

static double or_missing(jl_value v)
{
    return v.why ? NAN : v.value;
}

static jl_value median_of(const double *x, size_t n)
{
    jl_summary m;
    if (!x || jl_summarise(x, n, LEVEL, &m, NULL)) return jl_none(JL_NO_VALUES);
    return m.median;
}

static void put_place(jl_sheet *s, jl_report *r, const jl_study_table *t, const jl_study_cell *c)
{
    jl_arena *a = jl_report_arena(r);
    const jl_study_device *d = &t->devices[c->device];
    jl_sheet_row(s, jl_several_devices(r, t)
                        ? jl_arena_printf(a, "%s, %s", t->models[c->model].name,
                                          jl_device_label(r, t, c->device))
                        : t->models[c->model].name);
    jl_sheet_text(s, t->models[c->model].name);
    jl_sheet_text(s, jl_arena_printf(a, "%u", c->batch));
    jl_sheet_text(s, t->configurations[c->configuration].name);
    jl_sheet_text(s, d->name);
    jl_sheet_text(s, d->uuid);
    jl_sheet_count(s, c->batch);
    jl_sheet_text(s, jl_several_in_flight(r, t) ? jl_arena_printf(a, "%u", c->in_flight) : NULL);
    jl_sheet_count(s, c->in_flight);
}

static void put_variation(jl_sheet *s, jl_arena *a, const jl_repeatability *v)
{
    jl_sheet_count(s, v->n);
    jl_sheet_value(s, v->mean);
    jl_sheet_number(s, or_missing(v->cv));
    jl_sheet_number(s, v->cv_interval.why ? NAN : v->cv_interval.low);
    jl_sheet_number(s, v->cv_interval.why ? NAN : v->cv_interval.high);
    jl_sheet_text(s, percent(a, v->cv.value));
    jl_sheet_text(s, v->cv_interval.why
                         ? NULL
                         : jl_arena_printf(a, "%s..%s", percent(a, v->cv_interval.low),
                                           percent(a, v->cv_interval.high)));
}

static void put_parts(jl_sheet *s, jl_arena *a, const jl_repeatability *v, seen *n)
{
    bool stated = !v->between.why;
    jl_sheet_number(s, or_missing(v->sensor));
    jl_sheet_text(s, v->sensor.why ? NULL : percent(a, v->sensor.value));
    jl_sheet_number(s, or_missing(v->sampling));
    jl_sheet_text(s, v->sampling.why ? NULL : percent(a, v->sampling.value));
    jl_sheet_number(s, or_missing(v->between));
    jl_sheet_number(s, stated ? v->between_interval.low : NAN);
    jl_sheet_number(s, stated ? v->between_interval.high : NAN);
    jl_sheet_number(s, or_missing(v->p_between));
    n->unstated |= !stated;
    n->hidden |= stated && !v->between_shown && !v->overstated;
    n->overstated |= v->overstated;
    if (!stated)
        jl_sheet_text(s, NULL);
    else if (v->between_shown)
        jl_sheet_text(s, percent(a, v->between.value));
    else
        jl_sheet_text(s, v->overstated
                             ? "none!"
                             : jl_arena_printf(a, "< %s", percent(a, v->between_interval.high)));
}

static int put_cell(jl_sheet *s, jl_report *r, const jl_study_table *t, size_t cell, seen *n,
                    jl_error *err)
{
    const jl_study_cell *c = &t->cells[cell];
    jl_arena *a = jl_report_arena(r);
    jl_repeatability v;
    int rc = jl_repeatability_of(
        of_cell(t, t->values[JL_ENERGY], cell), of_cell(t, t->details[JL_DETAIL_ENERGY_SE], cell),
        of_cell(t, t->details[JL_DETAIL_ENERGY_SENSOR_SE], cell), t->rounds, LEVEL, &v, err);
    n->few |= v.n < JL_REPEATABILITY_NEEDS && v.n > 0;
    if (rc || v.cv.why) return rc;
    put_place(s, r, t, c);
    put_variation(s, a, &v);
    put_parts(s, a, &v, n);
    jl_value drift = median_of(of_cell(t, t->details[JL_DETAIL_DRIFT], cell), t->rounds);
    jl_sheet_number(s, or_missing(drift));
    jl_sheet_text(s, drift.why ? NULL
                               : jl_arena_printf(a, "%s%s", drift.value > 0 ? "+" : "",
                                                 percent(a, drift.value)));
    const double *power = of_cell(t, t->details[JL_DETAIL_POWER_CHECK], cell);
    jl_sheet_number(s, or_missing(median_of(power, t->rounds)));
    for (size_t i = 0; power && i < t->rounds; i++) {
        if (!isfinite(power[i])) continue;
        n->power_least = n->power_runs ? fmin(n->power_least, power[i]) : power[i];
        n->power_most = n->power_runs ? fmax(n->power_most, power[i]) : power[i];
        n->power_runs++;
    }
    jl_sheet_count(s, c->unsettled);
    jl_sheet_bool(s, t->devices[c->device].simulated);
    return 0;
}

static void put_notes(jl_sheet *s, const jl_study_table *t, const seen *n)
{
    if (!t->values[JL_ENERGY]) {
        jl_sheet_note(s, "Nothing to repeat: no joules were measured.");
        return;
    }
    if (n->few || !jl_sheet_rows(s))
        jl_sheet_note(s, "Cells with fewer than %d runs are left out.", JL_REPEATABILITY_NEEDS);
    if (!jl_sheet_rows(s)) return;
    jl_sheet_note(
        s, "varies: standard deviation of gross joules per item over runs, over their mean, "
           "with its 95 %% interval (chi-square). sensor: ticks and resolution; within runs: "
           "noise from tick to tick, both as the runs state them (medians); between "
           "runs: what is left (Paule and Mandel). drift: change of power over the window, "
           "median over runs. All in percent of the mean.");
    if (n->hidden)
        jl_sheet_note(s, "<: not distinguishable from zero (Cochran's test); the end of its 95 %% "
                         "interval stands for it.");
    if (n->overstated)
        jl_sheet_note(s, "none!: the runs differ less than they state, so that their stated errors "
                         "are too wide.");
    if (n->unstated) jl_sheet_note(s, "Without parts: not every run states an error.");
    if (n->power_runs)
        jl_sheet_note(
            s,
            "Power readings against the energy counter of the same sensor: %+.2f to %+.2f %% "
            "over %zu runs.",
            100 * n->power_least, 100 * n->power_most, n->power_runs);
}

int jl_section_repeatability(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                             jl_error *err)
{
    (void)o;
    const jl_study_table *t = jl_study_data_table(d);
    jl_sheet *s = jl_report_sheet(r, "repeatability",
                                  "Repeatability: how the joules of a cell vary "
                                  "from run to run, and by what",
                                  columns, COLUMNS);
    JL_OWNED size_t *order = calloc(t->cell_count + 1, sizeof *order);
    if (!order) return jl_fail(err, JL_ERR_MEMORY, "no memory for the cells");
    seen n = {0};
    int rc = 0;
    size_t count = jl_cells_in_order(t, order);
    for (size_t i = 0; i < count && t->values[JL_ENERGY] && !rc; i++)
        rc = put_cell(s, r, t, order[i], &n, err);
    if (rc) return rc;
    put_notes(s, t, &n);
    jl_note_origin(s, d);
    return 0;
}
