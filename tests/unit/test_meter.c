/* Meters on machines that are folders (tests/fixtures/sysfs), the simulated device, the assumed
 * power and the meter command. */
#include "base/fake_device.h"
#include "jouleline/meter.h"
#include "jouleline/window.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static jl_meter_set *machine(const char *name, const char *meter)
{
    static char root[512];
    snprintf(root, sizeof root, "%s/sysfs/%s", JL_FIXTURES, name);
    jl_meter_options options = {.root = root};
    jl_meter_set *set;
    jl_error err = {0};
    int rc = jl_meter_set_open(&meter, meter ? 1 : 0, &options, &set, &err);
    if (rc) fail_msg("%s", err.msg);
    return set;
}

static int find(const jl_meter_set *set, const char *id)
{
    for (size_t i = 0; i < jl_meter_set_count(set); i++)
        if (!strcmp(jl_meter_set_domain(set, i)->id, id)) return (int)i;
    return -1;
}

static void a_laptop_counts_its_package_once(void **state)
{
    (void)state;
    jl_meter_set *set = machine("laptop", "rapl");
    size_t host[8];
    assert_int_equal(jl_meter_set_count(set), 4); /* the mmio twin is left out */
    int package = find(set, "rapl:package-0"), core = find(set, "rapl:package-0/core");
    assert_true(package >= 0 && core >= 0 && find(set, "rapl:psys") >= 0);
    assert_int_equal(jl_meter_set_domain(set, (size_t)core)->parent, package);
    assert_int_equal(jl_meter_set_host(set, host, 8), 1);
    assert_int_equal(host[0], package);
    jl_meter_set_close(set);
}

static void a_server_adds_its_packages_and_memories(void **state)
{
    (void)state;
    jl_meter_set *set = machine("server", NULL);
    size_t host[8];
    assert_int_equal(jl_meter_set_host(set, host, 8), 4);
    int second = find(set, "rapl:package-1");
    assert_true(second >= 0);
    assert_int_equal(jl_meter_set_domain(set, (size_t)second)->unit, 1);
    assert_true(find(set, "rapl:package-0/dram") >= 0 && find(set, "rapl:package-1/dram") >= 0);
    assert_non_null(strstr(jl_meter_set_absent(set), "nvml"));
    jl_meter_set_close(set);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void a_counter_that_wraps_goes_on_and_one_that_jumps_is_refused(void **state)
{
    (void)state;
    char root[] = "/tmp/jl-rapl-XXXXXX", path[256], energy[300];
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "mkdir -p %s/sys/class/powercap/intel-rapl:0", root);
    assert_int_equal(system(path), 0);
    snprintf(path, sizeof path, "%s/sys/class/powercap/intel-rapl:0", root);
    snprintf(energy, sizeof energy, "%s/name", path);
    put(energy, "package-0\n");
    snprintf(energy, sizeof energy, "%s/max_energy_range_uj", path);
    put(energy, "65532610987\n");
    snprintf(energy, sizeof energy, "%s/energy_uj", path);
    put(energy, "65532000000\n");
    const char *rapl = "rapl";
    jl_meter_options options = {.root = root};
    jl_meter_set *set;
    jl_meter_reading r;
    jl_error err = {0};
    assert_int_equal(jl_meter_set_open(&rapl, 1, &options, &set, &err), 0);
    put(energy, "389013\n"); /* wrapped: 610987 + 389013 uJ */
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ALL, &r, &err), 0);
    assert_int_equal(r.valid, JL_READ_ENERGY);
    assert_true(fabs(r.energy_j - 1.0) < 1e-9);
    put(energy, "100000\n"); /* set back */
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ENERGY, &r, &err), JL_ERR_MISSING);
    assert_int_equal(r.valid, 0);
    assert_non_null(strstr(err.msg, "jumped"));
    put(energy, "rubbish\n");
    assert_true(jl_meter_set_read(set, 0, JL_READ_ENERGY, &r, &err) < 0);
    assert_int_equal(r.valid, 0);
    jl_meter_set_close(set);
    snprintf(path, sizeof path, "rm -r %s", root);
    assert_int_equal(system(path), 0);
}

