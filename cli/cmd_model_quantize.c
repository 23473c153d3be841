#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/scratch.h"
#include "cli.h"
#include "display.h"
#include "jouleline/clock.h"
#include "jouleline/quantize.h"
#include "jouleline/statistics.h"
#include "sample_options.h"

typedef struct settings {
    const char *output, *images, *preprocess, *npy;
    jl_words keep;
    int calibration, reduce_range;
    double percentile;
    int64_t samples, seed, timeout_ns;
    bool quiet;
} settings;

static const jl_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .offset = offsetof(settings, output),
     .command_line = true,
     .help = "where to write the result (default: MODEL.int8.onnx beside the model)"},
    JL_OPTION_IMAGES(settings, "calibrate"),
    JL_OPTION_PREPROCESS(settings),
    JL_OPTION_NPY(settings, "calibrate"),
    JL_OPTION_SAMPLES(settings, "32", 1 << 20, "items to calibrate on"),
    JL_OPTION_SEED(settings, "1", "seed of the noise"),
    {.name = "calibration",
     .kind = JL_OPT_CHOICE,
     .argument = "METHOD",
     .choices = "minmax|percentile|entropy",
     .fallback = "minmax",
     .offset = offsetof(settings, calibration),
     .help = "how ranges come from the samples; --keep auto takes minmax or percentile, whichever "
             "loses less, unless this says"},
    {.name = "percentile",
     .kind = JL_OPT_NUMBER,
     .argument = "P",
     .fallback = "99.999",
     .min = 50,
     .max = 100,
     .offset = offsetof(settings, percentile),
     .help = "percent of the elements kept by the percentile method"},
    {.name = "keep",
     .kind = JL_OPT_WORDS,
     .argument = "NAME,...",
     .offset = offsetof(settings, keep),
     .help = "operator types, node names or output names that stay in FP32; auto: those that "
             "cost a classifier most agreement"},
    {.name = "reduce-range",
     .kind = JL_OPT_CHOICE,
     .argument = "WHEN",
     .choices = "auto|yes|no",
     .fallback = "auto",
     .offset = offsetof(settings, reduce_range),
     .help = "7-bit weights; auto: where this processor lacks VNNI"},
    JL_OPTION_TIMEOUT(settings, "give up after this long"),
    JL_OPTION_QUIET(settings, quiet),
    {0},
};

enum { WORDS = 512 };

typedef struct work {
    const settings *s;
    const char *model, *output, *scratch;
    bool calibration_given;
    char *doing; /* WORDS bytes that parent and child share: what the search does now */
    jl_progress progress;
} work;

typedef struct outcome {
    char caution[JL_CAUTION]; /* about the samples, or empty */
    jl_quantize_summary summary;
    jl_keep_search search;
} outcome;

/* The names to keep without the word auto; *searched: it was among them. */
static size_t without_auto(const jl_words *given, const char **names, bool *searched)
{
    size_t count = 0;
    for (size_t i = 0; i < given->count; i++)
        if (strcmp(given->items[i], "auto") != 0) names[count++] = given->items[i];
    *searched = count < given->count;
    return count;
}

static void note_step(void *ctx, size_t done, size_t total, const char *words)
{
    work *w = ctx;
    snprintf(w->doing, WORDS, "%s", words);
    w->progress.total = total;
    jl_progress_update(&w->progress, done, words);
}

/* In a child: calibration runs the model. Writes the outcome as bytes. */
static int quantize(void *arg, jl_buf *out, jl_error *err)
{
    work *w = arg;
    const settings *s = w->s;
    /* Large blocks go back to the system when they are freed, instead of raising the size from
     * which they do: the runtime frees copies of all weights while it loads them. */
    mallopt(M_MMAP_THRESHOLD, 1 << 18);
    jl_sample_source source = {JL_SAMPLE_SOURCE(s)};
    bool search;
    JL_OWNED const char **names = calloc(s->keep.count + 1, sizeof *names);
    if (!names) return jl_fail(err, JL_ERR_MEMORY, "no memory for names");
    size_t count = without_auto(&s->keep, names, &search);
    jl_quantize_options o = {
        .calibration = (jl_calibration)s->calibration,
        .percentile = s->percentile,
        .reduce_range = s->reduce_range == 1 || (s->reduce_range == 0 && !jl_cpu_has_vnni()),
        .keep = names,
        .keep_count = count,
        .scratch = w->scratch,
    };
    jl_model *model;
    jl_sample_set *set = NULL;
    outcome result = {0};
    int rc = jl_model_open(w->model, &model, err);
    if (rc) return rc;
    rc = jl_sample_set_open(model, &source, &set, err);
    jl_samples samples = {0};
    if (!rc) samples = jl_sample_set_samples(set);
    jl_quantize_watch watch = {note_step, w};
    jl_progress_start(&w->progress, stderr, &jl_clock_real, 1, s->quiet);
    if (!rc && search)
        rc = jl_quantize_keeping(w->model, w->output, &samples, &o, !w->calibration_given, &watch,
                                 &result.summary, &result.search, err);
    else if (!rc)
        rc = jl_quantize(w->model, w->output, &samples, &o, &result.summary, err);
    jl_progress_end(&w->progress);
    jl_take_caution(set, result.caution);
    jl_sample_set_close(set);
    jl_model_close(model);
    if (!rc) jl_buf_append(out, &result, sizeof result);
    return rc;
}

