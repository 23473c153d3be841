#include "jouleline/comparison.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"

enum { MODELS = 2, CONFIGURATIONS = 3, ROUNDS = 10, CELLS = MODELS * CONFIGURATIONS };

typedef struct small {
    jl_study_table t;
    jl_study_model models[MODELS];
    jl_study_configuration configurations[CONFIGURATIONS];
    jl_study_device devices[2];
    jl_study_cell cells[CELLS];
    double latency[CELLS * ROUNDS];
} small;

/* Configuration 1 takes half the time of 0; 2 takes as long as 0. */
static void make(small *s)
{
    memset(s, 0, sizeof *s);
    jl_rng rng = {3};
    for (int i = 0; i < MODELS; i++)
        s->models[i].name = i ? "b" : "a";
    for (int i = 0; i < CONFIGURATIONS; i++)
        s->configurations[i] = (jl_study_configuration){.name = i ? i == 1 ? "y" : "z" : "x",
                                                        .runtime = "r",
                                                        .provider = "p",
                                                        .precision = "fp32"};
    s->devices[0].name = "d";
    s->devices[1].name = "e";
    for (uint32_t i = 0; i < CELLS; i++) {
        s->cells[i] = (jl_study_cell){.model = i / CONFIGURATIONS,
                                      .configuration = i % CONFIGURATIONS,
                                      .batch = 1,
                                      .in_flight = 1};
        for (size_t r = 0; r < ROUNDS; r++)
            s->latency[i * ROUNDS + r] =
                1e6 * (i % CONFIGURATIONS == 1 ? 0.5 : 1) * exp(0.01 * jl_rng_normal(&rng));
    }
    s->t = (jl_study_table){.models = s->models,
                            .model_count = MODELS,
                            .configurations = s->configurations,
                            .configuration_count = CONFIGURATIONS,
                            .devices = s->devices,
                            .device_count = 2,
                            .cells = s->cells,
                            .cell_count = CELLS,
                            .rounds = ROUNDS,
                            .values = {s->latency}};
}

static small s;

static void all_pairs_with_both_families(void **state)
{
    (void)state;
    make(&s);
    jl_comparisons c;
    jl_comparison_options o = {.baseline = JL_ALL_PAIRS, .study_wide = true, .threads = 2};
    assert_int_equal(jl_study_table_check(&s.t, NULL), 0);
    assert_int_equal(jl_compare_study(&s.t, &o, &c, NULL), 0);
    assert_int_equal(c.count, 6);
    for (size_t i = 0; i < c.count; i++) {
        const jl_comparison *k = &c.items[i];
        uint32_t base = s.cells[k->base].configuration, other = s.cells[k->new_cell].configuration;
        double expected = other == 1 ? 0.5 : base == 1 ? 2 : 1;
        assert_int_equal(k->n, 10);
        assert_int_equal(k->family, 3);
        assert_int_equal(k->study_family, 6);
        assert_true(fabs(k->ratio.value / expected - 1) < 0.02);
        assert_true(k->interval.low <= k->ratio.value && k->ratio.value <= k->interval.high);
        assert_true(fabs(k->p_least - 2.0 / 1024) < 1e-12);
        assert_true(k->p_bonferroni.value >= k->p_holm.value && k->p_holm.value >= k->p.value);
        assert_true((k->p_study.value <= 0.05) == (base == 1 || other == 1));
        assert_true(fabs(k->p_study_bonferroni.value - fmin(1, 6 * k->p.value)) < 1e-12);
    }
    jl_comparisons_free(&c);
}

static void a_baseline_makes_its_own_family(void **state)
{
    (void)state;
    make(&s);
    s.cells[1].outcome = JL_OUTCOME_OOM;
    jl_comparisons c;
    jl_comparison_options o = {.baseline = 2};
    assert_int_equal(jl_compare_study(&s.t, &o, &c, NULL), 0);
    assert_int_equal(c.count, 3); /* model a lost one */
    assert_int_equal(c.items[0].family, 1);
    assert_int_equal(c.items[1].family, 2);
    for (size_t i = 0; i < c.count; i++) {
        assert_int_equal(s.cells[c.items[i].base].configuration, 2);
        assert_int_equal(c.items[i].p_study.why, JL_NOT_TESTED);
    }
    jl_comparisons_free(&c);
    o.baseline = 7;
    jl_error err = {0};
    assert_int_equal(jl_compare_study(&s.t, &o, &c, &err), JL_ERR_USAGE);
}

static void missing_interrupted_and_absurd_values_are_stated(void **state)
{
    (void)state;
    make(&s);
    bool complete[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        complete[i] = i != 4;
    s.t.pairs = complete;
    s.latency[0] = NAN; /* cell 0, round 0 */
    s.latency[1] = 0;   /* no log */
    s.latency[2] = INFINITY;
    s.latency[3] = -5;
    for (size_t r = 0; r < ROUNDS; r++)
        s.latency[5 * ROUNDS + r] = NAN; /* nothing at all */
    jl_comparisons c;
    jl_comparison_options o = {.baseline = JL_ALL_PAIRS, .study_wide = true};
    assert_int_equal(jl_compare_study(&s.t, &o, &c, NULL), 0);
    for (size_t i = 0; i < c.count; i++) {
        const jl_comparison *k = &c.items[i];
        const double numbers[] = {k->ratio.value,
                                  k->interval.low,
                                  k->interval.high,
                                  k->interval.level,
                                  k->effect.value,
                                  k->p.value,
                                  k->p_bonferroni.value,
                                  k->p_holm.value,
                                  k->p_study.value,
                                  k->p_study_bonferroni.value,
                                  k->p_least};
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++)
            assert_true(isfinite(numbers[j]));
        if (k->base == 0) {
            assert_int_equal(k->n, 5);
            assert_int_equal(k->left_out, 4);
            assert_int_equal(k->interval.why, JL_TOO_FEW);
            assert_true(k->p.value >= 2.0 / 32 - 1e-12);
        }
        if (k->new_cell == 5) {
            assert_int_equal(k->n, 0);
            assert_int_equal(k->p.why, JL_NO_PAIRS);
            assert_int_equal(k->ratio.why, JL_NO_PAIRS);
            assert_int_equal(k->p_study.why, JL_NO_PAIRS);
            assert_int_equal(k->p_holm.why, JL_NO_PAIRS);
        }
    }
    jl_comparisons_free(&c);
    o.metric = JL_ENERGY; /* not measured */
    assert_int_equal(jl_compare_study(&s.t, &o, &c, NULL), 0);
    for (size_t i = 0; i < c.count; i++)
        assert_int_equal(c.items[i].p.why, JL_NO_PAIRS);
    jl_comparisons_free(&c);
}

