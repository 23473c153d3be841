#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "model/shapes.h"
#include "model/shapes_op.h"
#include "tiny.h"

static jl_shapes *inferred(tiny *t)
{
    jl_graph *g;
    jl_shapes *s = NULL;
    jl_error err = {0};
    if (jl_graph_new(t->model, t->arena, &g, &err) ||
        jl_shapes_new(g, NULL, t->arena, NULL, &s, &err))
        fail_msg("%s", err.msg);
    return s;
}

static void assert_type(const jl_shapes *s, const char *name, const char *wanted)
{
    jl_buf text = {0};
    jl_shapes_print(s, jl_graph_find(s->graph, 0, jl_str_c(name)), &text);
    assert_string_equal(text.p, wanted);
    jl_buf_free(&text);
}

static void expect_error(tiny *t, int code, const char *words)
{
    jl_graph *g;
    jl_shapes *s;
    jl_error err = {0};
    assert_int_equal(jl_graph_new(t->model, t->arena, &g, &err), 0);
    assert_int_equal(jl_shapes_new(g, NULL, t->arena, NULL, &s, &err), code);
    if (!strstr(err.msg, words)) fail_msg("'%s' is not in: %s", words, err.msg);
    tiny_free(t);
}

static void batch_stays_symbolic(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 32);
    tiny_input(&t, "x", "float batch 3 ? 224");
    tiny_weight(&t, "w", 4, 8, 3, 3, 3);
    onnx_node *conv = tiny_node(&t, "Conv", "x w", "y");
    tiny_ints(&t, conv, "pads", 4, 1, 1, 1, 1);
    tiny_ints(&t, conv, "strides", 2, 2, 2);
    tiny_node(&t, "Flatten", "y", "f");
    tiny_shape(&t, "target", 2, -1, 8);
    tiny_node(&t, "Reshape", "y target", "r");
    tiny_output(&t, "f");
    jl_shapes *s = inferred(&t);
    assert_type(s, "y", "float[batch, 8, floor((x.2 + 1)/(2)), 112]");
    assert_type(s, "r", "float[batch*floor((x.2 + 1)/(2))*112, 8]");
    assert_true(jl_dims_bind(s->dims, JL_STR("batch"), 5) &&
                jl_dims_bind(s->dims, JL_STR("x.2"), 7));
    const jl_info *f = &s->values[jl_graph_find(s->graph, 0, JL_STR("f"))];
    jl_dim n = jl_dim_mul(s->dims, f->dims[0], f->dims[1]);
    int64_t v;
    assert_true(jl_dim_eval(s->dims, n, &v, NULL));
    assert_int_equal(v, 5 * 8 * 4 * 112);
    jl_shapes_free(s);
    tiny_free(&t);
}

/* The exporter's way to split heads: sizes by Shape and Gather, through Concat, into Reshape; and
 * sizes that pass through floats. */
static void sizes_computed_in_the_graph_are_followed(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 32);
    tiny_input(&t, "x", "float N 49 96");
    tiny_shape(&t, "zero", 1, 0);
    tiny_shape(&t, "two", 1, 2);
    tiny_shape(&t, "rest", 3, 49, 3, 32);
    tiny_shape(&t, "axis", 1, 0);
    tiny_node(&t, "Shape", "x", "s");
    tiny_node(&t, "Gather", "s zero", "n");
    tiny_node(&t, "Mul", "n two", "n2");
    tiny_node(&t, "Div", "n2 two", "back");
    tiny_i(tiny_node(&t, "Concat", "back rest", "target"), "axis", 0);
    tiny_node(&t, "Reshape", "x target", "heads");
    tiny_i(tiny_node(&t, "Cast", "n", "nf"), "to", JL_FLOAT);
    tiny_i(tiny_node(&t, "Cast", "two", "twof"), "to", JL_FLOAT);
    tiny_node(&t, "Div", "nf twof", "half");
    tiny_node(&t, "Floor", "half", "down");
    tiny_i(tiny_node(&t, "Cast", "down", "size"), "to", JL_INT64);
    tiny_node(&t, "ConstantOfShape", "size", "filled");
    tiny_node(&t, "Slice", "x zero size axis", "front");
    tiny_node(&t, "Squeeze", "n axis", "scalar");
    tiny_node(&t, "Squeeze", "zero axis", "from");
    tiny_node(&t, "Squeeze", "two axis", "step");
    tiny_node(&t, "Range", "from scalar step", "range");
    tiny_output(&t, "heads");
    jl_shapes *s = inferred(&t);
    assert_type(s, "heads", "float[N, 49, 3, 32]");
    assert_type(s, "filled", "float[floor((N)/(2))]");
    assert_type(s, "front", "float[floor((N)/(2)), 49, 96]");
    assert_type(s, "range", "int64[floor((N + 1)/(2))]");
    jl_shapes_free(s);
    tiny_free(&t);
}

