/* Configurations, precisions and batches held against each other over many models. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jouleline/contrast.h"
#include "report/sections.h"

static const jl_sheet_column columns[] = {
    {"device", NULL, false},
    {"device_uuid", NULL, false},
    {"metric", NULL, false},
    {"kind", NULL, false},
    {"new", NULL, false},
    {"base", NULL, false},
    {"base_batch", NULL, false},
    {"new_batch", NULL, false},
    {"in_flight", NULL, false},
    {NULL, "batch", true},
    {"family", NULL, false},
    {NULL, "family", false},
    {"models", "models", true},
    {"lower", NULL, false},
    {"higher", NULL, false},
    {NULL, "less/ more", true},
    {"ratio_mean", NULL, false},
    {"ratio_sd", NULL, false},
    {"gain_mean", NULL, false},
    {"gain_sd", NULL, false},
    {NULL, "base / new, mean ± SD", true},
    {"rounds", NULL, false},
    {"ratio", "new / base", true},
    JL_INTERVAL_COLUMNS,
    {"effect", NULL, false},
    {"p", "p", true},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static const char *kind_name(jl_contrast_kind k)
{
    static const char *const names[] = {[JL_CONTRAST_RUNTIME] = "runtime",
                                        [JL_CONTRAST_PRECISION] = "precision",
                                        [JL_CONTRAST_REGIME] = "regime",
                                        [JL_CONTRAST_BATCH] = "batch"};
    return names[k];
}

static const char *heading(jl_report *r, const jl_study_table *t, const jl_contrast *c)
{
    jl_arena *a = jl_report_arena(r);
    const char *new_name = t->configurations[c->new_configuration].name,
               *base = t->configurations[c->base_configuration].name,
               *metric = jl_metric_words(t, c->metric), *device = jl_device_label(r, t, c->device);
    if (c->kind == JL_CONTRAST_BATCH)
        return jl_arena_printf(a,
                               "%s, batch %u (new) against %u (base): %s per item, %s, %u rounds",
                               base, c->new_batch, c->base_batch, metric, device, c->n);
    return jl_arena_printf(a, "%s (new) against %s (base): %s, %s, %u rounds", new_name, base,
                           metric, device, c->n);
}

static void put_spread(jl_sheet *s, jl_report *r, const jl_contrast *c)
{
    jl_arena *a = jl_report_arena(r);
    jl_sheet_value(s, c->ratio_mean);
    jl_sheet_value(s, c->ratio_sd);
    jl_sheet_value(s, c->gain_mean);
    jl_sheet_value(s, c->gain_sd);
    if (c->gain_mean.why)
        jl_sheet_text(s, NULL);
    else if (c->gain_sd.why)
        jl_sheet_text(s, jl_arena_printf(a, "%.2f", c->gain_mean.value));
    else
        jl_sheet_text(s, jl_arena_printf(a, "%.2f ± %.2f", c->gain_mean.value, c->gain_sd.value));
}

static void put_contrast(jl_sheet *s, jl_report *r, const jl_study_table *t, const jl_contrast *c)
{
    jl_arena *a = jl_report_arena(r);
    const jl_study_device *d = &t->devices[c->device];
    jl_sheet_row(s, heading(r, t, c));
    jl_sheet_text(s, d->name);
    jl_sheet_text(s, d->uuid);
    jl_sheet_text(s, jl_metric_column(c->metric));
    jl_sheet_text(s, kind_name(c->kind));
    jl_sheet_text(s, t->configurations[c->new_configuration].name);
    jl_sheet_text(s, t->configurations[c->base_configuration].name);
    jl_sheet_count(s, c->base_batch);
    jl_sheet_count(s, c->new_batch);
    jl_sheet_count(s, c->in_flight);
    jl_sheet_text(s, c->kind == JL_CONTRAST_BATCH ? NULL : jl_arena_printf(a, "%u", c->new_batch));
    jl_sheet_text(s, c->family);
    jl_sheet_text(s, c->family ? c->family : "all models");
    jl_sheet_count(s, c->count);
    jl_sheet_count(s, c->lower);
    jl_sheet_count(s, c->higher);
    jl_sheet_text(s, jl_arena_printf(a, "%u/%u", c->lower, c->higher));
    put_spread(s, r, c);
    jl_sheet_count(s, c->n);
    jl_sheet_value(s, c->ratio);
    jl_sheet_interval(s, &c->interval, 1);
    jl_sheet_value(s, c->effect);
    jl_sheet_p(s, c->p);
    jl_sheet_bool(s, d->simulated);
    jl_sheet_bool(s, t->modelled_energy);
}

/* The contrasts of the kinds whose bits are set. */
static int put_kinds(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                     unsigned kinds, const char *name, const char *title, jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    jl_sheet *s = jl_report_sheet(r, name, title, columns, COLUMNS);
    jl_metric metrics[2];
    size_t n = jl_report_metrics(t, metrics);
    int rc = 0;
    for (size_t m = 0; m < n && !rc; m++) {
        jl_contrasts all = {0};
        rc = jl_find_contrasts(t, metrics[m], 0.05, o->seed, &all, err);
        for (size_t i = 0; i < all.count && !rc; i++)
            if (kinds >> all.items[i].kind & 1) put_contrast(s, r, t, &all.items[i]);
        jl_contrasts_free(&all);
    }
    if (jl_sheet_rows(s))
        jl_sheet_note(s,
                      "new / base: Hodges-Lehmann over rounds of the models' geometric mean ratio; "
                      "below 1 the new one takes less. less/more: models shown to take less or "
                      "more. p: joint sign flips over all contrasts of the device and metric.");
    else
        jl_sheet_note(s, "The study has no such cells, or no complete round.");
    jl_note_origin(s, d);
    return rc;
}

