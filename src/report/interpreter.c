/* PyTorch against libtorch, which calls the same kernels without Python. */
#include "jouleline/interpreter.h"

#include "report/sections.h"

static const jl_sheet_column columns[] = {
    {"model", "model", false},
    {"batch", "batch", true},
    {"in_flight", NULL, false},
    {"device", NULL, false},
    {"device_uuid", NULL, false},
    {"metric", NULL, false},
    {"pytorch", NULL, false},
    {"libtorch", NULL, false},
    {"difference", NULL, false},
    {NULL, "ms more", true},
    {NULL, "mJ more", true},
    {"difference_low", NULL, false},
    {"difference_high", NULL, false},
    {"share", NULL, false},
    {NULL, "% of pytorch", true},
    JL_INTERVAL_COLUMNS,
    {"rounds", "rounds", true},
    {"share_of", "share of", false},
    {"same_operators", NULL, false},
    {"same_torch", NULL, false},
    {"not_held_equal", "not held equal", false},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* What the two do not share, beside the language. */
static const char *differing(jl_report *r, const jl_study_table *t, const jl_interpreter_share *x)
{
    const char *facts = jl_not_held_equal(r, t, &t->cells[x->pytorch], t, &t->cells[x->libtorch]);
    if (x->same_torch) return facts;
    return facts ? jl_arena_printf(jl_report_arena(r), "torch, %s", facts) : "torch";
}

static void put_share(jl_sheet *s, jl_report *r, const jl_study_table *t, jl_metric metric,
                      const jl_interpreter_share *x)
{
    jl_arena *a = jl_report_arena(r);
    const jl_study_cell *python = &t->cells[x->pytorch];
    const jl_study_device *d = &t->devices[python->device];
    bool known = !x->between.why, joules = metric == JL_ENERGY;
    const char *more = jl_digits(a, x->difference, joules ? 1e3 : 1e-6);
    const char *with = t->configurations[python->configuration].name,
               *without = t->configurations[t->cells[x->libtorch].configuration].name;
    jl_sheet_row(s, jl_arena_printf(a, "%s against %s: %s, %s", with, without,
                                    jl_metric_words(t, metric),
                                    jl_device_label(r, t, python->device)));
    jl_sheet_text(s, t->models[python->model].name);
    jl_sheet_count(s, python->batch);
    jl_sheet_count(s, python->in_flight);
    jl_sheet_text(s, d->name);
    jl_sheet_text(s, d->uuid);
    jl_sheet_text(s, jl_metric_column(metric));
    jl_sheet_text(s, with);
    jl_sheet_text(s, without);
    jl_sheet_value(s, x->difference);
    jl_sheet_text(s, joules ? NULL : more);
    jl_sheet_text(s, joules ? more : NULL);
    jl_sheet_value(s, known ? jl_some(x->between.low) : jl_none(x->between.why));
    jl_sheet_value(s, known ? jl_some(x->between.high) : jl_none(x->between.why));
    jl_sheet_value(s, x->share);
    jl_sheet_text(s, jl_digits(a, x->share, 100));
    jl_sheet_interval(s, &x->share_between, 100);
    jl_sheet_count(s, x->n);
    jl_sheet_text(s, x->alone            ? "interpreter"
                     : x->same_operators ? "interpreter and more"
                                         : "graph and interpreter");
    jl_sheet_bool(s, x->same_operators);
    jl_sheet_bool(s, x->same_torch);
    jl_sheet_text(s, differing(r, t, x));
    jl_sheet_bool(s, d->simulated);
    jl_sheet_bool(s, t->modelled_energy);
}

bool jl_has_interpreter_shares(const jl_study_table *t)
{
    jl_interpreter_shares all;
    bool any = !jl_find_interpreter_shares(t, JL_LATENCY, 0.95, &all, NULL) && all.count;
    jl_interpreter_shares_free(&all);
    return any;
}

int jl_section_interpreter(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                           jl_error *err)
{
    (void)o;
    const jl_study_table *t = jl_study_data_table(d);
    jl_sheet *s = jl_report_sheet(
        r, "interpreter", "PyTorch against the same kernels without Python", columns, COLUMNS);
    jl_metric metrics[2];
    size_t n = jl_report_metrics(t, metrics);
    int rc = 0;
    bool alone = false, graph = false;
    for (size_t m = 0; m < n && !rc; m++) {
        jl_interpreter_shares all;
        rc = jl_find_interpreter_shares(t, metrics[m], 0.95, &all, err);
        for (size_t i = 0; !rc && i < all.count; i++) {
            put_share(s, r, t, metrics[m], &all.items[i]);
            alone |= all.items[i].alone;
            graph |= !all.items[i].same_operators;
        }
        jl_interpreter_shares_free(&all);
    }
    if (!jl_sheet_rows(s))
        jl_sheet_note(s,
                      "No model ran in pytorch and in libtorch with the same provider, precision "
                      "and options.");
    else
        jl_sheet_note(s, "pytorch less libtorch, per call (joules: per item); Hodges-Lehmann over "
                         "rounds, intervals from inverted signed ranks.");
    if (alone)
        jl_sheet_note(s, "Interpreter: both dispatched the same sequence of operators of the same "
                         "torch, so the difference is Python's.");
    if (graph)
        jl_sheet_note(s, "Graph and interpreter: libtorch ran the ONNX graph, or a program whose "
                         "operators are not known to be those of the module in Python, so the "
                         "difference is not Python's alone.");
    jl_note_origin(s, d);
    return rc;
}
