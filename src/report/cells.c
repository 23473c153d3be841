/* One row a cell: medians over rounds and what became of the runs. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "jouleline/repeatability.h"
#include "report/sections.h"

static const double LEVEL = 0.95;

static const jl_sheet_column columns[] = {
    {"model", NULL, false},
    {"family", NULL, false},
    {NULL, "batch", true},
    {"configuration", "configuration", false},
    {"device", NULL, false},
    {"device_uuid", NULL, false},
    {"host", NULL, false},
    {"batch", NULL, false},
    {NULL, "in flight", true},
    {"in_flight", NULL, false},
    {"outcome", NULL, false},
    {"message", NULL, false},
    {"rounds", NULL, false},
    {"unsettled_runs", NULL, false},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
    {"latency_ns", NULL, false},
    {"latency_ns_low", NULL, false},
    {"latency_ns_high", NULL, false},
    {"interval_level", NULL, false},
    {NULL, "latency ms/call", true},
    {NULL, "interval", true},
    {"throughput_items_per_s", "items/s", JL_RIGHT_IF_ROOM},
    {"energy_j_per_item", "energy J/item", true},
    {"energy_j_per_item_low", NULL, false},
    {"energy_j_per_item_high", NULL, false},
    {NULL, "interval", true},
    {"net_waking_j_per_item", NULL, false},
    {NULL, "net of waking idle J/item", true},
    {"net_waking_indistinct", NULL, false},
    {"net_waking_j_per_item_low", NULL, false},
    {"net_waking_j_per_item_high", NULL, false},
    {"net_sleeping_j_per_item", NULL, false},
    {"net_sleeping_j_per_item_low", NULL, false},
    {"net_sleeping_j_per_item_high", NULL, false},
    {NULL, "rounds", true},
    {"top1_agree", NULL, false},
    {"checked_items", NULL, false},
    {"flop_per_call", NULL, false},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static void put_ends(jl_sheet *s, const jl_summary *m)
{
    bool has = m && !m->median_interval.why;
    jl_sheet_number(s, has ? m->median_interval.low : NAN);
    jl_sheet_number(s, has ? m->median_interval.high : NAN);
}

static const char *ends(jl_arena *a, const jl_summary *m, double unit)
{
    if (!m || m->median_interval.why) return NULL;
    return jl_arena_printf(a, "%s..%s", jl_digits(a, jl_some(m->median_interval.low), unit),
                           jl_digits(a, jl_some(m->median_interval.high), unit));
}

static jl_value median(const jl_summary *m)
{
    return m ? m->median : jl_none(JL_NO_VALUES);
}

/* Items per second as the loop finished them, calls in flight included; of stores that do not hold
 * it, one call after the other. */
static jl_value throughput(const jl_study_table *t, const jl_study_cell *c, jl_value latency)
{
    const double *all = t->details[JL_DETAIL_THROUGHPUT];
    jl_summary m;
    size_t at = (size_t)(c - t->cells) * t->rounds;
    if (all && !jl_summarise(all + at, t->rounds, LEVEL, &m, NULL) && !m.median.why)
        return m.median;
    if (latency.why || c->in_flight != 1) return jl_none(JL_NO_VALUES);
    return jl_some(c->batch / (latency.value * 1e-9));
}

static void put_latency(jl_sheet *s, jl_arena *a, const jl_study_table *t, const jl_study_cell *c,
                        const jl_summary *m)
{
    jl_value v = median(m);
    jl_sheet_value(s, v);
    put_ends(s, m);
    jl_sheet_number(s, m && !m->median_interval.why ? m->median_interval.level : NAN);
    bool ok = c->outcome == JL_OUTCOME_OK;
    const char *ms = jl_digits(a, v, 1e-6);
    if (ms && c->unsettled) ms = jl_arena_printf(a, "%s*", ms);
    jl_sheet_text(s, ok ? ms : jl_outcome_name(c->outcome));
    jl_sheet_text(s, ends(a, m, 1e-6));
    jl_sheet_value(s, throughput(t, c, v));
}

