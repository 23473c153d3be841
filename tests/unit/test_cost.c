#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "jouleline/cost.h"
#include "jouleline/zoo.h"
#include "tiny.h"

static char path[] = "/tmp/jl_test_cost.XXXXXX";

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0 || close(fd)) return -1;
    return unlink(path); /* only the name is used, with .onnx behind it */
}

/* Saves the tiny model, frees it and opens the file. */
static jl_model *opened(tiny *t)
{
    static char file[64];
    jl_model *m = NULL;
    jl_error err = {0};
    snprintf(file, sizeof file, "%s.onnx", path);
    for (size_t i = 0; i < t->graph->initializers.n; i++) {
        onnx_tensor *w = &t->graph->initializers.p[i];
        if (w->raw_data.n && !w->raw_data.p)
            w->raw_data.p = jl_arena_alloc(t->arena, w->raw_data.n);
    }
    if (onnx_save(t->model, file, NULL, &err) || jl_model_open(file, &m, &err))
        fail_msg("%s", err.msg);
    unlink(file);
    tiny_free(t);
    return m;
}

static jl_cost *cost_at(jl_model *m, int64_t batch, jl_dtype precision)
{
    jl_cost_options options = {.batch = batch, .precision = precision};
    jl_cost *c;
    jl_error err = {0};
    if (jl_cost_new(m, &options, &c, &err)) fail_msg("%s", err.msg);
    return c;
}

static const jl_node_cost *node(const jl_cost *c, const char *op)
{
    for (size_t i = 0; i < c->n_nodes; i++)
        if (!strcmp(c->nodes[i].op, op)) return &c->nodes[i];
    fail_msg("no node %s", op);
    return NULL;
}

/* Conv, BatchNormalization, Relu, Add of the input's twin: numbers worked out by hand. */
static void numbers_by_hand(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 16);
    tiny_input(&t, "x", "float N 4 8 8");
    tiny_weight(&t, "w", 4, 4, 2, 3, 3);
    tiny_weight(&t, "b", 1, 4);
    for (int i = 0; i < 4; i++)
        tiny_weight(&t, (const char *[]){"s", "o", "mean", "var"}[i], 1, 4);
    onnx_node *conv = tiny_node(&t, "Conv", "x w b", "c");
    tiny_ints(&t, conv, "pads", 4, 1, 1, 1, 1);
    tiny_i(conv, "group", 2);
    tiny_node(&t, "BatchNormalization", "c s o mean var", "n");
    tiny_node(&t, "Relu", "n", "r");
    tiny_node(&t, "Add", "r x", "y");
    tiny_output(&t, "y");
    jl_model *m = opened(&t);
    jl_cost *c = cost_at(m, 3, JL_UNDEFINED);
    const int64_t out = 3 * 4 * 8 * 8;
    assert_int_equal(node(c, "Conv")->cost.macs, out * 2 * 9);
    assert_int_equal(node(c, "Conv")->cost.flop, out * 2 * 9 * 2 + out);
    assert_string_equal(node(c, "Conv")->output, "float[3, 4, 8, 8]");
    assert_int_equal(c->total.macs, out * 18);
    assert_int_equal(c->total.flop, out * 37 + 2 * out + out + out);
    assert_int_equal(c->total.parameters, 72 + 4 + 8);
    assert_int_equal(c->statistics, 8);
    assert_int_equal(c->total.weight_bytes, 4 * (72 + 4 + 16));
    assert_int_equal(c->total.activation_bytes, 4 * out * (2 + 2 + 2 + 3));
    /* fused: x is read by the convolution and by the sum, y is written */
    assert_int_equal(c->total.fused_activation_bytes, 4 * out * 3);
    /* x stays for the sum: x, n and c at the norm; x, r and y at the end */
    assert_int_equal(c->peak_activation_bytes, 4 * out * 3);
    assert_int_equal(c->n_unknown, 0);
    jl_cost *half = cost_at(m, 3, JL_FLOAT16), *one = cost_at(m, 0, JL_UNDEFINED);
    assert_int_equal(half->total.activation_bytes * 2, c->total.activation_bytes);
    assert_int_equal(half->total.weight_bytes * 2, c->total.weight_bytes);
    assert_int_equal(one->total.macs * 3, c->total.macs);
    jl_cost_free(c);
    jl_cost_free(half);
    jl_cost_free(one);
    jl_model_close(m);
}