static void contradictions_name_the_node(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "a", "float N 4");
    tiny_input(&t, "b", "float 5 N");
    tiny_node(&t, "MatMul", "a b", "y")->name = JL_STR("product");
    expect_error(&t, JL_ERR_FORMAT, "node 'product' (MatMul): inner sizes 4 and 5 differ");

    t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 1 4 8 8");
    tiny_weight(&t, "w", 4, 8, 3, 3, 3);
    tiny_node(&t, "Conv", "x w", "y")->name = JL_STR("c");
    expect_error(&t, JL_ERR_FORMAT,
                 "node 'c' (Conv): the input has 4 channels, but the weight takes 3");

    t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 1 3 2 2");
    tiny_weight(&t, "w", 4, 8, 3, 5, 5);
    tiny_node(&t, "Conv", "x w", "y");
    expect_error(&t, JL_ERR_FORMAT, "node #0 (Conv): output 0 would have -2 elements along axis 2");

    t = tiny_model(17, 8);
    tiny_input(&t, "a", "float 4");
    tiny_input(&t, "b", "int64 4");
    tiny_node(&t, "Add", "a b", "y");
    expect_error(&t, JL_ERR_FORMAT, "its inputs have the types float and int64; insert a Cast");

    t = tiny_model(17, 8);
    tiny_input(&t, "a", "float 4");
    tiny_input(&t, "b", "float 3");
    tiny_node(&t, "Add", "a b", "y");
    expect_error(&t, JL_ERR_FORMAT, "do not broadcast");

    t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 10");
    tiny_shape(&t, "target", 2, 3, -1);
    tiny_node(&t, "Reshape", "x target", "y");
    expect_error(&t, JL_ERR_FORMAT, "10 elements do not divide into groups of 3");

    t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 10");
    tiny_ints(&t, tiny_node(&t, "Transpose", "x", "y"), "perm", 1, 1);
    expect_error(&t, JL_ERR_FORMAT, "axis 1 of a tensor with 1 dimensions");
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 9000000000000000000 3");
    tiny_node(&t, "Relu", "x", "y");
    expect_error(&t, JL_ERR_LIMIT, "the dimensions of 'x' multiply beyond 64 bits");

    t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 4000000000 1");
    tiny_input(&t, "y", "float 1 4000000000");
    tiny_node(&t, "Add", "x y", "z")->name = JL_STR("blow");
    expect_error(&t, JL_ERR_LIMIT, "node 'blow' (Add): sizes multiply beyond 64 bits");

    t = tiny_model(17, 8);
    tiny_input(&t, "x", "float -3 3");
    tiny_node(&t, "Relu", "x", "y");
    expect_error(&t, JL_ERR_FORMAT, "'x' has the negative dimension -3 at axis 0");

    t = tiny_model(17, 8);
    tiny_weight(&t, "w", 2, 3, 3);
    t.graph->initializers.p[0].dims.p[1] = -3;
    tiny_node(&t, "Relu", "w", "y");
    expect_error(&t, JL_ERR_FORMAT, "initializer 'w' has negative or overflowing dimensions");

    t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 2 2");
    tiny_shape(&t, "axes", 1, 0);
    for (int i = 0; i < 40; i++) {
        char *names =
            jl_arena_printf(t.arena, "%s axes", i ? jl_arena_printf(t.arena, "y%d", i - 1) : "x");
        if (i < 8) tiny_node(&t, "Unsqueeze", names, jl_arena_printf(t.arena, "y%d", i));
    }
    jl_shapes *s = inferred(&t);
    assert_type(s, "y7", "float[1, 1, 1, 1, 1, 1, 1, 1, 2, 2]");
    jl_shapes_free(s);
    tiny_free(&t);
}

