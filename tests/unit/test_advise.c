#include "jouleline/advise.h"
#include "jouleline/verdict.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"

enum { CELLS = 5, ROUNDS = 8 };

typedef struct small {
    jl_study_table t;
    jl_study_model model;
    jl_study_configuration configurations[3];
    jl_study_device device;
    jl_study_cell cells[CELLS];
    double latency[CELLS * ROUNDS], energy[CELLS * ROUNDS], tail[CELLS * ROUNDS];
} small;
static small s;

/* fp32 at batch 1 and 8, fp16 at batch 1 and 8, int8 at batch 1. */
static void make(void)
{
    static const double ms[CELLS] = {4, 20, 3, 12, 5}, joules[CELLS] = {0.5, 0.3, 0.4, 0.2, 0.1};
    memset(&s, 0, sizeof s);
    s.model.name = "resnet50";
    s.device.name = "d";
    const char *const names[] = {"ort-cuda/fp32", "ort-cuda/fp16", "ort-cuda/int8"},
                      *const precisions[] = {"fp32", "fp16", "int8"};
    for (int i = 0; i < 3; i++)
        s.configurations[i] = (jl_study_configuration){
            .name = names[i], .runtime = "ort", .provider = "cuda", .precision = precisions[i]};
    for (uint32_t i = 0; i < CELLS; i++) {
        s.cells[i] = (jl_study_cell){.configuration = i / 2,
                                     .batch = i % 2 ? 8 : 1,
                                     .in_flight = 1,
                                     .checked_items = 1000,
                                     .agree_items = i == 4 ? 900 : 999};
        for (int r = 0; r < ROUNDS; r++) {
            double wobble = 1 + 0.01 * (r - 3.5) / 3.5;
            s.latency[i * ROUNDS + (size_t)r] = ms[i] * 1e6 * wobble;
            s.tail[i * ROUNDS + (size_t)r] = 2 * ms[i] * 1e6 * wobble;
            s.energy[i * ROUNDS + (size_t)r] = joules[i] * wobble;
        }
    }
    s.t = (jl_study_table){
        .models = &s.model,
        .model_count = 1,
        .configurations = s.configurations,
        .configuration_count = 3,
        .devices = &s.device,
        .device_count = 1,
        .cells = s.cells,
        .cell_count = CELLS,
        .rounds = ROUNDS,
        .values = {[JL_LATENCY] = s.latency, [JL_ENERGY] = s.energy, [JL_LATENCY_TAIL] = s.tail},
        .tail_percentile = 0.99};
}