static void identical_runs_carry_no_evidence(void **state)
{
    (void)state;
    make(&s);
    for (size_t i = 0; i < CELLS * ROUNDS; i++)
        s.latency[i] = 1000;
    jl_comparisons c;
    jl_comparison_options o = {.baseline = JL_ALL_PAIRS, .study_wide = true};
    assert_int_equal(jl_compare_study(&s.t, &o, &c, NULL), 0);
    for (size_t i = 0; i < c.count; i++) {
        assert_true(!(c.items[i].p.value < 1) && !(c.items[i].p_study.value < 1));
        assert_int_equal(c.items[i].effect.why, JL_NO_SPREAD);
        assert_true(!(fabs(c.items[i].ratio.value - 1) > 0));
    }
    jl_comparisons_free(&c);
}

static void devices_and_batches_are_never_mixed(void **state)
{
    (void)state;
    make(&s);
    s.cells[0].device = 1;
    s.cells[4].batch = 8;
    jl_comparisons c;
    jl_comparison_options o = {.baseline = JL_ALL_PAIRS};
    assert_int_equal(jl_compare_study(&s.t, &o, &c, NULL), 0);
    assert_int_equal(c.count, 2);
    jl_comparisons_free(&c);
}

/* 30 models, batches 1 to 4, three configurations: 360 pairs, enough for threads. */
static void threads_change_nothing(void **state)
{
    (void)state;
    enum { MANY = 30, PLACES = 4 * MANY, ROWS = PLACES * CONFIGURATIONS };
    make(&s);
    static jl_study_model models[MANY];
    static jl_study_cell cells[ROWS];
    static double latency[ROWS * ROUNDS];
    jl_rng rng = {5};
    for (int i = 0; i < MANY; i++)
        models[i].name = "m";
    for (uint32_t i = 0; i < ROWS; i++) {
        cells[i] = (jl_study_cell){.model = i / CONFIGURATIONS / 4,
                                   .configuration = i % CONFIGURATIONS,
                                   .batch = 1 + i / CONFIGURATIONS % 4,
                                   .in_flight = 1};
        for (size_t r = 0; r < ROUNDS; r++)
            latency[i * ROUNDS + r] = exp(0.1 * jl_rng_normal(&rng) + 0.02 * (i % CONFIGURATIONS));
    }
    s.t.models = models;
    s.t.model_count = MANY;
    s.t.cells = cells;
    s.t.cell_count = ROWS;
    s.t.values[JL_LATENCY] = latency;
    jl_comparisons one, three;
    jl_comparison_options o = {.baseline = JL_ALL_PAIRS, .study_wide = true, .threads = 1};
    size_t count;
    assert_int_equal(jl_count_comparisons(&s.t, &o, &count, NULL), 0);
    assert_int_equal(count, 3 * PLACES);
    assert_int_equal(jl_compare_study(&s.t, &o, &one, NULL), 0);
    o.threads = 3;
    assert_int_equal(jl_compare_study(&s.t, &o, &three, NULL), 0);
    assert_int_equal(one.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(one.items[i].p_study.value == three.items[i].p_study.value);
        assert_true(one.items[i].p_holm.value == three.items[i].p_holm.value);
        assert_true(one.items[i].interval.low == three.items[i].interval.low);
    }
    o.baseline = 1;
    assert_int_equal(jl_count_comparisons(&s.t, &o, &count, NULL), 0);
    assert_int_equal(count, 2 * PLACES);
    o.baseline = CONFIGURATIONS;
    assert_int_equal(jl_count_comparisons(&s.t, &o, &count, NULL), JL_ERR_USAGE);
    jl_comparisons_free(&one);
    jl_comparisons_free(&three);
}

static void a_broken_table_is_refused(void **state)
{
    (void)state;
    jl_error err = {0};
    make(&s);
    s.cells[3].device = 2;
    assert_int_equal(jl_study_table_check(&s.t, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "cell 3"));
    make(&s);
    s.cells[3].batch = 0;
    assert_int_equal(jl_study_table_check(&s.t, &err), JL_ERR_USAGE);
    make(&s);
    s.t.rounds = SIZE_MAX / 16;
    assert_int_equal(jl_study_table_check(&s.t, &err), JL_ERR_LIMIT);
    make(&s);
    s.models[1].name = NULL;
    assert_int_equal(jl_study_table_check(&s.t, &err), JL_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_pairs_with_both_families),
        cmocka_unit_test(a_baseline_makes_its_own_family),
        cmocka_unit_test(missing_interrupted_and_absurd_values_are_stated),
        cmocka_unit_test(identical_runs_carry_no_evidence),
        cmocka_unit_test(devices_and_batches_are_never_mixed),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(a_broken_table_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
