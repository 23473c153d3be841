/* jouleline model list, jouleline model export: the zoo. */
#include "cli.h"
#include "terminal.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "jouleline/zoo.h"

/* model list ---------------------------------------------------------------------------------- */

typedef struct list_settings {
    int output;
} list_settings;

enum { AS_TABLE, AS_CSV, AS_JSON };

static const jl_option list_options[] = {
    JL_OPTION_OUTPUT(list_settings, output, "table|csv|json"),
    {0},
};

enum { COLUMNS = 6 };

static int list_json(const jl_invocation *call)
{
    json_t *list = json_array();
    for (size_t i = 0; i < jl_zoo_count(); i++) {
        const jl_zoo_model *m = jl_zoo_at(i);
        int64_t learnable, statistics;
        jl_error err;
        if (jl_zoo_parameters(m->name, &learnable, &statistics, &err)) {
            json_decref(list);
            return jl_report_error(call, &err);
        }
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:[i,i,i], s:I, s:I, s:s}", "model", m->name,
                                        "family", m->family, "input", 3, m->image_px, m->image_px,
                                        "parameters", (json_int_t)learnable, "statistics",
                                        (json_int_t)statistics, "about", m->about));
    }
    json_dumpf(list, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(list);
    return EXIT_OK;
}

static int list(const jl_invocation *call)
{
    const list_settings *s = call->settings;
    if (s->output == AS_JSON) return list_json(call);
    size_t n = jl_zoo_count();
    const char **cells = jl_arena_array(call->arena, n * COLUMNS, sizeof *cells);
    jl_error err;
    for (size_t i = 0; cells && i < n; i++) {
        const jl_zoo_model *m = jl_zoo_at(i);
        int64_t learnable, statistics;
        if (jl_zoo_parameters(m->name, &learnable, &statistics, &err))
            return jl_report_error(call, &err);
        const char **row = cells + i * COLUMNS;
        row[0] = m->name;
        row[1] = m->family;
        row[2] = jl_arena_printf(call->arena, "3x%dx%d", m->image_px, m->image_px);
        row[3] = jl_arena_printf(call->arena, "%" PRId64, learnable);
        row[4] = jl_arena_printf(call->arena, "%" PRId64, statistics);
        row[5] = m->about;
    }
    if (!cells) {
        jl_fail(&err, JL_ERR_MEMORY, "out of memory");
        return jl_report_error(call, &err);
    }
    if (s->output == AS_CSV) {
        printf("model,family,input,parameters,statistics,about\n");
        for (size_t i = 0; i < n; i++, cells += COLUMNS)
            printf("%s,%s,%s,%s,%s,\"%s\"\n", cells[0], cells[1], cells[2], cells[3], cells[4],
                   cells[5]);
        return EXIT_OK;
    }
    static const jl_column columns[COLUMNS] = {{"model", false},
                                               {"family", false},
                                               {"input", true},
                                               {"parameters", true},
                                               {"batch norm statistics", true},
                                               {"about", false}};
    jl_print_table(stdout, columns, COLUMNS, cells, n);
    return EXIT_OK;
}

const jl_command jl_command_model_list = {
    .name = "model list",
    .summary = "the models of the zoo",
    .about =
        "Lists the models that need no file: name, family, input, learnable parameters, and the\n"
        "elements of batch norm statistics that a file holds beside them.",
    .options = list_options,
    .settings_size = sizeof(list_settings),
    .run = list,
};

/* model export -------------------------------------------------------------------------------- */

typedef struct export_settings {
    const char *output, *weights;
    int64_t opset, batch;
    int format, style;
    bool fold, decompose, plain;
} export_settings;

enum { AS_ONNX, AS_SAFETENSORS };

