/* The roofs that probes reached, and which of them binds each cell. */
#include "jouleline/roofline.h"

#include <stdlib.h>

#include "base/memory.h"
#include "report/sections.h"

static const jl_sheet_column roof_columns[] = {
    {"device", NULL, false},
    {"configuration", "configuration", false},
    {"flop_per_s", NULL, false},
    {"bytes_per_s", NULL, false},
    {"dispatches_per_s", NULL, false},
    {NULL, "compute GFLOP/s", true},
    {NULL, "memory GB/s", true},
    {NULL, "dispatch us/node", true},
    {NULL, "memory binds below FLOP/byte", true},
    {"simulated", NULL, false},
};
enum { ROOF_COLUMNS = sizeof roof_columns / sizeof *roof_columns };

static const jl_sheet_column place_columns[] = {
    {"device", NULL, false},    {"configuration", NULL, false}, {"model", "model", false},
    {"batch", "batch", true},   {"in_flight", NULL, false},     {"intensity", "FLOP / byte", true},
    {"compute_s", NULL, false}, {NULL, "compute ms", true},     {"memory_s", NULL, false},
    {NULL, "memory ms", true},  {"dispatch_s", NULL, false},    {NULL, "dispatch ms", true},
    {"bound_s", NULL, false},   {"time_s", NULL, false},        {NULL, "took ms", true},
    {"binds", NULL, false},     {NULL, "bound by", false},      {"fraction", NULL, false},
    {NULL, "reached", true},    {"partial", NULL, false},       {"simulated", NULL, false},
};
enum { PLACE_COLUMNS = sizeof place_columns / sizeof *place_columns };

/* Whether a device ran models on a configuration at all. */
static bool ran(const jl_study_table *t, uint32_t device, uint32_t configuration)
{
    for (size_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].device == device && t->cells[i].configuration == configuration &&
            t->cells[i].outcome == JL_OUTCOME_OK && !jl_cell_is_probe(t, i))
            return true;
    return false;
}

static int put_roofs(jl_report *r, const jl_study_data *d, bool *any, jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    jl_arena *a = jl_report_arena(r);
    jl_sheet *s =
        jl_report_sheet(r, "roofs", "Roofs: the most that each configuration reached in a probe",
                        roof_columns, ROOF_COLUMNS);
    for (uint32_t i = 0; i < t->device_count; i++)
        for (uint32_t k = 0; k < t->configuration_count; k++) {
            jl_roofs roofs;
            if (!ran(t, i, k)) continue;
            int rc = jl_study_roofs(t, i, k, &roofs, err);
            if (rc) return rc;
            const jl_value *v = roofs.rate;
            if (v[0].why && v[1].why && v[2].why) continue;
            *any = true;
            jl_sheet_row(s, jl_several_devices(r, t) ? jl_device_label(r, t, i) : NULL);
            jl_sheet_text(s, t->devices[i].name);
            jl_sheet_text(s, t->configurations[k].name);
            for (int roof = 0; roof < JL_ROOF_COUNT; roof++)
                jl_sheet_value(s, v[roof]);
            jl_sheet_text(s, jl_digits(a, v[JL_ROOF_COMPUTE], 1e-9));
            jl_sheet_text(s, jl_digits(a, v[JL_ROOF_MEMORY], 1e-9));
            jl_value us = v[JL_ROOF_DISPATCH], ridge = v[JL_ROOF_COMPUTE];
            if (!us.why) us.value = 1e6 / us.value;
            if (!ridge.why)
                ridge = v[JL_ROOF_MEMORY].why ? v[JL_ROOF_MEMORY]
                                              : jl_some(ridge.value / v[JL_ROOF_MEMORY].value);
            jl_sheet_text(s, jl_digits(a, us, 1));
            jl_sheet_text(s, jl_digits(a, ridge, 1));
            jl_sheet_bool(s, t->devices[i].simulated);
        }
    if (*any)
        jl_sheet_note(s, "A probe is a synthetic model that does one thing: large matrix products "
                         "(compute), a pass over far more data than caches hold (memory), or "
                         "hundreds of tiny nodes (dispatch: what starting one node takes). Each "
                         "was run like every model, through the same runtime and precision.");
    if (jl_study_data_borrowed_probes(d) && *any)
        jl_sheet_note(s, "This study measured no probes: these are of other studies in the store.");
    if (!*any)
        jl_sheet_note(s, "No roofs: the study measured no probes. 'jouleline run --probes on' "
                         "measures them beside the models, in the first three rounds.");
    return 0;
}

