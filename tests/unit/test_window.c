/* The estimator on simulated sensors in virtual time. The accuracy over 1,000 windows is printed by
 * tests/bench/energy_accuracy; here fewer windows guard the same figures with seeded noise. */
#include "../fixtures/window_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

typedef struct spread {
    double bias, sd, covered, said; /* said: the mean standard error */
    int valid;
} spread;

static spread many(window_sim sim, int n)
{
    power_log *log = calloc(1, sizeof *log);
    spread s = {0};
    double sum = 0, square = 0;
    assert_non_null(log);
    for (int i = 0; i < n; i++) {
        window_sim_result r;
        sim.seed = (uint64_t)i + 1;
        simulate(&sim, log, &r);
        if (!r.window.valid) continue;
        s.valid++;
        sum += r.error_rel;
        square += r.error_rel * r.error_rel;
        s.covered += r.covered;
        s.said += r.window.gross.se_j / r.window.gross.j;
    }
    s.bias = sum / s.valid;
    s.sd = sqrt(square / s.valid - s.bias * s.bias);
    s.covered /= s.valid;
    s.said /= s.valid;
    free(log);
    return s;
}

static void regular_ticks_give_the_energy_within_a_thousandth(void **state)
{
    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        window_sim sim = usual;
        sim.call_s = slow ? 0.02 : 0.002;
        spread s = many(sim, 120);
        assert_int_equal(s.valid, 120);
        assert_true(fabs(s.bias) < 0.001 && s.sd < 0.002);
        assert_true(s.covered >= 0.9);
        sim.window_s = 0.5;
        s = many(sim, 60);
        assert_true(fabs(s.bias) < 0.001 && s.sd < 0.003);
    }
}

static void irregular_ticks_widen_the_interval_and_keep_it_honest(void **state)
{
    (void)state;
    window_sim sim = usual;
    sim.sensor.jitter_s = 0.01;
    spread s = many(sim, 120);
    assert_true(fabs(s.bias) < 0.001 && s.sd < 0.006);
    assert_true(s.covered >= 0.9 && s.sd > 0.0005);
}

static void a_part_time_sensor_is_unbiased_and_its_noise_is_in_the_interval(void **state)
{
    (void)state;
    window_sim sim = usual;
    sim.sensor.on_s = 0.025;
    sim.window_s = 2;
    sim.gap_s = 0.004;
    spread s = many(sim, 150);
    assert_true(fabs(s.bias) < 0.005);
    assert_true(s.covered >= 0.9 && s.covered <= 0.99);
}

static void a_card_that_warms_up_drifts_and_does_not_widen_the_interval(void **state)
{
    (void)state;
    window_sim sim = usual;
    sim.call_s = 0.012;
    sim.warm_s = 0.5;
    sim.warming_rel = 0.2;
    sim.warming_s = 0.3;
    spread s = many(sim, 80);
    assert_int_equal(s.valid, 80);
    assert_true(fabs(s.bias) < 0.001 && s.sd < 0.002);
    /* residuals from a constant power say 0.28 % here, thirty times what the windows stray */
    assert_true(s.covered >= 0.9 && s.said < 2 * s.sd);
    power_log *log = calloc(1, sizeof *log);
    window_sim_result r;
    assert_non_null(log);
    sim.seed = 1;
    simulate(&sim, log, &r);
    assert_true(r.window.unsettled && r.window.drift_rel > 0.02 && r.window.drift_rel < 0.05);
    sim.warming_rel = 0;
    simulate(&sim, log, &r);
    assert_true(!r.window.unsettled && fabs(r.window.drift_rel) < 0.001);
    assert_true(r.window.sensor_se_j > 0 && r.window.sensor_se_j <= r.window.gross.se_j);
    free(log);
}

static void ticks_that_a_driver_shows_late_are_no_ends_of_a_window(void **state)
{
    (void)state;
    window_sim sim = usual;
    sim.warm_s = 0.5;
    sim.sensor.late_share = 0.05;
    sim.sensor.late_s = 0.04;
    /* taken for moments of the sensor they cost 0.8 % */
    spread s = many(sim, 100);
    assert_true(fabs(s.bias) < 0.001 && s.sd < 0.002);
    assert_true(s.covered >= 0.9 && s.said < 0.002);
}

