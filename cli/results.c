#include "results.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/str.h"
#include "jouleline/findings.h"
#include "terminal.h"

static const double LEVEL = 0.95;

/* --- the sentence --- */

static bool device_has_cells(const jl_study_table *t, uint32_t device)
{
    for (size_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].device == device) return true;
    return false;
}

int jl_print_headline(FILE *to, const jl_study_data *d, jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    for (uint32_t i = 0; i < t->device_count; i++) {
        jl_headline h;
        if (!device_has_cells(t, i) || !t->devices[i].uuid) continue;
        int rc = jl_find_headline(t, i, &h, err);
        if (rc) return rc;
        if (h.why) {
            fprintf(to,
                    "%s: no comparison: fewer than two configurations ran the same cells in a "
                    "complete round.\n",
                    t->devices[i].name);
            continue;
        }
        JL_OWNED char *sentence = jl_headline_text(t, &h);
        if (!sentence) return jl_fail(err, JL_ERR_MEMORY, "no memory for a sentence");
        fprintf(to, "%s\n", sentence);
    }
    return 0;
}

/* --- the rows --- */

typedef struct row {
    const jl_study_cell *cell;
    const jl_summary *latency, *energy, *waking, *sleeping; /* NULL: not measured */
} row;

typedef struct rows {
    const jl_study_table *t;
    jl_summary *summaries[JL_METRIC_COUNT];
    row *items;
    size_t count;
    bool several_devices, several_in_flight, several_rounds, failures;
} rows;

static void free_rows(rows *r)
{
    for (int m = 0; m < JL_METRIC_COUNT; m++)
        free(r->summaries[m]);
    free(r->items);
}

static int by_words(const void *a, const void *b, void *table)
{
    const jl_study_table *t = table;
    const jl_study_cell *x = ((const row *)a)->cell, *y = ((const row *)b)->cell;
    if (x->model != y->model) return x->model < y->model ? -1 : 1;
    if (x->batch != y->batch) return x->batch < y->batch ? -1 : 1;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    int c =
        strcmp(t->configurations[x->configuration].name, t->configurations[y->configuration].name);
    return c ? c : (x->in_flight > y->in_flight) - (x->in_flight < y->in_flight);
}

static size_t rounds_of(const row *i)
{
    return i->latency ? i->latency->n : 0;
}

static int make_rows(const jl_study_table *t, rows *r, jl_error *err)
{
    *r = (rows){.t = t, .count = t->cell_count};
    r->items = calloc(t->cell_count + 1, sizeof *r->items);
    if (!r->items) return jl_fail(err, JL_ERR_MEMORY, "no memory for the results");
    for (int m = 0; m < JL_METRIC_COUNT; m++) {
        if (!t->values[m]) continue;
        r->summaries[m] = calloc(t->cell_count + 1, sizeof *r->summaries[m]);
        if (!r->summaries[m]) return jl_fail(err, JL_ERR_MEMORY, "no memory for the results");
        int rc = jl_study_summaries(t, (jl_metric)m, LEVEL, r->summaries[m], err);
        if (rc) return rc;
    }
    jl_summary *const *s = r->summaries;
    for (size_t i = 0; i < t->cell_count; i++) {
        const jl_study_cell *c = &t->cells[i];
        r->items[i] =
            (row){.cell = c,
                  .latency = s[JL_LATENCY] ? &s[JL_LATENCY][i] : NULL,
                  .energy = s[JL_ENERGY] ? &s[JL_ENERGY][i] : NULL,
                  .waking = s[JL_ENERGY_NET_WAKING] ? &s[JL_ENERGY_NET_WAKING][i] : NULL,
                  .sleeping = s[JL_ENERGY_NET_SLEEPING] ? &s[JL_ENERGY_NET_SLEEPING][i] : NULL};
        r->several_devices |= c->device != t->cells[0].device;
        r->several_in_flight |= c->in_flight != t->cells[0].in_flight;
        r->failures |= c->outcome != JL_OUTCOME_OK;
        r->several_rounds |= rounds_of(&r->items[i]) != rounds_of(&r->items[0]);
    }
    qsort_r(r->items, r->count, sizeof *r->items, by_words, (void *)(uintptr_t)t);
    return 0;
}