static const jl_option export_options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .command_line = true,
     .help = "the file to write (one model only); default MODEL.onnx or MODEL.safetensors",
     .offset = offsetof(export_settings, output)},
    {.name = "format",
     .letter = 'f',
     .kind = JL_OPT_CHOICE,
     .argument = "FORMAT",
     .choices = "onnx|safetensors",
     .fallback = "onnx",
     .command_line = true,
     .help = "the graph with its weights, or the state_dict for torchvision's class",
     .offset = offsetof(export_settings, format)},
    {.name = "opset",
     .kind = JL_OPT_INT,
     .argument = "N",
     .fallback = "17",
     .min = JL_ZOO_OPSET_MIN,
     .max = JL_ZOO_OPSET_MAX,
     .command_line = true,
     .help = "version of the ONNX operators",
     .offset = offsetof(export_settings, opset)},
    {.name = "batch",
     .letter = 'b',
     .kind = JL_OPT_INT,
     .argument = "N",
     .min = 1,
     .max = 1 << 20,
     .command_line = true,
     .help = "fix the batch; it is symbolic otherwise",
     .offset = offsetof(export_settings, batch)},
    {.name = "fold-bn",
     .kind = JL_OPT_FLAG,
     .command_line = true,
     .help = "fold each batch norm into the convolution before it",
     .offset = offsetof(export_settings, fold)},
    {.name = "decompose",
     .kind = JL_OPT_FLAG,
     .command_line = true,
     .help = "write LayerNorm and Gelu as elementary operators in every opset",
     .offset = offsetof(export_settings, decompose)},
    {.name = "style",
     .kind = JL_OPT_CHOICE,
     .argument = "STYLE",
     .choices = "zoo|torchscript",
     .fallback = "zoo",
     .command_line = true,
     .help = "torchscript: shapes, attention scale and masks computed in the graph, as torch's "
             "exporter writes them",
     .offset = offsetof(export_settings, style)},
    {.name = "weights",
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .command_line = true,
     .help = "a safetensors state_dict instead of the seeded weights",
     .offset = offsetof(export_settings, weights)},
    {.name = "plain-statistics",
     .kind = JL_OPT_FLAG,
     .command_line = true,
     .help = "identity batch norms and no head bias: what tools/zoo_statistics.py starts from",
     .offset = offsetof(export_settings, plain)},
    {0},
};

static int export_one(const char *name, const export_settings *s, jl_arena *arena, jl_error *err)
{
    jl_zoo_options options = {.opset = (int)s->opset,
                              .batch = s->batch,
                              .fold_batch_norm = s->fold,
                              .decompose = s->decompose,
                              .style = s->style ? JL_ZOO_TORCHSCRIPT : JL_ZOO_PLAIN,
                              .plain = s->plain,
                              .weights_path = s->weights};
    const char *path = s->output;
    if (!path)
        path = jl_arena_printf(arena, "%s.%s", name, s->format == AS_ONNX ? "onnx" : "safetensors");
    if (!path) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    int rc = s->format == AS_ONNX ? jl_zoo_export(name, &options, path, err)
                                  : jl_zoo_export_safetensors(name, &options, path, err);
    if (!rc && !s->output) fprintf(stderr, "wrote %s\n", path);
    return rc;
}

static int export(const jl_invocation *call)
{
    const export_settings *s = call->settings;
    jl_error err;
    if (call->arguments.count > 1 && (s->output || s->weights)) {
        jl_fail(&err, JL_ERR_USAGE, "--%s is for one model, and %zu are named",
                s->output ? "output" : "weights", call->arguments.count);
        return jl_report_error(call, &err);
    }
    for (size_t i = 0; i < call->arguments.count; i++) { /* a misspelt name stops before any work */
        const jl_zoo_model *model;
        const char *name = call->arguments.items[i];
        if (!jl_zoo_is_probe(name) && jl_zoo_find(name, &model, &err))
            return jl_report_error(call, &err);
    }
    for (size_t i = 0; i < call->arguments.count; i++)
        if (export_one(call->arguments.items[i], s, call->arena, &err))
            return jl_report_error(call, &err);
    return EXIT_OK;
}

const jl_command jl_command_model_export = {
    .name = "model export",
    .summary = "write models of the zoo as ONNX or safetensors files",
    .arguments = "MODEL...",
    .about =
        "Writes models of the zoo. The weights are made while they are written, and are the same "
        "bytes on every machine.\n\n"
        "NAME+overflow variants hold a planted fault: a sum over the whole batch that passes the "
        "range of half precision at large batches and is harmless in FP32.\n\n"
        "Probes (probe_matmul, probe_stream, probe_read and probe_chain with _ROWSxCOLUMNSxPASSES) "
        "are graphs of one kind of work, with which 'run --probes' measures roofs.",
    .options = export_options,
    .settings_size = sizeof(export_settings),
    .least_arguments = 1,
    .most_arguments = 64,
    .run = export,
};
