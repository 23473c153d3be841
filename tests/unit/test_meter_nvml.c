/* The NVML meter against the fake library, with its faults. The sensor's own accuracy is tested in
 * virtual time (test_window.c) and printed by tests/bench/energy_realtime. */
#include "jouleline/meter.h"
#include "jouleline/window.h"
#include "study/metering.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#ifndef FAKE_NVML
#error "the build says where the fake library is"
#endif

static const char *const knobs[] = {
    "FAKE_NVML_GPUS",         "FAKE_NVML_NO_COUNTER", "FAKE_NVML_NO_POWER", "FAKE_NVML_MIG",
    "FAKE_NVML_ARCH",         "FAKE_NVML_INIT",       "FAKE_NVML_REASONS",  "FAKE_NVML_FAIL",
    "FAKE_NVML_FAIL_AFTER_S", "FAKE_NVML_TICK_S",     "FAKE_NVML_CALL_S",   "FAKE_NVML_LINK",
    "FAKE_NVML_POWER_GAIN"};

static int clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof knobs / sizeof knobs[0]; i++)
        unsetenv(knobs[i]);
    setenv("FAKE_NVML_CALL_S", "0.001", 1);
    return 0;
}

static int open_fake(jl_meter_set **set, jl_error *err)
{
    const char *spec = "nvml:" FAKE_NVML;
    return jl_meter_set_open(&spec, 1, NULL, set, err);
}

static void a_board_tells_energy_power_and_state(void **state)
{
    (void)state;
    jl_meter_set *set;
    jl_meter_reading r;
    jl_error err = {0};
    setenv("FAKE_NVML_REASONS", "36", 1); /* power cap, software thermal slowdown */
    if (open_fake(&set, &err)) fail_msg("%s", err.msg);
    const jl_meter_domain *d = jl_meter_set_domain(set, 0);
    assert_int_equal(jl_meter_set_count(set), 1); /* the scopes show the board again */
    assert_true(d->has_counter && d->has_power && d->kind == JL_DOMAIN_GPU);
    assert_true(d->power_average_s == 1 && d->tick_s == 0.1);
    assert_int_equal(jl_meter_set_gpu(set, "0000FA4E-0000-0000-0000-000000000000"), 0);
    assert_int_equal(jl_meter_set_gpu(set, "GPU-11112222"), -1);
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ALL, &r, &err), 0);
    assert_int_equal(r.valid, JL_READ_ALL);
    assert_int_equal(r.throttle, JL_THROTTLE_POWER_CAP | JL_THROTTLE_SW_THERMAL);
    assert_true(r.temperature_c == 50 && r.sm_clock_mhz == 1980 && r.power_limit_w == 700);
    assert_true(r.link_generation == 4 && r.link_width == 16);
    assert_true(r.link_most_generation == 5 && r.link_most_width == 16);
    assert_string_equal(d->driver, "000.00.fake");
    assert_true(r.t_after_ns - r.t_before_ns >= 900000);
    setenv("FAKE_NVML_LINK", "0", 1);
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ALL, &r, &err), 0);
    assert_int_equal(r.valid, JL_READ_ALL & ~JL_READ_LINK);
    jl_meter_set_close(set);
}

static void several_boards_and_split_ones(void **state)
{
    (void)state;
    jl_meter_set *set;
    jl_error err = {0};
    setenv("FAKE_NVML_GPUS", "3", 1);
    setenv("FAKE_NVML_MIG", "2", 1); /* GPU 1 */
    if (open_fake(&set, &err)) fail_msg("%s", err.msg);
    assert_int_equal(jl_meter_set_count(set), 2);
    assert_int_equal(jl_meter_set_domain(set, 1)->unit, 2);
    jl_meter_set_close(set);
    setenv("FAKE_NVML_MIG", "7", 1);
    assert_true(open_fake(&set, &err) < 0);
    assert_non_null(strstr(err.msg, "MIG"));
}

static void a_driver_that_does_not_start_is_explained(void **state)
{
    (void)state;
    jl_meter_set *set;
    jl_error err = {0};
    jl_meter_probe p = {0};
    jl_meter_options options = {.args = FAKE_NVML};
    setenv("FAKE_NVML_INIT", "9", 1);
    assert_int_equal(open_fake(&set, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "modprobe nvidia"));
    jl_meter_find("nvml")->probe(&options, &p);
    assert_false(p.works);
    assert_string_equal(p.fix, "sudo modprobe nvidia");
    unsetenv("FAKE_NVML_INIT");
    setenv("FAKE_NVML_NO_COUNTER", "1", 1);
    setenv("FAKE_NVML_NO_POWER", "1", 1);
    assert_int_equal(open_fake(&set, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "NOT_SUPPORTED"));
}

