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
#include "study_options.h"

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
    JL_OPTION_MODELS(jl_compare_settings, "models on which two configurations are compared"),
    JL_OPTION_CONFIGURATIONS(jl_compare_settings,
                             "configurations on which two models are compared"),
    JL_OPTION_BATCHES(jl_compare_settings),
    JL_OPTION_ROUNDS(jl_compare_settings,
                     "independent runs of each cell; fewer than 6 decide nothing"),
    JL_OPTION_WARMUP(jl_compare_settings),
    JL_OPTION_MIN_TIME(jl_compare_settings),
    JL_OPTION_MAX_TIME(jl_compare_settings),
    JL_OPTION_IDLE(jl_compare_settings),
    JL_OPTION_IO(jl_compare_settings),
    JL_OPTION_METERS(jl_compare_settings),
    JL_OPTION_PLUGINS(jl_compare_settings),
    JL_OPTION_PYTHON(jl_compare_settings),
    JL_OPTION_TRUST(jl_compare_settings),
    JL_OPTION_SEED(jl_compare_settings, "1", "of inputs, orders and random sign flips"),
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
    JL_OPTION_OUTPUT(jl_compare_settings, output, "table|md|csv|json|jsonl|latex"),
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
