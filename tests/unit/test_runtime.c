#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fake_device.h"
#include "jouleline/clock.h"
#include "jouleline/runtime.h"

static int of(const char *text, const jl_runtime **r, jl_configuration *c, jl_error *err)
{
    assert_int_equal(jl_configuration_parse(text, c, err), 0);
    return jl_runtime_of(c, r, err);
}

static void misspelt_names_are_suggested(void **state)
{
    (void)state;
    const jl_runtime *r;
    jl_configuration c;
    jl_error err = {0};
    assert_int_equal(of("fake-gpu/fp32+noise=0+convert=occ", &r, &c, &err), 0);
    assert_string_equal(r->name, "fake");
    static const char *const bad[][2] = {
        {"fakey-gpu/fp32", "did you mean 'fake'"},
        {"fake-gpus/fp32", "did you mean 'gpu'"},
        {"fake-gpu/fp32+noisy=1", "did you mean 'noise'"},
        {"nothing-gpu/fp32", "there are: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(of(bad[i][0], &r, &c, &err), JL_ERR_USAGE);
        if (!strstr(err.msg, bad[i][1])) fail_msg("'%s' lacks '%s'", err.msg, bad[i][1]);
    }
    assert_null(jl_runtime_find("nothing"));
    assert_null(jl_runtime_at(jl_runtime_count()));
}

/* Opens and loads; the caller closes. */
static int load(const char *text, int64_t batch, const jl_tensor *input, const jl_runtime **r,
                void **ctx, jl_error *err)
{
    jl_configuration c;
    *ctx = NULL;
    int rc = of(text, r, &c, err);
    if (!rc) rc = (*r)->open(&c, ctx, err);
    if (rc) return rc;
    jl_load_request q = {.configuration = &c,
                         .model_name = "resnet18",
                         .batch = batch,
                         .inputs = input,
                         .input_count = input != NULL,
                         .in_flight = 1,
                         .cost_flop = 2e9,
                         .cost_bytes = 1e7,
                         .cost_nodes = 10};
    return (*r)->load(*ctx, &q, err);
}

static void the_fake_publishes_the_energy_of_its_model(void **state)
{
    (void)state;
    int fd = memfd_create("fake", 0);
    assert_int_equal(ftruncate(fd, JL_FAKE_DEVICE_BYTES), 0);
    jl_fake_device *page =
        mmap(NULL, JL_FAKE_DEVICE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    jl_fake_device_init(page, jl_now_ns(), 20);
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    setenv("JOULELINE_FAKE_DEVICE_FD", number, 1);
    const jl_runtime *r;
    void *ctx;
    jl_error err = {0};
    assert_int_equal(load("fake-gpu/fp32+noise=0+run_noise=0", 1, NULL, &r, &ctx, &err), 0);
    double power_w;
    jl_fake_device_energy_j(page, jl_now_ns(), &power_w);
    assert_true(power_w == 60);
    int64_t start_ns = jl_now_ns();
    double before_j = jl_fake_device_energy_j(page, start_ns, NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(r->infer(ctx, &err), 0);
    int64_t end_ns = jl_now_ns();
    double took_j = jl_fake_device_energy_j(page, end_ns, NULL) - before_j;
    /* 2e9 FLOP at 20,000 GFLOP/s: 100 us, above both other roofs */
    assert_true(end_ns - start_ns >= 20 * 100000);
    double static_j = 60e-9 * (double)(end_ns - start_ns);
    double dynamic_j = 20 * (2e9 * 10e-12 + 1e7 * 60e-12);
    assert_true(fabs(took_j - static_j - dynamic_j) < 1e-3 * took_j);
    r->close(ctx);
    jl_fake_device_energy_j(page, jl_now_ns(), &power_w);
    assert_true(power_w == 20);
    unsetenv("JOULELINE_FAKE_DEVICE_FD");
    munmap(page, JL_FAKE_DEVICE_BYTES);
    close(fd);
}

static void the_fake_fails_as_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t batch;
        int code;
    } cases[] = {
        {"fake-gpu/fp32+fail=load", 1, JL_ERR},
        {"fake-gpu/fp32+fail=unsupported", 1, JL_ERR_UNSUPPORTED},
        {"fake-gpu/fp32+fail=missing", 1, JL_ERR_MISSING},
        {"fake-gpu/fp32+fail=oom+fail_above=8", 8, 0},
        {"fake-gpu/fp32+fail=oom+fail_above=8", 9, JL_ERR_DEVICE_MEMORY},
        {"fake-gpu/fp32+fail=oom+fail_model=resnet50", 1, 0},
        {"fake-gpu/fp32@2", 1, JL_ERR_MISSING},
        {"fake-gpu/fp32+fail=often", 1, JL_ERR_USAGE},
        {"fake-gpu/fp32+gflops=0", 1, JL_ERR_USAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const jl_runtime *r;
        void *ctx;
        jl_error err = {0};
        int rc = load(cases[i].text, cases[i].batch, NULL, &r, &ctx, &err);
        if (rc != cases[i].code) fail_msg("%s: %d %s", cases[i].text, rc, err.msg);
        r->close(ctx);
    }
    const jl_runtime *r;
    void *ctx;
    assert_int_equal(load("fake-gpu/fp32+fail=crash+fail_call=3", 1, NULL, &r, &ctx, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            r->infer(ctx, NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_int_equal(r->infer(ctx, NULL), 0);
    r->close(ctx);
}

static void fake_outputs_follow_the_inputs(void **state)
{
    (void)state;
    static float x[2][300];
    for (int i = 0; i < 300; i++)
        x[0][i] = (float)i, x[1][i] = (float)(i * i);
    jl_tensor in = {
        .dtype = JL_FLOAT, .rank = 2, .dims = {2, 300}, .data = x, .size_bytes = sizeof x};
    static const char *const texts[] = {"fake-gpu/fp32+work=0", "fake-cpu/fp32+work=0",
                                        "fake-gpu/fp16+work=0", "fake-gpu/fp16+work=0+fail=nan"};
    float y[4][2000];
    for (int k = 0; k < 4; k++) {
        const jl_runtime *r;
        void *ctx;
        const jl_tensor *out;
        size_t count;
        assert_int_equal(load(texts[k], 2, &in, &r, &ctx, NULL), 0);
        assert_int_equal(r->infer(ctx, NULL), 0);
        assert_int_equal(r->outputs(ctx, &out, &count, NULL), 0);
        assert_int_equal(out->size_bytes, sizeof y[k]);
        memcpy(y[k], out->data, sizeof y[k]);
        r->close(ctx);
    }
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    assert_memory_not_equal(y[0], y[0] + 1000, 4000); /* distinct items, distinct outputs */
    assert_memory_not_equal(y[0], y[2], sizeof y[0]);
    for (int i = 0; i < 2000; i++) {
        assert_true(fabsf(y[0][i] - y[2][i]) <= 0x1p-11f * fabsf(y[0][i]));
        assert_true(isnan(y[3][i]));
    }
}

static void calls_in_flight_overlap_their_dispatch(void **state)
{
    (void)state;
    jl_configuration c;
    const jl_runtime *r;
    void *ctx;
    assert_int_equal(of("fake-gpu/fp32+noise=0+run_noise=0+dispatch_us=100", &r, &c, NULL), 0);
    assert_int_equal(r->open(&c, &ctx, NULL), 0);
    jl_load_request q = {
        .configuration = &c, .model_name = "m", .batch = 1, .in_flight = 4, .cost_nodes = 10};
    assert_int_equal(r->load(ctx, &q, NULL), 0);
    int64_t start_ns = jl_now_ns();
    for (int i = 0; i < 4; i++)
        assert_int_equal(r->submit(ctx, i, NULL), 0);
    assert_int_equal(r->submit(ctx, 4, NULL), JL_ERR_USAGE);
    for (int i = 0; i < 4; i++)
        assert_int_equal(r->wait(ctx, i, NULL), 0);
    assert_true(jl_now_ns() - start_ns >= 1000000); /* four calls of 1 ms / 4 */
    r->close(ctx);
}

static void count_fact(void *ctx, const char *key, const char *value)
{
    if (!strcmp(key, "version") && value[0]) ++*(int *)ctx;
}

static void plugins_are_checked_and_run(void **state)
{
    (void)state;
    jl_error err = {0};
    static const char *const bad[][2] = {
        {JL_PLUGINS "/old_abi.so", "ABI 42"},
        {JL_PLUGINS "/no_infer.so", "'infer'"},
        {JL_PLUGINS "/no_entry.so", "exports jouleline_runtime() (include/jouleline/runtime.h)"},
        {JL_PLUGINS "/old_meter.so", "no symbol jouleline_runtime"},
        {JL_PLUGINS, "Is a directory"},
        {JL_PLUGINS "/nowhere.so", "nowhere.so"},
        {__FILE__, "invalid ELF header"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(jl_runtime_load_plugin(bad[i][0], &err) < 0);
        if (!strstr(err.msg, bad[i][1])) fail_msg("'%s' lacks '%s'", err.msg, bad[i][1]);
    }
    size_t before = jl_runtime_count();
    assert_int_equal(jl_runtime_load_plugin(JL_PLUGINS "/runtime_plugin.so", &err), 0);
    assert_int_equal(jl_runtime_count(), before + 1);
    assert_true(jl_runtime_load_plugin(JL_PLUGINS "/runtime_plugin.so", &err) < 0);
    assert_non_null(strstr(err.msg, "already"));

    float x[] = {1, 2, 3, 5, 5, 5};
    jl_tensor in = {
        .dtype = JL_FLOAT, .rank = 2, .dims = {2, 3}, .data = x, .size_bytes = sizeof x};
    const jl_runtime *r;
    void *ctx;
    const jl_tensor *out;
    size_t count;
    assert_int_equal(load("mean-host/fp32", 2, &in, &r, &ctx, &err), 0);
    assert_int_equal(r->infer(ctx, &err), 0);
    assert_int_equal(r->outputs(ctx, &out, &count, &err), 0);
    assert_true(((float *)out->data)[0] == 2 && ((float *)out->data)[1] == 5);
    int versions = 0;
    assert_int_equal(r->describe(ctx, &(jl_facts){count_fact, &versions}, &err), 0);
    assert_int_equal(versions, 1);
    r->close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(misspelt_names_are_suggested),
        cmocka_unit_test(the_fake_publishes_the_energy_of_its_model),
        cmocka_unit_test(the_fake_fails_as_told),
        cmocka_unit_test(fake_outputs_follow_the_inputs),
        cmocka_unit_test(calls_in_flight_overlap_their_dispatch),
        cmocka_unit_test(plugins_are_checked_and_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
