/* What the numbers were measured on: machine, driver, link and software of every device. */
#include <stdlib.h>

#include "report/sections.h"

static const jl_sheet_column columns[] = {
    {"fact", "fact", false}, {"value", NULL, false},       {"missing_because", NULL, false},
    {NULL, "value", false},  {"devices", "device", false},
};
enum { COLUMNS = sizeof columns / sizeof *columns, MOST_ROWS = 256 };

/* Facts of machine and software, in the order of printing. */
static const struct {
    const char *name, *title;
} titles[] = {
    {"cpu", "processor"},
    {"governor", "frequency governor"},
    {"kernel", "kernel"},
    {"driver", "driver"},
    {"pcie", "PCIe link"},
    {"pcie_most", "PCIe link at most"},
    {"version", "version of"},
    {"python", "Python"},
    {"torchvision", "torchvision"},
    {"cuda", "CUDA"},
    {"cudnn", "cuDNN"},
};
enum { TITLES = sizeof titles / sizeof *titles };

/* A value of a fact and the devices that have it. */
typedef struct known {
    size_t title;
    const char *of; /* the runtime, for versions */
    const char *value, *missing;
    bool *devices;
} known;

typedef struct collected {
    jl_arena *arena;
    size_t device_count, count;
    known rows[MOST_ROWS];
} collected;

static int compare_words(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int by_fact(const void *a, const void *b)
{
    const known *x = a, *y = b;
    if (x->title != y->title) return x->title < y->title ? -1 : 1;
    int c = compare_words(x->of, y->of);
    if (!c) c = compare_words(x->value, y->value);
    return c ? c : compare_words(x->missing, y->missing);
}

static void add(collected *c, const jl_study_fact *f, const char *runtime, uint32_t device)
{
    known k = {.value = f->value, .missing = f->value ? NULL : f->missing};
    while (k.title < TITLES && strcmp(titles[k.title].name, f->name) != 0)
        k.title++;
    if (k.title == TITLES || (!k.value && !k.missing)) return;
    if (!strcmp(f->name, "version")) k.of = runtime;
    size_t i = 0;
    while (i < c->count && by_fact(&c->rows[i], &k))
        i++;
    if (i == MOST_ROWS) return;
    if (i == c->count) {
        k.devices = jl_arena_array(c->arena, c->device_count, sizeof *k.devices);
        if (!k.devices) return;
        c->rows[c->count++] = k;
    }
    c->rows[i].devices[device] = true;
}

/* Facts of every cell and of the hosts of the devices that have cells; how many devices those are.
 */
static size_t collect(collected *c, const jl_study_table *t)
{
    bool *seen = jl_arena_array(c->arena, t->device_count, sizeof *seen);
    size_t devices = 0;
    for (size_t i = 0; seen && i < t->cell_count; i++) {
        const jl_study_cell *cell = &t->cells[i];
        const jl_study_device *d = &t->devices[cell->device];
        for (size_t k = 0; k < cell->fact_count; k++)
            add(c, &cell->facts[k], t->configurations[cell->configuration].runtime, cell->device);
        for (size_t k = 0; !seen[cell->device] && k < d->fact_count; k++)
            add(c, &d->facts[k], NULL, cell->device);
        devices += !seen[cell->device];
        seen[cell->device] = true;
    }
    qsort(c->rows, c->count, sizeof *c->rows, by_fact);
    return devices;
}

static const char *names_of(jl_report *r, const jl_study_table *t, const known *k)
{
    const char *all = NULL;
    for (uint32_t i = 0; i < t->device_count; i++)
        if (k->devices[i])
            all = all ? jl_arena_printf(jl_report_arena(r), "%s; %s", all, t->devices[i].name)
                      : t->devices[i].name;
    return all;
}

int jl_put_measured_on(jl_report *r, const jl_study_table *t, jl_error *err)
{
    if (jl_report_has(r, "measured_on")) return 0;
    jl_arena *a = jl_report_arena(r);
    collected *c = jl_arena_alloc(a, sizeof *c);
    if (!c) return jl_fail(err, JL_ERR_MEMORY, "no memory for the audit");
    c->arena = a;
    c->device_count = t->device_count;
    bool several = collect(c, t) > 1;
    jl_sheet *s = jl_report_sheet(r, "measured_on", "What it was measured on", columns, COLUMNS);
    for (size_t i = 0; i < c->count; i++) {
        const known *k = &c->rows[i];
        jl_sheet_row(s, NULL);
        jl_sheet_text(s, k->of ? jl_arena_printf(a, "%s %s", titles[k->title].title, k->of)
                               : titles[k->title].title);
        jl_sheet_text(s, k->value);
        jl_sheet_text(s, k->missing);
        jl_sheet_text(s, k->value ? k->value : jl_arena_printf(a, "not known: %s", k->missing));
        if (several) jl_sheet_text(s, names_of(r, t, k));
    }
    return 0;
}