/* "12.34", "0.001234": four significant digits, NULL for a number that is not there. */
static const char *digits(jl_arena *a, jl_value v, double unit)
{
    if (v.why) return NULL;
    double x = v.value * unit;
    int whole = fabs(x) >= 1 ? (int)floor(log10(fabs(x))) : 0;
    if (x != 0 && fabs(x) < 0.01) return jl_arena_printf(a, "%.3g", x);
    return jl_arena_printf(a, "%.*f", whole > 3 ? 0 : 3 - whole, x);
}

static const char *interval(jl_arena *a, const jl_interval *i, double unit)
{
    if (i->why) return NULL;
    const char *low = digits(a, jl_some(i->low), unit), *high = digits(a, jl_some(i->high), unit);
    return jl_arena_printf(a, "%s..%s", low, high);
}

static const char *either(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

typedef struct table_text {
    jl_arena *arena;
    jl_column columns[JL_MAX_COLUMNS];
    size_t count;
    const char **cells;
} table_text;

static void add_column(table_text *x, const char *title, bool right)
{
    x->columns[x->count++] = (jl_column){title, right};
}

static void add_titles(table_text *x, const rows *r)
{
    add_column(x, "model", false);
    add_column(x, "batch", true);
    add_column(x, "configuration", false);
    if (r->several_devices) add_column(x, "device", false);
    if (r->several_in_flight) add_column(x, "in flight", true);
    add_column(x, "latency ms/call", true);
    add_column(x, "interval", true);
    add_column(x, "items/s", true);
    if (r->t->values[JL_ENERGY]) {
        add_column(x, "energy J/item", true);
        add_column(x, "interval", true);
        add_column(x, "net of waking idle", true);
    }
    if (r->several_rounds) add_column(x, "rounds", true);
    if (r->failures) add_column(x, "outcome", false);
}

static void add_row(table_text *x, const rows *r, const row *i, const char **to)
{
    const jl_study_table *t = r->t;
    const jl_study_cell *c = i->cell;
    size_t n = 0;
    jl_arena *a = x->arena;
    to[n++] = t->models[c->model].name;
    to[n++] = jl_arena_printf(a, "%u", c->batch);
    to[n++] = t->configurations[c->configuration].name;
    if (r->several_devices) to[n++] = t->devices[c->device].name;
    if (r->several_in_flight) to[n++] = jl_arena_printf(a, "%u", c->in_flight);
    bool ok = i->latency && !i->latency->median.why;
    to[n++] = ok ? digits(a, i->latency->median, 1e-6) : NULL;
    to[n++] = ok ? interval(a, &i->latency->median_interval, 1e-6) : NULL;
    to[n++] = ok && c->in_flight == 1
                  ? digits(a, jl_some(c->batch / (i->latency->median.value * 1e-9)), 1)
                  : NULL;
    if (t->values[JL_ENERGY]) {
        to[n++] = i->energy ? digits(a, i->energy->median, 1) : NULL;
        to[n++] = i->energy ? interval(a, &i->energy->median_interval, 1) : NULL;
        to[n++] = i->waking ? digits(a, i->waking->median, 1) : NULL;
    }
    if (r->several_rounds) to[n++] = jl_arena_printf(a, "%zu", rounds_of(i));
    if (r->failures) to[n++] = jl_outcome_name(c->outcome);
}

static int make_table(const rows *r, table_text *x, jl_error *err)
{
    *x = (table_text){.arena = jl_arena_new()};
    if (x->arena) {
        add_titles(x, r);
        x->cells = jl_arena_array(x->arena, r->count * x->count + 1, sizeof *x->cells);
    }
    if (!x->cells) return jl_fail(err, JL_ERR_MEMORY, "no memory for the results");
    for (size_t i = 0; i < r->count; i++)
        add_row(x, r, &r->items[i], x->cells + i * x->count);
    return 0;
}

static void print_md(FILE *to, const table_text *x, size_t count)
{
    for (size_t k = 0; k < x->count; k++)
        fprintf(to, "| %s ", x->columns[k].title);
    fputs("|\n", to);
    for (size_t k = 0; k < x->count; k++)
        fputs(x->columns[k].right ? "|---:" : "|---", to);
    fputs("|\n", to);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < x->count; k++)
            fprintf(to, "| %s ", either(x->cells[i * x->count + k], ""));
        fputs("|\n", to);
    }
}