static void hwmon_sensors_are_found_by_their_driver(void **state)
{
    (void)state;
    jl_meter_reading r;
    jl_meter_set *set = machine("amd", "hwmon");
    int gpu = find(set, "hwmon:amdgpu:board");
    assert_true(gpu >= 0);
    assert_int_equal(jl_meter_set_gpu(set, "a1b2c3d4"), gpu);
    assert_int_equal(jl_meter_set_read(set, (size_t)gpu, JL_READ_ALL, &r, NULL), 0);
    assert_true(r.power_w == 85 && r.temperature_c == 61 && r.sm_clock_mhz == 2100);
    assert_true(r.power_limit_w == 220 && !(r.valid & JL_READ_ENERGY));
    size_t host[8];
    assert_int_equal(jl_meter_set_host(set, host, 8), 1); /* the socket, not its cores */
    assert_string_equal(jl_meter_set_domain(set, host[0])->id, "hwmon:amd_energy:Esocket0");
    jl_meter_set_close(set);

    set = machine("board", "hwmon");
    int whole = find(set, "hwmon:ina3221:VDD_IN"), rail = find(set, "hwmon:ina3221:VDD_SOC");
    assert_true(whole >= 0 && rail >= 0);
    assert_int_equal(jl_meter_set_domain(set, (size_t)rail)->parent, whole);
    assert_int_equal(jl_meter_set_read(set, (size_t)whole, JL_READ_POWER, &r, NULL), 0);
    assert_true(fabs(r.power_w - 10) < 1e-9);
    assert_int_equal(jl_meter_set_host(set, host, 8), 1);
    assert_int_equal(host[0], whole);
    jl_meter_set_close(set);

    set = machine("arc", "hwmon");
    assert_int_equal(jl_meter_set_count(set), 2);
    assert_int_equal(jl_meter_set_domain(set, 1)->parent, 0);
    jl_meter_set_close(set);
}

static void a_battery_shows_the_whole_computer(void **state)
{
    (void)state;
    jl_meter_reading r;
    jl_meter_set *set = machine("laptop", "battery");
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ALL, &r, NULL), 0);
    assert_true(fabs(r.power_w - 18) < 1e-9); /* whatever the sign of the current */
    jl_meter_set_close(set);
}

static void doctor_learns_why_and_how_to_fix(void **state)
{
    (void)state;
    char root[512];
    jl_meter_probe p = {0};
    snprintf(root, sizeof root, "%s/sysfs/container", JL_FIXTURES);
    jl_meter_options options = {.root = root};
    jl_meter_find("rapl")->probe(&options, &p);
    assert_false(p.works);
    assert_non_null(strstr(p.what, "mask"));
    assert_non_null(strstr(p.fix, "container"));
    snprintf(root, sizeof root, "%s/sysfs/virtual", JL_FIXTURES);
    for (const jl_meter_vtable *const *m = jl_meters(); *m; m++) {
        p = (jl_meter_probe){0};
        (*m)->probe(&options, &p);
        assert_true(p.what[0]);
        if (!(*m)->opt_in) assert_false(p.works);
    }
    jl_meter_set *set = machine("virtual", NULL);
    size_t host[1];
    assert_int_equal(jl_meter_set_count(set), 0);
    assert_int_equal(jl_meter_set_host(set, host, 1), 0);
    assert_non_null(strstr(jl_meter_set_absent(set), "rapl"));
    jl_meter_set_close(set);
}

static void a_named_meter_that_fails_is_an_error(void **state)
{
    (void)state;
    jl_meter_set *set;
    jl_error err = {0};
    const char *spec = "rpal";
    assert_int_equal(jl_meter_set_open(&spec, 1, NULL, &set, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "did you mean 'rapl'"));
    spec = "estimate";
    assert_int_equal(jl_meter_set_open(&spec, 1, NULL, &set, &err), JL_ERR_USAGE);
    spec = "estimate:watts=-5";
    assert_int_equal(jl_meter_set_open(&spec, 1, NULL, &set, &err), JL_ERR_USAGE);
    spec = "command:exit 3";
    assert_int_equal(jl_meter_set_open(&spec, 1, NULL, &set, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "ended"));
    assert_null(set);
}

