/* Idle powers of every board, with their clocks and their drift over the study. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "jouleline/repeatability.h"
#include "report/sections.h"

static const double LEVEL = 0.95;

static const jl_sheet_column columns[] = {
    {"device", NULL, false},        {"device_uuid", NULL, false},
    {"level", "idle", false},       {"rounds", "rounds", true},
    {"power_w", "mean W", true},    {"power_low_w", NULL, false},
    {"power_high_w", NULL, false},  {NULL, "range W", true},
    {"power_se_w", NULL, false},    {NULL, "error W", true},
    {"sm_clock_mhz", NULL, false},  {NULL, "clock MHz", true},
    {"temperature_c", NULL, false}, {NULL, "temp. C", JL_RIGHT_IF_ROOM},
    {"drift_w", NULL, false},       {"drift_low_w", NULL, false},
    {"drift_high_w", NULL, false},  {NULL, "drift W", true},
    {NULL, "interval", true},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* One power a round; a round with several configurations has several waking ones: their mean. */
typedef struct series {
    double *power_w, *se_w, *clock_mhz, *temperature_c, *count;
    size_t rounds;
} series;

static void gather(const jl_study_idle *idles, size_t n, series *s)
{
    double *all[] = {s->power_w, s->se_w, s->clock_mhz, s->temperature_c};
    for (size_t i = 0; i < s->rounds; i++)
        s->power_w[i] = s->se_w[i] = s->clock_mhz[i] = s->temperature_c[i] = s->count[i] = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = idles[i].round;
        s->count[k]++;
        s->power_w[k] += idles[i].power_w;
        s->se_w[k] += idles[i].power_se_w;
        s->clock_mhz[k] += idles[i].sm_clock_mhz;
        s->temperature_c[k] += idles[i].temperature_c;
    }
    for (size_t i = 0; i < s->rounds; i++)
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            all[k][i] = s->count[i] > 0 ? all[k][i] / s->count[i] : NAN;
}

static jl_value median_of(const double *x, size_t n)
{
    jl_summary m;
    if (jl_summarise(x, n, LEVEL, &m, NULL)) return jl_none(JL_NO_VALUES);
    return m.median;
}

/* For programs and for readers. */
static void put_whole(jl_sheet *s, jl_arena *a, jl_value v)
{
    jl_sheet_number(s, v.why ? NAN : v.value);
    jl_sheet_text(s, v.why ? NULL : jl_arena_printf(a, "%.0f", v.value));
}

static void put_drift(jl_sheet *s, jl_arena *a, const jl_round_drift *d)
{
    bool has = !d->interval.why;
    jl_sheet_number(s, d->change.why ? NAN : d->change.value);
    jl_sheet_number(s, has ? d->interval.low : NAN);
    jl_sheet_number(s, has ? d->interval.high : NAN);
    jl_sheet_text(s, d->change.why ? NULL : jl_arena_printf(a, "%+.1f", d->change.value));
    jl_sheet_text(s, has ? jl_arena_printf(a, "%+.1f..%+.1f", d->interval.low, d->interval.high)
                         : NULL);
}

static int put_series(jl_sheet *s, jl_report *r, const jl_study_idle *first, const series *x,
                      jl_round_drift *d, jl_error *err)
{
    jl_arena *a = jl_report_arena(r);
    int rc = jl_round_drift_of(x->power_w, x->se_w, x->rounds, LEVEL, d, err);
    if (rc) return rc;
    jl_sheet_row(s, first->label);
    jl_sheet_text(s, first->label);
    jl_sheet_text(s, first->uuid);
    jl_sheet_text(s, first->waking ? "waking" : "sleeping");
    jl_sheet_count(s, d->n);
    jl_sheet_value(s, d->mean);
    jl_sheet_number(s, d->low.value);
    jl_sheet_number(s, d->high.value);
    jl_sheet_text(s, jl_arena_printf(a, "%.1f..%.1f", d->low.value, d->high.value));
    bool has_error = d->noise > 0;
    jl_sheet_number(s, has_error ? d->noise : NAN);
    jl_sheet_text(s, has_error ? jl_arena_printf(a, "%.2g", d->noise) : NULL);
    put_whole(s, a, median_of(x->clock_mhz, x->rounds));
    put_whole(s, a, median_of(x->temperature_c, x->rounds));
    put_drift(s, a, d);
    return 0;
}

static void say_drift(jl_sheet *s, const jl_study_idle *first, const jl_round_drift *d)
{
    const char *level = first->waking ? "waking" : "sleeping";
    if (d->interval.why) return;
    if (d->beyond_noise)
        jl_sheet_note(
            s,
            "%s: the %s idle power drifted by %+.1f W over %zu rounds (95 %% interval %+.1f "
            "to %+.1f), more than twice the error of one reading (%.2g W): net figures of "
            "early and late rounds rest on different idle powers, each on its own round's.",
            first->label, level, d->change.value, d->n, d->interval.low, d->interval.high,
            d->noise);
    else
        jl_sheet_note(s, "%s: no drift of the %s idle power beyond the sensor's error.",
                      first->label, level);
}

int jl_section_idle(jl_report *r, const jl_study_data *d, const jl_report_options *o, jl_error *err)
{
    (void)o;
    const jl_study_table *t = jl_study_data_table(d);
    JL_OWNED double *space = calloc(5 * t->rounds + 1, sizeof *space);
    if (!space) return jl_fail(err, JL_ERR_MEMORY, "no memory for the idle powers");
    series x = {space,
                space + t->rounds,
                space + 2 * t->rounds,
                space + 3 * t->rounds,
                space + 4 * t->rounds,
                t->rounds};
    jl_sheet *s = jl_report_sheet(r, "idle", "Power without load", columns, COLUMNS);
    int rc = 0;
    for (size_t i = 0, j; i < t->idle_count && !rc; i = j) {
        const jl_study_idle *first = &t->idles[i];
        jl_round_drift drift;
        for (j = i; j < t->idle_count && t->idles[j].waking == first->waking &&
                    !strcmp(t->idles[j].label, first->label);)
            j++;
        gather(first, j - i, &x);
        rc = put_series(s, r, first, &x, &drift, err);
        if (!rc) say_drift(s, first, &drift);
    }
    if (t->idle_count)
        jl_sheet_note(s, "sleeping: no context on the device; waking: a context open and a model "
                         "loaded, nothing running. error: of one round's figure. drift: along a "
                         "straight line from the first round to the last.");
    else
        jl_sheet_note(s, "No idle power was measured.");
    jl_note_origin(s, d);
    return rc;
}