/* Unknown operators stop nothing: the file's own declaration stands in. */
static void unknown_operators_are_counted(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float N 4");
    tiny_node(&t, "Mystery", "x", "m")->domain = JL_STR("my.own");
    tiny_node(&t, "Relu", "m", "y");
    t.graph->value_infos.p = tiny_info(&t, "m", "float16 N 8");
    t.graph->value_infos.n = 1;
    tiny_output(&t, "y");
    jl_shapes *s = inferred(&t);
    assert_int_equal(s->n_unknown, 1);
    assert_type(s, "y", "float16[N, 8]");
    jl_shapes_free(s);
    tiny_free(&t);
}

/* A loop that makes its state longer each time keeps the rank and loses the length. */
static void loops_settle(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 4 7");
    tiny_input(&t, "trips", "int64");
    tiny_input(&t, "go", "bool");
    onnx_node *loop = tiny_node(&t, "Loop", "trips go x", "y");
    onnx_graph *body = tiny_graph(t.arena, 4);
    tiny_node_in(&t, body, "Identity", "cond", "cond_out");
    tiny_i(tiny_node_in(&t, body, "Concat", "state state", "state_out"), "axis", 0);
    static const char *const in[] = {"i", "cond", "state"}, *const out[] = {"cond_out",
                                                                            "state_out"};
    for (int i = 0; i < 3; i++)
        body->inputs.p[body->inputs.n++] = (onnx_value_info){.name = jl_str_c(in[i])};
    for (int i = 0; i < 2; i++)
        body->outputs.p[body->outputs.n++] = (onnx_value_info){.name = jl_str_c(out[i])};
    tiny_attribute(loop, "body", ONNX_ATTR_GRAPH)->g = body;
    tiny_output(&t, "y");
    jl_shapes *s = inferred(&t);
    const jl_info *y = &s->values[jl_graph_find(s->graph, 0, JL_STR("y"))];
    assert_int_equal(y->rank, 2);
    assert_true(jl_dim_is_unknown(s->dims, y->dims[0]));
    assert_int_equal(y->dims[1].k, 7);
    jl_shapes_free(s);
    tiny_free(&t);
}

/* What exporters write for squeeze: a branch for a size of 1 and one for any other. With the size
 * known only one can run; with it free, the one that would fail is left aside. */
static void branches_that_cannot_run_are_left_aside(void **state)
{
    (void)state;
    static const char *const types[] = {"float 3 1 4", "float N M 4", "float 3 5 4"};
    static const char *const wanted[] = {"float[3, 4]", "float[...]", "float[3, 5, 4]"};
    for (int i = 0; i < 3; i++) {
        tiny t = tiny_model(17, 8);
        tiny_input(&t, "x", types[i]);
        tiny_shape(&t, "one", 1, 1);
        tiny_node(&t, "Shape", "x", "s");
        tiny_node(&t, "Gather", "s one", "size");
        tiny_node(&t, "Equal", "size one", "is_one");
        onnx_node *branch = tiny_node(&t, "If", "is_one", "y");
        for (int k = 0; k < 2; k++) {
            onnx_graph *body = tiny_graph(t.arena, 2);
            tiny_node_in(&t, body, k ? "Identity" : "Squeeze", k ? "x" : "x one", "inner");
            body->outputs.p[body->outputs.n++] = (onnx_value_info){.name = JL_STR("inner")};
            tiny_attribute(branch, k ? "else_branch" : "then_branch", ONNX_ATTR_GRAPH)->g = body;
        }
        tiny_output(&t, "y");
        jl_shapes *s = inferred(&t);
        assert_type(s, "y", wanted[i]);
        jl_shapes_free(s);
        tiny_free(&t);
    }
}