static void a_broken_plugin_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *words;
        int code;
    } bad[] = {
        {"plugin:" JL_PLUGINS "/old_meter.so", "built for meter ABI 42 and this jouleline has 2",
         JL_ERR_FORMAT},
        {"plugin:" JL_PLUGINS "/no_read.so,watts.txt", "no_read.so lacks 'read'", JL_ERR_FORMAT},
        {"plugin:" JL_PLUGINS "/no_entry.so", "has no symbol jouleline_meter", JL_ERR_MISSING},
        {"plugin:" JL_PLUGINS "/runtime_plugin.so", "has no symbol jouleline_meter",
         JL_ERR_MISSING},
        {"plugin:/nowhere.so", "cannot open the meter plugin /nowhere.so", JL_ERR_MISSING},
        {"plugin:" __FILE__, "invalid ELF header", JL_ERR_MISSING},
        {"plugin:", "plugin:./mine.so", JL_ERR_USAGE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        jl_meter_set *set;
        jl_error err = {0};
        assert_int_equal(jl_meter_set_open(&bad[i].spec, 1, NULL, &set, &err), bad[i].code);
        if (!strstr(err.msg, bad[i].words)) fail_msg("'%s' lacks '%s'", err.msg, bad[i].words);
        assert_null(set);
    }
}

static void an_assumed_power_is_marked_modelled(void **state)
{
    (void)state;
    jl_meter_set *set;
    jl_error err = {0};
    const char *spec = "estimate:watts=65";
    assert_int_equal(jl_meter_set_open(&spec, 1, NULL, &set, &err), 0);
    const jl_meter_domain *d = jl_meter_set_domain(set, 0);
    jl_tick tick = {0};
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ALL, &tick.at, NULL), 0);
    int64_t pairs[] = {0, 10000000, 10000000, 20000000};
    jl_calls calls = {pairs, 2, 1};
    jl_window w;
    jl_window_estimate(d, &tick, 1, &calls, NULL, NULL, &w);
    assert_true(w.valid && w.modelled);
    assert_int_equal(w.method, JL_METHOD_MODELLED);
    assert_true(fabs(w.gross.j - 0.65) < 1e-9 && w.systematic_rel > 0);
    jl_meter_set_close(set);
}

static void the_simulated_device_ticks_with_its_true_energy(void **state)
{
    (void)state;
    int fd = memfd_create("device", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, JL_FAKE_DEVICE_BYTES), 0);
    jl_fake_device *page =
        mmap(NULL, JL_FAKE_DEVICE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    jl_virtual_clock v = {INT64_C(1000000000)};
    jl_clock clock = jl_clock_virtual(&v);
    jl_fake_device_init(page, v.now_ns, 50);
    jl_meter_options options = {.root = JL_FIXTURES, .fake_device_fd = fd, .clock = &clock};
    jl_meter_set *set;
    jl_meter_reading r;
    jl_error err = {0};
    assert_int_equal(jl_meter_set_open(NULL, 0, &options, &set, &err), 0);
    assert_int_equal(jl_meter_set_count(set), 1);
    assert_true(jl_meter_set_domain(set, 0)->simulated);
    jl_fake_device_set(page, INT64_C(1050000000), 250); /* 2.5 J so far */
    v.now_ns = INT64_C(1099999999);
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ALL, &r, NULL), 0);
    assert_true(r.energy_j == 0 && r.power_w == 250);
    v.now_ns = INT64_C(1100000001);
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ALL, &r, NULL), 0);
    assert_true(fabs(r.energy_j - 15) < 1e-6); /* 2.5 + 12.5 */
    jl_fake_device_set(page, INT64_C(1150000000), 50);
    jl_fake_device_set(page, INT64_C(1160000000), 250);
    v.now_ns = INT64_C(1199000000);
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ALL, &r, NULL), 0);
    assert_true(fabs(r.energy_j - 15) < 1e-6);
    double watts;
    assert_true(fabs(jl_fake_device_energy_j(page, v.now_ns, &watts) - 37.75) < 1e-6);
    jl_meter_set_close(set);
    munmap(page, JL_FAKE_DEVICE_BYTES);
    close(fd);
}

