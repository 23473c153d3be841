#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "jouleline/advise.h"
#include "results.h"

enum { MEDIAN, P90, P95, P99 };

typedef struct settings {
    const char *db, *study, *model, *device;
    int64_t latency_ns;
    double energy_j, power_w, throughput, agreement;
    int percentile, output;
} settings;

static const jl_option options[] = {
    {.name = "model",
     .letter = 'm',
     .kind = JL_OPT_TEXT,
     .argument = "NAME",
     .command_line = true,
     .offset = offsetof(settings, model),
     .help = "the model to run (default: the study's only one)"},
    {.name = "latency",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .min = 1e-9,
     .max = 86400,
     .command_line = true,
     .offset = offsetof(settings, latency_ns),
     .help = "longest call allowed, such as 20ms"},
    {.name = "percentile",
     .kind = JL_OPT_CHOICE,
     .argument = "P",
     .choices = "median|p90|p95|p99",
     .fallback = "median",
     .command_line = true,
     .offset = offsetof(settings, percentile),
     .help = "of the calls that --latency limits, closed loop: each caller waits for its call"},
    {.name = "energy",
     .kind = JL_OPT_NUMBER,
     .argument = "J",
     .min = 1e-12,
     .command_line = true,
     .offset = offsetof(settings, energy_j),
     .help = "most joules allowed for one item"},
    {.name = "power",
     .kind = JL_OPT_NUMBER,
     .argument = "W",
     .min = 1e-6,
     .command_line = true,
     .offset = offsetof(settings, power_w),
     .help = "most power allowed while running"},
    {.name = "throughput",
     .kind = JL_OPT_NUMBER,
     .argument = "N",
     .min = 1e-9,
     .command_line = true,
     .offset = offsetof(settings, throughput),
     .help = "fewest items a second allowed"},
    {.name = "agreement",
     .kind = JL_OPT_NUMBER,
     .argument = "SHARE",
     .min = 1e-9,
     .max = 1,
     .command_line = true,
     .offset = offsetof(settings, agreement),
     .help = "least agreement with FP32 in the most likely class, such as 0.98"},
    {.name = "device",
     .kind = JL_OPT_TEXT,
     .argument = "NAME",
     .command_line = true,
     .offset = offsetof(settings, device),
     .help = "only this device: its name or UUID"},
    JL_OPTION_STUDY(settings, study),
    JL_OPTION_OUTPUT(settings, output, "table|md|csv|json"),
    JL_OPTION_DB(settings, db),
    {0},
};

static const jl_sheet_column columns[] = {
    {"configuration", "configuration", false},
    {NULL, "device", false},
    {"device", NULL, false},
    {"batch", "batch", true},
    {"in_flight", NULL, false},
    {"latency_ns", NULL, false},
    {NULL, "latency ms/call", true},
    {"tail_ns", NULL, false},
    {NULL, "tail ms/call", true},
    {"energy_j_per_item", "energy J/item", true},
    {"power_w", NULL, false},
    {NULL, "power W", true},
    {"throughput_items_per_s", "items/s", true},
    {"agreement", NULL, false},
    {NULL, "top-1 as FP32", true},
    {"pareto", "Pareto", false},
    {"meets", NULL, false},
    {"misses", "misses", false},
    {"decided_by_intervals", NULL, false},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static const char *misses(jl_arena *a, unsigned bits)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {{JL_MISS_LATENCY, "latency"},
                 {JL_MISS_ENERGY, "energy"},
                 {JL_MISS_POWER, "power"},
                 {JL_MISS_THROUGHPUT, "throughput"},
                 {JL_MISS_AGREEMENT, "agreement"}};
    const char *all = NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (bits & words[i].bit)
            all = all ? jl_arena_printf(a, "%s, %s", all, words[i].word) : words[i].word;
    return all;
}

/* Power and agreement are shown to readers who limit them. */
static void put_candidate(jl_sheet *s, jl_report *r, const jl_study_table *t,
                          const settings *limits, const jl_candidate *x)
{
    jl_arena *a = jl_report_arena(r);
    const jl_study_cell *c = &t->cells[x->cell];
    jl_sheet_row(s, NULL);
    jl_sheet_text(s, t->configurations[c->configuration].name);
    jl_sheet_text(s, jl_several_devices(r, t) ? jl_device_label(r, t, c->device) : NULL);
    jl_sheet_text(s, t->devices[c->device].name);
    jl_sheet_count(s, c->batch);
    jl_sheet_count(s, c->in_flight);
    jl_sheet_value(s, x->latency_ns);
    jl_sheet_text(s, jl_digits(a, x->latency_ns, 1e-6));
    jl_sheet_value(s, x->tail_ns);
    jl_sheet_text(s, jl_digits(a, x->tail_ns, 1e-6));
    jl_sheet_value(s, x->energy_j);
    jl_sheet_value(s, x->power_w);
    jl_sheet_text(s, limits->power_w > 0 ? jl_digits(a, x->power_w, 1) : NULL);
    jl_sheet_value(s, x->throughput);
    jl_sheet_value(s, x->agreement);
    jl_sheet_text(s, limits->agreement > 0 ? jl_digits(a, x->agreement, 1) : NULL);
    jl_sheet_bool(s, x->pareto);
    jl_sheet_bool(s, !x->misses);
    jl_sheet_text(s, misses(a, x->misses));
    jl_sheet_bool(s, x->certain);
    jl_sheet_bool(s, t->devices[c->device].simulated);
    jl_sheet_bool(s, t->modelled_energy);
}