/* What a reader must know beside the numbers. */
static void print_notes(FILE *to, const jl_study_data *d, const rows *r)
{
    const jl_study_table *t = r->t;
    size_t done = jl_study_data_complete_rounds(d);
    double level = 0;
    for (size_t i = 0; i < r->count && !(level > 0); i++)
        if (r->items[i].latency && !r->items[i].latency->median_interval.why)
            level = r->items[i].latency->median_interval.level;
    fputs("\nMedians over ", to);
    if (r->count && !r->several_rounds) fprintf(to, "%zu ", rounds_of(&r->items[0]));
    fprintf(to, "round%s",
            r->count && rounds_of(&r->items[0]) == 1 && !r->several_rounds ? "" : "s");
    if (level > 0)
        fprintf(to, "; intervals are order statistics that hold with %.1f %%.\n", 100 * level);
    else
        fputs("; an interval at 95 % needs at least 6 rounds.\n", to);
    if (done < t->rounds)
        fprintf(to, "%zu of %zu rounds are complete; only these give pairs.\n", done, t->rounds);
    const char *why = jl_study_data_no_energy(d);
    if (!t->values[JL_ENERGY] && *why)
        fprintf(to,
                "No joules: %s; 'jouleline doctor' says of every meter why, and what would help.\n",
                strchr(why, ';') ? "no meter works here" : why);
    if (t->modelled_energy) fputs("Joules are modelled from an assumed power, not measured.\n", to);
    bool simulated = false;
    for (size_t i = 0; i < t->cell_count; i++)
        simulated |= t->devices[t->cells[i].device].simulated;
    if (simulated) fputs("Simulated: these numbers come from a simulated device.\n", to);
    for (size_t i = 0; i < r->count; i++) {
        const jl_study_cell *c = r->items[i].cell;
        if (c->outcome != JL_OUTCOME_OK && c->message)
            fprintf(to, "%s, batch %u, %s: %s: %s\n", t->models[c->model].name, c->batch,
                    t->configurations[c->configuration].name, jl_outcome_name(c->outcome),
                    c->message);
    }
}

/* --- csv and json: everything, in base units --- */

static json_t *known(jl_value v)
{
    return v.why ? json_null() : json_real(v.value);
}

static void put_summary(json_t *j, const char *name, const jl_summary *s)
{
    char key[64];
    json_object_set_new(j, name, s ? known(s->median) : json_null());
    bool has = s && !s->median_interval.why;
    snprintf(key, sizeof key, "%s_low", name);
    json_object_set_new(j, key, has ? json_real(s->median_interval.low) : json_null());
    snprintf(key, sizeof key, "%s_high", name);
    json_object_set_new(j, key, has ? json_real(s->median_interval.high) : json_null());
}

