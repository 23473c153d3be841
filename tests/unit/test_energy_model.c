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

/* One device whose runtimes differ in what a node costs to start; the last one uses CUDA Graphs. */
enum { THREE = 3, FIVE = 5, TWO_BATCHES = 2, PROBE_KINDS = 3, SEVEN_ROUNDS = 7 };
enum { CURE_CELLS = THREE * (FIVE * TWO_BATCHES + PROBE_KINDS) };
static struct {
    jl_study_model models[FIVE + PROBE_KINDS];
    jl_study_cell cells[CURE_CELLS];
    double latency[CURE_CELLS * SEVEN_ROUNDS], energy[CURE_CELLS * SEVEN_ROUNDS];
    jl_study_table t;
} c;

/* slow: the share of its roofs that a call reaches. */
static void make_cure_study(double slow, double pause)
{
    static const jl_study_configuration configurations[THREE] = {
        {.name = "pytorch-cuda/fp32",
         .runtime = "pytorch",
         .provider = "cuda",
         .precision = "fp32"},
        {.name = "ort-cuda/fp32", .runtime = "ort", .provider = "cuda", .precision = "fp32"},
        {.name = "pytorch-cuda/fp32+cuda_graph=1",
         .runtime = "pytorch",
         .provider = "cuda",
         .precision = "fp32",
         .options = "+cuda_graph=1"}};
    static const double per_s[THREE] = {1e5, 4e5, 5e6}, gflop[FIVE] = {0.6, 0.9, 1.5, 4, 9},
                        mbyte[FIVE] = {30, 40, 35, 90, 110}, nodes[FIVE] = {300, 280, 60, 150, 100};
    static const jl_study_device device = {
        .name = "simulated", .gain_error = NAN, .idle_sleeping_w = NAN, .idle_waking_w = NAN};
    static const char *const names[] = {"a", "b", "c", "d", "e", "matmul", "stream", "chain"};
    memset(&c, 0, sizeof c);
    uint32_t n = 0;
    for (uint32_t k = 0; k < THREE; k++)
        for (uint32_t m = 0; m < FIVE + PROBE_KINDS; m++) {
            bool probe = m >= FIVE;
            c.models[m] = (jl_study_model){names[m], "lightweight", probe};
            for (uint32_t b = 0; b < (probe ? 1 : TWO_BATCHES); b++, n++) {
                double batch = b ? 32 : 1;
                jl_study_cell *x = &c.cells[n];
                *x = (jl_study_cell){
                    .model = m, .configuration = k, .batch = (uint32_t)batch, .in_flight = 1};
                x->flop = probe ? (m == FIVE ? 2e12 : 1e6) : gflop[m] * 1e9 * batch;
                x->bytes = probe ? (m == FIVE + 1 ? 4e10 : 1e6) : mbyte[m] * 1e6 * batch;
                x->dispatches = probe ? (m == FIVE + 2 ? 2000 : 1) : nodes[m];
                double t_s = fmax(fmax(x->flop / 1e13, x->bytes / 5e11), x->dispatches / per_s[k]);
                if (!probe) t_s /= slow;
                double j = 60 * t_s * pause + 5e-12 * x->flop + 8e-11 * x->bytes;
                x->power_w = j / (t_s * pause);
                for (size_t r = 0; r < SEVEN_ROUNDS; r++) {
                    double off = 1 + 1e-4 * ((double)(r * (n + 1) % 5) - 2);
                    c.latency[n * SEVEN_ROUNDS + r] = t_s * 1e9 * off;
                    c.energy[n * SEVEN_ROUNDS + r] = j / batch * off;
                }
            }
        }
    c.t = (jl_study_table){.models = c.models,
                           .model_count = FIVE + PROBE_KINDS,
                           .configurations = configurations,
                           .configuration_count = THREE,
                           .devices = &device,
                           .device_count = 1,
                           .cells = c.cells,
                           .cell_count = CURE_CELLS,
                           .rounds = SEVEN_ROUNDS,
                           .values = {[JL_LATENCY] = c.latency, [JL_ENERGY] = c.energy}};
    assert_int_equal(jl_study_table_check(&c.t, NULL), 0);
}