static bool within_idle(const jl_study_table *t, const jl_study_cell *c)
{
    const double *net = t->values[JL_ENERGY_NET_WAKING], *se = t->details[JL_DETAIL_NET_WAKING_SE];
    size_t at = (size_t)(c - t->cells) * t->rounds;
    return net && se && jl_indistinct_from_zero(net + at, se + at, t->rounds);
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
    jl_sheet_text(s, t->models[c->model].family);
    jl_sheet_text(s, jl_arena_printf(a, "%u", c->batch));
    jl_sheet_text(s, t->configurations[c->configuration].name);
    jl_sheet_text(s, d->name);
    jl_sheet_text(s, d->uuid);
    jl_sheet_text(s, d->host);
    jl_sheet_count(s, c->batch);
    jl_sheet_text(s, jl_several_in_flight(r, t) ? jl_arena_printf(a, "%u", c->in_flight) : NULL);
    jl_sheet_count(s, c->in_flight);
    jl_sheet_text(s, jl_outcome_name(c->outcome));
    jl_sheet_text(s, c->message);
}

static void put_cell(jl_sheet *s, jl_report *r, const jl_study_table *t, const jl_study_cell *c,
                     const jl_summary *const *m, size_t usual)
{
    jl_arena *a = jl_report_arena(r);
    size_t rounds = m[JL_LATENCY] ? m[JL_LATENCY]->n : 0;
    put_place(s, r, t, c);
    jl_sheet_count(s, rounds);
    jl_sheet_count(s, c->unsettled);
    jl_sheet_bool(s, t->devices[c->device].simulated);
    jl_sheet_bool(s, t->modelled_energy);
    put_latency(s, a, t, c, m[JL_LATENCY]);
    jl_sheet_value(s, median(m[JL_ENERGY]));
    put_ends(s, m[JL_ENERGY]);
    jl_sheet_text(s, ends(a, m[JL_ENERGY], 1));
    jl_value net = median(m[JL_ENERGY_NET_WAKING]);
    bool indistinct = within_idle(t, c);
    jl_sheet_number(s, net.why ? NAN : net.value);
    jl_sheet_text(s, indistinct ? "within idle" : jl_digits(a, net, 1));
    jl_sheet_bool(s, indistinct);
    put_ends(s, m[JL_ENERGY_NET_WAKING]);
    jl_sheet_value(s, median(m[JL_ENERGY_NET_SLEEPING]));
    put_ends(s, m[JL_ENERGY_NET_SLEEPING]);
    jl_sheet_text(s, rounds == usual || c->outcome != JL_OUTCOME_OK
                         ? NULL
                         : jl_arena_printf(a, "%zu", rounds));
    jl_sheet_number(s, c->checked_items ? (double)c->agree_items : NAN);
    jl_sheet_number(s, c->checked_items ? (double)c->checked_items : NAN);
    jl_sheet_number(s, c->flop);
}

static void note_marks(jl_sheet *s, const jl_study_table *t)
{
    const jl_study_cell *worst = NULL;
    size_t marked = 0, within = 0;
    for (size_t i = 0; i < t->cell_count; i++) {
        const jl_study_cell *c = &t->cells[i];
        if (jl_cell_is_probe(t, i)) continue;
        within += within_idle(t, c);
        if (!c->unsettled) continue;
        marked++;
        if (!worst || c->unsettled > worst->unsettled) worst = c;
    }
    if (worst)
        jl_sheet_note(
            s,
            "*: in %zu cell%s some runs were measured before time and power had come to "
            "rest, most in %s, batch %u, %s (%u of %zu rounds). A longer --warmup settles "
            "them; section repeatability shows the drift.",
            marked, marked == 1 ? "" : "s", t->models[worst->model].name, worst->batch,
            t->configurations[worst->configuration].name, worst->unsettled, t->rounds);
    if (within)
        jl_sheet_note(s, "within idle: not distinguishable from idle (net of waking idle, it lies "
                         "within two standard errors of zero).");
}

