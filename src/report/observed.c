/* Devices against each other, failures, and what was not held equal. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "jouleline/comparison.h"
#include "jouleline/devices.h"
#include "jouleline/portability.h"
#include "report/sections.h"

/* --- devices --- */

static const jl_sheet_column device_columns[] = {
    {"base_device", NULL, false},
    {"new_device", NULL, false},
    {"base_host", NULL, false},
    {"new_host", NULL, false},
    {"metric", NULL, false},
    {"configuration", NULL, false},
    {"model", "model", false},
    {"batch", "batch", true},
    {"in_flight", NULL, false},
    {"ratio", "new / base", true},
    JL_INTERVAL_COLUMNS,
    {"low_with_gain", NULL, false},
    {"high_with_gain", NULL, false},
    {NULL, "with sensors' gain", true},
    {"runs_base", NULL, false},
    {"runs_new", NULL, false},
    {NULL, "runs", true},
    {"effect", NULL, false},
    {"p", "p", true},
    {"direction", "new takes", false},
    {"not_held_equal", NULL, false},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
};
enum { DEVICE_COLUMNS = sizeof device_columns / sizeof *device_columns };

static void put_device_ratio(jl_sheet *s, jl_report *r, const jl_study_table *t, jl_metric metric,
                             const jl_device_ratio *x)
{
    jl_arena *a = jl_report_arena(r);
    const jl_study_cell *base = &t->cells[x->base], *new_cell = &t->cells[x->new_cell];
    const jl_study_device *db = &t->devices[base->device], *dn = &t->devices[new_cell->device];
    const char *configuration = t->configurations[base->configuration].name;
    int direction = jl_device_direction(x, 0.05);
    const jl_interval *g = &x->with_gain;
    jl_sheet_row(s, jl_arena_printf(a, "%s (new) against %s (base), %s: %s",
                                    jl_device_label(r, t, new_cell->device),
                                    jl_device_label(r, t, base->device), configuration,
                                    jl_metric_words(t, metric)));
    jl_sheet_text(s, db->name);
    jl_sheet_text(s, dn->name);
    jl_sheet_text(s, db->host);
    jl_sheet_text(s, dn->host);
    jl_sheet_text(s, jl_metric_column(metric));
    jl_sheet_text(s, configuration);
    jl_sheet_text(s, t->models[base->model].name);
    jl_sheet_count(s, base->batch);
    jl_sheet_count(s, base->in_flight);
    jl_sheet_value(s, x->ratio);
    jl_sheet_interval(s, &x->interval, 1);
    jl_sheet_number(s, g->why ? NAN : g->low);
    jl_sheet_number(s, g->why ? NAN : g->high);
    jl_sheet_text(s, g->why || metric == JL_LATENCY
                         ? NULL
                         : jl_arena_printf(a, "%s..%s", jl_digits(a, jl_some(g->low), 1),
                                           jl_digits(a, jl_some(g->high), 1)));
    jl_sheet_count(s, x->n1);
    jl_sheet_count(s, x->n2);
    jl_sheet_text(s, jl_arena_printf(a, "%u+%u", x->n1, x->n2));
    jl_sheet_value(s, x->effect);
    jl_sheet_p(s, x->p);
    jl_sheet_text(s, direction < 0 ? "less" : direction > 0 ? "more" : "not shown");
    jl_sheet_text(s, jl_not_held_equal(r, t, base, t, new_cell));
    jl_sheet_bool(s, db->simulated || dn->simulated);
    jl_sheet_bool(s, t->modelled_energy);
}

/* What else than the device two devices differ in, once a configuration. */
static void note_differences(jl_sheet *s, jl_report *r, const jl_study_table *t,
                             const jl_device_ratio *x)
{
    const jl_study_cell *base = &t->cells[x->base], *new_cell = &t->cells[x->new_cell];
    jl_audit audit = jl_audit_begin(t, base, t, new_cell);
    const char *name, *a, *b, *all = NULL;
    while (jl_audit_next(&audit, &name, &a, &b))
        all = jl_arena_printf(jl_report_arena(r), "%s%s%s (%s, %s)", all ? all : "",
                              all ? ", " : "", name, a ? a : "not known", b ? b : "not known");
    if (all)
        jl_sheet_note(s, "Not held equal between %s and %s, %s: %s.", t->devices[base->device].name,
                      t->devices[new_cell->device].name,
                      t->configurations[base->configuration].name, all);
}

