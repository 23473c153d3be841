#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "display.h"
#include "dry_run.h"
#include "jouleline/runtime.h"
#include "jouleline/study.h"
#include "results.h"
#include "study_options.h"
#include "terminal.h"

typedef struct settings {
    jl_words models, configurations, shapes, fills, inputs, meters, plugins;
    jl_ints batches, in_flight;
    int64_t rounds, retries, seed;
    int64_t min_time_ns, max_time_ns, warmup_ns, soak_ns, timeout_ns, idle_ns, stop_after_ns,
        settle_ns;
    int io, start, probes;
    bool trust, no_check, resume, quiet, watch, dry_run;
    const char *name, *db, *python, *converter_python;
} settings;

#define FIELD(f) .offset = offsetof(settings, f)

static const jl_option options[] = {
    JL_OPTION_MODELS(settings,
                     "names of the zoo, ONNX files, or NAME=onnx:FILE,torch:FILE,family:NAME"),
    JL_OPTION_CONFIGURATIONS(
        settings,
        "RUNTIME-PROVIDER/PRECISION[@DEVICE][+key=value...], such as ort-cpu/fp32+threads=1"),
    JL_OPTION_BATCHES(settings),
    JL_OPTION_ROUNDS(settings, "independent runs of each cell"),
    {.name = "in-flight",
     .kind = JL_OPT_INTS,
     .argument = "N,...",
     .min = 1,
     .max = 64,
     .fallback = "1",
     FIELD(in_flight),
     .help = "calls kept outstanding"},
    JL_OPTION_IO(settings),
    {.name = "shape",
     .kind = JL_OPT_TEXTS,
     .argument = "NAME=BxN...",
     FIELD(shapes),
     .help = "shape of an input, B being the batch"},
    {.name = "fill",
     .kind = JL_OPT_TEXTS,
     .argument = "NAME=FILL",
     FIELD(fills),
     .help = "content of an input: ones, arange, const:V, int:LO..HI, uniform:LO,HI, normal:M,SD"},
    {.name = "input",
     .kind = JL_OPT_TEXTS,
     .argument = "NAME=FILE.npy",
     FIELD(inputs),
     .help = "content of an input from a file"},
    JL_OPTION_WARMUP(settings),
    {.name = "soak",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .min = 0,
     .max = 3600,
     FIELD(soak_ns),
     .help = "heat the device at the cell's own load before the warm-up"},
    JL_OPTION_MIN_TIME(settings),
    JL_OPTION_MAX_TIME(settings),
    JL_OPTION_IDLE(settings),
    {.name = "pause",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .min = 0,
     .max = 3600,
     FIELD(settle_ns),
     .help = "rest between runs"},
    {.name = "timeout",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .min = 0.1,
     .max = 86400,
     .fallback = "5m",
     FIELD(timeout_ns),
     .help = "how long a worker may take to answer"},
    {.name = "retries",
     .kind = JL_OPT_INT,
     .argument = "N",
     .min = 0,
     .max = 2,
     .fallback = "2",
     FIELD(retries),
     .help = "how often a disturbed run is repeated"},
    {.name = "start",
     .kind = JL_OPT_CHOICE,
     .argument = "HOW",
     .choices = "auto|exec|fork",
     .fallback = "auto",
     FIELD(start),
     .help = "start workers anew, or by fork from a parent that has loaded the libraries"},
    {.name = "probes",
     .kind = JL_OPT_CHOICE,
     .argument = "WHEN",
     .choices = "off|on|auto|once",
     .fallback = "auto",
     FIELD(probes),
     .help = "measure, in the first three rounds, what the runtime reaches in arithmetic, memory "
             "and dispatch: the report then says what binds each model; auto: with four models "
             "or more; once: in the first round only"},
    JL_OPTION_METERS(settings),
    JL_OPTION_PLUGINS(settings),
    JL_OPTION_SEED(
        settings, NULL,
        "of the inputs and of the order of runs; 0: inputs of seed 1, an order drawn anew"),
    {.name = "name",
     .kind = JL_OPT_TEXT,
     .argument = "TEXT",
     .fallback = "study",
     FIELD(name),
     .help = "name of the study"},
    JL_OPTION_TRUST(settings),
    {.name = "no-check",
     .kind = JL_OPT_FLAG,
     FIELD(no_check),
     .help = "do not compare outputs with the FP32 reference"},
    JL_OPTION_PYTHON(settings),
    {.name = "converter-python",
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .command_line = true,
     FIELD(converter_python),
     .help = "interpreter with the converters of +convert=occ and +convert=ort-transformers"},
    {.name = "resume",
     .kind = JL_OPT_FLAG,
     .command_line = true,
     FIELD(resume),
     .help = "go on with the newest study of the same settings, doing only what is missing"},
    {.name = "stop-after",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .min = 1,
     .command_line = true,
     FIELD(stop_after_ns),
     .help = "end after this time; no round is started that cannot end by then"},
    {.name = "watch",
     .kind = JL_OPT_FLAG,
     .command_line = true,
     FIELD(watch),
     .help = "show power, clock and temperature meanwhile"},
    {.name = "dry-run",
     .alias = "plan",
     .kind = JL_OPT_FLAG,
     .command_line = true,
     FIELD(dry_run),
     .help = "say what would be measured, how long it takes and how many rounds tests need"},
    JL_OPTION_DB(settings, db),
    JL_OPTION_QUIET(settings, quiet),
    {0},
};