static void power_readings_give_a_figure_only_after_their_rise(void **state)
{
    (void)state;
    window_sim sim = usual;
    sim.has_counter = false;
    sim.window_s = 3;
    spread s = many(sim, 40);
    assert_int_equal(s.valid, 40);
    assert_true(fabs(s.bias) < 0.01 && s.sd < 0.02);
    sim.window_s = 1;
    assert_int_equal(many(sim, 10).valid, 0);
}

/* ---- hand-made ticks ---- */

static const jl_meter_domain board = {.id = "sim:0", .has_counter = true, .tick_s = 0.1};
enum { TICKS = 30, CALLS = 500 };
static jl_tick ticks[TICKS];
static int64_t pairs[2 * CALLS];
static jl_calls calls;

/* Ticks every 100 ms from 0 at 200 W, seen through brackets of 1 ms; calls of 4 ms from 0.5 s on.
 */
static void make(void)
{
    for (int i = 0; i < TICKS; i++) {
        int64_t t = i * INT64_C(100000000);
        ticks[i] = (jl_tick){.lo_ns = t - 500000, .hi_ns = t + 500000};
        ticks[i].at = (jl_meter_reading){.t_before_ns = t,
                                         .t_after_ns = t + 1000,
                                         .valid = JL_READ_ENERGY,
                                         .energy_j = 1000 + i * 20.0};
    }
    for (int i = 0; i < CALLS; i++) {
        pairs[2 * i] = 500000000 + i * INT64_C(4000000);
        pairs[2 * i + 1] = pairs[2 * i] + 4000000;
    }
    calls = (jl_calls){pairs, CALLS, 8};
}

static void items_and_net_energies_are_per_item_of_a_batch(void **state)
{
    (void)state;
    make();
    jl_idle idle = {.valid = true, .power_w = 50, .power_se_w = 1},
            same = {.valid = true, .power_w = 200};
    jl_window w;
    jl_window_estimate(&board, ticks, TICKS, &calls, &idle, &same, &w);
    assert_true(w.valid);
    assert_int_equal(w.method, JL_METHOD_COUNTER_TICKS);
    /* 200 W * 4 ms / 8 items */
    assert_true(fabs(w.gross.j - 0.1) < 1e-4);
    assert_true(fabs(w.net_sleeping.j - 0.075) < 2e-4 && !w.net_sleeping.indistinct);
    assert_true(w.net_waking.valid && w.net_waking.indistinct);
    assert_true(w.gross.low_j <= 0.1 && 0.1 <= w.gross.high_j);
    assert_true(fabs(w.check_rel) < 0.001);
    assert_true(fabs(w.all_items - 4000) < 1e-9);
    assert_true(fabs(jl_calls_items(&calls, 502000000) - 4) < 1e-9);
    assert_true(jl_calls_items(&calls, 0) == 0);
}

static void without_two_ticks_there_is_a_reason_and_no_number(void **state)
{
    (void)state;
    make();
    calls.count = 30; /* 120 ms: one tick */
    jl_window w;
    jl_window_estimate(&board, ticks, TICKS, &calls, NULL, NULL, &w);
    assert_false(w.valid);
    assert_non_null(strstr(w.reason, "--min-time"));
    jl_window_estimate(&board, NULL, 0, &calls, NULL, NULL, &w);
    assert_false(w.valid);
    calls.count = 0;
    jl_window_estimate(&board, ticks, TICKS, &calls, NULL, NULL, &w);
    assert_false(w.valid);
    assert_string_not_equal(w.reason, "");
}