/* Samples for some seconds under a fault; returns the figure of calls that ran all the time. */
static jl_window run(double seconds, char *trouble, size_t n)
{
    jl_meter_set *set;
    jl_sampler *sampler;
    jl_error err = {0};
    size_t domain = 0, count;
    jl_tick *ticks;
    if (open_fake(&set, &err)) fail_msg("%s", err.msg);
    assert_int_equal(jl_sampler_start(set, &domain, 1, &jl_clock_real, &sampler, &err), 0);
    int64_t begin_ns = jl_now_ns();
    usleep((useconds_t)(seconds * 1e6));
    int64_t end_ns = jl_now_ns();
    jl_meter_reading latest;
    jl_sampler_latest(sampler, 0, &latest);
    assert_int_equal(jl_sampler_ticks(sampler, 0, begin_ns, &ticks, &count, &err), 0);
    snprintf(trouble, n, "%s", jl_sampler_trouble(sampler, 0));
    int64_t pairs[200];
    for (int i = 0; i < 100; i++) {
        pairs[2 * i] = begin_ns + (end_ns - begin_ns) / 100 * i;
        pairs[2 * i + 1] = begin_ns + (end_ns - begin_ns) / 100 * (i + 1);
    }
    jl_calls calls = {pairs, 100, 1};
    jl_window w;
    jl_window_estimate(jl_meter_set_domain(set, 0), ticks, count, &calls, NULL, NULL, &w);
    free(ticks);
    jl_sampler_stop(sampler);
    jl_meter_set_close(set);
    return w;
}

static void ticks_are_followed_in_real_time(void **state)
{
    (void)state;
    char trouble[320];
    setenv("FAKE_NVML_TICK_S", "0.02", 1);
    setenv("FAKE_NVML_ARCH", "5", 1);
    setenv("FAKE_NVML_POWER_GAIN", "1.5", 1);
    jl_window w = run(1.0, trouble, sizeof trouble);
    assert_string_equal(trouble, "");
    assert_true(w.valid);
    assert_int_equal(w.method, JL_METHOD_COUNTER_TICKS);
    assert_true(w.ticks > 20);
    /* 60 W, calls of 10 ms; the machine that runs the tests may be busy */
    assert_true(fabs(w.gross.j / 0.6 - 1) < 0.05);
    /* what the power readings show above the counter; accuracy is tested in virtual time */
    assert_true(fabs(w.power_check_rel - 0.5) < 0.25 && w.power_check_se_rel > 0);
}

static void a_sensor_that_fails_in_the_middle_leaves_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *fail, *words;
    } faults[] = {{"lost", "lost"},
                  {"unsupported", "Not Supported"},
                  {"unknown", "Unknown"},
                  {"backwards", "backwards"}};
    setenv("FAKE_NVML_FAIL_AFTER_S", "0.3", 1);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char trouble[320];
        setenv("FAKE_NVML_FAIL", faults[i].fail, 1);
        jl_window w = run(0.8, trouble, sizeof trouble);
        assert_non_null(strstr(trouble, faults[i].words));
        if (w.valid) assert_true(w.gross.j > 0);
        if (!w.valid) assert_string_not_equal(w.reason, "");
    }
}

static void a_stuck_counter_gives_no_figure(void **state)
{
    (void)state;
    char trouble[320];
    setenv("FAKE_NVML_FAIL", "stuck", 1);
    setenv("FAKE_NVML_FAIL_AFTER_S", "0", 1);
    setenv("FAKE_NVML_NO_POWER", "1", 1);
    jl_window w = run(4, trouble, sizeof trouble);
    assert_non_null(strstr(trouble, "not moved"));
    assert_false(w.valid);
    assert_string_not_equal(w.reason, "");
}

static void without_a_counter_power_is_used_or_nothing(void **state)
{
    (void)state;
    char trouble[320];
    setenv("FAKE_NVML_NO_COUNTER", "1", 1);
    jl_window w = run(1.0, trouble, sizeof trouble);
    assert_false(w.valid);
    assert_non_null(strstr(w.reason, "power only"));
    w = run(2.0, trouble, sizeof trouble);
    assert_true(w.valid);
    assert_int_equal(w.method, JL_METHOD_POWER_INTEGRAL);
    assert_true(fabs(w.gross.j / 1.2 - 1) < 0.05);
}

static void a_board_sleeps_when_its_clock_is_down(void **state)
{
    (void)state;
    static const char uuid[] = "GPU-0000fa4e-0000-0000-0000-000000000000";
    jl_meter_set *set;
    jl_metering *m;
    jl_error err = {0};
    if (open_fake(&set, &err)) fail_msg("%s", err.msg);
    assert_int_equal(jl_metering_start(set, &jl_clock_real, &m, &err), 0);
    usleep(700000);
    assert_false(jl_metering_asleep(m, uuid, 1980)); /* the fake's clock is always 1980 MHz */
    assert_true(jl_metering_asleep(m, uuid, 4000));
    assert_true(jl_metering_asleep(m, "GPU-another", 1980));
    jl_metering_stop(m);
    jl_meter_set_close(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_board_tells_energy_power_and_state, clean),
        cmocka_unit_test_setup(several_boards_and_split_ones, clean),
        cmocka_unit_test_setup(a_driver_that_does_not_start_is_explained, clean),
        cmocka_unit_test_setup(ticks_are_followed_in_real_time, clean),
        cmocka_unit_test_setup(a_sensor_that_fails_in_the_middle_leaves_a_reason, clean),
        cmocka_unit_test_setup(a_stuck_counter_gives_no_figure, clean),
        cmocka_unit_test_setup(without_a_counter_power_is_used_or_nothing, clean),
        cmocka_unit_test_setup(a_board_sleeps_when_its_clock_is_down, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