int jl_section_devices(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                       jl_error *err)
{
    (void)o;
    const jl_study_table *t = jl_study_data_table(d);
    jl_sheet *s = jl_report_sheet(r, "devices", "Devices against each other (unpaired)",
                                  device_columns, DEVICE_COLUMNS);
    jl_metric metrics[2];
    size_t n = jl_report_metrics(t, metrics);
    int rc = 0;
    for (size_t m = 0; m < n && !rc; m++) {
        jl_device_ratios all = {0};
        rc = jl_compare_devices(t, metrics[m], &all, err);
        for (size_t i = 0; i < all.count && !rc; i++) {
            put_device_ratio(s, r, t, metrics[m], &all.items[i]);
            note_differences(s, r, t, &all.items[i]);
        }
        jl_device_ratios_free(&all);
    }
    if (jl_sheet_rows(s))
        jl_sheet_note(s,
                      "No round spans two devices: two-sample Hodges-Lehmann ratios, Mann-Whitney "
                      "p with Holm's correction over the pair of devices and metric. Joules carry "
                      "the gain error of both sensors; inside it no direction is claimed.");
    else
        jl_sheet_note(s, "One device only, or no cell that ran on two.");
    jl_note_origin(s, d);
    return rc || !jl_sheet_rows(s) ? rc : jl_put_measured_on(r, t, err);
}

/* --- portability --- */

static const jl_sheet_column portability_columns[] = {
    {"configuration", NULL, false}, {"model", "model", false},       {"device", NULL, false},
    {"outcome", NULL, false},       {"cells", NULL, false},          {"of", NULL, false},
    {NULL, "cells", true},          {"smallest_batch", NULL, false}, {"largest_batch", NULL, false},
    {NULL, "batches", true},        {"runs_as", "runs as", false},   {"message", NULL, false},
};
enum { PORTABILITY_COLUMNS = sizeof portability_columns / sizeof *portability_columns };

static const char *shortened(jl_arena *a, const char *message)
{
    enum { MOST = 200 };
    if (!message || strlen(message) <= MOST) return message;
    size_t n = MOST;
    while (((unsigned char)message[n] & 0xC0) == 0x80)
        n--;
    return jl_arena_printf(a, "%.*s...", (int)n, message);
}

/* "ort-cuda/fp16, H200: unsupported: Type Error: ..." */
static const char *failure_heading(jl_report *r, const jl_study_table *t,
                                   const jl_portability_row *x)
{
    jl_arena *a = jl_report_arena(r);
    bool device = jl_several_devices(r, t);
    const char *message = shortened(a, x->message);
    return jl_arena_printf(a, "%s%s%s: %s%s%s", t->configurations[x->configuration].name,
                           device ? ", " : "", device ? jl_device_label(r, t, x->device) : "",
                           jl_outcome_name(x->outcome), message ? ": " : "",
                           message ? message : "");
}

static void put_failure(jl_sheet *s, jl_report *r, const jl_study_table *t,
                        const jl_portability_row *x)
{
    jl_arena *a = jl_report_arena(r);
    bool one = x->least_batch == x->most_batch;
    jl_sheet_row(s, failure_heading(r, t, x));
    jl_sheet_text(s, t->configurations[x->configuration].name);
    jl_sheet_text(s, t->models[x->model].name);
    jl_sheet_text(s, t->devices[x->device].name);
    jl_sheet_text(s, jl_outcome_name(x->outcome));
    jl_sheet_count(s, x->cells);
    jl_sheet_count(s, x->of);
    jl_sheet_text(s, jl_arena_printf(a, "%u of %u", x->cells, x->of));
    jl_sheet_count(s, x->least_batch);
    jl_sheet_count(s, x->most_batch);
    jl_sheet_text(s, jl_arena_printf(a, one ? "%u" : "%u to %u", x->least_batch, x->most_batch));
    jl_sheet_text(s, x->runs_as == JL_NO_CONFIGURATION ? NULL : t->configurations[x->runs_as].name);
    jl_sheet_text(s, x->message);
}

int jl_section_portability(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                           jl_error *err)
{
    (void)o;
    const jl_study_table *t = jl_study_data_table(d);
    jl_portability all = {0};
    int rc = jl_find_failures(t, &all, err);
    if (rc) return rc;
    jl_sheet *s = jl_report_sheet(r, "portability", "What does not run, or runs wrongly",
                                  portability_columns, PORTABILITY_COLUMNS);
    for (size_t device = 0; device < t->device_count; device++)
        for (size_t i = 0; i < all.count; i++)
            if (all.rows[i].device == device) put_failure(s, r, t, &all.rows[i]);
    if (!all.count) jl_sheet_note(s, "Every cell ran.");
    jl_portability_free(&all);
    return 0;
}

