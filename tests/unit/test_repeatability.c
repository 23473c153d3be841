/* Variance components and drift over rounds; the expected numbers are scipy's (chi-square
 * quantiles, a root finder on Q, linregress). tests/parity compares many random cases. */
#include "jouleline/repeatability.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"

static void near(double a, double b)
{
    if (fabs(a - b) > 1e-9 * fmax(1, fabs(b))) fail_msg("%.17g is not %.17g", a, b);
}

enum { RUNS = 10 };
static const double joules[RUNS] = {0.20767, 0.20819, 0.20807, 0.20713, 0.20749,
                                    0.21171, 0.20832, 0.20854, 0.20948, 0.20834};
static const double errors[RUNS] = {.000148, .000148, .000109, .000118, .000111,
                                    .0015,   .00015,  .0008,   .0019,   .00012};

static void parts_of_the_variation(void **state)
{
    (void)state;
    jl_repeatability r;
    double sensor[RUNS];
    for (int i = 0; i < RUNS; i++)
        sensor[i] = 0.6 * errors[i];
    assert_int_equal(jl_repeatability_of(joules, errors, sensor, RUNS, 0.95, &r, NULL), 0);
    assert_int_equal(r.n, RUNS);
    near(r.mean.value, 0.20849400000000004);
    near(r.cv.value, 0.006231221935079073);
    near(r.cv_interval.low, 0.004286053828014015);
    near(r.cv_interval.high, 0.011375782214219678);
    near(r.between.value, 0.003164357168941069);
    near(r.between_interval.low, 0.001483606265953002);
    near(r.between_interval.high, 0.009530513583792886);
    near(r.p_between.value, 0);
    assert_true(r.between_shown && !r.overstated);
    near(r.sensor.value, 0.6 * 0.000148 / r.mean.value); /* medians */
    near(r.sampling.value, 0.8 * 0.000148 / r.mean.value);
}

static void runs_that_state_more_than_they_differ(void **state)
{
    (void)state;
    jl_repeatability r;
    double wide[RUNS];
    for (int i = 0; i < RUNS; i++)
        wide[i] = 0.0045; /* 2.2 %, as the interval of a constant power said of a warming card */
    assert_int_equal(jl_repeatability_of(joules, wide, NULL, RUNS, 0.95, &r, NULL), 0);
    assert_true(r.overstated && !r.between_shown);
    near(r.between.value, 0);
    near(r.between_interval.low, 0);
    assert_true(r.sensor.why && r.sampling.why);
}

static void what_is_not_known_is_absent(void **state)
{
    (void)state;
    jl_repeatability r;
    double few[] = {1, NAN, 1.1}, flat[] = {2, 2, 2}, se[] = {0.1, NAN, 0.1};
    assert_int_equal(jl_repeatability_of(few, NULL, NULL, 3, 0.95, &r, NULL), 0);
    assert_true(r.n == 2 && r.cv.why && r.cv_interval.why && r.mean.why);
    assert_int_equal(jl_repeatability_of(flat, se, se, 3, 0.95, &r, NULL), 0);
    assert_true(!r.cv.why && r.between.why && r.sensor.why); /* one run states no error */
    near(r.cv.value, 0);
    assert_int_equal(jl_repeatability_of(NULL, NULL, NULL, 0, 0.95, &r, NULL), 0);
    assert_true(r.cv.why);
    assert_true(jl_repeatability_of(flat, NULL, NULL, 3, 1.5, &r, NULL) < 0);
}

/* Runs that differ by 1 % and state 0.5 %: both come out, and the interval holds. */
static void simulated_parts_are_found_again(void **state)
{
    (void)state;
    enum { STUDIES = 400 };
    jl_rng rng = {11};
    double sum = 0, shown = 0, held = 0, cv_held = 0;
    for (int k = 0; k < STUDIES; k++) {
        double y[RUNS], se[RUNS];
        for (int i = 0; i < RUNS; i++) {
            se[i] = 0.5;
            y[i] = 100 + jl_rng_normal(&rng) + 0.5 * jl_rng_normal(&rng);
        }
        jl_repeatability r;
        assert_int_equal(jl_repeatability_of(y, se, NULL, RUNS, 0.95, &r, NULL), 0);
        sum += r.between.value * r.between.value;
        shown += r.between_shown;
        held += r.between_interval.low <= 0.01 && 0.01 <= r.between_interval.high;
        cv_held += r.cv_interval.low <= 0.01118 && 0.01118 <= r.cv_interval.high;
    }
    assert_true(fabs(sqrt(sum / STUDIES) - 0.01) < 0.001);
    assert_true(shown > 0.9 * STUDIES);
    assert_true(fabs(held / STUDIES - 0.95) < 0.04 && fabs(cv_held / STUDIES - 0.95) < 0.04);
}

static void drift_over_rounds(void **state)
{
    (void)state;
    static const double idle[] = {79.1, 79.4, 79.3, 79.9, 80.2, 80.0, 80.6, 80.5, 81.1, 81.0};
    static const double se[] = {.2, .2, .2, .2, .2, .2, .2, .2, .2, .2};
    jl_round_drift d;
    assert_int_equal(jl_round_drift_of(idle, se, 10, 0.95, &d, NULL), 0);
    near(d.change.value, 2.01272727272727);
    near(d.interval.low, 1.5830384319480149);
    near(d.interval.high, 2.442416113506525);
    near(d.low.value, 79.1);
    near(d.high.value, 81.1);
    near(d.noise, 0.2);
    assert_true(d.beyond_noise);
    static const double noisy[] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    assert_int_equal(jl_round_drift_of(idle, noisy, 10, 0.95, &d, NULL), 0);
    assert_false(
        d.beyond_noise); /* the change is real, but not beyond what one value is known to */
    static const double holes[] = {NAN, 5, NAN, 7};
    assert_int_equal(jl_round_drift_of(holes, NULL, 4, 0.95, &d, NULL), 0);
    near(d.change.value, 2);
    assert_true(d.n == 2 && d.interval.why && !d.beyond_noise);
    assert_int_equal(jl_round_drift_of(holes, NULL, 1, 0.95, &d, NULL), 0);
    assert_true(d.n == 0 && d.mean.why && d.change.why);
}

static void net_figures_near_zero_are_indistinct(void **state)
{
    (void)state;
    static const double near_idle[] = {0.1, -0.2, 0.3}, far[] = {1.0, 1.1, 0.9};
    static const double se[] = {0.2, 0.2, 0.2}, wide[] = {2, 2, 2};
    assert_true(jl_indistinct_from_zero(near_idle, se, 3));
    assert_false(jl_indistinct_from_zero(far, se, 3));
    assert_true(jl_indistinct_from_zero(far, wide, 3));
    assert_false(jl_indistinct_from_zero(far, NULL, 3));
    assert_false(jl_indistinct_from_zero(far, se, 0));
    static const double below[] = {-5, -5.1, -4.9};
    assert_true(jl_indistinct_from_zero(below, se, 3)); /* less than idle is no use of energy */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_the_variation),
        cmocka_unit_test(runs_that_state_more_than_they_differ),
        cmocka_unit_test(what_is_not_known_is_absent),
        cmocka_unit_test(simulated_parts_are_found_again),
        cmocka_unit_test(drift_over_rounds),
        cmocka_unit_test(net_figures_near_zero_are_indistinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