static json_t *row_json(const rows *r, const row *i)
{
    const jl_study_table *t = r->t;
    const jl_study_cell *c = i->cell;
    const jl_study_device *d = &t->devices[c->device];
    json_t *j = json_pack("{s:s, s:s?, s:s, s:s, s:s?, s:s?, s:i, s:i, s:s, s:s?, s:I, s:b, s:b}",
                          "model", t->models[c->model].name, "family", t->models[c->model].family,
                          "configuration", t->configurations[c->configuration].name, "device",
                          d->name, "device_uuid", d->uuid, "host", d->host, "batch", (int)c->batch,
                          "in_flight", (int)c->in_flight, "outcome", jl_outcome_name(c->outcome),
                          "message", c->message, "rounds", (json_int_t)rounds_of(i), "simulated",
                          d->simulated, "modelled", t->modelled_energy);
    put_summary(j, "latency_ns", i->latency);
    bool has = i->latency && !i->latency->median_interval.why;
    json_object_set_new(j, "interval_level",
                        has ? json_real(i->latency->median_interval.level) : json_null());
    put_summary(j, "energy_j_per_item", i->energy);
    put_summary(j, "net_waking_j_per_item", i->waking);
    put_summary(j, "net_sleeping_j_per_item", i->sleeping);
    json_object_set_new(j, "top1_agree",
                        c->checked_items ? json_integer((json_int_t)c->agree_items) : json_null());
    json_object_set_new(j, "checked_items",
                        c->checked_items ? json_integer((json_int_t)c->checked_items)
                                         : json_null());
    json_object_set_new(j, "flop_per_call", isfinite(c->flop) ? json_real(c->flop) : json_null());
    return j;
}

static void print_json(FILE *to, const jl_study_data *d, const rows *r)
{
    json_t *cells = json_array();
    for (size_t i = 0; i < r->count; i++)
        json_array_append_new(cells, row_json(r, &r->items[i]));
    json_t *all =
        json_pack("{s:s?, s:I, s:s, s:o}", "study", r->t->name, "complete_rounds",
                  (json_int_t)jl_study_data_complete_rounds(d), "no_energy_because",
                  r->t->values[JL_ENERGY] ? "" : jl_study_data_no_energy(d), "cells", cells);
    json_dumpf(all, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    fputc('\n', to);
    json_decref(all);
}

static void print_csv_value(FILE *to, const json_t *v)
{
    const char *text = json_string_value(v);
    if (text) {
        bool quote = strpbrk(text, ",\"\n\r") != NULL;
        if (quote) fputc('"', to);
        for (; *text; text++) {
            if (*text == '"') fputc('"', to);
            fputc(*text, to);
        }
        if (quote) fputc('"', to);
    } else if (json_is_real(v)) {
        fprintf(to, "%.9g", json_real_value(v));
    } else if (json_is_integer(v)) {
        fprintf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    } else if (json_is_boolean(v)) {
        fputc(json_is_true(v) ? '1' : '0', to);
    }
}

static void print_csv(FILE *to, const rows *r)
{
    for (size_t i = 0; i < r->count; i++) {
        json_t *j = row_json(r, &r->items[i]), *value;
        const char *key;
        bool first = true;
        if (i == 0) {
            json_object_foreach(j, key, value)
            {
                fprintf(to, "%s%s", first ? "" : ",", key);
                first = false;
            }
            fputs("\r\n", to);
        }
        first = true;
        json_object_foreach(j, key, value)
        {
            if (!first) fputc(',', to);
            print_csv_value(to, value);
            first = false;
        }
        fputs("\r\n", to);
        json_decref(j);
    }
}

int jl_print_results(FILE *to, const jl_study_data *d, jl_results_format format, jl_error *err)
{
    __attribute__((cleanup(free_rows))) rows r;
    table_text x = {0};
    int rc = make_rows(jl_study_data_table(d), &r, err);
    if (!rc) rc = make_table(&r, &x, err);
    if (!rc && format == JL_RESULTS_JSON) print_json(to, d, &r);
    if (!rc && format == JL_RESULTS_CSV) print_csv(to, &r);
    if (!rc && format == JL_RESULTS_MD) print_md(to, &x, r.count);
    if (!rc && format == JL_RESULTS_TABLE) jl_print_table(to, x.columns, x.count, x.cells, r.count);
    if (!rc && (format == JL_RESULTS_TABLE || format == JL_RESULTS_MD)) print_notes(to, d, &r);
    jl_arena_free(x.arena);
    return rc;
}
