#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/process.h"
#include "cli.h"
#include "display.h"
#include "jouleline/clock.h"
#include "jouleline/convert.h"
#include "sample_options.h"

enum { TO_FP16, TO_BF16, TO_MIXED };

typedef struct settings {
    int to;
    const char *output, *images, *preprocess, *npy;
    jl_words keep;
    bool keep_io, keep_batch_norms;
    int64_t samples, batch, seed, timeout_ns;
} settings;

static const jl_option options[] = {
    {.name = "to",
     .letter = 't',
     .kind = JL_OPT_CHOICE,
     .argument = "TYPE",
     .choices = "fp16|bf16|mixed",
     .fallback = "fp16",
     .offset = offsetof(settings, to),
     .help = "element type of the result; mixed: fp16, and FP32 where the values of sample inputs "
             "come near the largest half"},
    {.name = "output",
     .letter = 'o',
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .offset = offsetof(settings, output),
     .command_line = true,
     .help = "where to write the result (default: MODEL.fp16.onnx beside the model)"},
    {.name = "keep",
     .kind = JL_OPT_WORDS,
     .argument = "NAME,...",
     .offset = offsetof(settings, keep),
     .help = "operator types, node names or output names that stay in FP32"},
    {.name = "keep-io",
     .kind = JL_OPT_FLAG,
     .offset = offsetof(settings, keep_io),
     .help = "inputs and outputs of the model stay FP32"},
    {.name = "keep-batch-norms",
     .kind = JL_OPT_FLAG,
     .offset = offsetof(settings, keep_batch_norms),
     .help = "do not fold batch norms into the convolutions before them"},
    JL_OPTION_IMAGES(settings, "mixed: see ranges"),
    JL_OPTION_PREPROCESS(settings),
    JL_OPTION_NPY(settings, "mixed: see ranges"),
    JL_OPTION_SAMPLES(settings, "32", 1 << 20, "mixed: items to run"),
    {.name = "batch",
     .letter = 'b',
     .kind = JL_OPT_INT,
     .argument = "N",
     .fallback = "1",
     .min = 1,
     .max = 1 << 20,
     .offset = offsetof(settings, batch),
     .help = "mixed: items a call; give the largest batch that the model will run at"},
    JL_OPTION_SEED(settings, "1", "mixed: seed of the noise"),
    JL_OPTION_TIMEOUT(settings, "mixed: give up after this long"),
    {0},
};

static const char *const type_names[] = {"fp16", "bf16", "mixed"};

typedef struct work {
    const settings *s;
    const char *model, *output, *scratch;
} work;

static int convert(const work *w, const jl_samples *samples, jl_convert_summary *summary,
                   jl_error *err)
{
    const settings *s = w->s;
    jl_convert_options o = {
        .to = s->to == TO_BF16 ? JL_BFLOAT16 : JL_FLOAT16,
        .keep_io = s->keep_io,
        .keep_batch_norms = s->keep_batch_norms,
        .keep = s->keep.items,
        .keep_count = s->keep.count,
        .samples = samples,
        .scratch = w->scratch,
    };
    return jl_convert_precision(w->model, w->output, &o, summary, err);
}

typedef struct outcome {
    char caution[JL_CAUTION]; /* about the samples, or empty */
    jl_convert_summary summary;
} outcome;

/* In a child: the range pass runs the model. Writes the outcome as bytes. */
static int convert_mixed(void *arg, jl_buf *out, jl_error *err)
{
    const work *w = arg;
    const settings *s = w->s;
    jl_sample_source source = {JL_SAMPLE_SOURCE(s), .batch = (size_t)s->batch};
    jl_model *model;
    jl_sample_set *set = NULL;
    outcome result = {0};
    int rc = jl_model_open(w->model, &model, err);
    if (rc) return rc;
    rc = jl_sample_set_open(model, &source, &set, err);
    jl_samples samples = {0};
    if (!rc) samples = jl_sample_set_samples(set);
    if (!rc) rc = convert(w, &samples, &result.summary, err);
    jl_take_caution(set, result.caution);
    jl_sample_set_close(set);
    jl_model_close(model);
    if (!rc) jl_buf_append(out, &result, sizeof result);
    return rc;
}

static double percent(uint64_t part, uint64_t other)
{
    return part ? 100.0 * (double)part / (double)(part + other) : 0;
}

static void print_ranges(const settings *s, const jl_convert_summary *c)
{
    int64_t items = (int64_t)c->calls * s->batch;
    printf("ranges of %zu values seen on %" PRId64 " items at batch %" PRId64 "\n", c->observed,
           items, s->batch);
    if (c->unobserved)
        printf("caution: %zu nodes are inside branches and loops, whose values were not seen\n",
               c->unobserved);
}