static void constant_subtrees_cost_nothing(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 16);
    tiny_input(&t, "x", "float N 8");
    tiny_weight(&t, "w", 2, 16, 8);
    tiny_node(&t, "Transpose", "w", "wt");
    tiny_node(&t, "Neg", "wt", "wn");
    tiny_node(&t, "MatMul", "x wn", "y");
    tiny_output(&t, "y");
    jl_model *m = opened(&t);
    jl_cost *c = cost_at(m, 2, JL_UNDEFINED);
    assert_true(node(c, "Neg")->folded);
    assert_int_equal(node(c, "Neg")->cost.flop, 0);
    assert_int_equal(c->total.macs, 2 * 8 * 16);
    assert_int_equal(c->total.weight_bytes, 4 * 128);
    assert_int_equal(c->total.activation_bytes, 4 * (16 + 32));
    jl_cost_free(c);
    jl_model_close(m);
}

static void unknown_operators_are_listed(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 16);
    tiny_input(&t, "x", "float N 8");
    tiny_node(&t, "Mystery", "x", "m")->domain = JL_STR("my.own");
    tiny_node(&t, "NonZero", "x", "z");
    tiny_output(&t, "m");
    tiny_output(&t, "z");
    jl_model *m = opened(&t);
    jl_cost *c = cost_at(m, 1, JL_UNDEFINED);
    assert_int_equal(c->n_unknown, 2);
    assert_false(node(c, "my.own.Mystery")->known);
    bool rule = false, sizes = false;
    for (size_t i = 0; i < c->n_notes; i++) {
        rule = rule || strstr(c->notes[i], "my.own.Mystery nodes: no rule");
        sizes = sizes || strstr(c->notes[i], "NonZero nodes: sizes not known");
    }
    assert_true(rule && sizes);
    jl_cost_free(c);
    jl_model_close(m);
}

static void free_dimensions_need_values(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 16);
    tiny_input(&t, "ids", "int64 batch length");
    tiny_weight(&t, "table", 2, 1000, 8);
    tiny_node(&t, "Gather", "table ids", "e");
    tiny_node(&t, "MatMul", "e e", "y")->name = JL_STR("square");
    tiny_output(&t, "y");
    t.graph->nodes.n = 1;
    t.graph->outputs.p[0].name = JL_STR("e");
    jl_model *m = opened(&t);
    jl_error err = {0};
    jl_cost *c;
    assert_int_equal(jl_cost_new(m, NULL, &c, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "'length'"));
    assert_non_null(strstr(err.msg, "--shape ids="));
    assert_string_equal(jl_model_batch_symbol(m), "batch");
    assert_int_equal(jl_model_bind_shape(m, "ids=Bx512", 4, &err), 0);
    c = cost_at(m, 0, JL_UNDEFINED);
    assert_int_equal(node(c, "Gather")->cost.weight_bytes, 4 * 1000 * 8);
    jl_cost_free(c);
    assert_int_equal(jl_model_bind_shape(m, "ids=2x5", 1, &err), 0);
    c = cost_at(m, 0, JL_UNDEFINED);
    assert_int_equal(node(c, "Gather")->cost.weight_bytes, 4 * 10 * 8); /* only what it picks */
    jl_cost_free(c);
    assert_int_equal(jl_model_bind_shape(m, "ids=Bx128x3", 4, &err), JL_ERR_USAGE);
    assert_int_equal(jl_model_bind_shape(m, "ids=B", 4, &err), JL_ERR_USAGE);
    assert_int_equal(jl_model_bind_shape(m, "ids=Bx-3", 4, &err), JL_ERR_USAGE);
    assert_int_equal(jl_model_bind_shape(m, "ids", 4, &err), JL_ERR_USAGE);
    assert_int_equal(jl_model_bind_shape(m, "other=B", 4, &err), JL_ERR_MISSING);
    assert_int_equal(jl_model_bind(m, "lenght", 4, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "length"));
    jl_input_bound bound;
    assert_true(jl_model_input_bound(m, 0, &bound));
    assert_int_equal(bound.rows, 1000);
    jl_model_close(m);
}

static void a_fixed_batch_is_fixed(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 4);
    tiny_input(&t, "x", "float 1 8");
    tiny_node(&t, "Relu", "x", "y");
    tiny_output(&t, "y");
    jl_model *m = opened(&t);
    jl_cost_options options = {.batch = 8};
    jl_cost *c;
    jl_error err = {0};
    assert_null(jl_model_batch_symbol(m));
    assert_int_equal(jl_cost_new(m, &options, &c, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "fixed batch (1)"));
    jl_model_close(m);
}

static void too_large_a_batch_is_an_error(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 4);
    tiny_input(&t, "x", "float N 4000000000");
    tiny_node(&t, "Relu", "x", "y");
    tiny_output(&t, "y");
    jl_model *m = opened(&t);
    jl_cost_options options = {.batch = INT64_C(4000000000)};
    jl_cost *c;
    jl_error err = {0};
    assert_int_equal(jl_cost_new(m, &options, &c, &err), JL_ERR_LIMIT);
    jl_model_close(m);
}

