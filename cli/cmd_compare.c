#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli.h"
#include "compare_sides.h"
#include "display.h"
#include "jouleline/runtime.h"
#include "report/compare.h"
#include "results.h"

static const jl_option options[] = {
    {.name = "base",
     .kind = JL_OPT_TEXT,
     .argument = "X",
     .command_line = true,
     .offset = offsetof(jl_compare_settings, base),
     .help = "what it was: a store, a model (zoo name or ONNX file) or a configuration"},
    {.name = "new",
     .kind = JL_OPT_TEXT,
     .argument = "Y",
     .command_line = true,
     .offset = offsetof(jl_compare_settings, new_side),
     .help = "what it is now, of the same kind"},
    {.name = "margin-latency",
     .kind = JL_OPT_NUMBER,
     .argument = "PERCENT",
     .min = 0.01,
     .max = 1000,
     .fallback = "3",
     .offset = offsetof(jl_compare_settings, margin_latency),
     .help = "how much slower is still no regression"},
    {.name = "margin-energy",
     .kind = JL_OPT_NUMBER,
     .argument = "PERCENT",
     .min = 0.01,
     .max = 1000,
     .fallback = "5",
     .offset = offsetof(jl_compare_settings, margin_energy),
     .help = "how much more energy is still no regression"},
    {.name = "model",
     .alias = "models",
     .letter = 'm',
     .kind = JL_OPT_WORDS,
     .argument = "MODEL,...",
     .offset = offsetof(jl_compare_settings, models),
     .help = "models on which two configurations are compared"},
    {.name = "config",
     .alias = "configurations",
     .letter = 'c',
     .kind = JL_OPT_WORDS,
     .argument = "CONFIG,...",
     .offset = offsetof(jl_compare_settings, configurations),
     .help = "configurations on which two models are compared"},
    {.name = "batch",
     .letter = 'b',
     .kind = JL_OPT_INTS,
     .argument = "N,...",
     .min = 1,
     .max = 1 << 20,
     .fallback = "1",
     .offset = offsetof(jl_compare_settings, batches),
     .help = "items of one call"},
    {.name = "rounds",
     .alias = "runs",
     .letter = 'r',
     .kind = JL_OPT_INT,
     .argument = "N",
     .min = 1,
     .max = 100000,
     .fallback = "10",
     .offset = offsetof(jl_compare_settings, rounds),
     .help = "independent runs of each cell; fewer than 6 decide nothing"},
    {.name = "warmup",
     .letter = 'w',
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .max = 3600,
     .fallback = "3s",
     .offset = offsetof(jl_compare_settings, warmup_ns),
     .help = "longest warm-up"},
    {.name = "min-time",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .min = 0.001,
     .max = 86400,
     .fallback = "1s",
     .offset = offsetof(jl_compare_settings, min_time_ns),
     .help = "shortest timed loop"},
    {.name = "max-time",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .min = 0.001,
     .max = 86400,
     .fallback = "10s",
     .offset = offsetof(jl_compare_settings, max_time_ns),
     .help = "longest timed loop"},
    {.name = "idle",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .max = 600,
     .fallback = "2s",
     .offset = offsetof(jl_compare_settings, idle_ns),
     .help = "time for each idle power in a round, when there is a meter"},
    {.name = "io",
     .kind = JL_OPT_CHOICE,
     .argument = "PLACE",
     .choices = "device|host",
     .fallback = "device",
     .offset = offsetof(jl_compare_settings, io),
     .help = "where inputs and outputs lie"},
    {.name = "meter",
     .kind = JL_OPT_TEXTS,
     .argument = "NAME[:ARGS]",
     .offset = offsetof(jl_compare_settings, meters),
     .help = "energy meters to use instead of every one that works"},
    {.name = "plugin",
     .kind = JL_OPT_TEXTS,
     .argument = "FILE.so",
     .offset = offsetof(jl_compare_settings, plugins),
     .help = "load a runtime from a shared object"},
    {.name = "python",
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .command_line = true,
     .offset = offsetof(jl_compare_settings, python),
     .help = "interpreter for pytorch"},
    {.name = "trust",
     .kind = JL_OPT_FLAG,
     .command_line = true,
     .offset = offsetof(jl_compare_settings, trust),
     .help = "models may be code of their own"},
    {.name = "seed",
     .kind = JL_OPT_INT,
     .argument = "N",
     .min = 0,
     .max = 1e15,
     .fallback = "1",
     .offset = offsetof(jl_compare_settings, seed),
     .help = "of inputs, orders and random sign flips"},
    {.name = "allow-different-host",
     .kind = JL_OPT_FLAG,
     .command_line = true,
     .offset = offsetof(jl_compare_settings, allow_different_host),
     .help = "compare stores of another host, device or driver all the same"},
    {.name = "db",
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .command_line = true,
     .offset = offsetof(jl_compare_settings, db),
     .help = "keep what is measured in this store (default: it is thrown away)"},
    JL_OPTION_OUTPUT(jl_compare_settings, output, "table|md|csv|json"),
    JL_OPTION_QUIET(jl_compare_settings, quiet),
    {0},
};

