#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "model/graph.h"
#include "tiny.h"

static void values_know_who_makes_and_reads_them(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float N 4");
    tiny_weight(&t, "w", 2, 4, 4);
    tiny_node(&t, "MatMul", "x w", "y");
    tiny_node(&t, "Add", "y y", "z");
    tiny_output(&t, "z");
    jl_graph *g;
    jl_error err;
    assert_int_equal(jl_graph_new(t.model, t.arena, &g, &err), 0);
    uint32_t y = jl_graph_find(g, 0, JL_STR("y")), w = jl_graph_find(g, 0, JL_STR("w"));
    assert_int_equal(g->values[y].node, 0);
    assert_int_equal(g->values[y].n_uses, 2);
    assert_int_equal(g->uses[g->values[y].first_use + 1].input, 1);
    assert_non_null(g->values[w].initializer);
    assert_true(g->values[g->scopes[0].inputs[0]].is_input);
    assert_true(g->values[g->scopes[0].outputs[0]].is_output);
    assert_int_equal(jl_graph_find(g, 0, JL_STR("none")), JL_NONE);
    tiny_free(&t);
}

static void nodes_out_of_order_are_sorted(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 4");
    tiny_node(&t, "Relu", "b", "c");
    tiny_node(&t, "Relu", "a", "b");
    tiny_node(&t, "Relu", "x", "a");
    tiny_output(&t, "c");
    jl_graph *g;
    jl_error err;
    assert_int_equal(jl_graph_new(t.model, t.arena, &g, &err), 0);
    const uint32_t wanted[] = {2, 1, 0};
    assert_memory_equal(g->scopes[0].order, wanted, sizeof wanted);
    tiny_free(&t);
}

/* A branch reads a value that the outer graph makes later in the file. */
static void sub_graphs_read_the_graph_around_them(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 4");
    tiny_input(&t, "yes", "bool");
    onnx_node *branch = tiny_node(&t, "If", "yes", "y");
    tiny_node(&t, "Relu", "x", "late");
    tiny_output(&t, "y");
    for (int i = 0; i < 2; i++) {
        onnx_graph *body = tiny_graph(t.arena, 4);
        tiny_node_in(&t, body, i ? "Neg" : "Abs", "late", "inner");
        body->outputs.p[body->outputs.n++] = (onnx_value_info){.name = JL_STR("inner")};
        tiny_attribute(branch, i ? "else_branch" : "then_branch", ONNX_ATTR_GRAPH)->g = body;
    }
    jl_graph *g;
    jl_error err;
    assert_int_equal(jl_graph_new(t.model, t.arena, &g, &err), 0);
    assert_int_equal(g->n_scopes, 3);
    assert_int_equal(g->nodes[0].n_scopes, 2);
    const uint32_t wanted[] = {1, 0};
    assert_memory_equal(g->scopes[0].order, wanted, sizeof wanted);
    uint32_t late = jl_graph_find(g, 0, JL_STR("late"));
    assert_int_equal(g->values[late].n_uses, 2);
    assert_int_equal(g->nodes[g->uses[g->values[late].first_use].node].scope, 1);
    assert_int_equal(jl_graph_find(g, 2, JL_STR("late")), late);
    assert_int_not_equal(jl_graph_find(g, 2, JL_STR("inner")),
                         jl_graph_find(g, 1, JL_STR("inner")));
    tiny_free(&t);
}

static void expect_error(tiny *t, const char *words)
{
    jl_graph *g;
    jl_error err = {0};
    assert_int_equal(jl_graph_new(t->model, t->arena, &g, &err), JL_ERR_FORMAT);
    if (!strstr(err.msg, words)) fail_msg("'%s' is not in: %s", words, err.msg);
    tiny_free(t);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 4");
    tiny_node(&t, "Add", "x c", "a")->name = JL_STR("first");
    tiny_node(&t, "Relu", "a", "b")->name = JL_STR("second");
    tiny_node(&t, "Relu", "b", "c");
    expect_error(&t, "cycle: node 'first' (Add) reads from node #2 (Relu) reads from node 'second' "
                     "(Relu) reads from the first");
    t = tiny_model(17, 8);
    tiny_node(&t, "Relu", "self", "self")->name = JL_STR("loop");
    expect_error(&t, "cycle: node 'loop' (Relu) reads from the first");
    t = tiny_model(17, 8);
    tiny_node(&t, "Relu", "ghost", "a")->name = JL_STR("r");
    expect_error(&t, "node 'r' (Relu) reads 'ghost', which nothing makes");
    t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 4");
    tiny_node(&t, "Relu", "x", "a");
    tiny_node(&t, "Neg", "x", "a");
    expect_error(&t, "node #1 (Neg) makes 'a', which node #0 (Relu) already");
    t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 4");
    tiny_node(&t, "Relu", "x", "x");
    expect_error(&t, "is an input or an initializer already");
    t = tiny_model(17, 8);
    tiny_output(&t, "ghost");
    expect_error(&t, "output 'ghost' is made by no node");
    t = tiny_model(17, 8);
    tiny_weight(&t, "w", 1, 4);
    tiny_weight(&t, "w", 1, 4);
    expect_error(&t, "two initializers are called 'w'");
    t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 4");
    tiny_input(&t, "x", "float 4");
    expect_error(&t, "two inputs are called 'x'");
}

/* 100,000 nodes against the file's order: this takes minutes when anything is quadratic. */
static void large_graphs_take_linear_time(void **state)
{
    (void)state;
    enum { NODES = 100000 };
    tiny t = tiny_model(17, NODES);
    tiny_input(&t, "v0", "float N 4");
    for (int i = NODES; i > 0; i--) {
        onnx_node *n = &t.graph->nodes.p[t.graph->nodes.n++];
        jl_str *names = jl_arena_array(t.arena, 2, sizeof *names);
        names[0] = jl_str_c(jl_arena_printf(t.arena, "v%d", i - 1));
        names[1] = jl_str_c(jl_arena_printf(t.arena, "v%d", i));
        n->op_type = JL_STR("Relu");
        n->inputs.p = names;
        n->outputs.p = names + 1;
        n->inputs.n = n->outputs.n = 1;
    }
    tiny_output(&t, "v100000");
    jl_graph *g;
    jl_error err;
    assert_int_equal(jl_graph_new(t.model, t.arena, &g, &err), 0);
    assert_int_equal(g->scopes[0].order[0], NODES - 1);
    assert_int_equal(g->scopes[0].order[NODES - 1], 0);
    tiny_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_know_who_makes_and_reads_them),
        cmocka_unit_test(nodes_out_of_order_are_sorted),
        cmocka_unit_test(sub_graphs_read_the_graph_around_them),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(large_graphs_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