static void broken_counters_and_stamps_give_reasons(void **state)
{
    (void)state;
    jl_window w;
    make();
    ticks[12].at.energy_j = 900;
    jl_window_estimate(&board, ticks, TICKS, &calls, NULL, NULL, &w);
    assert_false(w.valid);
    assert_non_null(strstr(w.reason, "backwards"));
    make();
    for (int i = 0; i < TICKS; i++)
        ticks[i].at.energy_j = 1000;
    jl_window_estimate(&board, ticks, TICKS, &calls, NULL, NULL, &w);
    assert_false(w.valid);
    assert_non_null(strstr(w.reason, "did not move"));
    make();
    pairs[101] = 1;
    jl_window_estimate(&board, ticks, TICKS, &calls, NULL, NULL, &w);
    assert_false(w.valid);
    assert_non_null(strstr(w.reason, "backwards"));
    make();
    for (int i = 0; i < TICKS; i++)
        ticks[i].at.valid = 0;
    jl_window_estimate(&board, ticks, TICKS, &calls, NULL, NULL, &w);
    assert_false(w.valid);
}

static void overlapping_calls_count_by_share(void **state)
{
    (void)state;
    int64_t two[] = {0, 100, 50, 150, 100, 200};
    jl_calls c = {two, 3, 1};
    assert_true(fabs(jl_calls_items(&c, 75) - 1.0) < 1e-9); /* 0.75 + 0.25 */
    assert_true(fabs(jl_calls_items(&c, 1000) - 3) < 1e-9);
}

static void idle_power_has_an_error_and_needs_ticks(void **state)
{
    (void)state;
    make();
    jl_idle idle;
    jl_idle_estimate(&board, ticks, TICKS, 0, INT64_C(2000000000), &idle);
    assert_true(idle.valid);
    assert_true(fabs(idle.power_w - 200) < 1e-6 && idle.power_se_w > 0);
    assert_true(isnan(idle.temperature_c));
    jl_idle_estimate(&board, ticks, TICKS, 0, INT64_C(150000000), &idle);
    assert_false(idle.valid);
    assert_string_not_equal(idle.reason, "");
}

static void settling_compares_the_last_tick_powers(void **state)
{
    (void)state;
    make();
    assert_true(jl_ticks_settled(&board, ticks, TICKS, 0, 0.02));
    ticks[TICKS - 1].at.energy_j += 1; /* 5 % */
    assert_false(jl_ticks_settled(&board, ticks, TICKS, 0, 0.02));
    assert_false(jl_ticks_settled(&board, ticks, 4, 0, 0.02));
    assert_true(jl_ticks_settled(&board, ticks, 5, 0, 0.02));
    /* a sensor that approaches 200 W in 0.22 s: the last two agree within 2 % before the third */
    double energy_j = 0;
    int settled_at = 0, two_agree_at = 0;
    double power_w[TICKS] = {0};
    for (int i = 0; i < TICKS; i++) {
        ticks[i].at.energy_j = energy_j;
        if (i) power_w[i] = (ticks[i].at.energy_j - ticks[i - 1].at.energy_j) / 0.1;
        if (i > 2 && !two_agree_at && power_w[i] < 1.02 * power_w[i - 1]) two_agree_at = i;
        if (!settled_at && jl_ticks_settled(&board, ticks, (size_t)i + 1, 0, 0.02)) settled_at = i;
        energy_j += 20 * (1 - 0.8 * exp(-0.1 * i / 0.22));
    }
    assert_true(settled_at > two_agree_at && power_w[settled_at] > 0.98 * 200);
}

