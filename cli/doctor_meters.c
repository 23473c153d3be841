#include "doctor_meters.h"

#include "jouleline/meter.h"
#include "terminal.h"

static const char *text(const json_t *meter, const char *key)
{
    const char *value = json_string_value(json_object_get(meter, key));
    return value ? value : "";
}

json_t *jl_doctor_meters(const char *root)
{
    json_t *list = json_array();
    jl_meter_options options = {.root = root};
    for (const jl_meter_vtable *const *m = jl_meters(); *m; m++) {
        jl_meter_probe p = {0};
        (*m)->probe(&options, &p);
        const char *state = (*m)->opt_in ? "on request" : p.works ? "works" : "absent";
        json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "meter", (*m)->name, "summary", (*m)->summary,
                              "state", state, "found", p.what);
        if (p.fix[0]) json_object_set_new(o, "fix", json_string(p.fix));
        json_array_append_new(list, o);
    }
    return list;
}

void jl_doctor_print_meters(FILE *to, const json_t *meters, jl_arena *arena)
{
    enum { COLUMNS = 4 };
    static const jl_column columns[COLUMNS] = {
        {"meter", false}, {"state", false}, {"what it measures", false}, {"here", false}};
    size_t n = json_array_size(meters), i;
    json_t *m;
    const char **cells = jl_arena_array(arena, n * COLUMNS, sizeof *cells);
    if (!cells) return;
    json_array_foreach(meters, i, m)
    {
        const char **row = cells + i * COLUMNS;
        row[0] = text(m, "meter");
        row[1] = text(m, "state");
        row[2] = text(m, "summary");
        row[3] = text(m, "found");
    }
    jl_print_table(to, columns, COLUMNS, cells, n);
    json_array_foreach(meters, i, m) if (*text(m, "fix"))
        fprintf(to, "to make %s work: %s\n", text(m, "meter"), text(m, "fix"));
}
