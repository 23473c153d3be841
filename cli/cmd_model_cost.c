/* jouleline model cost: what a graph costs. */
#include "cli.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "jouleline/cost.h"
#include "terminal.h"

enum { AS_TABLE, AS_CSV, AS_JSON };

static const char *number(jl_arena *arena, int64_t n)
{
    return jl_arena_printf(arena, "%" PRId64, n);
}

/* "3.80 G", "25.6 M": three digits are enough to read. */
static const char *rounded(jl_arena *arena, int64_t n)
{
    static const char units[][3] = {"", " k", " M", " G", " T", " P", " E"};
    double x = (double)n;
    size_t u = 0;
    for (; x >= 999.5 && u + 1 < sizeof units / sizeof *units; u++)
        x /= 1000;
    int digits = u == 0 || x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2;
    return jl_arena_printf(arena, "%.*f%s", digits, x, units[u]);
}

typedef struct settings {
    int output, by, precision;
    jl_ints batch;
    jl_words shape;
} settings;

enum { BY_OP, BY_NODE, BY_MODEL };

static const struct {
    const char *name;
    jl_dtype type;
} precisions[] = {{"native", JL_UNDEFINED},
                  {"fp32", JL_FLOAT},
                  {"fp16", JL_FLOAT16},
                  {"bf16", JL_BFLOAT16},
                  {"int8", JL_INT8}};

static const jl_option options[] = {
    JL_OPTION_OUTPUT(settings, output, "table|csv|json"),
    {.name = "by",
     .kind = JL_OPT_CHOICE,
     .argument = "WHAT",
     .choices = "op|node|model",
     .fallback = "op",
     .command_line = true,
     .help = "a row for each operator type, each node, or the model alone",
     .offset = offsetof(settings, by)},
    {.name = "batch",
     .letter = 'b',
     .kind = JL_OPT_INTS,
     .argument = "N,...",
     .min = 1,
     .max = 1 << 20,
     .command_line = true,
     .help = "batch sizes; 1 where the batch is free and none is given",
     .offset = offsetof(settings, batch)},
    {.name = "precision",
     .kind = JL_OPT_CHOICE,
     .argument = "TYPE",
     .choices = "native|fp32|fp16|bf16|int8",
     .fallback = "native",
     .command_line = true,
     .help = "element type of the floating point tensors; native is the file's own",
     .offset = offsetof(settings, precision)},
    {.name = "shape",
     .kind = JL_OPT_TEXTS,
     .argument = "INPUT=SIZES",
     .command_line = true,
     .help = "the shape of an input with free dimensions, as in ids=Bx128 (B is the batch)",
     .offset = offsetof(settings, shape)},
    {0},
};

/* The columns that all forms have, in the order of the numbers below. */
static const char *const number_names[] = {
    "macs", "flop", "parameters", "weight_bytes", "activation_bytes", "fused_activation_bytes"};
enum { NUMBERS = sizeof number_names / sizeof *number_names };

static void numbers_of(const jl_cost_numbers *c, int64_t n[NUMBERS])
{
    n[0] = c->macs;
    n[1] = c->flop;
    n[2] = c->parameters;
    n[3] = c->weight_bytes;
    n[4] = c->activation_bytes;
    n[5] = c->fused_activation_bytes;
}

/* One model at one batch. */
typedef struct costing {
    const jl_invocation *call;
    const settings *settings;
    const char *model;
    int64_t batch; /* 0: not given */
    const jl_cost *cost;
} costing;

static size_t row_count(const costing *c)
{
    return c->settings->by == BY_OP     ? c->cost->n_ops
           : c->settings->by == BY_NODE ? c->cost->n_nodes
                                        : 0;
}

static const jl_cost_numbers *row_numbers(const costing *c, size_t i)
{
    return c->settings->by == BY_OP ? &c->cost->ops[i].cost : &c->cost->nodes[i].cost;
}

static void print_summary(const costing *c)
{
    const jl_cost *k = c->cost;
    char batch[32] = "";
    if (c->batch) snprintf(batch, sizeof batch, ", batch %" PRId64, c->batch);
    printf("%s%s, %s: computed from the graph, nothing measured\n", c->model, batch,
           precisions[c->settings->precision].name);
    printf("  MACs                     %20" PRId64 "\n", k->total.macs);
    printf("  FLOP                     %20" PRId64 "\n", k->total.flop);
    printf("  parameters               %20" PRId64 "\n", k->total.parameters);
    if (k->statistics) printf("  batch norm statistics    %20" PRId64 "\n", k->statistics);
    if (k->quantisation) printf("  scales and zero points   %20" PRId64 "\n", k->quantisation);
    printf("  weight bytes             %20" PRId64 "\n", k->total.weight_bytes);
    printf("  activation bytes         %20" PRId64 "  nothing fused\n", k->total.activation_bytes);
    printf("                           %20" PRId64 "  estimate with fusion\n",
           k->total.fused_activation_bytes);
    printf("  peak activation memory   %20" PRId64 "  bytes\n", k->peak_activation_bytes);
    printf("  arithmetic intensity     %20.4g  FLOP/byte\n", k->intensity_flop_per_byte);
    if (k->n_unknown)
        printf("  nodes not counted        %20zu  of %zu\n", k->n_unknown, k->n_nodes);
    for (size_t i = 0; i < k->n_notes; i++)
        printf("  note: %s\n", k->notes[i]);
}