static void slowdown_and_clock_changes_disturb_but_a_power_cap_does_not(void **state)
{
    (void)state;
    jl_condition c;
    make();
    for (int i = 0; i < TICKS; i++) {
        ticks[i].at.valid |= JL_READ_THROTTLE | JL_READ_SM_CLOCK | JL_READ_TEMPERATURE;
        ticks[i].at.throttle = JL_THROTTLE_POWER_CAP;
        ticks[i].at.sm_clock_mhz = 1500 + 20 * (i % 7);
        ticks[i].at.temperature_c = 60 + i;
    }
    ticks[12].at.valid |= JL_READ_LINK;
    ticks[12].at.link_generation = 4;
    ticks[12].at.link_most_width = 16;
    int64_t end = INT64_C(2500000000);
    jl_condition_of(ticks, TICKS, 0, end, &c);
    assert_false(c.disturbed);
    assert_true(c.power_capped && c.power_cap_share == 1);
    assert_true(c.temperature_c == 84);
    assert_true(isnan(c.power_limit_w));
    assert_true(c.has_link && c.link_generation == 4 && c.link_most_width == 16);
    jl_condition_of(ticks, 10, 0, end, &c);
    assert_false(c.has_link);
    jl_condition_of(ticks, TICKS, 0, end, &c);
    ticks[9].at.throttle |= JL_THROTTLE_HW_THERMAL;
    jl_condition_of(ticks, TICKS, 0, end, &c);
    assert_true(c.disturbed);
    assert_non_null(strstr(c.why, "thermal"));
    for (int i = 0; i < TICKS; i++)
        ticks[i].at.throttle = 0;
    jl_condition_of(ticks, TICKS, 0, end, &c);
    assert_true(c.disturbed);
    assert_non_null(strstr(c.why, "clock changed"));
}

/* 50 W, and 250 W from 1.03 s to 1.97 s. */
static double true_energy_j(double t)
{
    return 50 * t + 200 * fmin(fmax(t - 1.03, 0), 0.94);
}

static void a_stretch_of_time_is_cut_out_of_the_ticks_around_it(void **state)
{
    (void)state;
    const int64_t from = INT64_C(1030000000), to = INT64_C(1970000000);
    jl_idle idle = {.valid = true, .power_w = 50, .power_se_w = 0.1};
    jl_span s;
    make();
    for (int i = 0; i < TICKS; i++)
        ticks[i].at.energy_j = true_energy_j(0.1 * i);
    jl_span_estimate(&board, ticks, TICKS, from, to, &idle, &s);
    assert_true(s.valid && s.method == JL_METHOD_COUNTER_TICKS);
    assert_true(fabs(s.energy_j - 235) < 1e-6 && fabs(s.net_j - 188) < 1e-6);
    assert_true(s.se_j > 0 && s.se_j < 1 && !s.indistinct);
    jl_span_estimate(&board, ticks, TICKS, from, to, NULL, &s);
    assert_true(s.valid && isnan(s.net_j));
    assert_true(fabs(s.energy_j - 235) < 10 && s.se_j > 1);
    jl_span_estimate(&board, ticks, TICKS, to, from, &idle, &s);
    assert_false(s.valid);
    jl_span_estimate(&board, ticks, 15, from, to, &idle, &s); /* no tick after the end */
    assert_false(s.valid);
    assert_true(isnan(s.energy_j));
    assert_string_not_equal(s.reason, "");
    idle.power_w = 250;
    jl_span_estimate(&board, ticks, TICKS, from, to, &idle, &s);
    assert_true(!s.valid || s.indistinct);
}

static void a_stretch_by_power_readings_counts_what_the_sensor_still_shows(void **state)
{
    (void)state;
    /* every 100 ms the mean power of the last 500 ms */
    static const jl_meter_domain slow = {
        .id = "sim:1", .has_power = true, .tick_s = 0.1, .power_average_s = 0.5};
    jl_idle idle = {.valid = true, .power_w = 50, .power_se_w = 0.1};
    jl_span s;
    make();
    for (int i = 0; i < TICKS; i++) {
        ticks[i].at.valid = JL_READ_POWER;
        ticks[i].at.power_w = (true_energy_j(0.1 * i) - true_energy_j(0.1 * i - 0.5)) / 0.5;
    }
    jl_span_estimate(&slow, ticks, TICKS, INT64_C(1030000000), INT64_C(1970000000), &idle, &s);
    assert_true(s.valid && s.method == JL_METHOD_POWER_INTEGRAL);
    assert_true(fabs(s.energy_j / 235 - 1) < 0.03);
    jl_span_estimate(&slow, ticks, TICKS, INT64_C(1030000000), INT64_C(1080000000), &idle, &s);
    assert_false(s.valid);
}