/* The model of that name, or the only one that has cells. */
static int find_model(const jl_study_table *t, const char *name, uint32_t *model, jl_error *err)
{
    *model = UINT32_MAX;
    for (size_t i = 0; i < t->cell_count; i++) {
        uint32_t m = t->cells[i].model;
        if (t->models[m].probe || m == *model) continue;
        if (name && strcmp(t->models[m].name, name) != 0) continue;
        if (*model != UINT32_MAX && !name)
            return jl_fail(err, JL_ERR_USAGE,
                           "the study has several models: name one with --model");
        *model = m;
    }
    if (*model != UINT32_MAX) return 0;
    return jl_fail(err, JL_ERR_USAGE,
                   "the study has no cell of the model %s; 'jouleline report' lists them",
                   name ? name : "(none at all)");
}

static int find_device(const jl_study_table *t, const char *name, uint32_t *device, jl_error *err)
{
    *device = UINT32_MAX;
    if (!name) return 0;
    for (uint32_t i = 0; i < t->device_count; i++)
        if (!strcmp(t->devices[i].name, name) ||
            (t->devices[i].uuid && !strcmp(t->devices[i].uuid, name)))
            *device = i;
    return *device != UINT32_MAX ? 0
                                 : jl_fail(err, JL_ERR_USAGE,
                                           "the store has no device '%s' (a name or a UUID)", name);
}

static int print(const settings *s, const jl_study_data *d, const jl_advice *advice, jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    jl_report *r = jl_report_new();
    if (!r) return jl_fail(err, JL_ERR_MEMORY, "no memory for the advice");
    jl_report_fact(r, "advice", advice->text);
    jl_sheet *sheet = jl_report_sheet(r, "candidates", NULL, columns, COLUMNS);
    for (size_t i = 0; i < advice->count; i++)
        put_candidate(sheet, r, t, s, &advice->items[i]);
    jl_sheet_note(sheet,
                  "Medians over rounds; a limit is met when the unfavourable end of the 95 %% "
                  "interval meets it (the median where there are fewer than 6 rounds). Pareto: "
                  "no other is as good in latency, energy and throughput and better in one.");
    jl_note_origin(sheet, d);
    if (s->output == JL_REPORT_TABLE || s->output == JL_REPORT_MD) printf("%s\n\n", advice->text);
    int rc = jl_print_report(stdout, r, (jl_report_format)s->output, err);
    jl_report_free(r);
    return rc;
}

static int advise(const settings *s, jl_study_data *d, bool *found, jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    uint32_t model, device;
    int rc = find_model(t, s->model, &model, err);
    if (!rc) rc = find_device(t, s->device, &device, err);
    if (rc) return rc;
    jl_limits limits = {.latency_ns = (double)s->latency_ns,
                        .tail = s->latency_ns > 0 && s->percentile != MEDIAN,
                        .energy_j_per_item = s->energy_j,
                        .power_w = s->power_w,
                        .throughput_items_per_s = s->throughput,
                        .agreement = s->agreement};
    jl_advice advice = {0};
    rc = jl_advise(t, model, device, &limits, &advice, err);
    if (!rc) rc = print(s, d, &advice, err);
    *found = advice.meeting > 0;
    jl_advice_free(&advice);
    return rc;
}

static int run(const jl_invocation *call)
{
    static const int tails[] = {[MEDIAN] = 99, [P90] = 90, [P95] = 95, [P99] = 99};
    const settings *s = call->settings;
    jl_error err = {0};
    jl_store *store;
    if (jl_store_open(s->db, JL_STORE_READ, &store, &err)) return jl_report_error(call, &err);
    jl_study_data *d = NULL;
    bool found = false;
    int rc = jl_store_load_tail(store, s->study, tails[s->percentile], &d, &err);
    if (!rc) rc = advise(s, d, &found, &err);
    jl_study_data_free(d);
    jl_store_close(store);
    if (rc) return jl_report_error(call, &err);
    return found ? EXIT_OK : EXIT_INCONCLUSIVE;
}

const jl_command jl_command_advise = {
    .name = "advise",
    .summary = "recommend a configuration and batch within limits",
    .about =
        "From a measured study, names the configuration and batch of a model that need the "
        "fewest joules per item (without a meter, the least time) within the limits given, says "
        "why, and lists every candidate with the limits that it misses and whether it is on the "
        "Pareto front of latency, energy and throughput.\n"
        "\n"
        "Exit status: 4 when no candidate meets every limit.",
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
