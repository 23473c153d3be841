#include "report/sections.h"

#include <stdio.h>
#include <stdlib.h>

#include "jouleline/portability.h"
#include "report/sheet_private.h"

/* In the order in which a reader needs them. */
const jl_section jl_sections[] = {
    {"ran", "what was measured, and what ran", jl_section_ran},
    {"findings", "what the study shows, in sentences", jl_section_findings},
    {"cells", "medians of every cell", jl_section_cells},
    {"pairs", "every pair of configurations, tested", jl_section_pairs},
    {"families", "runtimes and regimes by family of architectures", jl_section_families},
    {"precision", "precisions against FP32", jl_section_precision},
    {"int8", "what INT8 saves and how it agrees", jl_section_int8},
    {"batch", "larger batches against the smallest", jl_section_batch},
    {"devices", "ratios between devices", jl_section_devices},
    {"interpreter", "what Python costs: PyTorch against libtorch", jl_section_interpreter},
    {"roofline", "which roof binds each cell", jl_section_roofline},
    {"energy", "where the joules go", jl_section_energy},
    {"paradox", "fewer operations, more energy", jl_section_paradox},
    {"repeatability", "how joules vary from run to run, and by what", jl_section_repeatability},
    {"idle", "power without load, and its drift", jl_section_idle},
    {"audit", "what compared configurations do not hold equal", jl_section_audit},
    {"portability", "what does not run, and in whose words", jl_section_portability},
    {0},
};

const jl_section *jl_section_find(const char *name)
{
    for (const jl_section *s = jl_sections; s->name; s++)
        if (!strcmp(s->name, name)) return s;
    return NULL;
}

const char *jl_device_label(const jl_report *r, const jl_study_table *t, uint32_t device)
{
    const jl_study_device *d = &t->devices[device];
    return d->simulated ? jl_arena_printf(r->arena, "%s (simulated)", d->name) : d->name;
}

/* Looks through the cells once a table. */
static void look(jl_report *r, const jl_study_table *t)
{
    if (r->table == t) return;
    r->table = t;
    r->several_devices = r->several_in_flight = false;
    const jl_study_cell *first = NULL;
    for (size_t i = 0; i < t->cell_count; i++) {
        if (jl_cell_is_probe(t, i)) continue;
        if (!first) first = &t->cells[i];
        r->several_devices |= t->cells[i].device != first->device;
        r->several_in_flight |= t->cells[i].in_flight != first->in_flight;
    }
}

bool jl_several_devices(jl_report *r, const jl_study_table *t)
{
    look(r, t);
    return r->several_devices;
}

bool jl_several_in_flight(jl_report *r, const jl_study_table *t)
{
    look(r, t);
    return r->several_in_flight;
}

const char *jl_place_words(jl_report *r, const jl_study_table *t, const jl_study_cell *c)
{
    char flight[48] = "";
    if (jl_several_in_flight(r, t)) snprintf(flight, sizeof flight, ", %u in flight", c->in_flight);
    bool device = jl_several_devices(r, t);
    return jl_arena_printf(r->arena, "%s, batch %u%s%s%s", t->models[c->model].name, c->batch,
                           flight, device ? ", " : "",
                           device ? jl_device_label(r, t, c->device) : "");
}

static int by_words(const void *a, const void *b, void *table)
{
    const jl_study_table *t = table;
    const jl_study_cell *x = &t->cells[*(const size_t *)a], *y = &t->cells[*(const size_t *)b];
    if (x->model != y->model) return x->model < y->model ? -1 : 1;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    if (x->batch != y->batch) return x->batch < y->batch ? -1 : 1;
    int c =
        strcmp(t->configurations[x->configuration].name, t->configurations[y->configuration].name);
    return c ? c : (x->in_flight > y->in_flight) - (x->in_flight < y->in_flight);
}

static int by_place(const void *a, const void *b, void *table)
{
    const jl_study_table *t = table;
    const jl_study_cell *x = &t->cells[*(const size_t *)a], *y = &t->cells[*(const size_t *)b];
    const uint32_t p[] = {x->device, x->configuration, x->model, x->batch, x->in_flight};
    const uint32_t q[] = {y->device, y->configuration, y->model, y->batch, y->in_flight};
    for (int i = 0; i < 5; i++)
        if (p[i] != q[i]) return p[i] < q[i] ? -1 : 1;
    return 0;
}

static size_t sort_cells(const jl_study_table *t, size_t *order,
                         int (*by)(const void *, const void *, void *))
{
    size_t count = 0;
    for (size_t i = 0; i < t->cell_count; i++)
        if (!jl_cell_is_probe(t, i)) order[count++] = i;
    qsort_r(order, count, sizeof *order, by, (void *)(uintptr_t)t);
    return count;
}

size_t jl_cells_in_order(const jl_study_table *t, size_t *order)
{
    return sort_cells(t, order, by_words);
}

size_t jl_cells_by_configuration(const jl_study_table *t, size_t *order)
{
    return sort_cells(t, order, by_place);
}

size_t jl_report_metrics(const jl_study_table *t, jl_metric metrics[2])
{
    size_t n = 0;
    if (t->values[JL_LATENCY]) metrics[n++] = JL_LATENCY;
    if (t->values[JL_ENERGY]) metrics[n++] = JL_ENERGY;
    return n;
}

const char *jl_metric_words(const jl_study_table *t, jl_metric m)
{
    return m == JL_ENERGY && t->modelled_energy ? "energy (modelled)" : jl_metric_name(m);
}

void jl_note_origin(jl_sheet *s, const jl_study_data *d)
{
    const jl_study_table *t = jl_study_data_table(d);
    const char *reason = jl_study_data_no_energy(d);
    if (!t->values[JL_ENERGY] && *reason)
        jl_sheet_note(s,
                      "No joules: %s; 'jouleline doctor' says of every meter why, and what would "
                      "help.",
                      strchr(reason, ';') ? "no meter works here" : reason);
    if (t->modelled_energy && t->values[JL_ENERGY])
        jl_sheet_note(s, "Joules are modelled from an assumed power, not measured.");
    bool simulated = false;
    for (size_t i = 0; i < t->cell_count; i++)
        simulated |= t->devices[t->cells[i].device].simulated;
    if (simulated) jl_sheet_note(s, "Simulated: these numbers come from a simulated device.");
}

const char *jl_not_held_equal(jl_report *r, const jl_study_table *ta, const jl_study_cell *a,
                              const jl_study_table *tb, const jl_study_cell *b)
{
    jl_audit x = jl_audit_begin(ta, a, tb, b);
    const char *name, *va, *vb, *all = NULL;
    while (jl_audit_next(&x, &name, &va, &vb))
        all = all ? jl_arena_printf(jl_report_arena(r), "%s, %s", all, name) : name;
    return all;
}