static void put_notes(jl_sheet *s, const jl_study_data *d, const jl_summary *latency, size_t usual)
{
    const jl_study_table *t = jl_study_data_table(d);
    double least = 0, most = 0;
    for (size_t i = 0; i < t->cell_count && latency; i++) {
        if (latency[i].median_interval.why) continue;
        double level = 100 * latency[i].median_interval.level;
        if (!(least > 0) || level < least) least = level;
        if (level > most) most = level;
    }
    const char *of = usual == 1 ? "round" : "rounds";
    if (most - least >= 0.05)
        jl_sheet_note(s,
                      "Medians over %zu %s; intervals are order statistics that hold with "
                      "%.1f %% to %.1f %%.",
                      usual, of, least, most);
    else if (least > 0)
        jl_sheet_note(s,
                      "Medians over %zu %s; intervals are order statistics that hold with "
                      "%.1f %%.",
                      usual, of, least);
    else
        jl_sheet_note(s, "Medians over %zu %s; an interval at 95 %% needs at least 6 rounds.",
                      usual, of);
    if (jl_study_data_complete_rounds(d) < t->rounds)
        jl_sheet_note(s, "%zu of %zu rounds are complete; only these give pairs.",
                      jl_study_data_complete_rounds(d), t->rounds);
    const char *host = NULL;
    for (size_t i = 0; i < t->cell_count; i++) {
        const char *other = t->devices[t->cells[i].device].host;
        if (host && other && strcmp(host, other) != 0)
            jl_sheet_note(s,
                          "Runs of several hosts (%s, %s): cells of different hosts are never "
                          "paired.",
                          host, other);
        if (!host) host = other;
    }
    note_marks(s, t);
    jl_note_origin(s, d);
    bool failed = false;
    for (size_t i = 0; i < t->cell_count; i++)
        failed |= t->cells[i].outcome != JL_OUTCOME_OK && !jl_cell_is_probe(t, i);
    if (failed) jl_sheet_note(s, "Why a cell did not run: section portability.");
}

static int summarise(const jl_study_table *t, jl_summary *summaries, jl_error *err)
{
    int rc = 0;
    for (int m = 0; m < JL_METRIC_COUNT && !rc; m++)
        if (t->values[m])
            rc = jl_study_summaries(t, (jl_metric)m, LEVEL, summaries + (size_t)m * t->cell_count,
                                    err);
    return rc;
}

int jl_section_cells(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                     jl_error *err)
{
    (void)o;
    const jl_study_table *t = jl_study_data_table(d);
    JL_OWNED size_t *order = calloc(t->cell_count + 1, sizeof *order);
    JL_OWNED jl_summary *summaries = calloc(JL_METRIC_COUNT * t->cell_count + 1, sizeof *summaries);
    if (!order || !summaries) return jl_fail(err, JL_ERR_MEMORY, "no memory for the cells");
    int rc = summarise(t, summaries, err);
    if (rc) return rc;
    size_t count = jl_cells_in_order(t, order);
    size_t usual = 0; /* rounds of the cells that have most */
    for (size_t i = 0; i < t->cell_count && t->values[JL_LATENCY]; i++)
        if (summaries[i].n > usual) usual = summaries[i].n;
    jl_sheet *s = jl_report_sheet(r, "cells", NULL, columns, COLUMNS);
    for (size_t i = 0; i < count; i++) {
        const jl_summary *m[JL_METRIC_COUNT];
        for (int k = 0; k < JL_METRIC_COUNT; k++)
            m[k] = t->values[k] ? &summaries[(size_t)k * t->cell_count + order[i]] : NULL;
        put_cell(s, r, t, &t->cells[order[i]], m, usual);
    }
    put_notes(s, d, t->values[JL_LATENCY] ? summaries : NULL, usual);
    return 0;
}