static void a_plugin_measures_like_the_others(void **state)
{
    (void)state;
    char path[] = "/tmp/jl-watts-XXXXXX", spec[512];
    const char *specs = spec;
    jl_meter_set *set;
    jl_meter_reading r;
    jl_error err = {0};
    close(mkstemp(path));
    put(path, "12.5\n");
    snprintf(spec, sizeof spec, "plugin:%s,%s", METER_PLUGIN, path);
    if (jl_meter_set_open(&specs, 1, NULL, &set, &err)) fail_msg("%s", err.msg);
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ALL, &r, &err), 0);
    assert_true(r.power_w == 12.5 && r.valid == JL_READ_POWER);
    put(path, "nothing\n");
    assert_int_equal(jl_meter_set_read(set, 0, JL_READ_ALL, &r, &err), JL_ERR_IO);
    jl_meter_set_close(set);
    assert_int_equal(jl_meter_set_open(&specs, 1, NULL, &set, &err), JL_ERR_MISSING);
    unlink(path);
}

/* Samples a command meter for a while; returns its ticks. */
static size_t sample_command(const char *script, double seconds, jl_tick **ticks, char *trouble,
                             size_t n)
{
    char spec[512];
    const char *specs = spec;
    jl_meter_set *set;
    jl_sampler *sampler;
    jl_error err = {0};
    size_t domain = 0, count;
    snprintf(spec, sizeof spec, "command:%s", script);
    if (jl_meter_set_open(&specs, 1, NULL, &set, &err)) fail_msg("%s", err.msg);
    assert_int_equal(jl_sampler_start(set, &domain, 1, &jl_clock_real, &sampler, &err), 0);
    usleep((useconds_t)(seconds * 1e6));
    assert_int_equal(jl_sampler_ticks(sampler, 0, 0, ticks, &count, &err), 0);
    snprintf(trouble, n, "%s", jl_sampler_trouble(sampler, 0));
    jl_sampler_stop(sampler);
    jl_meter_set_close(set);
    return count;
}

static void a_meter_command_gives_ticks_at_its_own_times(void **state)
{
    (void)state;
    jl_tick *ticks;
    char trouble[320];
    size_t n = sample_command("t=$(date +%s); for i in 1 2 3 4 5; do echo joules $i at $t.$i; "
                              "sleep 0.1; done; sleep 5",
                              0.9, &ticks, trouble, sizeof trouble);
    assert_string_equal(trouble, "");
    assert_true(n >= 4);
    for (size_t i = 1; i < n; i++) {
        double gap = 1e-9 * (double)(ticks[i].lo_ns - ticks[i - 1].lo_ns);
        double joules = ticks[i].at.energy_j - ticks[i - 1].at.energy_j;
        assert_true(fabs(gap - 0.1 * joules) < 1e-3);
    }
    free(ticks);
}

static void a_meter_command_that_dies_or_prints_rubbish_is_dropped_with_its_words(void **state)
{
    (void)state;
    jl_tick *ticks;
    char trouble[320];
    sample_command("echo watts 5; sleep 0.1", 0.6, &ticks, trouble, sizeof trouble);
    assert_non_null(strstr(trouble, "ended"));
    free(ticks);
    sample_command("echo watts 5; while :; do echo hello; sleep 0.02; done", 0.6, &ticks, trouble,
                   sizeof trouble);
    assert_non_null(strstr(trouble, "hello"));
    free(ticks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_laptop_counts_its_package_once),
        cmocka_unit_test(a_server_adds_its_packages_and_memories),
        cmocka_unit_test(a_counter_that_wraps_goes_on_and_one_that_jumps_is_refused),
        cmocka_unit_test(hwmon_sensors_are_found_by_their_driver),
        cmocka_unit_test(a_battery_shows_the_whole_computer),
        cmocka_unit_test(doctor_learns_why_and_how_to_fix),
        cmocka_unit_test(a_named_meter_that_fails_is_an_error),
        cmocka_unit_test(an_assumed_power_is_marked_modelled),
        cmocka_unit_test(the_simulated_device_ticks_with_its_true_energy),
        cmocka_unit_test(a_plugin_measures_like_the_others),
        cmocka_unit_test(a_broken_plugin_is_refused),
        cmocka_unit_test(a_meter_command_gives_ticks_at_its_own_times),
        cmocka_unit_test(a_meter_command_that_dies_or_prints_rubbish_is_dropped_with_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