static void print_shares(const jl_convert_summary *c)
{
    printf("in FP32: %.2f %% of the nodes with floats, %.2f %% of the parameters",
           percent(c->kept_count, c->converted), percent(c->left, c->parameters));
    if (c->macs) printf(", %.2f %% of the MACs", 100.0 * (double)c->macs_left / (double)c->macs);
    printf("\n");
}

static void print_kept(const jl_kept_node *k)
{
    printf("  FP32: %s '%s': %s", k->op_type, k->name, jl_keep_reason_text(k->reason));
    if (k->reason == JL_KEEP_RANGE || k->reason == JL_KEEP_WEIGHT)
        printf(": '%s' reaches %.4g (limit %.0f)", k->value, (double)k->most,
               (double)(k->reason == JL_KEEP_RANGE ? JL_HEADROOM_LIMIT : JL_HALF_LARGEST));
    printf("\n");
}

static void print_summary(const char *output, const settings *s, const jl_convert_summary *c)
{
    const char *type = s->to == TO_BF16 ? "bf16" : "fp16";
    printf("%s: %zu nodes, %zu in %s, %zu without FP32, %zu kept in FP32\n", output, c->nodes,
           c->converted, type, c->unchanged, c->kept_count);
    printf("%zu batch norms folded, %zu casts added, %llu parameters rounded", c->folded, c->casts,
           (unsigned long long)c->parameters);
    if (c->saturated)
        printf(", %llu of them beyond the range of %s and clamped",
               (unsigned long long)c->saturated, type);
    printf("\n");
    if (s->to == TO_MIXED) print_ranges(s, c);
    if (c->io_kept)
        printf("%zu inputs and outputs of the model stay FP32: half has no room for their values\n",
               c->io_kept);
    if (c->kept_count) print_shares(c);
    if (c->commuted)
        printf("%zu MatMuls moved before their transpose, a form that ONNX Runtime's CPU "
               "optimiser survives\n",
               c->commuted);
    size_t listed = sizeof c->kept / sizeof *c->kept;
    for (size_t i = 0; i < c->kept_count && i < listed; i++)
        print_kept(&c->kept[i]);
    if (c->kept_count > listed) printf("  and %zu more in FP32\n", c->kept_count - listed);
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    const char *model = call->arguments.items[0];
    work w = {.s = s, .model = model, .output = s->output};
    if (!w.output) w.output = jl_result_beside(call->arena, model, type_names[s->to]);
    outcome result = {0};
    jl_error err = {0};
    int rc = jl_files_named(model, w.output, &err);
    if (!rc && s->to != TO_MIXED && (s->images || s->preprocess || s->npy))
        rc = jl_fail(&err, JL_ERR_USAGE,
                     "--images, --preprocess and --npy show the ranges for --to mixed");
    else if (!rc && s->to != TO_MIXED)
        rc = convert(&w, NULL, &result.summary, &err);
    if (!rc && s->to == TO_MIXED) {
        JL_CLEANUP(jl_buf_free) jl_buf answer = {0};
        w.scratch = jl_arena_printf(call->arena, "%s.ranges-%d", w.output, (int)getpid());
        rc = jl_call_in_child(convert_mixed, &w, s->timeout_ns, jl_catch_signals(), sizeof result,
                              &answer, &err);
        unlink(w.scratch);
        if (!rc) memcpy(&result, answer.p, sizeof result);
        if (rc == JL_ERR_CRASH || rc == JL_ERR_TIMEOUT)
            jl_prefix(&err, "%s: running the model to see its ranges", model);
    }
    if (rc) return jl_report_error(call, &err);
    print_summary(w.output, s, &result.summary);
    jl_print_caution(result.caution);
    return EXIT_OK;
}

const jl_command jl_command_model_convert = {
    .name = "model convert",
    .summary = "write a model in half precision, bfloat16 or mixed precision",
    .arguments = "MODEL.onnx",
    .about =
        "Converts an FP32 ONNX model, without running it unless asked to: every type is inferred, "
        "Cast, "
        "Constant and ConstantOfShape are rewritten, batch norms are folded first and "
        "weights are rounded to nearest even. With --to mixed the model is run on samples, and "
        "nodes that read or make a value above 32752 (half of the largest half), or read a "
        "weight above 65504, stay in FP32. The summary says what stayed in FP32 and why.",
    .options = options,
    .settings_size = sizeof(settings),
    .least_arguments = 1,
    .most_arguments = 1,
    .run = run,
};
