/* A table written into a store run by run comes back as it was. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fixtures/store_of_table.h"
#include "analysis/table.h"
#include "jouleline/roofline.h"
#include "reference_study.h"
#include "simulated_study.h"

static char folder[] = "/tmp/jl_load_XXXXXX", path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/a.db", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

static jl_study_data *loaded(const jl_study_table *t, int tail)
{
    jl_error err = {0};
    jl_store *s;
    jl_study_data *d;
    if (store_of_table(path, t, "here", &err)) fail_msg("%s", err.msg);
    if (jl_store_open(path, JL_STORE_READ, &s, &err)) fail_msg("%s", err.msg);
    if (jl_store_load_tail(s, NULL, tail, &d, &err)) fail_msg("%s", err.msg);
    jl_store_close(s);
    assert_int_equal(unlink(path), 0);
    return d;
}

static uint32_t same_cell(const jl_study_table *t, const jl_study_cell *c, const jl_study_table *in)
{
    for (uint32_t i = 0; i < in->cell_count; i++) {
        const jl_study_cell *x = &in->cells[i];
        if (x->batch == c->batch && x->in_flight == c->in_flight &&
            !strcmp(in->models[x->model].name, t->models[c->model].name) &&
            !strcmp(in->configurations[x->configuration].name,
                    t->configurations[c->configuration].name) &&
            !strcmp(in->devices[x->device].name, t->devices[c->device].name))
            return i;
    }
    return JL_NO_CELL;
}

static void same_number(double a, double b)
{
    if (isnan(a) || isnan(b))
        assert_true(isnan(a) && isnan(b));
    else
        assert_true(fabs(a - b) <= 1e-12 * fabs(a));
}

static void same_cells(const jl_study_table *a, const jl_study_table *b)
{
    assert_int_equal(a->cell_count, b->cell_count);
    assert_int_equal(a->rounds, b->rounds);
    for (size_t i = 0; i < a->cell_count; i++) {
        const jl_study_cell *x = &a->cells[i];
        uint32_t k = same_cell(a, x, b);
        assert_int_not_equal(k, JL_NO_CELL);
        const jl_study_cell *y = &b->cells[k];
        assert_int_equal(x->outcome, y->outcome);
        assert_int_equal(a->models[x->model].probe, b->models[y->model].probe);
        assert_int_equal(x->agree_items, y->agree_items);
        assert_int_equal(x->checked_items, y->checked_items);
        same_number(x->flop, y->flop);
        same_number(x->bytes, y->bytes);
        same_number(x->dispatches, y->dispatches);
        if (x->power_w > 0)
            same_number(x->power_w, y->power_w);
        else
            assert_true(isnan(y->power_w));
        if (x->message) assert_string_equal(x->message, y->message);
        for (int m = 0; m < JL_METRIC_COUNT; m++)
            for (size_t r = 0; r < a->rounds; r++)
                same_number(table_value(a, (jl_metric)m, i, r), table_value(b, (jl_metric)m, k, r));
    }
}

static void reference_comes_back(void **state)
{
    (void)state;
    static ref_study s;
    ref_inputs in = ref_published();
    ref_make(&s, &in);
    jl_study_data *d = loaded(&s.t, 99);
    const jl_study_table *t = jl_study_data_table(d);
    same_cells(&s.t, t);
    for (uint32_t i = 0; i < 3; i++)
        same_number(t->devices[i].gain_error, 0.05);
    assert_null(t->values[JL_LATENCY_TAIL]);
    assert_null(t->values[JL_ENERGY_NET_WAKING]);
    jl_study_data_free(d);
}

static void probes_idles_and_rounds_come_back(void **state)
{
    (void)state;
    static sim s;
    static bool pairs[SIM_ROUNDS];
    static double tail[SIM_CELLS * SIM_ROUNDS];
    sim_make(&s, 0.01, false, true);
    for (size_t i = 0; i < SIM_ROUNDS; i++)
        pairs[i] = i % 3 != 0;
    for (size_t i = 0; i < SIM_CELLS * SIM_ROUNDS; i++)
        tail[i] = 2 * s.latency[i];
    for (size_t i = 0; i < s.t.cell_count; i++)
        s.cells[i].power_w = 100 + (double)i;
    s.t.pairs = pairs;
    s.t.values[JL_LATENCY_TAIL] = tail;
    jl_study_data *d = loaded(&s.t, 99);
    const jl_study_table *t = jl_study_data_table(d);
    same_cells(&s.t, t);
    assert_true(t->tail_percentile > 0.98 && t->tail_percentile < 1);
    assert_int_equal(jl_study_data_complete_rounds(d), 6);
    for (size_t i = 0; i < SIM_ROUNDS; i++)
        assert_int_equal(t->pairs[i], pairs[i]);
    same_number(t->devices[0].idle_sleeping_w, 20);
    same_number(t->devices[0].idle_waking_w, sim_waking_w);
    assert_true(t->devices[0].simulated);
    jl_study_data_free(d);
    d = loaded(&s.t, 90);
    assert_null(jl_study_data_table(d)->values[JL_LATENCY_TAIL]);
    jl_study_data_free(d);
}

static size_t probes_that_ran(const jl_study_table *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->cell_count; i++)
        n += jl_cell_is_probe(t, i) && !jl_cell_median(t, JL_LATENCY, i).why &&
             !jl_cell_median(t, JL_ENERGY, i).why;
    return n;
}

/* A study without probes of its own has those of the others in its store. */
static void probes_are_borrowed(void **state)
{
    (void)state;
    static sim with, without;
    sim_make(&with, 0.01, false, true);
    sim_make(&without, 0.01, false, false);
    with.t.name = "with";
    without.t.name = "without";
    without.t.rounds = 2; /* values of the first cells: only their number matters */
    jl_error err = {0};
    assert_int_equal(store_of_table(path, &with.t, "here", &err), 0);
    assert_int_equal(store_of_table(path, &without.t, "here", &err), 0);
    jl_store *s;
    assert_int_equal(jl_store_open(path, JL_STORE_READ, &s, &err), 0);
    static const char *const names[] = {"with", "without"};
    for (int i = 0; i < 2; i++) {
        jl_study_data *d;
        if (jl_store_load(s, names[i], &d, &err)) fail_msg("%s", err.msg);
        const jl_study_table *t = jl_study_data_table(d);
        assert_int_equal(probes_that_ran(t), SIM_PROBES);
        assert_int_equal(jl_study_data_borrowed_probes(d), i == 1);
        assert_int_equal(t->rounds, i == 1 ? 2 : SIM_ROUNDS);
        assert_int_equal(jl_study_data_runs(d).count,
                         (size_t)(SIM_MODELS * SIM_BATCHES) * t->rounds);
        jl_roofs roofs;
        assert_int_equal(
            jl_study_roofs(t, t->cells[0].device, t->cells[0].configuration, &roofs, &err), 0);
        assert_int_equal(roofs.rate[JL_ROOF_MEMORY].why, JL_KNOWN);
        jl_study_data_free(d);
    }
    jl_store_close(s);
    assert_int_equal(unlink(path), 0);
}

static void other_percentiles_are_refused(void **state)
{
    (void)state;
    jl_error err = {0};
    jl_store *s;
    jl_study_data *d;
    assert_int_equal(jl_store_open(path, JL_STORE_WRITE, &s, &err), 0);
    assert_int_equal(jl_store_load_tail(s, NULL, 42, &d, &err), JL_ERR_USAGE);
    assert_int_equal(jl_store_load(s, NULL, &d, &err), JL_ERR_MISSING);
    jl_store_close(s);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_comes_back),
        cmocka_unit_test(probes_idles_and_rounds_come_back),
        cmocka_unit_test(probes_are_borrowed),
        cmocka_unit_test(other_percentiles_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
