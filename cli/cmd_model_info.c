/* jouleline model info: what a model is. */
#include "cli.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "jouleline/cost.h"

typedef struct settings {
    int output;
} settings;

enum { AS_TABLE, AS_JSON };

static const jl_option options[] = {
    JL_OPTION_OUTPUT(settings, output, "table|json"),
    {0},
};

static const char *shape_words(jl_arena *arena, const jl_port *p)
{
    jl_buf text = {0};
    if (p->rank < 0) return "[...]";
    jl_buf_puts(&text, "[");
    for (int i = 0; i < p->rank; i++)
        jl_buf_printf(&text, "%s%s", i ? ", " : "", p->sizes[i].text);
    jl_buf_puts(&text, "]");
    const char *kept = text.p ? jl_arena_strndup(arena, text.p, text.n) : NULL;
    jl_buf_free(&text);
    return kept;
}

static const char *kind_words(const jl_port *p)
{
    return p->kind == JL_PORT_SEQUENCE   ? "sequence of "
           : p->kind == JL_PORT_OPTIONAL ? "optional "
           : p->kind == JL_PORT_OTHER    ? "other "
                                         : "";
}

static void print_port(jl_arena *arena, const char *what, const jl_port *p)
{
    const char *shape = shape_words(arena, p);
    printf("  %-10s %s: %s%s%s\n", what, p->name, kind_words(p), jl_dtype_name(p->dtype),
           shape ? shape : "");
}

static json_t *json_ports(const jl_port *ports, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *shape = json_array();
        for (int k = 0; k < ports[i].rank; k++)
            json_array_append_new(shape, ports[i].sizes[k].value >= 0
                                             ? json_integer(ports[i].sizes[k].value)
                                             : json_string(ports[i].sizes[k].text));
        json_t *o =
            json_pack("{s:s, s:s}", "name", ports[i].name, "type", jl_dtype_name(ports[i].dtype));
        if (ports[i].rank >= 0) json_object_set(o, "shape", shape);
        json_decref(shape);
        json_array_append_new(list, o);
    }
    return list;
}

/* What the graph is made of, and its parameters where no dimension but the batch is free. */
static void print_graph(jl_model *m)
{
    jl_cost *cost;
    size_t n;
    const jl_op_count *ops = jl_model_ops(m, &n);
    printf("  operators ");
    for (size_t i = 0; i < n; i++)
        printf("%s %s %zu", i ? "," : "", ops[i].op, ops[i].nodes);
    putchar('\n');
    if (jl_cost_new(m, NULL, &cost, NULL)) return;
    printf("  parameters %" PRId64 "\n", cost->total.parameters);
    if (cost->statistics) printf("  batch norm statistics %" PRId64 "\n", cost->statistics);
    jl_cost_free(cost);
}

static void print_info(const jl_invocation *call, const char *name, jl_model *m, const char *hash)
{
    size_t n_in, n_out;
    const jl_port *in = jl_model_inputs(m, &n_in), *out = jl_model_outputs(m, &n_out);
    printf("%s\n", name);
    if (jl_model_family(m)) printf("  family     %s\n", jl_model_family(m));
    if (*jl_model_producer(m)) printf("  producer   %s\n", jl_model_producer(m));
    if (jl_model_file_bytes(m)) printf("  file       %" PRId64 " bytes\n", jl_model_file_bytes(m));
    printf("  hash       %s\n  opset      %" PRId64 "\n  nodes      %zu\n", hash, jl_model_opset(m),
           jl_model_nodes(m));
    for (size_t i = 0; i < n_in; i++) {
        jl_input_bound bound;
        print_port(call->arena, "input", &in[i]);
        if (jl_model_input_bound(m, i, &bound))
            printf("             values below %" PRId64 ": indices of %s\n", bound.rows,
                   bound.node);
    }
    for (size_t i = 0; i < n_out; i++)
        print_port(call->arena, "output", &out[i]);
    const char *batch = jl_model_batch_symbol(m);
    printf("  batch      %s\n", batch ? batch : "fixed");
    print_graph(m);
}

static json_t *json_info(const char *name, jl_model *m, const char *hash)
{
    size_t n_in, n_out;
    const jl_port *in = jl_model_inputs(m, &n_in), *out = jl_model_outputs(m, &n_out);
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o}", "model", name, "hash", hash,
                  "producer", jl_model_producer(m), "opset", (json_int_t)jl_model_opset(m), "nodes",
                  (json_int_t)jl_model_nodes(m), "file_bytes", (json_int_t)jl_model_file_bytes(m),
                  "inputs", json_ports(in, n_in), "outputs", json_ports(out, n_out));
    const char *batch = jl_model_batch_symbol(m);
    if (batch) json_object_set_new(o, "batch", json_string(batch));
    json_t *counts = json_object();
    size_t n_ops;
    const jl_op_count *ops = jl_model_ops(m, &n_ops);
    for (size_t i = 0; i < n_ops; i++)
        json_object_set_new(counts, ops[i].op, json_integer((json_int_t)ops[i].nodes));
    json_object_set_new(o, "operators", counts);
    return o;
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    json_t *list = json_array();
    jl_error err;
    int rc = 0;
    for (size_t i = 0; i < call->arguments.count && !rc; i++) {
        const char *name = call->arguments.items[i];
        char hash[33];
        jl_model *m;
        if ((rc = jl_model_open(name, &m, &err))) break;
        if (!(rc = jl_model_hash(m, hash, &err))) {
            if (s->output == AS_JSON)
                json_array_append_new(list, json_info(name, m, hash));
            else
                print_info(call, name, m, hash);
        }
        jl_model_close(m);
    }
    if (!rc && s->output == AS_JSON) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(list);
    return rc ? jl_report_error(call, &err) : EXIT_OK;
}

const jl_command jl_command_model_info = {
    .name = "model info",
    .summary = "inputs, outputs and origin of a model",
    .arguments = "MODEL...",
    .about = "Prints where a model comes from, its hash, what goes in and out with symbolic "
             "dimensions, and for integer inputs that index a table the bound of their values.",
    .options = options,
    .settings_size = sizeof(settings),
    .least_arguments = 1,
    .most_arguments = 64,
    .run = run,
};