/* The branch that costs more counts; a loop counts as often as it runs. */
static void sub_graphs_count(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 2 8");
    tiny_input(&t, "yes", "bool");
    tiny_weight(&t, "w", 2, 8, 8);
    onnx_node *branch = tiny_node(&t, "If", "yes", "y");
    tiny_shape(&t, "trips", 1, 5);
    t.graph->initializers.p[1].dims.n = 0;
    onnx_node *loop = tiny_node(&t, "Loop", "trips yes x", "z");
    for (int i = 0; i < 2; i++) {
        onnx_graph *body = tiny_graph(t.arena, 4);
        tiny_node_in(&t, body, i ? "MatMul" : "Abs", i ? "x w" : "x", "inner");
        body->outputs.p[body->outputs.n++] = (onnx_value_info){.name = JL_STR("inner")};
        tiny_attribute(branch, i ? "else_branch" : "then_branch", ONNX_ATTR_GRAPH)->g = body;
    }
    onnx_graph *body = tiny_graph(t.arena, 4);
    tiny_node_in(&t, body, "MatMul", "state w", "next");
    for (int i = 0; i < 3; i++)
        body->inputs.p[body->inputs.n++] =
            (onnx_value_info){.name = jl_str_c((const char *[]){"i", "go", "state"}[i])};
    for (int i = 0; i < 2; i++)
        body->outputs.p[body->outputs.n++] = (onnx_value_info){.name = jl_str_c(i ? "next" : "go")};
    tiny_attribute(loop, "body", ONNX_ATTR_GRAPH)->g = body;
    tiny_output(&t, "y");
    tiny_output(&t, "z");
    jl_model *m = opened(&t);
    jl_cost *c = cost_at(m, 0, JL_UNDEFINED);
    assert_int_equal(c->total.macs, 2 * 8 * 8 * (1 + 5));
    assert_false(node(c, "Abs")->counted);
    assert_int_equal(c->n_nodes, 5);
    jl_cost_free(c);
    jl_model_close(m);
}

/* Block(x, w; perm) = Relu(MatMul(x, Transpose(w; perm))), called twice, once by way of another
 * function. */
static void function(tiny *t, onnx_function *f, const char *name, const char *inputs,
                     const onnx_graph *body)
{
    f->name = jl_str_c(name);
    f->domain = JL_STR("my.own");
    f->inputs.p = tiny_words(t->arena, inputs, &f->inputs.n);
    f->outputs.p = tiny_words(t->arena, "out", &f->outputs.n);
    f->nodes.p = body->nodes.p;
    f->nodes.n = body->nodes.n;
    f->opset_imports.p = t->model->opset_imports.p;
    f->opset_imports.n = 1;
}

static void functions_are_written_out(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float N 8");
    tiny_weight(&t, "w", 2, 16, 8);
    tiny_weight(&t, "v", 2, 16, 16);
    onnx_node *call = tiny_node(&t, "Block", "x w", "y");
    call->domain = JL_STR("my.own");
    tiny_ints(&t, call, "order", 2, 1, 0);
    tiny_node(&t, "Outer", "y v", "z")->domain = JL_STR("my.own");
    tiny_output(&t, "z");
    onnx_function *functions = jl_arena_array(t.arena, 2, sizeof *functions);
    onnx_graph *block = tiny_graph(t.arena, 4), *outer = tiny_graph(t.arena, 4);
    onnx_attribute *perm =
        tiny_attribute(tiny_node_in(&t, block, "Transpose", "w", "wt"), "perm", ONNX_ATTR_INTS);
    perm->ref_attr_name = JL_STR("order"); /* not given by Outer: Transpose's own default */
    tiny_node_in(&t, block, "MatMul", "x wt", "m");
    tiny_node_in(&t, block, "Relu", "m", "out");
    tiny_node_in(&t, outer, "Block", "x w", "out")->domain = JL_STR("my.own");
    function(&t, &functions[0], "Block", "x w", block);
    functions[0].attributes.p = tiny_words(t.arena, "order", &functions[0].attributes.n);
    function(&t, &functions[1], "Outer", "x w", outer);
    t.model->functions.p = functions;
    t.model->functions.n = 2;
    jl_model *m = opened(&t);
    jl_cost *c = cost_at(m, 3, JL_UNDEFINED);
    assert_int_equal(c->n_unknown, 0);
    assert_int_equal(c->total.macs, 3 * (8 * 16 + 16 * 16));
    assert_int_equal(c->total.parameters, 16 * 8 + 16 * 16);
    assert_int_equal(c->total.weight_bytes, 4 * (16 * 8 + 16 * 16));
    assert_true(node(c, "Transpose")->folded);
    assert_string_equal(node(c, "Relu")->output, "float[3, 16]");
    size_t n;
    assert_string_equal(jl_model_outputs(m, &n)[0].sizes[1].text, "16");
    jl_cost_free(c);
    jl_model_close(m);
}