static int print_rows(const costing *c, jl_error *err)
{
    static const jl_column by_op[] = {{"operator", false}, {"nodes", true},  {"MACs", true},
                                      {"FLOP", true},      {"params", true}, {"weight B", true},
                                      {"activ. B", true},  {"fused B", true}};
    static const jl_column by_node[] = {{"node", false},    {"operator", false}, {"output", false},
                                        {"MACs", true},     {"FLOP", true},      {"params", true},
                                        {"weight B", true}, {"activ. B", true},  {"fused B", true}};
    bool ops = c->settings->by == BY_OP;
    size_t lead = ops ? 2 : 3, columns = lead + NUMBERS, rows = row_count(c);
    jl_arena *a = c->call->arena;
    const char **cells = jl_arena_array(a, rows * columns, sizeof *cells);
    if (!cells) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < rows; i++) {
        const char **row = cells + i * columns;
        int64_t n[NUMBERS];
        numbers_of(row_numbers(c, i), n);
        bool known =
            ops ? c->cost->ops[i].unknown < c->cost->ops[i].nodes : c->cost->nodes[i].known;
        row[0] = ops ? c->cost->ops[i].op : c->cost->nodes[i].name;
        row[1] = ops ? number(a, (int64_t)c->cost->ops[i].nodes) : c->cost->nodes[i].op;
        if (!ops) row[2] = c->cost->nodes[i].output;
        for (size_t k = 0; k < NUMBERS; k++)
            row[lead + k] = known ? rounded(a, n[k]) : "?";
    }
    jl_print_table(stdout, ops ? by_op : by_node, columns, cells, rows);
    return 0;
}

static void csv_word(const char *word)
{
    putchar('"');
    for (; *word; word++) {
        if (*word == '"') putchar('"');
        putchar(*word);
    }
    putchar('"');
}

static void csv_row(const costing *c, const char *row, const char *op, const char *output,
                    size_t nodes, int64_t times, bool known, const jl_cost_numbers *numbers)
{
    int64_t n[NUMBERS];
    numbers_of(numbers, n);
    csv_word(c->model);
    if (c->batch)
        printf(",%" PRId64, c->batch);
    else
        putchar(',');
    printf(",%s,", precisions[c->settings->precision].name);
    csv_word(row);
    putchar(',');
    csv_word(op);
    putchar(',');
    csv_word(output);
    printf(",%zu,%" PRId64, nodes, times);
    for (size_t k = 0; k < NUMBERS; k++) {
        if (known)
            printf(",%" PRId64, n[k]);
        else
            putchar(',');
    }
    putchar('\n');
}

static void print_csv(const costing *c)
{
    const jl_cost *k = c->cost;
    for (size_t i = 0; i < row_count(c); i++) {
        if (c->settings->by == BY_OP)
            csv_row(c, "op", k->ops[i].op, "", k->ops[i].nodes, 1,
                    k->ops[i].unknown < k->ops[i].nodes, &k->ops[i].cost);
        else
            csv_row(c, k->nodes[i].name, k->nodes[i].op, k->nodes[i].output, 1, k->nodes[i].times,
                    k->nodes[i].known, &k->nodes[i].cost);
    }
    csv_row(c, "total", "", "", k->n_nodes, 1, true, &k->total);
}

static json_t *json_numbers(const jl_cost_numbers *numbers, bool known)
{
    int64_t n[NUMBERS];
    json_t *o = json_object();
    numbers_of(numbers, n);
    for (size_t k = 0; k < NUMBERS && known; k++)
        json_object_set_new(o, number_names[k], json_integer(n[k]));
    return o;
}

static json_t *json_row(const costing *c, size_t i)
{
    json_t *o;
    if (c->settings->by == BY_OP) {
        const jl_op_cost *r = &c->cost->ops[i];
        o = json_numbers(&r->cost, r->unknown < r->nodes);
        json_object_set_new(o, "op", json_string(r->op));
        json_object_set_new(o, "nodes", json_integer((json_int_t)r->nodes));
        json_object_set_new(o, "unknown_nodes", json_integer((json_int_t)r->unknown));
        return o;
    }
    const jl_node_cost *r = &c->cost->nodes[i];
    o = json_numbers(&r->cost, r->known);
    json_object_set_new(o, "node", json_string(r->name));
    json_object_set_new(o, "op", json_string(r->op));
    json_object_set_new(o, "output", json_string(r->output));
    json_object_set_new(o, "times", json_integer(r->times));
    json_object_set_new(o, "known", json_boolean(r->known));
    json_object_set_new(o, "folded", json_boolean(r->folded));
    return o;
}