static void limits_choose(void **state)
{
    (void)state;
    const struct {
        jl_limits limits;
        uint32_t cell;
        size_t meeting;
    } cases[] = {
        {{0}, 4, 5},
        {{.agreement = 0.98}, 3, 4},
        {{.agreement = 0.98, .latency_ns = 10e6}, 2, 2},
        {{.agreement = 0.98, .latency_ns = 10e6, .tail = true}, 2, 2},
        {{.agreement = 0.98, .latency_ns = 7e6, .tail = true}, 2, 1},
        {{.throughput_items_per_s = 500}, 3, 1},
        {{.energy_j_per_item = 0.25}, 4, 2},
        {{.power_w = 130}, 4, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make();
        jl_advice a;
        assert_int_equal(jl_advise(&s.t, 0, UINT32_MAX, &cases[i].limits, &a, NULL), 0);
        if (a.items[0].cell != cases[i].cell || a.meeting != cases[i].meeting)
            fail_msg("case %zu: cell %u, %zu meet", i, a.items[0].cell, a.meeting);
        assert_int_equal(a.count, CELLS);
        assert_non_null(strstr(a.text, "For resnet50 use "));
        jl_advice_free(&a);
    }
}

static void the_pareto_set_holds_no_worse_cell(void **state)
{
    (void)state;
    make();
    jl_advice a;
    jl_limits none = {0};
    assert_int_equal(jl_advise(&s.t, 0, 0, &none, &a, NULL), 0);
    for (size_t i = 0; i < a.count; i++) /* fp32 is worse than fp16 in all but agreement */
        assert_true(a.items[i].pareto);
    jl_advice_free(&a);
    s.cells[2].agree_items = s.cells[3].agree_items = 1000;
    assert_int_equal(jl_advise(&s.t, 0, 0, &none, &a, NULL), 0);
    for (size_t i = 0; i < a.count; i++)
        assert_int_equal(a.items[i].pareto, s.cells[a.items[i].cell].configuration != 0);
    jl_advice_free(&a);
}

static void impossible_limits_and_gaps_are_said(void **state)
{
    (void)state;
    make();
    jl_advice a;
    jl_limits l = {.latency_ns = 1e6, .power_w = 1};
    assert_int_equal(jl_advise(&s.t, 0, 0, &l, &a, NULL), 0);
    assert_int_equal(a.meeting, 0);
    assert_non_null(strstr(a.text, "None of the 5 cells of resnet50 meets the limits: latency "
                                   "rules out 5, power rules out 5."));
    jl_advice_free(&a);
    for (size_t i = 0; i < CELLS * ROUNDS; i++)
        s.energy[i] = NAN;
    s.t.values[JL_LATENCY_TAIL] = NULL;
    l = (jl_limits){.latency_ns = 1e9, .tail = true};
    assert_int_equal(jl_advise(&s.t, 0, 0, &l, &a, NULL), 0);
    assert_int_equal(a.meeting, 0); /* an unknown tail meets nothing */
    jl_advice_free(&a);
    l.tail = false;
    s.t.rounds = 2;
    assert_int_equal(jl_advise(&s.t, 0, 0, &l, &a, NULL), 0);
    assert_false(a.by_energy);
    assert_non_null(strstr(a.text, "the least time per item"));
    assert_non_null(strstr(a.text, "Too few rounds"));
    jl_advice_free(&a);
    for (size_t i = 0; i < CELLS; i++)
        s.cells[i].outcome = JL_OUTCOME_OOM;
    assert_int_equal(jl_advise(&s.t, 0, 0, &l, &a, NULL), 0);
    assert_string_equal(a.text, "No measured cell of resnet50 ran.");
    jl_advice_free(&a);
    assert_int_equal(jl_advise(&s.t, 1, 0, &l, &a, NULL), JL_ERR_USAGE);
}

static void verdicts_follow_the_interval(void **state)
{
    (void)state;
    double d[3 * 10];
    jl_rng rng = {2};
    for (int i = 0; i < 10; i++) {
        d[i] = 0.10 + 0.005 * jl_rng_normal(&rng);
        d[10 + i] = 0.00 + 0.005 * jl_rng_normal(&rng);
        d[20 + i] = 0.031 + 0.02 * jl_rng_normal(&rng);
    }
    jl_verdict v[3];
    assert_int_equal(jl_judge(d, 3, 10, 0.03, 0, 1, v, NULL), 0);
    assert_int_equal(v[0].kind, JL_VERDICT_REGRESSION);
    assert_int_equal(v[1].kind, JL_VERDICT_PASS);
    assert_int_equal(v[2].kind, JL_VERDICT_INCONCLUSIVE);
    assert_true(v[2].rounds_needed.why == JL_NOT_IDENTIFIABLE || v[2].rounds_needed.value > 10);
    assert_true(v[0].interval.low > 1.03 && v[0].interval.low < v[0].ratio.value);
    for (int i = 5; i < 10; i++)
        d[i] = NAN;
    assert_int_equal(jl_judge(d, 1, 10, 0.03, 0, 1, v, NULL), 0);
    assert_int_equal(v[0].kind, JL_VERDICT_INCONCLUSIVE);
    assert_true(v[0].rounds_needed.value > 5 && v[0].rounds_needed.value < 7);
    for (int i = 0; i < 10; i++)
        d[i] = 0.5; /* without noise, as on a simulated device */
    assert_int_equal(jl_judge(d, 1, 10, 0.03, 0, 1, v, NULL), 0);
    assert_int_equal(v[0].kind, JL_VERDICT_REGRESSION);
    for (int i = 0; i < 10; i++)
        d[i] = NAN;
    assert_int_equal(jl_judge(d, 1, 10, 0.03, 0, 1, v, NULL), 0);
    assert_int_equal(v[0].kind, JL_VERDICT_INCONCLUSIVE);
    assert_int_equal(jl_judge(d, 1, 10, 0, 0, 1, v, NULL), JL_ERR_USAGE);
    assert_int_equal(jl_verdict_exit(JL_VERDICT_PASS), 0);
    assert_int_equal(jl_verdict_exit(JL_VERDICT_REGRESSION), 3);
    assert_int_equal(jl_verdict_exit(JL_VERDICT_INCONCLUSIVE), 4);
}

static void stores_are_judged_unpaired(void **state)
{
    (void)state;
    double base[12], slower[10], same[12];
    jl_rng rng = {8};
    for (int i = 0; i < 12; i++) {
        base[i] = 0.005 * jl_rng_normal(&rng);
        same[i] = 0.005 * jl_rng_normal(&rng);
        if (i < 10) slower[i] = 0.2 + 0.005 * jl_rng_normal(&rng);
    }
    jl_verdict v;
    assert_int_equal(jl_judge_unpaired(base, 12, slower, 10, 1, 0.03, 0, &v, NULL), 0);
    assert_int_equal(v.kind, JL_VERDICT_REGRESSION);
    assert_int_equal(v.n, 10);
    assert_int_equal(jl_judge_unpaired(base, 12, same, 12, 1, 0.03, 0, &v, NULL), 0);
    assert_int_equal(v.kind, JL_VERDICT_PASS);
    assert_int_equal(jl_judge_unpaired(base, 12, slower, 5, 1, 0.03, 0, &v, NULL), 0);
    assert_int_equal(v.kind, JL_VERDICT_INCONCLUSIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_choose),
        cmocka_unit_test(the_pareto_set_holds_no_worse_cell),
        cmocka_unit_test(impossible_limits_and_gaps_are_said),
        cmocka_unit_test(verdicts_follow_the_interval),
        cmocka_unit_test(stores_are_judged_unpaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
