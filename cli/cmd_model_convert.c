#include <stdio.h>

#include "cli.h"
#include "jouleline/convert.h"

typedef struct settings {
    int to;
    const char *output;
    jl_words keep;
    bool keep_io, keep_batch_norms;
} settings;

static const jl_option options[] = {
    {.name = "to",
     .letter = 't',
     .kind = JL_OPT_CHOICE,
     .argument = "TYPE",
     .choices = "fp16|bf16",
     .fallback = "fp16",
     .offset = offsetof(settings, to),
     .help = "element type of the result"},
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
    {0},
};

static const char *const type_names[] = {"fp16", "bf16"};

static const char *default_output(const jl_invocation *call, const char *model, const char *type)
{
    size_t n = strlen(model);
    if (n > 5 && !strcmp(model + n - 5, ".onnx")) n -= 5;
    return jl_arena_printf(call->arena, "%.*s.%s.onnx", (int)n, model, type);
}

static void print_summary(const char *output, const char *type, const jl_convert_summary *s)
{
    printf("%s: %zu nodes, %zu in %s, %zu without floats, %zu kept in FP32\n", output, s->nodes,
           s->converted, type, s->unchanged, s->kept_count);
    printf("%zu batch norms folded, %zu casts added, %llu parameters rounded", s->folded, s->casts,
           (unsigned long long)s->parameters);
    if (s->saturated)
        printf(", %llu of them beyond the range of %s and clamped",
               (unsigned long long)s->saturated, type);
    printf("\n");
    if (s->commuted)
        printf("%zu MatMuls moved before their transpose, a form that ONNX Runtime's CPU "
               "optimiser survives\n",
               s->commuted);
    size_t listed = sizeof s->kept / sizeof *s->kept;
    for (size_t i = 0; i < s->kept_count && i < listed; i++)
        printf("  FP32: %s '%s': %s\n", s->kept[i].op_type, s->kept[i].name,
               jl_keep_reason_text(s->kept[i].reason));
    if (s->kept_count > listed) printf("  and %zu more in FP32\n", s->kept_count - listed);
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    const char *model = call->arguments.items[0], *type = type_names[s->to];
    jl_convert_options o = {
        .to = s->to == 0 ? JL_FLOAT16 : JL_BFLOAT16,
        .keep_io = s->keep_io,
        .keep_batch_norms = s->keep_batch_norms,
        .keep = s->keep.items,
        .keep_count = s->keep.count,
    };
    const char *output = s->output ? s->output : default_output(call, model, type);
    jl_convert_summary summary;
    jl_error err = {0};
    if (jl_convert_precision(model, output, &o, &summary, &err)) return jl_report_error(call, &err);
    print_summary(output, type, &summary);
    return EXIT_OK;
}

const jl_command jl_command_model_convert = {
    .name = "model convert",
    .summary = "write a model in half precision or bfloat16",
    .arguments = "MODEL.onnx",
    .about = "Converts an FP32 ONNX model without running it: every type is inferred, Cast, "
             "Constant and ConstantOfShape are rewritten, batch norms are folded first and "
             "weights are rounded to nearest even. The summary says what stayed in FP32 and why.",
    .options = options,
    .settings_size = sizeof(settings),
    .least_arguments = 1,
    .most_arguments = 1,
    .run = run,
};