static void fill_spec(const settings *s, jl_study_spec *spec)
{
    *spec = (jl_study_spec){
        .name = s->name,
        .models = s->models.items,
        .model_count = s->models.count,
        .configurations = s->configurations.items,
        .configuration_count = s->configurations.count,
        .shapes = s->shapes.items,
        .shape_count = s->shapes.count,
        .fills = s->fills.items,
        .fill_count = s->fills.count,
        .inputs = s->inputs.items,
        .input_count = s->inputs.count,
        .meters = s->meters.items,
        .meter_count = s->meters.count,
        .plugins = s->plugins.items,
        .plugin_count = s->plugins.count,
        .batches = s->batches.items,
        .batch_count = s->batches.count,
        .in_flight = s->in_flight.items,
        .in_flight_count = s->in_flight.count,
        .rounds = s->rounds,
        .retries = s->retries,
        .host_io = s->io == 1,
        .trust = s->trust,
        .no_check = s->no_check,
        .resume = s->resume,
        .start = (jl_start_method)s->start,
        .probes = (jl_probes)s->probes,
        .min_time_ns = s->min_time_ns,
        .max_time_ns = s->max_time_ns,
        .warmup_ns = s->warmup_ns,
        .soak_ns = s->soak_ns,
        .timeout_ns = s->timeout_ns,
        .idle_ns = s->idle_ns,
        .settle_ns = s->settle_ns,
        .stop_after_ns = s->stop_after_ns,
        .seed = (uint64_t)s->seed,
        .python = s->python,
        .converter_python = s->converter_python,
    };
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    jl_error err = {0};
    jl_study_spec spec;
    fill_spec(s, &spec);
    for (size_t i = 0; i < spec.plugin_count; i++)
        if (jl_runtime_load_plugin(spec.plugins[i], &err)) return jl_report_error(call, &err);
    jl_study_size size;
    if (jl_study_check(&spec, &size, &err)) return jl_report_error(call, &err);
    if (s->dry_run)
        return jl_print_dry_run(&spec, &size, s->db, &err) ? jl_report_error(call, &err) : EXIT_OK;
    jl_store *store;
    if (jl_store_open(s->db, JL_STORE_WRITE, &store, &err)) return jl_report_error(call, &err);
    jl_display shown;
    const volatile sig_atomic_t *interrupted = jl_catch_signals();
    jl_study_events events = jl_display_start(&shown, s->watch, s->quiet);
    jl_study_result result;
    int rc = jl_study_run(&spec, store, &events, interrupted, &result, &err);
    jl_display_end(&shown);
    jl_study_data *d = NULL;
    if (!rc && result.rounds) rc = jl_store_load(store, result.uid, &d, &err);
    static const char *const cells[] = {"cells"};
    jl_report_options o = {0};
    if (d && !s->quiet)
        rc = jl_print_sections(stdout, d, false, cells, 1, &o, JL_REPORT_TABLE, &err);
    if (d && !s->quiet) putchar('\n');
    if (d && !rc) rc = jl_print_headline(stdout, d, jl_terminal_width(stdout), &err);
    jl_study_data_free(d);
    jl_store_close(store);
    if (rc) return jl_report_error(call, &err);
    if (result.stopped)
        fprintf(stderr,
                "stopped with %zu of %" PRId64 " rounds complete; every finished run is in %s, go "
                "on with --resume\n",
                result.rounds, spec.rounds, s->db);
    if (result.stopped && *interrupted) return EXIT_FAILED;
    return result.failed ? EXIT_CELLS : EXIT_OK;
}

const jl_command jl_command_run = {
    .name = "run",
    .summary = "measure models on configurations, in rounds",
    .arguments = "[STUDY.yaml]",
    .about = "Measures every model on every configuration at every batch, each run in a process "
             "of its own, in rounds of random order. Results go to the store as soon as they are "
             "known; 'jouleline report' prints them.",
    .options = options,
    .settings_size = sizeof(settings),
    .most_arguments = 1,
    .study_file = true,
    .run = run,
};