static void print_summary(const char *output, const jl_quantize_summary *s)
{
    printf("%s: %zu nodes, %zu of them compute on 8-bit values\n", output, s->nodes, s->quantized);
    printf(
        "%zu convolutions and matrix products quantised, %zu kept in FP32; %llu weights in 8 bits, "
        "%zu activation scales, %zu batch norms folded\n",
        s->anchors, s->kept, (unsigned long long)s->weights, s->activations, s->folded);
    if (s->constant)
        printf("caution: %zu values were one constant number on all samples; calibrate on inputs "
               "that look like the real ones\n",
               s->constant);
}

static void print_search(const jl_keep_search *f)
{
    double percent = 100 / (double)f->items;
    jl_value share;
    jl_interval interval;
    jl_wilson(f->agree, f->items, 0.95, &share, &interval);
    if (f->error[0] > 0)
        printf("ranges by %s: the outputs' mean squared error is %.3g by extremes, %.3g by "
               "percentile\n",
               f->calibration == JL_CALIBRATE_PERCENTILE ? "percentile" : "extremes", f->error[0],
               f->error[1]);
    printf("%zu of %zu convolutions and products put back to FP32, where %.1f %% of the "
           "multiplications are now; %zu models tried\n",
           f->kept, f->candidates, 100 * f->macs_share, f->models);
    printf("same first answer as FP32 on %zu samples held out: %zu, %.1f %% [%.1f, %.1f]; %.1f %% "
           "with nothing kept\n",
           f->items, f->agree, percent * (double)f->agree, 100 * interval.low, 100 * interval.high,
           percent * (double)f->agree_before);
    bool chosen = (double)f->chosen_agree >= JL_KEEP_AGREEMENT * (double)f->chosen_items;
    if (!f->reached && chosen)
        printf("caution: the %zu samples that chose did reach %.0f %%: choose on more (-n)\n",
               f->chosen_items, 100 * JL_KEEP_AGREEMENT);
    else if (!f->reached)
        printf("%.0f %% is not reached with %.0f %% of the multiplications in FP32\n",
               100 * JL_KEEP_AGREEMENT, 100 * JL_KEEP_MACS_SHARE);
    size_t listed = sizeof f->names / sizeof *f->names;
    for (size_t i = 0; i < f->kept && i < listed; i++)
        printf("  %s\n", f->names[i]);
    if (f->kept > listed) printf("  and %zu more\n", f->kept - listed);
}

/* What the model did to the process that ran it, and what can be done. */
static int explain_end(const work *w, jl_error *err)
{
    jl_error why = *err;
    bool crash = why.code == JL_ERR_CRASH;
    return jl_fail(err, why.code, "%s: %s while %s; %s was not written. %s", w->model, why.msg,
                   *w->doing ? w->doing : "running the model on the samples", w->output,
                   crash ? JL_CRASH_ADVICE
                       ", and --keep NAME leaves a node alone that it cannot run"
                         : "Give more time with --timeout, or fewer samples");
}

static int run_child(work *w, jl_arena *arena, outcome *result, jl_error *err)
{
    JL_CLEANUP(jl_buf_free) jl_buf answer = {0};
    jl_path scratch;
    const volatile sig_atomic_t *interrupted = jl_catch_signals();
    w->doing = mmap(NULL, WORDS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w->doing == MAP_FAILED) return jl_fail_errno(err, JL_ERR_MEMORY, "no memory to share");
    int rc = jl_scratch_make(&scratch, "quantize", err);
    if (!rc && !(w->scratch = jl_arena_printf(arena, "%s", scratch.s)))
        rc = jl_fail(err, JL_ERR_MEMORY, "no memory for a path");
    if (!rc)
        rc = jl_call_in_child(quantize, w, w->s->timeout_ns, interrupted, sizeof *result, &answer,
                              err);
    jl_scratch_remove(&scratch);
    if (!rc) memcpy(result, answer.p, sizeof *result);
    if (rc == JL_ERR_CRASH || rc == JL_ERR_TIMEOUT) rc = explain_end(w, err);
    if (rc == JL_ERR_INTERRUPTED && *w->doing)
        rc = jl_fail(err, rc, "interrupted while %s", w->doing);
    munmap(w->doing, WORDS);
    return rc;
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    const char *model = call->arguments.items[0];
    work w = {.s = s,
              .model = model,
              .output = s->output,
              .calibration_given = jl_option_given(options, call->given, "calibration")};
    if (!w.output) w.output = jl_result_beside(call->arena, model, "int8");
    outcome result;
    jl_error err = {0};
    if (jl_files_named(model, w.output, &err) || run_child(&w, call->arena, &result, &err))
        return jl_report_error(call, &err);
    print_summary(w.output, &result.summary);
    jl_print_caution(result.caution);
    if (result.search.candidates) print_search(&result.search);
    return EXIT_OK;
}

const jl_command jl_command_model_quantize = {
    .name = "model quantize",
    .summary = "write a model with 8-bit integer arithmetic",
    .arguments = "MODEL.onnx",
    .about =
        "Static INT8 quantisation: the model is run on sample inputs to find the range of each "
        "value, then written with QuantizeLinear and DequantizeLinear nodes that ONNX Runtime's "
        "CPU provider turns into integer kernels. Activations are unsigned with a zero point, "
        "weights signed with a scale for each output channel.\n\n"
        "With --keep auto the convolutions and products that cost most agreement with FP32 are put "
        "back, until 98 % of the first answers are the same or 30 % of the multiplications are in "
        "FP32. The first half of the samples calibrates and chooses; the second half, which no "
        "choice knows, says how often the result answers as FP32 does. The search tries a model "
        "for each node: some 20 seconds for resnet18, some minutes for vit_b_16.",
    .options = options,
    .settings_size = sizeof(settings),
    .least_arguments = 1,
    .most_arguments = 1,
    .run = run,
};