static int print(const jl_compare_settings *s, const jl_sides *sides, jl_verdict_kind *worst,
                 jl_error *err)
{
    jl_report *r = jl_report_new();
    if (!r) return jl_fail(err, JL_ERR_MEMORY, "no memory for the report");
    jl_compared c = {.base = sides->base,
                     .new_data = sides->new_data,
                     .matches = sides->matches,
                     .count = sides->count,
                     .margins = {s->margin_latency / 100, s->margin_energy / 100},
                     .seed = (uint64_t)s->seed};
    const char *sentence = NULL;
    int rc = jl_report_compared(r, &c, worst, &sentence, err);
    if (!rc && (s->output == JL_REPORT_TABLE || s->output == JL_REPORT_MD))
        printf(s->output == JL_REPORT_MD ? "### jouleline: %s\n\n`%s` against `%s`\n\n"
                                         : "%s\n\n%s (new) against %s (base)\n\n",
               sentence, s->new_side, s->base);
    jl_report_fact(r, "verdict", jl_verdict_name(*worst));
    jl_report_fact(r, "sentence", sentence);
    if (!rc) rc = jl_print_report(stdout, r, (jl_report_format)s->output, err);
    jl_report_free(r);
    return rc;
}

static int run(const jl_invocation *call)
{
    const jl_compare_settings *s = call->settings;
    jl_error err = {0};
    jl_sides sides JL_CLEANUP(jl_sides_free) = {0};
    jl_verdict_kind worst = JL_VERDICT_INCONCLUSIVE;
    int rc = jl_sides_make(s, &sides, &err);
    if (!rc) rc = print(s, &sides, &worst, &err);
    if (rc && !sides.inconclusive) return jl_report_error(call, &err);
    if (rc) {
        fprintf(stderr, "jouleline compare: %s\n", err.msg);
        return EXIT_INCONCLUSIVE;
    }
    return jl_verdict_exit(worst);
}

const jl_command jl_command_compare = {
    .name = "compare",
    .summary = "tell whether a new version is slower or needs more energy",
    .about =
        "Compares a new version with a base, each a store, a model or a configuration. Two models "
        "or two configurations are measured now, in the same rounds, and tested in pairs. Two "
        "stores are compared as they are, unpaired, and only when they come from the same host, "
        "device and driver.\n"
        "\n"
        "Every cell is judged by the simultaneous interval of the ratio new / base: a regression "
        "when all of it lies above the margin, a pass when all of it lies below, else "
        "inconclusive.\n"
        "\n"
        "Exit status: 3 when a cell is a regression, 4 when nothing is but some cell is "
        "inconclusive, 0 when all pass.",
    .options = options,
    .settings_size = sizeof(jl_compare_settings),
    .run = run,
};