static void every_cure_is_measured_and_predicted(void **state)
{
    (void)state;
    make_cure_study(0.4, 1);
    jl_energy_fit fits[THREE];
    for (uint32_t k = 0; k < THREE; k++)
        assert_int_equal(jl_study_energy_fit(&c.t, 0, k, 1, &fits[k], NULL), 0);
    jl_paradoxes p;
    assert_int_equal(jl_find_paradoxes(&c.t, fits, 1, &p, NULL), 0);
    size_t seen = 0;
    for (size_t i = 0; i < p.count; i++) {
        const jl_paradox *x = &p.items[i];
        const jl_study_cell *small = &c.cells[x->small_cell];
        if (small->batch != 1 || small->configuration != 0 || small->model > 1) continue;
        seen++;
        assert_int_equal(x->cause, JL_CAUSE_DISPATCH);
        assert_int_equal(x->cure_count, 3);
        for (size_t k = 0; k < x->cure_count; k++) {
            const jl_cure_gain *g = &x->cures[k];
            const jl_study_cell *by = &c.cells[g->cell];
            assert_false(g->at_most);
            assert_int_equal(by->model, small->model);
            assert_int_equal(by->batch, g->cure == JL_CURE_BATCHING ? 32 : 1);
            assert_int_equal(by->configuration, g->cure == JL_CURE_BATCHING  ? 0
                                                : g->cure == JL_CURE_RUNTIME ? 1
                                                                             : 2);
            assert_within(g->predicted.value, g->measured.value, 0.02);
            if (k) assert_true(g->measured.value <= x->cures[k - 1].measured.value);
        }
    }
    assert_true(seen > 0);
    jl_paradoxes_free(&p);
    /* Without a cell that shows CUDA Graphs: what the other roofs allow. */
    for (size_t i = 0; i < CURE_CELLS; i++)
        if (c.cells[i].configuration == 2) c.cells[i].outcome = JL_OUTCOME_UNSUPPORTED;
    assert_int_equal(jl_find_paradoxes(&c.t, fits, 1, &p, NULL), 0);
    seen = 0;
    for (size_t i = 0; i < p.count; i++)
        for (size_t k = 0; k < p.items[i].cure_count; k++) {
            const jl_cure_gain *g = &p.items[i].cures[k];
            if (g->cure != JL_CURE_GRAPHS) continue;
            seen++;
            assert_true(g->at_most && g->cell == JL_NO_CELL);
            assert_int_equal(g->measured.why, JL_NO_VALUES);
            assert_int_equal(k + 1, p.items[i].cure_count); /* behind what was measured */
        }
    assert_true(seen > 0);
    jl_paradoxes_free(&p);
}

/* A dispatch roof that is far below, over a call that grows with the batch, is no cause. */
static void dispatch_is_no_cause_of_what_grows_with_the_batch(void **state)
{
    (void)state;
    make_cure_study(1, 1);
    for (size_t i = 0; i < CURE_CELLS; i++) /* two models are slow at batch 32 */
        for (size_t r = 0; r < SEVEN_ROUNDS && c.cells[i].batch == 32 && c.cells[i].model < 2;
             r++) {
            c.latency[i * SEVEN_ROUNDS + r] *= 20;
            c.energy[i * SEVEN_ROUNDS + r] *= 20;
        }
    jl_paradoxes p;
    assert_int_equal(jl_find_paradoxes(&c.t, NULL, 1, &p, NULL), 0);
    size_t large = 0;
    for (size_t i = 0; i < p.count; i++) {
        if (c.cells[p.items[i].small_cell].batch == 1) continue;
        large++;
        assert_int_equal(p.items[i].cause, JL_CAUSE_UTILISATION);
    }
    assert_true(large > 0);
    jl_paradoxes_free(&p);
}

static void time_is_that_of_the_joules(void **state)
{
    (void)state;
    make_cure_study(1, 1.3); /* pauses that no median shows */
    jl_energy_fit f;
    jl_energy_row row;
    assert_int_equal(jl_study_energy_fit(&c.t, 0, 0, 1, &f, NULL), 0);
    assert_within(f.term[JL_ENERGY_STATIC].value, 60, 0.01);
    assert_true(jl_energy_row_of(&c.t, 0, &row));
    assert_within(row.t_s, 1.3e-9 * c.latency[0], 0.01);
    for (size_t i = 0; i < CURE_CELLS; i++)
        c.cells[i].power_w = NAN;
    assert_true(jl_energy_row_of(&c.t, 0, &row));
    assert_within(row.t_s, 1e-9 * c.latency[0], 0.01);
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
        cmocka_unit_test(every_cure_is_measured_and_predicted),
        cmocka_unit_test(dispatch_is_no_cause_of_what_grows_with_the_batch),
        cmocka_unit_test(time_is_that_of_the_joules),
        cmocka_unit_test(paradoxes_need_their_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
