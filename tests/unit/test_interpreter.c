/* What Python costs: which cells are held against each other, what the difference may be called,
 * and its size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "jouleline/interpreter.h"

enum { ROUNDS = 8, PYTHON = 0, GRAPH, TRACE, THREADS, HALF, CONFIGURATIONS };

static const jl_study_configuration configurations[] = {
    {.name = "pytorch-cpu/fp32",
     .runtime = "pytorch",
     .provider = "cpu",
     .precision = "fp32",
     .options = "+channels_last=1"},
    {.name = "libtorch-cpu/fp32",
     .runtime = "libtorch",
     .provider = "cpu",
     .precision = "fp32",
     .options = "+channels_last=1"},
    {.name = "libtorch-cpu/fp32+trace",
     .runtime = "libtorch",
     .provider = "cpu",
     .precision = "fp32",
     .options = "+channels_last=1+lib=/shim.so+trace=/m.pt+version=2.11.0"},
    {.name = "libtorch-cpu/fp32+threads=1+trace",
     .runtime = "libtorch",
     .provider = "cpu",
     .precision = "fp32",
     .options = "+channels_last=1+threads=1+trace=/m.pt"},
    {.name = "libtorch-cpu/fp16",
     .runtime = "libtorch",
     .provider = "cpu",
     .precision = "fp16",
     .options = "+channels_last=1+trace=/m.pt"},
};
static const jl_study_fact python_facts[] = {{"version", "2.11.0+cu130", NULL},
                                             {"threads", "2", NULL},
                                             {"start", "fork", NULL},
                                             {"python", "3.12", NULL}};

typedef struct small {
    jl_study_model models[2];
    jl_study_device device;
    jl_study_cell cells[2 * CONFIGURATIONS];
    jl_study_fact facts[5];
    double latency[2 * CONFIGURATIONS * ROUNDS], energy[2 * CONFIGURATIONS * ROUNDS];
    jl_study_table t;
} small;

/* Batch 1 and 8 of every configuration; PyTorch takes 0.5 ms of 2 ms longer in every round. */
static void make(small *s)
{
    *s = (small){.models = {{.name = "resnet18"}, {.name = "probe", .probe = true}},
                 .device = {.name = "CPU"},
                 .facts = {{"version", "2.11.0", NULL},
                           {"threads", "2", NULL},
                           {"start", "exec", NULL},
                           {"dispatch", "trace", NULL},
                           {"same_operators", "1", NULL}}};
    for (uint32_t i = 0; i < 2 * CONFIGURATIONS; i++) {
        uint32_t c = i % CONFIGURATIONS;
        s->cells[i] = (jl_study_cell){.configuration = c,
                                      .batch = i < CONFIGURATIONS ? 1 : 8,
                                      .in_flight = 1,
                                      .facts = c == PYTHON ? python_facts : s->facts,
                                      .fact_count = c == PYTHON  ? 4
                                                    : c == GRAPH ? 3
                                                                 : 5};
        for (int r = 0; r < ROUNDS; r++) {
            s->latency[i * ROUNDS + (uint32_t)r] = c == PYTHON ? 2e6 : 1.5e6;
            s->energy[i * ROUNDS + (uint32_t)r] = c == PYTHON ? 0.4 : 0.1 * (r + 1);
        }
    }
    s->t = (jl_study_table){.models = s->models,
                            .model_count = 2,
                            .configurations = configurations,
                            .configuration_count = CONFIGURATIONS,
                            .devices = &s->device,
                            .device_count = 1,
                            .cells = s->cells,
                            .cell_count = 2 * CONFIGURATIONS,
                            .rounds = ROUNDS,
                            .values = {[JL_LATENCY] = s->latency, [JL_ENERGY] = s->energy}};
}

static void find(const small *s, jl_metric metric, jl_interpreter_shares *all)
{
    jl_error err = {0};
    if (jl_find_interpreter_shares(&s->t, metric, 0.95, all, &err)) fail_msg("%s", err.msg);
}

static void cells_that_differ_in_the_runtime_alone_are_paired(void **state)
{
    (void)state;
    small s;
    jl_interpreter_shares all;
    make(&s);
    find(&s, JL_LATENCY, &all);
    assert_int_equal(all.count, 4); /* graph and trace, at both batches */
    for (uint32_t i = 0; i < 4; i++) {
        const jl_interpreter_share *x = &all.items[i];
        assert_int_equal(x->pytorch, i / 2 * CONFIGURATIONS + PYTHON);
        assert_int_equal(x->libtorch, i / 2 * CONFIGURATIONS + (i % 2 ? TRACE : GRAPH));
        assert_int_equal(x->n, ROUNDS);
        assert_float_equal(x->difference.value, 0.5e6, 1);
        assert_float_equal(x->between.low, 0.5e6, 1);
        assert_float_equal(x->share.value, 0.25, 1e-12);
        assert_float_equal(x->share_between.high, 0.25, 1e-12);
    }
    jl_interpreter_shares_free(&all);
    find(&s, JL_ENERGY, &all);
    assert_float_equal(all.items[0].difference.value, -0.05, 1e-6);
    assert_true(all.items[0].between.low < all.items[0].between.high);
    assert_true(all.items[0].share_between.low < 0 && all.items[0].share_between.high > 0);
    jl_interpreter_shares_free(&all);
    s.cells[TRACE].outcome = JL_OUTCOME_NUMERICAL;
    s.cells[CONFIGURATIONS + TRACE].model = 1; /* a probe */
    find(&s, JL_LATENCY, &all);
    assert_int_equal(all.count, 2);
    jl_interpreter_shares_free(&all);
    s.t.values[JL_LATENCY] = NULL;
    find(&s, JL_LATENCY, &all);
    assert_int_equal(all.count, 0);
}

/* The name of the difference follows the facts of the run. */
static void only_the_same_operators_are_the_interpreters_share(void **state)
{
    (void)state;
    static const struct {
        int fact;
        const char *value;
        bool alone, operators, torch;
    } cases[] = {
        {4, "1", true, true, true},    {4, "0", false, false, true},
        {4, NULL, false, false, true}, {0, "1.13.0", false, true, false},
        {0, NULL, false, true, false}, {0, "2.11.0a0+git", true, true, true},
        {1, "1", false, true, true}, /* threads */
        {2, "fork", true, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        small s;
        jl_interpreter_shares all;
        make(&s);
        s.facts[cases[i].fact].value = cases[i].value;
        find(&s, JL_LATENCY, &all);
        const jl_interpreter_share *graph = &all.items[0], *trace = &all.items[1];
        assert_false(graph->alone || graph->same_operators);
        assert_int_equal(trace->alone, cases[i].alone);
        assert_int_equal(trace->same_operators, cases[i].operators);
        assert_int_equal(trace->same_torch, cases[i].torch);
        jl_interpreter_shares_free(&all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_that_differ_in_the_runtime_alone_are_paired),
        cmocka_unit_test(only_the_same_operators_are_the_interpreters_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
