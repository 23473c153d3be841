#include "jouleline/energy_model.h"
#include "jouleline/paradox.h"
#include "jouleline/roofline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "simulated_study.h"

static sim s;

static void assert_within(double found, double expected, double relative)
{
    if (!(fabs(found / expected - 1) <= relative))
        fail_msg("%g instead of %g within %g", found, expected, relative);
}

static void roofs_come_from_the_probes(void **state)
{
    (void)state;
    sim_make(&s, 0.01, false, true);
    assert_int_equal(jl_study_table_check(&s.t, NULL), 0);
    jl_roofs roofs;
    assert_int_equal(jl_study_roofs(&s.t, 0, 0, &roofs, NULL), 0);
    assert_within(roofs.rate[JL_ROOF_COMPUTE].value, sim_flop_per_s, 0.03);
    assert_within(roofs.rate[JL_ROOF_MEMORY].value, sim_bytes_per_s, 0.03);
    assert_within(roofs.rate[JL_ROOF_DISPATCH].value, sim_dispatch_per_s, 0.03);
    jl_roof_place place[SIM_CELLS];
    assert_int_equal(jl_study_roofline(&s.t, place, NULL), 0);
    for (size_t i = 0; i < s.t.cell_count; i++) {
        const jl_study_cell *c = &s.cells[i];
        double t[] = {c->flop / sim_flop_per_s, c->bytes / sim_bytes_per_s,
                      c->dispatches / sim_dispatch_per_s};
        int binds = t[0] > t[1] ? (t[0] > t[2] ? 0 : 2) : (t[1] > t[2] ? 1 : 2);
        if (t[binds] > 1.1 * t[(binds + 1) % 3] && t[binds] > 1.1 * t[(binds + 2) % 3])
            assert_int_equal(place[i].binds, binds);
        assert_within(place[i].fraction.value, 1, 0.05);
        assert_false(place[i].partial);
    }
}

static void an_unknown_roof_is_said(void **state)
{
    (void)state;
    jl_roofs roofs = {{jl_some(1e12), jl_none(JL_NO_VALUES), jl_some(1e5)}};
    jl_work work[2] = {{{1e9, 1e6, 10}}, {{NAN, NAN, NAN}}};
    double time_s[2] = {0.002, NAN};
    jl_roof_place p[2];
    jl_roofline(&roofs, work, time_s, 2, p);
    assert_true(p[0].partial);
    assert_int_equal(p[0].binds, JL_ROOF_COMPUTE);
    assert_within(p[0].fraction.value, 0.5, 1e-12);
    assert_int_equal(p[1].bound_s.why, JL_NO_VALUES);
    assert_int_equal(p[1].fraction.why, JL_NO_VALUES);
    assert_int_equal(p[1].intensity.why, JL_NO_VALUES);
}

static void known_coefficients_are_recovered(void **state)
{
    (void)state;
    sim_make(&s, 0.01, false, true);
    jl_energy_fit f;
    assert_int_equal(jl_study_energy_fit(&s.t, 0, 0, 1, &f, NULL), 0);
    assert_int_equal(f.why, JL_KNOWN);
    assert_int_equal(f.models, SIM_MODELS);
    assert_int_equal(f.probes, SIM_PROBES);
    const double truth[] = {sim_static_w, sim_flop_j, sim_byte_j};
    for (int k = 0; k < JL_ENERGY_TERMS; k++) {
        assert_int_equal(f.term[k].identified.why, JL_KNOWN);
        assert_within(f.term[k].identified.value, truth[k], 0.03);
        assert_true(f.term[k].interval.low <= f.term[k].value &&
                    f.term[k].value <= f.term[k].interval.high);
    }
    assert_true(f.error.value < 0.02);
    assert_true(f.error_time_only.value > 5 * f.error.value);
    assert_true(f.error_flop_only.value > 5 * f.error.value);
    jl_energy_row row;
    jl_value split[JL_ENERGY_TERMS];
    assert_true(jl_energy_row_of(&s.t, 0, &row));
    jl_energy_split(&f, &row, split);
    assert_within(split[0].value + split[1].value + split[2].value, s.true_energy[0], 0.03);
}