static json_t *json_cost(const costing *c)
{
    const jl_cost *k = c->cost;
    json_t *o = json_numbers(&k->total, true), *notes = json_array();
    for (size_t i = 0; i < k->n_notes; i++)
        json_array_append_new(notes, json_string(k->notes[i]));
    json_object_set_new(o, "model", json_string(c->model));
    if (c->batch) json_object_set_new(o, "batch", json_integer(c->batch));
    json_object_set_new(o, "precision", json_string(precisions[c->settings->precision].name));
    json_object_set_new(o, "statistics", json_integer(k->statistics));
    json_object_set_new(o, "constants", json_integer(k->constants));
    json_object_set_new(o, "quantisation", json_integer(k->quantisation));
    json_object_set_new(o, "peak_activation_bytes", json_integer(k->peak_activation_bytes));
    json_object_set_new(o, "intensity_flop_per_byte", json_real(k->intensity_flop_per_byte));
    json_object_set_new(o, "unknown_nodes", json_integer((json_int_t)k->n_unknown));
    json_object_set_new(o, "notes", notes);
    if (c->settings->by != BY_MODEL) {
        json_t *rows = json_array();
        for (size_t i = 0; i < row_count(c); i++)
            json_array_append_new(rows, json_row(c, i));
        json_object_set_new(o, c->settings->by == BY_OP ? "ops" : "nodes", rows);
    }
    return o;
}

static int cost_at(costing *c, jl_model *m, json_t *list, jl_error *err)
{
    const settings *s = c->settings;
    jl_cost_options o = {.batch = c->batch, .precision = precisions[s->precision].type};
    jl_cost *cost;
    int rc = 0;
    for (size_t i = 0; i < s->shape.count && !rc; i++)
        rc = jl_model_bind_shape(m, s->shape.items[i], c->batch ? c->batch : 1, err);
    if (!rc && !c->batch && jl_model_batch_symbol(m)) o.batch = c->batch = 1;
    if (!rc) rc = jl_cost_new(m, &o, &cost, err);
    if (rc) return rc;
    c->cost = cost;
    if (s->output == AS_JSON) {
        json_array_append_new(list, json_cost(c));
    } else if (s->output == AS_CSV) {
        print_csv(c);
    } else {
        print_summary(c);
        if (s->by != BY_MODEL) rc = print_rows(c, err);
    }
    jl_cost_free(cost);
    return rc;
}

static int cost_of(const jl_invocation *call, const char *name, json_t *list, jl_error *err)
{
    const settings *s = call->settings;
    jl_model *m;
    int rc = jl_model_open(name, &m, err);
    if (rc) return rc;
    size_t batches = s->batch.count ? s->batch.count : 1;
    for (size_t i = 0; i < batches && !rc; i++) {
        costing c = {.call = call,
                     .settings = s,
                     .model = name,
                     .batch = s->batch.count ? s->batch.items[i] : 0};
        rc = cost_at(&c, m, list, err);
    }
    jl_model_close(m);
    return rc;
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    json_t *list = json_array();
    jl_error err;
    int rc = 0;
    if (s->output == AS_CSV) {
        printf("model,batch,precision,row,op,output,nodes,times");
        for (size_t k = 0; k < NUMBERS; k++)
            printf(",%s", number_names[k]);
        putchar('\n');
    }
    for (size_t i = 0; i < call->arguments.count && !rc; i++)
        rc = cost_of(call, call->arguments.items[i], list, &err);
    if (!rc && s->output == AS_JSON) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(list);
    return rc ? jl_report_error(call, &err) : EXIT_OK;
}

const jl_command jl_command_model_cost = {
    .name = "model cost",
    .summary = "operations, bytes and memory of a model, by its graph",
    .arguments = "MODEL...",
    .about =
        "Computes what one call costs from the graph alone: multiplications (MACs) of convolutions "
        "and matrix products, floating point operations, parameters, bytes, the peak of activation "
        "memory. MODEL is an ONNX file (its name ends in .onnx or holds a '/') or a model of the "
        "zoo.\n\n"
        "A MAC is one multiplication with its addition; FLOP counts 2 for each and adds the other "
        "operators. Activation bytes are what nodes read and write when none is fused, beside an "
        "estimate with elementwise operators and batch norms fused into the node before them. "
        "Nodes that depend on no input cost nothing. Operators without a rule are listed.",
    .options = options,
    .settings_size = sizeof(settings),
    .least_arguments = 1,
    .most_arguments = 64,
    .run = run,
};