int jl_section_families(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                        jl_error *err)
{
    return put_kinds(r, d, o, 1u << JL_CONTRAST_RUNTIME | 1u << JL_CONTRAST_REGIME, "families",
                     "Runtimes and regimes, by family of architectures", err);
}

int jl_section_precision(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                         jl_error *err)
{
    return put_kinds(r, d, o, 1u << JL_CONTRAST_PRECISION, "precision", "Precisions", err);
}

int jl_section_batch(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                     jl_error *err)
{
    return put_kinds(r, d, o, 1u << JL_CONTRAST_BATCH, "batch",
                     "Larger batches against the smallest", err);
}

/* --- INT8 --- */

static const jl_sheet_column int8_columns[] = {
    {"device", NULL, false},
    {"metric", NULL, false},
    {"new", NULL, false},
    {"base", NULL, false},
    {"batch", NULL, false},
    {"family", NULL, false},
    {"model", "model", false},
    {"saving", NULL, false},
    {NULL, "saved", true},
    {"ratio", "new / base", true},
    JL_INTERVAL_COLUMNS,
    {"rounds", NULL, false},
    {"p", "p", true},
    {"top1_agree", NULL, false},
    {"checked_items", NULL, false},
    {"agreement", NULL, false},
    {"agreement_low", NULL, false},
    {"agreement_high", NULL, false},
    {NULL, "top-1 as FP32", true},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
};
enum { INT8_COLUMNS = sizeof int8_columns / sizeof *int8_columns };

static int by_place_and_items(const void *a, const void *b, void *table)
{
    const jl_study_table *t = table;
    const jl_study_cell *x = &t->cells[*(const size_t *)a], *y = &t->cells[*(const size_t *)b];
    if (x->model != y->model) return x->model < y->model ? -1 : 1;
    if (x->configuration != y->configuration) return x->configuration < y->configuration ? -1 : 1;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    return (x->checked_items < y->checked_items) - (x->checked_items > y->checked_items);
}

/* For every cell the one of its model, configuration and device with most items checked: a run
 * checks the items of its batch, and how a model agrees does not depend on how many go at once. In
 * the report's arena; NULL: no memory. */
static size_t *most_checked(jl_report *r, const jl_study_table *t)
{
    size_t n = t->cell_count;
    size_t *order = jl_arena_array(jl_report_arena(r), n + 1, sizeof *order);
    size_t *best = jl_arena_array(jl_report_arena(r), n + 1, sizeof *best);
    if (!order || !best) return NULL;
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof *order, by_place_and_items, (void *)(uintptr_t)t);
    for (size_t i = 0, first = 0; i < n; i++) {
        const jl_study_cell *x = &t->cells[order[first]], *y = &t->cells[order[i]];
        if (x->model != y->model || x->configuration != y->configuration || x->device != y->device)
            first = i;
        best[order[i]] = order[first];
    }
    return best;
}

