#include <stdio.h>

#include "base/cpu.h"
#include "base/process.h"
#include "cli.h"
#include "convert/samples.h"
#include "jouleline/clock.h"
#include "jouleline/quantize.h"

typedef struct settings {
    const char *output, *images, *preprocess, *npy;
    jl_words keep;
    int calibration, reduce_range;
    double percentile;
    int64_t samples, seed, timeout_ns;
} settings;

static const jl_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .offset = offsetof(settings, output),
     .command_line = true,
     .help = "where to write the result (default: MODEL.int8.onnx beside the model)"},
    {.name = "images",
     .kind = JL_OPT_TEXT,
     .argument = "FOLDER",
     .conflict = "npy",
     .offset = offsetof(settings, images),
     .help = "calibrate on the JPEG and PNG files of a folder"},
    {.name = "preprocess",
     .kind = JL_OPT_TEXT,
     .argument = "WORDS",
     .offset = offsetof(settings, preprocess),
     .help = "resize=256,crop=224,mean=R:G:B,std=R:G:B,order=rgb for --images"},
    {.name = "npy",
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .offset = offsetof(settings, npy),
     .help = "calibrate on the items of a .npy file"},
    {.name = "samples",
     .letter = 'n',
     .kind = JL_OPT_INT,
     .argument = "N",
     .fallback = "32",
     .min = 1,
     .max = 1 << 20,
     .offset = offsetof(settings, samples),
     .help = "items to calibrate on; without --images and --npy, seeded noise"},
    {.name = "seed",
     .kind = JL_OPT_INT,
     .argument = "N",
     .fallback = "1",
     .min = 0,
     .max = 1e15,
     .offset = offsetof(settings, seed),
     .help = "seed of the noise"},
    {.name = "calibration",
     .kind = JL_OPT_CHOICE,
     .argument = "METHOD",
     .choices = "minmax|percentile|entropy",
     .fallback = "minmax",
     .offset = offsetof(settings, calibration),
     .help = "how ranges come from the samples"},
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
     .help = "operator types, node names or output names that stay in FP32"},
    {.name = "reduce-range",
     .kind = JL_OPT_CHOICE,
     .argument = "WHEN",
     .choices = "auto|yes|no",
     .fallback = "auto",
     .offset = offsetof(settings, reduce_range),
     .help = "7-bit weights; auto: where this processor lacks VNNI"},
    {.name = "timeout",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .fallback = "1h",
     .offset = offsetof(settings, timeout_ns),
     .help = "give up after this long"},
    {0},
};

typedef struct work {
    const settings *s;
    const char *model, *output;
} work;

/* In a child: calibration runs the model. Writes the summary as bytes. */
static int quantize(void *arg, jl_buf *out, jl_error *err)
{
    const work *w = arg;
    const settings *s = w->s;
    jl_sample_source source = {.images = s->images,
                               .preprocess = s->preprocess,
                               .npy = s->npy,
                               .count = (size_t)s->samples,
                               .seed = (uint64_t)s->seed};
    jl_quantize_options o = {
        .calibration = (jl_calibration)s->calibration,
        .percentile = s->percentile,
        .reduce_range = s->reduce_range == 1 || (s->reduce_range == 0 && !jl_cpu_has_vnni()),
        .keep = s->keep.items,
        .keep_count = s->keep.count,
        .scratch = "/tmp",
    };
    jl_model *model;
    jl_sample_set *set = NULL;
    jl_quantize_summary summary = {0};
    int rc = jl_model_open(w->model, &model, err);
    if (rc) return rc;
    rc = jl_sample_set_open(model, &source, &set, err);
    jl_samples samples = {0};
    if (!rc) samples = jl_sample_set_samples(set);
    if (!rc) rc = jl_quantize(w->model, w->output, &samples, &o, &summary, err);
    jl_sample_set_close(set);
    jl_model_close(model);
    if (!rc) jl_buf_append(out, &summary, sizeof summary);
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

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    const char *model = call->arguments.items[0];
    size_t n = strlen(model);
    if (n > 5 && !strcmp(model + n - 5, ".onnx")) n -= 5;
    work w = {.s = s, .model = model, .output = s->output};
    if (!w.output) w.output = jl_arena_printf(call->arena, "%.*s.int8.onnx", (int)n, model);
    jl_quantize_summary summary;
    JL_CLEANUP(jl_buf_free) jl_buf answer = {0};
    jl_error err = {0};
    if (s->preprocess && !s->images) {
        jl_fail(&err, JL_ERR_USAGE, "--preprocess says how to read pictures: give --images too");
        return jl_report_error(call, &err);
    }
    if (jl_call_in_child(quantize, &w, s->timeout_ns, sizeof summary, &answer, &err))
        return jl_report_error(call, &err);
    memcpy(&summary, answer.p, sizeof summary);
    print_summary(w.output, &summary);
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
        "weights signed with a scale for each output channel.",
    .options = options,
    .settings_size = sizeof(settings),
    .least_arguments = 1,
    .most_arguments = 1,
    .run = run,
};
