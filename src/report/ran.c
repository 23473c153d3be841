/* What ran and what did not, before any number. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/sections.h"

static const jl_sheet_column columns[] = {
    {"text", "", false},        {"device", NULL, false}, {"device_uuid", NULL, false},
    {"host", NULL, false},      {"models", NULL, false}, {"configurations", NULL, false},
    {"batches", NULL, false},   {"cells", NULL, false},  {"failed_cells", NULL, false},
    {"simulated", NULL, false},
};
enum { COLUMNS = sizeof columns / sizeof *columns, BATCHES = 256 };

/* The cells of one device. */
typedef struct extent {
    size_t models, configurations, batches, cells, failed;
    bool *model, *configuration;
    uint32_t batch[BATCHES];
} extent;

static void add_cell(extent *e, const jl_study_cell *c)
{
    size_t b = 0;
    e->models += !e->model[c->model];
    e->configurations += !e->configuration[c->configuration];
    e->model[c->model] = e->configuration[c->configuration] = true;
    while (b < e->batches && e->batch[b] != c->batch)
        b++;
    if (b == e->batches && b < BATCHES) e->batch[e->batches++] = c->batch;
    e->cells++;
    e->failed += c->outcome != JL_OUTCOME_OK;
}

static const char *plural(jl_arena *a, size_t n, const char *word, const char *end)
{
    return jl_arena_printf(a, "%zu %s%s", n, word, n == 1 ? "" : end);
}

static void put_device(jl_sheet *s, jl_report *r, const jl_study_table *t, uint32_t device,
                       const extent *e)
{
    jl_arena *a = jl_report_arena(r);
    const jl_study_device *d = &t->devices[device];
    const char *failed =
        e->failed == 0 ? "all ran"
                       : jl_arena_printf(a, "%zu of them did not run or ran wrongly", e->failed);
    jl_sheet_row(s, NULL);
    jl_sheet_text(s, jl_arena_printf(a, "%s: %s, %s, %s; %s, %s.", jl_device_label(r, t, device),
                                     plural(a, e->models, "model", "s"),
                                     plural(a, e->configurations, "configuration", "s"),
                                     plural(a, e->batches, "batch", "es"),
                                     plural(a, e->cells, "cell", "s"), failed));
    jl_sheet_text(s, d->name);
    jl_sheet_text(s, d->uuid);
    jl_sheet_text(s, d->host);
    jl_sheet_count(s, e->models);
    jl_sheet_count(s, e->configurations);
    jl_sheet_count(s, e->batches);
    jl_sheet_count(s, e->cells);
    jl_sheet_count(s, e->failed);
    jl_sheet_bool(s, d->simulated);
}

static void note_runs(jl_sheet *s, const jl_study_data *d)
{
    const jl_study_table *t = jl_study_data_table(d);
    jl_study_runs n = jl_study_data_runs(d);
    size_t complete = jl_study_data_complete_rounds(d);
    jl_sheet_note(s, "%zu round%s, %zu runs.", t->rounds, t->rounds == 1 ? "" : "s", n.count);
    if (n.failed) jl_sheet_note(s, "%zu of the runs failed.", n.failed);
    if (complete < t->rounds)
        jl_sheet_note(s, "%zu of %zu rounds are complete; only these give pairs.", complete,
                      t->rounds);
    if (n.unsettled)
        jl_sheet_note(s, "%zu runs were measured before time and power had come to rest.",
                      n.unsettled);
    if (n.disturbed)
        jl_sheet_note(s,
                      "%zu runs were disturbed also when repeated (column disturbed of table "
                      "run).",
                      n.disturbed);
    if (n.capped) jl_sheet_note(s, "%zu runs ran under a power cap.", n.capped);
    const char *meters = jl_study_data_meters(d);
    if (*meters) jl_sheet_note(s, "Joules: %s.", meters);
}

static const char *fact_of(const jl_study_cell *c, const char *name)
{
    for (size_t i = 0; i < c->fact_count; i++)
        if (!strcmp(c->facts[i].name, name)) return c->facts[i].value;
    return NULL;
}

/* One note a configuration: its arithmetic is not that of its name. */
static void note_emulated(jl_sheet *s, const jl_study_table *t)
{
    for (uint32_t k = 0; k < t->configuration_count; k++) {
        const char *words = NULL;
        for (size_t i = 0; i < t->cell_count && !words; i++)
            if (t->cells[i].configuration == k) words = fact_of(&t->cells[i], "emulated");
        if (words) jl_sheet_note(s, "%s is emulated: %s.", t->configurations[k].name, words);
    }
}

/* One note a configuration: nodes that fell back to another provider, in how many models, and where
 * most of them. */
static void note_elsewhere(jl_sheet *s, const jl_study_table *t)
{
    JL_OWNED uint32_t *seen = calloc(t->model_count + 1, sizeof *seen); /* by which configuration */
    if (!seen) return;
    for (uint32_t k = 0; k < t->configuration_count; k++) {
        const jl_study_cell *most = NULL;
        size_t models = 0;
        long count = 0;
        for (size_t i = 0; i < t->cell_count; i++) {
            const jl_study_cell *c = &t->cells[i];
            const char *value = fact_of(c, "nodes_elsewhere");
            long n = value ? strtol(value, NULL, 10) : 0;
            if (c->configuration != k || jl_cell_is_probe(t, i) || n <= 0) continue;
            models += seen[c->model] != k + 1;
            seen[c->model] = k + 1;
            if (n > count) most = c, count = n;
        }
        const char *where = most ? fact_of(most, "elsewhere") : NULL;
        if (most)
            jl_sheet_note(s,
                          "%s: nodes ran on another provider in %zu model%s, most in %s: %ld (%s).",
                          t->configurations[k].name, models, models == 1 ? "" : "s",
                          t->models[most->model].name, count, where ? where : "not named");
    }
}

int jl_section_ran(jl_report *r, const jl_study_data *d, const jl_report_options *o, jl_error *err)
{
    (void)o;
    const jl_study_table *t = jl_study_data_table(d);
    JL_OWNED extent *e = calloc(t->device_count + 1, sizeof *e);
    JL_OWNED bool *seen =
        calloc(t->device_count * (t->model_count + t->configuration_count) + 1, sizeof *seen);
    if (!e || !seen) return jl_fail(err, JL_ERR_MEMORY, "no memory for the report");
    for (size_t i = 0; i < t->device_count; i++) {
        e[i].model = seen + i * (t->model_count + t->configuration_count);
        e[i].configuration = e[i].model + t->model_count;
    }
    for (size_t i = 0; i < t->cell_count; i++)
        if (!jl_cell_is_probe(t, i)) add_cell(&e[t->cells[i].device], &t->cells[i]);
    jl_sheet *s = jl_report_sheet(r, "ran", NULL, columns, COLUMNS);
    jl_sheet_prose(s, false);
    for (uint32_t i = 0; i < t->device_count; i++)
        if (e[i].cells) put_device(s, r, t, i, &e[i]);
    note_runs(s, d);
    note_emulated(s, t);
    note_elsewhere(s, t);
    jl_note_origin(s, d);
    return 0;
}