static void power_readings_are_held_against_the_counter_over_what_they_average(void **state)
{
    (void)state;
    static const jl_meter_domain both = {
        .id = "sim:2", .has_counter = true, .has_power = true, .tick_s = 0.1, .power_average_s = 1};
    const int64_t from = 0, to = INT64_C(2900000000);
    jl_power_check c;
    make();
    for (int i = 0; i < TICKS; i++) { /* a load that begins and ends, 1 % more in the readings */
        ticks[i].lo_ns += 500000;
        ticks[i].hi_ns += 500000;
        ticks[i].at.valid |= JL_READ_POWER;
        ticks[i].at.energy_j = true_energy_j(0.1 * i);
        ticks[i].at.power_w = 1.01 * (true_energy_j(0.1 * i) - true_energy_j(0.1 * i - 1));
    }
    jl_power_check_of(&both, ticks, TICKS, from, to, &c);
    assert_true(c.valid && c.readings == 19); /* the first whose averaging time is known: 1.1 s */
    assert_true(fabs(c.rel - 0.01) < 1e-3 && c.low_rel <= c.rel && c.rel <= c.high_rel);
    assert_true(c.counter_w > 100 && fabs(c.power_w / c.counter_w - 1.01) < 1e-3);
    for (int i = 0; i < TICKS; i++) /* readings that scatter widen the interval */
        ticks[i].at.power_w *= i % 2 ? 1.02 : 0.98;
    jl_power_check_of(&both, ticks, TICKS, from, to, &c);
    assert_true(c.valid && c.high_rel - c.low_rel > 0.02);
    assert_true(c.low_rel < 0.01 && 0.01 < c.high_rel);
    jl_power_check_of(&both, ticks, 12, from, to, &c); /* one reading */
    assert_true(!c.valid && isnan(c.rel));
    jl_power_check_of(&both, NULL, 0, from, to, &c);
    assert_false(c.valid);
}

static void sums_of_domains_need_every_part(void **state)
{
    (void)state;
    make();
    jl_window a, b;
    jl_window_estimate(&board, ticks, TICKS, &calls, NULL, NULL, &a);
    b = a;
    jl_window_add(&a, &b);
    assert_true(a.valid && fabs(a.gross.j - 2 * b.gross.j) < 1e-12);
    jl_window_estimate(&board, NULL, 0, &calls, NULL, NULL, &b);
    jl_window_add(&a, &b);
    assert_false(a.valid);
    assert_string_not_equal(a.reason, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regular_ticks_give_the_energy_within_a_thousandth),
        cmocka_unit_test(irregular_ticks_widen_the_interval_and_keep_it_honest),
        cmocka_unit_test(a_card_that_warms_up_drifts_and_does_not_widen_the_interval),
        cmocka_unit_test(ticks_that_a_driver_shows_late_are_no_ends_of_a_window),
        cmocka_unit_test(a_part_time_sensor_is_unbiased_and_its_noise_is_in_the_interval),
        cmocka_unit_test(power_readings_give_a_figure_only_after_their_rise),
        cmocka_unit_test(items_and_net_energies_are_per_item_of_a_batch),
        cmocka_unit_test(without_two_ticks_there_is_a_reason_and_no_number),
        cmocka_unit_test(broken_counters_and_stamps_give_reasons),
        cmocka_unit_test(overlapping_calls_count_by_share),
        cmocka_unit_test(idle_power_has_an_error_and_needs_ticks),
        cmocka_unit_test(settling_compares_the_last_tick_powers),
        cmocka_unit_test(slowdown_and_clock_changes_disturb_but_a_power_cap_does_not),
        cmocka_unit_test(a_stretch_of_time_is_cut_out_of_the_ticks_around_it),
        cmocka_unit_test(a_stretch_by_power_readings_counts_what_the_sensor_still_shows),
        cmocka_unit_test(power_readings_are_held_against_the_counter_over_what_they_average),
        cmocka_unit_test(sums_of_domains_need_every_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