static void put_agreement(jl_sheet *s, jl_report *r, const jl_study_cell *c)
{
    jl_arena *a = jl_report_arena(r);
    jl_value share;
    jl_interval i;
    jl_wilson(c->agree_items, c->checked_items, 0.95, &share, &i);
    jl_sheet_number(s, c->checked_items ? (double)c->agree_items : NAN);
    jl_sheet_number(s, c->checked_items ? (double)c->checked_items : NAN);
    jl_sheet_value(s, share);
    jl_sheet_number(s, i.why ? NAN : i.low);
    jl_sheet_number(s, i.why ? NAN : i.high);
    jl_sheet_text(s, share.why || i.why
                         ? NULL
                         : jl_arena_printf(a, "%.1f %% (%.1f..%.1f)", 100 * share.value,
                                           100 * i.low, 100 * i.high));
}

static bool is_int8(const jl_study_table *t, uint32_t configuration)
{
    return !strcmp(t->configurations[configuration].precision, "int8");
}

bool jl_has_int8(const jl_study_table *t)
{
    for (size_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].outcome == JL_OUTCOME_OK && is_int8(t, t->cells[i].configuration))
            return true;
    return false;
}

static void put_int8(jl_sheet *s, jl_report *r, const jl_study_table *t, const jl_contrast *c,
                     const jl_member *m, const size_t *checked)
{
    jl_arena *a = jl_report_arena(r);
    const jl_study_cell *cell = &t->cells[m->new_cell];
    jl_value saving = m->ratio.why ? m->ratio : jl_some(1 - m->ratio.value);
    jl_sheet_row(s, jl_arena_printf(a, "%s, batch %u", heading(r, t, c), cell->batch));
    jl_sheet_text(s, t->devices[c->device].name);
    jl_sheet_text(s, jl_metric_column(c->metric));
    jl_sheet_text(s, t->configurations[c->new_configuration].name);
    jl_sheet_text(s, t->configurations[c->base_configuration].name);
    jl_sheet_count(s, cell->batch);
    jl_sheet_text(s, t->models[cell->model].family);
    jl_sheet_text(s, t->models[cell->model].name);
    jl_sheet_value(s, saving);
    jl_sheet_text(s, saving.why ? NULL : jl_arena_printf(a, "%.1f %%", 100 * saving.value));
    jl_sheet_value(s, m->ratio);
    jl_sheet_interval(s, &m->interval, 1);
    jl_sheet_count(s, m->n);
    jl_sheet_p(s, m->p);
    put_agreement(s, r, &t->cells[checked[m->new_cell]]);
    jl_sheet_bool(s, t->devices[c->device].simulated);
    jl_sheet_bool(s, t->modelled_energy);
}

int jl_section_int8(jl_report *r, const jl_study_data *d, const jl_report_options *o, jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    jl_sheet *s = jl_report_sheet(r, "int8", "INT8: what it saves and how it agrees with FP32",
                                  int8_columns, INT8_COLUMNS);
    jl_metric metrics[3];
    size_t n = jl_report_metrics(t, metrics);
    if (t->values[JL_CPU_TIME] && !o->brief) metrics[n++] = JL_CPU_TIME;
    const size_t *checked = most_checked(r, t);
    int rc = checked ? 0 : jl_fail(err, JL_ERR_MEMORY, "no memory for the report");
    for (size_t m = 0; m < n && !rc; m++) {
        jl_contrasts all = {0};
        rc = jl_find_contrasts(t, metrics[m], 0.05, o->seed, &all, err);
        for (size_t i = 0; i < all.count && !rc; i++) {
            const jl_contrast *c = &all.items[i];
            if (c->kind != JL_CONTRAST_PRECISION || c->family || !is_int8(t, c->new_configuration))
                continue;
            for (size_t k = 0; k < c->count; k++)
                put_int8(s, r, t, c, &c->members[k], checked);
        }
        jl_contrasts_free(&all);
    }
    if (jl_sheet_rows(s))
        jl_sheet_note(s,
                      "Agreement of the most likely class with Wilson's 95 %% interval, over the "
                      "items of the largest batch, which are noise: it does not transfer to real "
                      "inputs. 'jouleline model check' compares on as many items as wanted, and "
                      "on pictures. p: joint sign flips over all contrasts of the device and "
                      "metric.");
    else
        jl_sheet_note(s, "No model ran both in INT8 and in another precision of the same runtime.");
    jl_note_origin(s, d);
    return rc;
}