/* --- audit --- */

static const jl_sheet_column audit_columns[] = {
    {"device", NULL, false},           {"base", NULL, false},         {"new", NULL, false},
    {"fact", "not held equal", false}, {"base_value", "base", false}, {"new_value", "new", false},
    {"cells", "pairs of cells", true},
};
enum { AUDIT_COLUMNS = sizeof audit_columns / sizeof *audit_columns };

typedef struct difference {
    uint32_t device, base, new_configuration;
    const char *fact, *a, *b;
    uint64_t cells;
} difference;

typedef struct differences {
    difference *items;
    size_t count, room;
} differences;

static bool same_value(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static int add_difference(differences *all, const difference *x, jl_error *err)
{
    for (size_t i = 0; i < all->count; i++) {
        difference *y = &all->items[i];
        if (y->device == x->device && y->base == x->base &&
            y->new_configuration == x->new_configuration && !strcmp(y->fact, x->fact) &&
            same_value(y->a, x->a) && same_value(y->b, x->b)) {
            y->cells++;
            return 0;
        }
    }
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 64;
        difference *more = realloc(all->items, room * sizeof *more);
        if (!more) return jl_fail(err, JL_ERR_MEMORY, "no memory for the audit");
        all->items = more;
        all->room = room;
    }
    all->items[all->count++] = *x;
    return 0;
}

static int by_pair(const void *a, const void *b)
{
    const difference *x = a, *y = b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    if (x->base != y->base) return x->base < y->base ? -1 : 1;
    if (x->new_configuration != y->new_configuration)
        return x->new_configuration < y->new_configuration ? -1 : 1;
    return strcmp(x->fact, y->fact);
}

static int collect(const jl_study_table *t, const jl_comparisons *pairs, differences *all,
                   jl_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < pairs->count && !rc; i++) {
        const jl_study_cell *a = &t->cells[pairs->items[i].base],
                            *b = &t->cells[pairs->items[i].new_cell];
        difference x = {.device = a->device,
                        .base = a->configuration,
                        .new_configuration = b->configuration,
                        .cells = 1};
        jl_audit audit = jl_audit_begin(t, a, t, b);
        while (!rc && jl_audit_next(&audit, &x.fact, &x.a, &x.b))
            rc = add_difference(all, &x, err);
    }
    return rc;
}

int jl_section_audit(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                     jl_error *err)
{
    (void)o;
    const jl_study_table *t = jl_study_data_table(d);
    jl_comparison_options options = {.metric = JL_LATENCY, .baseline = JL_ALL_PAIRS};
    jl_comparisons pairs = {0};
    differences all = {0};
    int rc = t->values[JL_LATENCY] ? jl_compare_study(t, &options, &pairs, err) : 0;
    if (!rc) rc = collect(t, &pairs, &all, err);
    jl_sheet *s = jl_report_sheet(r, "audit", "What compared configurations did not hold equal",
                                  audit_columns, AUDIT_COLUMNS);
    if (!rc && all.count) qsort(all.items, all.count, sizeof *all.items, by_pair);
    for (size_t i = 0; i < all.count && !rc; i++) {
        const difference *x = &all.items[i];
        const char *new_name = t->configurations[x->new_configuration].name,
                   *base = t->configurations[x->base].name;
        jl_sheet_row(s, jl_arena_printf(jl_report_arena(r), "%s (new) against %s (base), %s",
                                        new_name, base, jl_device_label(r, t, x->device)));
        jl_sheet_text(s, t->devices[x->device].name);
        jl_sheet_text(s, base);
        jl_sheet_text(s, new_name);
        jl_sheet_text(s, x->fact);
        jl_sheet_text(s, x->a ? x->a : "not known");
        jl_sheet_text(s, x->b ? x->b : "not known");
        jl_sheet_count(s, x->cells);
    }
    if (!rc && !all.count)
        jl_sheet_note(s, pairs.count ? "All known facts were equal in every pair."
                                     : "No pairs to audit.");
    free(all.items);
    jl_comparisons_free(&pairs);
    return rc ? rc : jl_put_measured_on(r, t, err);
}