static void a_design_that_cannot_tell_is_said(void **state)
{
    (void)state;
    /* Batch 1 on a slow dispatcher, without probes: time hardly varies, FLOP and bytes do little.
     */
    sim_make(&s, 0.01, true, false);
    for (size_t i = 0; i < s.t.cell_count; i++)
        for (size_t r = 0; r < SIM_ROUNDS; r++) {
            double t_s = 0.005 * s.latency[i * SIM_ROUNDS + r] / (sim_time_s(&s.cells[i]) * 1e9);
            s.latency[i * SIM_ROUNDS + r] = t_s * 1e9;
            s.energy[i * SIM_ROUNDS + r] *= /* its own noise stays */
                (sim_static_w * 0.005 + 1e-14 * s.cells[i].flop) / s.true_energy[i];
        }
    jl_energy_fit f;
    assert_int_equal(jl_study_energy_fit(&s.t, 0, 0, 1, &f, NULL), 0);
    assert_int_equal(f.why, JL_KNOWN);
    assert_int_equal(f.term[JL_ENERGY_STATIC].identified.why, JL_KNOWN);
    assert_int_equal(f.term[JL_ENERGY_ARITHMETIC].identified.why, JL_NOT_IDENTIFIABLE);
    assert_int_equal(f.term[JL_ENERGY_TRAFFIC].identified.why, JL_NOT_IDENTIFIABLE);
    assert_true(f.error.value < 0.05); /* it predicts well all the same */

    /* Bytes in proportion to FLOP: no noise, and still nothing to tell them apart by. */
    sim_make(&s, 0, false, false);
    jl_energy_row rows[SIM_CELLS];
    for (size_t i = 0; i < s.t.cell_count; i++) {
        const jl_study_cell *c = &s.cells[i];
        double t_s = 1e-3 * (double)(1 + i % 7);
        rows[i] = (jl_energy_row){.model = c->model,
                                  .t_s = t_s,
                                  .flop = c->flop,
                                  .bytes = c->flop / 50,
                                  .energy_j = 60 * t_s + 1e-11 * c->flop};
    }
    assert_int_equal(jl_energy_fit_rows(rows, s.t.cell_count, 200, 1, &f, NULL), 0);
    assert_true(f.condition > 1e6);
    assert_int_equal(f.term[JL_ENERGY_STATIC].identified.why, JL_KNOWN);
    assert_int_equal(f.term[JL_ENERGY_ARITHMETIC].identified.why, JL_NOT_IDENTIFIABLE);
    assert_int_equal(f.term[JL_ENERGY_TRAFFIC].identified.why, JL_NOT_IDENTIFIABLE);

    assert_int_equal(jl_energy_fit_rows(rows, 3, 200, 1, &f, NULL), 0);
    assert_int_equal(f.why, JL_TOO_FEW);
    assert_int_equal(f.error.why, JL_TOO_FEW);
    rows[0].energy_j = NAN;
    rows[1].flop = -1;
    rows[2].t_s = INFINITY;
    assert_int_equal(jl_energy_fit_rows(rows, s.t.cell_count, 200, 1, &f, NULL), 0);
    assert_int_equal(f.left_out, 3);
}

static void paradox_pairs_are_exactly_the_true_ones(void **state)
{
    (void)state;
    sim_make(&s, 0.005, false, true);
    jl_energy_fit f;
    jl_paradoxes p;
    assert_int_equal(jl_study_energy_fit(&s.t, 0, 0, 1, &f, NULL), 0);
    assert_int_equal(jl_find_paradoxes(&s.t, &f, 1, &p, NULL), 0);
    size_t candidates = 0, found = 0, truly = 0;
    for (size_t i = 0; i < s.t.cell_count; i++)
        for (size_t j = 0; j < s.t.cell_count; j++) {
            bool pair = s.cells[i].batch == s.cells[j].batch && !s.models[s.cells[i].model].probe &&
                        !s.models[s.cells[j].model].probe &&
                        s.cells[i].flop <= 0.9 * s.cells[j].flop;
            double ratio = s.true_energy[i] / s.true_energy[j];
            candidates += pair;
            truly += pair && ratio > 1.05 && fabs(ratio / 1.05 - 1) >= 0.02;
        }
    assert_true(p.count > 0 && p.count < candidates);
    for (size_t i = 0; i < p.count; i++) {
        double ratio = s.true_energy[p.items[i].small_cell] / s.true_energy[p.items[i].large_cell];
        bool said = p.items[i].p.value <= 0.05;
        if (fabs(ratio / 1.05 - 1) < 0.02) continue; /* within the noise of the limit */
        if (said != (ratio > 1.05)) fail_msg("ratio %g, p %g", ratio, p.items[i].p.value);
        found += said;
        assert_int_equal(p.items[i].p_net.why, JL_KNOWN);
        if (!said) continue;
        assert_true(p.items[i].cause != JL_CAUSE_UNKNOWN);
        if (p.items[i].cause == JL_CAUSE_DISPATCH && s.cells[p.items[i].small_cell].batch == 1) {
            const jl_cure_gain *g = &p.items[i].cures[0];
            assert_int_equal(p.items[i].cure_count, 1);
            assert_int_equal(g->cure, JL_CURE_BATCHING);
            assert_int_equal(s.cells[g->cell].batch, 32);
            assert_within(g->predicted.value, g->measured.value, 0.1);
        }
    }
    assert_true(truly >= 3 && found == truly);
    jl_paradoxes_free(&p);
}

static void paradoxes_need_their_rounds(void **state)
{
    (void)state;
    sim_make(&s, 0.005, false, true);
    bool complete[SIM_ROUNDS] = {true, true, true};
    s.t.pairs = complete;
    s.t.values[JL_ENERGY_NET_WAKING] = NULL;
    jl_paradoxes p;
    assert_int_equal(jl_find_paradoxes(&s.t, NULL, 1, &p, NULL), 0);
    assert_true(p.count > 0);
    for (size_t i = 0; i < p.count; i++) {
        assert_true(p.items[i].p.value > 0.05); /* three rounds: at least 1/8 */
        assert_int_equal(p.items[i].interval.why, JL_TOO_FEW);
        assert_int_equal(p.items[i].p_net.why, JL_NOT_TESTED);
        for (size_t k = 0; k < p.items[i].cure_count; k++)
            assert_int_equal(p.items[i].cures[k].predicted.why, JL_NOT_TESTED);
    }
    jl_paradoxes_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roofs_come_from_the_probes),
        cmocka_unit_test(an_unknown_roof_is_said),
        cmocka_unit_test(known_coefficients_are_recovered),
        cmocka_unit_test(a_design_that_cannot_tell_is_said),
        cmocka_unit_test(paradox_pairs_are_exactly_the_true_ones),
        cmocka_unit_test(paradoxes_need_their_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