static void circular_functions_are_refused(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float N 8");
    tiny_node(&t, "A", "x", "y")->domain = JL_STR("my.own");
    tiny_output(&t, "y");
    onnx_function *functions = jl_arena_array(t.arena, 2, sizeof *functions);
    for (int i = 0; i < 2; i++) {
        onnx_graph *body = tiny_graph(t.arena, 4);
        tiny_node_in(&t, body, i ? "A" : "B", "x", "out")->domain = JL_STR("my.own");
        tiny_node_in(&t, body, i ? "A" : "B", "x", "more")->domain = JL_STR("my.own");
        function(&t, &functions[i], i ? "B" : "A", "x", body);
    }
    t.model->functions.p = functions;
    t.model->functions.n = 2;
    char file[64];
    jl_model *m;
    jl_error err = {0};
    snprintf(file, sizeof file, "%s.onnx", path);
    assert_int_equal(onnx_save(t.model, file, NULL, &err), 0);
    tiny_free(&t);
    assert_int_equal(jl_model_open(file, &m, &err), JL_ERR_LIMIT);
    assert_non_null(strstr(err.msg, "functions that call each other"));
    unlink(file);
}

/* tests/fixtures/zoo_oracle.tsv: counted from torchvision. */
static void the_zoo_equals_torchvision(void **state)
{
    (void)state;
    FILE *f = fopen(JL_FIXTURES "/zoo_oracle.tsv", "r");
    char line[256], name[64];
    long long parameters, macs;
    int models = 0;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%63s %*s %*d %lld %lld", name, &parameters, &macs) != 3) continue;
        jl_model *m;
        jl_error err = {0};
        if (jl_model_open(name, &m, &err)) fail_msg("%s", err.msg);
        jl_cost *c = cost_at(m, 32, JL_UNDEFINED);
        assert_int_equal(c->total.parameters, parameters);
        assert_int_equal(c->total.macs, 32 * macs);
        assert_int_equal(c->n_unknown, 0);
        jl_cost_free(c);
        jl_model_close(m);
        models++;
    }
    fclose(f);
    assert_int_equal(models, 15);
}

static void a_zoo_model_and_its_file_have_one_hash(void **state)
{
    (void)state;
    char file[64], a[33], b[33];
    jl_model *zoo, *exported;
    jl_error err = {0};
    snprintf(file, sizeof file, "%s.onnx", path);
    assert_int_equal(jl_zoo_export("mobilenet_v3_small", NULL, file, &err), 0);
    assert_int_equal(jl_model_open("mobilenet_v3_small", &zoo, &err), 0);
    assert_int_equal(jl_model_open(file, &exported, &err), 0);
    assert_int_equal(jl_model_hash(zoo, a, &err), 0);
    assert_int_equal(jl_model_hash(exported, b, &err), 0);
    assert_string_equal(a, b);
    size_t n;
    const jl_port *in = jl_model_inputs(exported, &n);
    assert_int_equal(n, 1);
    assert_int_equal(in[0].rank, 4);
    assert_string_equal(in[0].sizes[0].symbol, "batch");
    assert_int_equal(in[0].sizes[0].value, -1);
    assert_int_equal(in[0].sizes[3].value, 224);
    assert_string_equal(jl_model_family(zoo), "lightweight");
    assert_null(jl_model_family(exported));
    unlink(file);
    jl_model_close(zoo);
    jl_model_close(exported);
    assert_int_equal(jl_model_open("mobilnet_v2", &zoo, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "mobilenet_v2"));
    assert_int_equal(jl_model_open("none.onnx", &zoo, &err), JL_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_by_hand),
        cmocka_unit_test(constant_subtrees_cost_nothing),
        cmocka_unit_test(unknown_operators_are_listed),
        cmocka_unit_test(free_dimensions_need_values),
        cmocka_unit_test(a_fixed_batch_is_fixed),
        cmocka_unit_test(too_large_a_batch_is_an_error),
        cmocka_unit_test(sub_graphs_count),
        cmocka_unit_test(functions_are_written_out),
        cmocka_unit_test(circular_functions_are_refused),
        cmocka_unit_test(the_zoo_equals_torchvision),
        cmocka_unit_test(a_zoo_model_and_its_file_have_one_hash),
    };
    return cmocka_run_group_tests(tests, make_path, NULL);
}