static void einsum_equations(void **state)
{
    (void)state;
    static const struct {
        const char *equation, *a, *b, *wanted;
    } cases[] = {
        {"bhqd,bhkd->bhqk", "float N 12 197 64", "float N 12 197 64", "float[N, 12, 197, 197]"},
        {"ij,jk", "float 3 4", "float 4 5", "float[3, 5]"},
        {"...ij, ...jk -> ...ik", "float N 2 3 4", "float 1 2 4 5", "float[N, 2, 3, 5]"},
        {"i,j->ij", "float N", "float 7", "float[N, 7]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny t = tiny_model(17, 8);
        tiny_input(&t, "a", cases[i].a);
        tiny_input(&t, "b", cases[i].b);
        onnx_node *n = tiny_node(&t, "Einsum", "a b", "y");
        tiny_attribute(n, "equation", ONNX_ATTR_STRING)->s = jl_str_c(cases[i].equation);
        tiny_output(&t, "y");
        jl_shapes *s = inferred(&t);
        assert_type(s, "y", cases[i].wanted);
        jl_shapes_free(s);
        tiny_free(&t);
    }
}

static void damaged_equations_are_errors(void **state)
{
    (void)state;
    static const char *const equations[] = {"...abcdef,b->a", "...a...,b->a", "ab,b->z", "a",
                                            "a,b->a"};
    for (size_t i = 0; i < sizeof equations / sizeof *equations; i++) {
        tiny t = tiny_model(17, 8);
        tiny_input(&t, "a", "float 3 4");
        tiny_input(&t, "b", "float 4");
        onnx_node *n = tiny_node(&t, "Einsum", "a b", "y");
        tiny_attribute(n, "equation", ONNX_ATTR_STRING)->s = jl_str_c(equations[i]);
        expect_error(&t, JL_ERR_FORMAT, "the ");
    }
}

/* The tables are searched by halving. */
static void every_operator_is_found(void **state)
{
    (void)state;
    static const char *const ops[] = {"Abs",  "Add",    "Conv",  "Xor",  "Where",
                                      "Loop", "LSTM",   "GRU",   "Gelu", "LayerNormalization",
                                      "If",   "MatMul", "Einsum"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        const op_rule *r = op_find((jl_str){"", 0}, jl_str_c(ops[i]));
        assert_non_null(r);
        assert_string_equal(r->name, ops[i]);
        assert_ptr_equal(op_find(JL_STR("ai.onnx"), jl_str_c(ops[i])), r);
    }
    assert_null(op_find((jl_str){"", 0}, JL_STR("FusedConv")));
    assert_non_null(op_find(JL_STR("com.microsoft"), JL_STR("FusedConv")));
    assert_null(op_find((jl_str){"", 0}, JL_STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_stays_symbolic),
        cmocka_unit_test(sizes_computed_in_the_graph_are_followed),
        cmocka_unit_test(contradictions_name_the_node),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(unknown_operators_are_counted),
        cmocka_unit_test(loops_settle),
        cmocka_unit_test(branches_that_cannot_run_are_left_aside),
        cmocka_unit_test(einsum_equations),
        cmocka_unit_test(damaged_equations_are_errors),
        cmocka_unit_test(every_operator_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