static void put_place(jl_sheet *s, jl_report *r, const jl_study_table *t, const jl_study_cell *c,
                      const jl_roof_place *p)
{
    jl_arena *a = jl_report_arena(r);
    const char *configuration = t->configurations[c->configuration].name;
    jl_sheet_row(s, jl_several_devices(r, t) ? jl_arena_printf(a, "%s, %s", configuration,
                                                               jl_device_label(r, t, c->device))
                                             : configuration);
    jl_sheet_text(s, t->devices[c->device].name);
    jl_sheet_text(s, configuration);
    jl_sheet_text(s, t->models[c->model].name);
    jl_sheet_count(s, c->batch);
    jl_sheet_count(s, c->in_flight);
    jl_value took_s = jl_none(JL_NO_VALUES);
    if (!p->fraction.why) took_s = jl_some(p->bound_s.value / p->fraction.value);
    jl_sheet_value(s, p->intensity);
    for (int roof = 0; roof < JL_ROOF_COUNT; roof++) {
        jl_sheet_value(s, p->least_s[roof]);
        jl_sheet_text(s, jl_digits(a, p->least_s[roof], 1e3));
    }
    jl_sheet_value(s, p->bound_s);
    jl_sheet_value(s, took_s);
    jl_sheet_text(s, jl_digits(a, took_s, 1e3));
    jl_sheet_text(s, jl_roof_name(p->binds));
    jl_sheet_text(s, p->partial ? "one is unknown" : jl_roof_name(p->binds));
    jl_sheet_value(s, p->fraction);
    jl_sheet_text(s, p->fraction.why || p->partial
                         ? NULL
                         : jl_arena_printf(a, "%.0f %%", 100 * p->fraction.value));
    jl_sheet_bool(s, p->partial);
    jl_sheet_bool(s, t->devices[c->device].simulated);
}

int jl_section_roofline(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                        jl_error *err)
{
    (void)o;
    const jl_study_table *t = jl_study_data_table(d);
    JL_OWNED jl_roof_place *places = calloc(t->cell_count + 1, sizeof *places);
    JL_OWNED size_t *order = calloc(t->cell_count + 1, sizeof *order);
    if (!places || !order) return jl_fail(err, JL_ERR_MEMORY, "no memory for the roofline");
    bool any = false;
    int rc = put_roofs(r, d, &any, err);
    if (!rc && any) rc = jl_study_roofline(t, places, err);
    if (rc || !any) return rc;
    jl_sheet *s =
        jl_report_sheet(r, "roofline", "Which roof binds each cell", place_columns, PLACE_COLUMNS);
    size_t count = jl_cells_by_configuration(t, order);
    for (size_t i = 0; i < count; i++)
        if (!places[order[i]].bound_s.why)
            put_place(s, r, t, &t->cells[order[i]], &places[order[i]]);
    jl_sheet_note(s, "Three least times of a call: its FLOP, its bytes and its nodes, each at the "
                     "roof. No call should be shorter than the longest of them, whose roof binds "
                     "it; reached: that time over the one that it took. Above 100 %% its bytes "
                     "came from a cache, the runtime fused nodes, or its nodes start faster than "
                     "those of the probe.");
    jl_note_origin(s, d);
    return 0;
}
