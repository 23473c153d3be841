/* The pieces of a study that need no worker: rules, agreement, channel, timed loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/process.h"
#include "base/rng.h"
#include "jouleline/clock.h"
#include "jouleline/runtime.h"
#include "jouleline/zoo.h"
#include "study/agreement.h"
#include "study/bench.h"
#include "study/host.h"
#include "study/plan.h"
#include "study/tensors.h"
#include "study/wire.h"
#include "study/worker.h"

static void ok(int rc, const jl_error *err)
{
    if (rc) fail_msg("%s", err->msg);
}

/* Calls of about `mean` nanoseconds, with a drift and relative noise. */
static int64_t *calls(size_t n, double mean, double drift, double noise)
{
    int64_t *p = calloc(2 * n + 2, sizeof *p), t = 1000;
    jl_rng r = {42};
    for (size_t i = 0; i < n; i++) {
        double x = mean * (1 + drift * (double)i / (double)n) * exp(noise * jl_rng_normal(&r));
        p[2 * i] = t;
        p[2 * i + 1] = t += (int64_t)x;
    }
    return p;
}

static void test_settled(void **state)
{
    (void)state;
    int64_t *steady = calls(200, 1e6, 0, 0.01), *drifting = calls(200, 1e6, -0.5, 0.01);
    assert_true(jl_latency_settled(steady, 200));
    assert_false(jl_latency_settled(drifting, 200));
    assert_false(jl_latency_settled(steady, 3));
    free(steady);
    free(drifting);
}

static void test_narrow(void **state)
{
    (void)state;
    int64_t *quiet = calls(2000, 1e6, 0, 0.01), *loud = calls(2000, 1e6, 0, 1);
    assert_true(jl_latency_narrow(quiet, 2000, 0.02));
    assert_false(jl_latency_narrow(loud, 2000, 0.02));
    assert_false(jl_latency_narrow(quiet, 20, 0.02)); /* too few for an interval */
    free(quiet);
    free(loud);
}

/* --- agreement --- */

typedef struct files {
    char folder[64], a[96], b[96];
} files;

static int make_files(void **state)
{
    files *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/jl_study_XXXXXX");
    if (!mkdtemp(f->folder)) return -1;
    snprintf(f->a, sizeof f->a, "%s/a", f->folder);
    snprintf(f->b, sizeof f->b, "%s/b", f->folder);
    *state = f;
    return 0;
}

static int remove_files(void **state)
{
    files *f = *state;
    unlink(f->a);
    unlink(f->b);
    rmdir(f->folder);
    free(f);
    return 0;
}

enum { ITEMS = 3, CLASSES = 20 };

static void write_logits(const char *path, float *x)
{
    jl_error err = {0};
    jl_tensor t = {.name = "logits",
                   .dtype = JL_FLOAT,
                   .rank = 2,
                   .dims = {ITEMS, CLASSES},
                   .data = x,
                   .size_bytes = sizeof(float) * ITEMS * CLASSES};
    ok(jl_tensors_write(path, &t, 1, &err), &err);
}

static void test_agreement(void **state)
{
    files *f = *state;
    jl_error err = {0};
    float x[ITEMS * CLASSES], y[ITEMS * CLASSES];
    for (int i = 0; i < ITEMS * CLASSES; i++)
        y[i] = (float)((i * 7) % CLASSES) - 9.0f, x[i] = y[i];
    x[CLASSES + 3] += 0.5f;
    write_logits(f->a, x);
    write_logits(f->b, y);
    jl_agreement *a = calloc(1, sizeof *a);
    ok(jl_agreement_of(f->a, f->b, "ort-cpu/fp32", ITEMS, JL_PRECISION_FP16, a, &err), &err);
    assert_int_equal(a->count, 1);
    assert_false(a->numerical);
    assert_int_equal(a->records[0].items, ITEMS);
    assert_int_equal(a->records[0].top1_agree, ITEMS);
    assert_float_equal(a->records[0].max_abs_error, 0.5, 1e-6);
    assert_true(a->records[0].cosine_min < 1 && a->records[0].cosine_min > 0.99);
    /* The same outputs are too far for FP32. */
    ok(jl_agreement_of(f->a, f->b, "ort-cpu/fp32", ITEMS, JL_PRECISION_FP32, a, &err), &err);
    assert_true(a->numerical);
    assert_non_null(strstr(a->message, "cosine"));
    /* One bad item among good ones decides; INT8 is never judged. */
    for (int k = 0; k < CLASSES; k++)
        x[2 * CLASSES + k] = -y[2 * CLASSES + k];
    write_logits(f->a, x);
    ok(jl_agreement_of(f->a, f->b, "ort-cpu/fp32", ITEMS, JL_PRECISION_FP16, a, &err), &err);
    assert_true(a->numerical);
    ok(jl_agreement_of(f->a, f->b, "ort-cpu/fp32", ITEMS, JL_PRECISION_INT8, a, &err), &err);
    assert_false(a->numerical);
    assert_int_equal(a->records[0].top1_agree, ITEMS - 1);
    free(a);
}

static void test_new_nan_and_old_nan(void **state)
{
    files *f = *state;
    jl_error err = {0};
    float x[ITEMS * CLASSES], y[ITEMS * CLASSES];
    for (int i = 0; i < ITEMS * CLASSES; i++)
        x[i] = y[i] = (float)i;
    jl_agreement *a = calloc(1, sizeof *a);
    x[5] = NAN;
    x[6] = INFINITY;
    write_logits(f->a, x);
    write_logits(f->b, y);
    ok(jl_agreement_of(f->a, f->b, "r", ITEMS, JL_PRECISION_FP16, a, &err), &err);
    assert_true(a->numerical);
    assert_int_equal(a->records[0].nan_count, 1);
    assert_int_equal(a->records[0].inf_count, 1);
    assert_true(a->records[0].new_nan_or_inf);
    y[5] = NAN;
    y[6] = INFINITY;
    write_logits(f->b, y);
    ok(jl_agreement_of(f->a, f->b, "r", ITEMS, JL_PRECISION_FP16, a, &err), &err);
    assert_false(a->numerical);
    free(a);
}

/* --- channel --- */

static void test_channel(void **state)
{
    (void)state;
    int ends[2];
    jl_error err = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    json_t *m;
    assert_int_equal(jl_wire_receive(ends[0], jl_now_ns() + 1000000, &m, NULL, &err),
                     JL_ERR_TIMEOUT);
    int pipe_ends[2], got[JL_WIRE_MOST_FDS];
    assert_int_equal(pipe(pipe_ends), 0);
    ok(jl_wire_send(ends[1], json_pack("{s:s, s:i}", "type", "x", "n", 7), pipe_ends, 2, &err),
       &err);
    ok(jl_wire_receive(ends[0], INT64_MAX, &m, got, &err), &err);
    assert_true(jl_json_is(m, "x"));
    assert_int_equal(jl_json_whole(m, "n", 0), 7);
    assert_int_equal(jl_json_whole(m, "missing", -5), -5);
    json_decref(m);
    assert_true(got[0] >= 0 && got[1] >= 0 && got[2] == -1);
    close(got[0]);
    close(got[1]);
    /* Lengths beyond the limit, and what is no object with a type. */
    const char huge[] = {0, 0, 0, 0x40}, number[] = {1, 0, 0, 0, '7'};
    assert_int_equal(write(ends[1], number, sizeof number), sizeof number);
    assert_int_equal(jl_wire_receive(ends[0], INT64_MAX, &m, NULL, &err), JL_ERR_FORMAT);
    assert_int_equal(write(ends[1], huge, sizeof huge), sizeof huge);
    assert_int_equal(jl_wire_receive(ends[0], INT64_MAX, &m, NULL, &err), JL_ERR_FORMAT);
    close(ends[1]);
    assert_int_equal(jl_wire_receive(ends[0], INT64_MAX, &m, NULL, &err), JL_ERR_CRASH);
    assert_int_equal(jl_wire_send(ends[0], json_pack("{s:s}", "type", "x"), NULL, 0, &err),
                     JL_ERR_CRASH);
    close(ends[0]);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

/* --- timed loop --- */

typedef struct counted {
    int calls, fail_at;
} counted;

static int count_call(void *ctx, jl_error *err)
{
    counted *c = ctx;
    if (++c->calls == c->fail_at) return jl_fail(err, JL_ERR_DEVICE_MEMORY, "no memory there");
    return 0;
}

static void test_loop(void **state)
{
    (void)state;
    jl_error err = {0};
    jl_ring ring;
    ok(jl_ring_create(&ring, 100, &err), &err);
    const jl_runtime runtime = {.name = "counted", .infer = count_call};
    counted c = {0};
    jl_loop l = {.runtime = &runtime,
                 .session = &c,
                 .ring = &ring,
                 .in_flight = 1,
                 .min_calls = 1,
                 .max_ns = 60 * JL_NS_PER_S,
                 .state = JL_RING_MEASURING};
    jl_loop_result r;
    ok(jl_loop_run(&l, &r, &err), &err);
    assert_string_equal(r.stopped, "capacity");
    assert_int_equal(r.calls, 100);
    assert_int_equal(jl_ring_count(&ring), 100);
    for (size_t i = 1; i < 200; i++)
        assert_true(ring.pairs[i] >= ring.pairs[i - 1]);
    atomic_store(&ring.header->stop, 1);
    l.min_calls = 7;
    ok(jl_loop_run(&l, &r, &err), &err);
    assert_string_equal(r.stopped, "flag");
    assert_int_equal(r.calls, 7);
    l.max_ns = 0;
    ok(jl_loop_run(&l, &r, &err), &err);
    assert_string_equal(r.stopped, "time");
    assert_int_equal(r.calls, 1);
    atomic_store(&ring.header->stop, 0);
    l.max_ns = JL_NS_PER_S;
    c = (counted){.fail_at = 3};
    assert_int_equal(jl_loop_run(&l, &r, &err), JL_ERR_DEVICE_MEMORY);
    assert_int_equal(jl_ring_count(&ring), 2);
    l.in_flight = 2;
    assert_int_equal(jl_loop_run(&l, &r, &err), JL_ERR_UNSUPPORTED);
    jl_ring_close(&ring);
}

/* --- plan --- */

static int plan_of(const char *const *models, size_t model_count, const char *const *configurations,
                   size_t configuration_count, jl_arena *arena, jl_plan *p, jl_error *err)
{
    static const int64_t batches[] = {1, 8}, one[] = {1};
    static jl_study_spec spec;
    spec = (jl_study_spec){.name = "test",
                           .models = models,
                           .model_count = model_count,
                           .configurations = configurations,
                           .configuration_count = configuration_count,
                           .batches = batches,
                           .batch_count = 2,
                           .in_flight = one,
                           .in_flight_count = 1,
                           .min_time_ns = 1,
                           .max_time_ns = 2};
    return jl_plan_new(&spec, arena, p, err);
}

/* Its program went, or may not be run: the model has no part in it. */
static void test_worker_that_cannot_start(void **state)
{
    (void)state;
    static const char *const programs[][2] = {{"/nowhere/python3", "No such file"},
                                              {"/proc/self/status", "Permission denied"}};
    jl_error err = {0};
    jl_ring ring;
    ok(jl_ring_create(&ring, 64, &err), &err);
    for (size_t i = 0; i < 2; i++) {
        jl_launch launch = {.argv = {programs[i][0]}, .words = 1};
        jl_bench_job job = {.launch = &launch,
                            .configuration = "pytorch-cpu/fp32",
                            .model_name = "resnet18",
                            .scratch = "/tmp",
                            .io = "host",
                            .zoo = true,
                            .batch = 1,
                            .in_flight = 1,
                            .device_uuid = ""};
        jl_bench_rules rules = jl_bench_rules_default();
        jl_bench_result r;
        ok(jl_bench_run(&job, &rules, &ring, NULL, &r, &err), &err);
        assert_int_equal(r.outcome, JL_OUTCOME_MISSING);
        assert_string_equal(r.stage, "start");
        assert_non_null(strstr(r.message, programs[i][0]));
        assert_non_null(strstr(r.message, programs[i][1]));
        jl_bench_result_free(&r);
    }
    jl_ring_close(&ring);
}

static void test_plan(void **state)
{
    (void)state;
    jl_error err = {0};
    jl_arena *arena = jl_arena_new();
    jl_plan p;
    const char *models[] = {"resnet18", "mine=onnx:/dev/null", "torch:/dev/zero",
                            "family:attention"};
    const char *configurations[] = {"ort-cpu/fp32", "fake-gpu/fp16+noise=0"};
    ok(plan_of(models, 4, configurations, 2, arena, &p, &err), &err);
    assert_int_equal(p.model_count, 2);
    assert_int_equal(p.cell_count, 8);
    assert_string_equal(p.models[1].name, "mine");
    assert_string_equal(p.models[1].torch, "/dev/zero");
    assert_string_equal(p.models[1].family, "attention");
    assert_string_equal(p.models[0].family, "standard");
    assert_string_equal(jl_plan_file_of(&p, 1, 0).path, "/dev/null");
    assert_null(jl_plan_file_of(&p, 1, 1).path);
    jl_arena_free(arena);
}

static void test_plan_of_programs_and_converted_files(void **state)
{
    (void)state;
    jl_error err = {0};
    jl_arena *arena = jl_arena_new();
    jl_plan p;
    const char *models[] = {"mine=onnx:/dev/null", "torch:/dev/zero"};
    const char *configurations[] = {"pytorch-cpu/fp32", "ort-cpu/fp16+convert=/dev/null",
                                    "ort-cpu/fp16+convert=jouleline", "ort-cpu/fp16+convert=mixed",
                                    "ort-cpu/fp16+convert=ort-transformers:1.2"};
    ok(plan_of(models, 2, configurations, 5, arena, &p, &err), &err);
    assert_string_equal(jl_plan_file_of(&p, 0, 0).path, "/dev/zero");
    assert_int_equal(p.configurations[1].converter.kind, JL_CONVERTER_FILE);
    assert_string_equal(p.configurations[2].text, "ort-cpu/fp16");
    assert_int_equal(p.configurations[3].converter.kind, JL_CONVERTER_MIXED);
    assert_string_equal(p.configurations[4].converter.name, "ort-transformers");
    assert_string_equal(p.configurations[4].converter.wanted, "1.2");
    jl_arena_free(arena);
}

static void count_probes(const char *const *models, size_t model_count, jl_probes wish,
                         const char *configuration, size_t cells)
{
    jl_error err = {0};
    jl_arena *arena = jl_arena_new();
    static const int64_t batches[] = {1, 8}, two[] = {2};
    jl_study_spec spec = {.name = "test",
                          .models = models,
                          .model_count = model_count,
                          .configurations = &configuration,
                          .configuration_count = 1,
                          .batches = batches,
                          .batch_count = 2,
                          .in_flight = two,
                          .in_flight_count = 1,
                          .rounds = 10,
                          .probes = wish,
                          .min_time_ns = 1,
                          .max_time_ns = 2};
    jl_plan p;
    ok(jl_plan_new(&spec, arena, &p, &err), &err);
    assert_int_equal(p.probe_cell_count, cells);
    assert_int_equal(p.probe_count, cells);
    assert_int_equal(p.model_count, model_count + cells);
    assert_int_equal(p.cell_count, 2 * model_count + cells);
    assert_int_equal(!!strstr(p.spec_json, "probes"), cells > 0);
    for (size_t i = 2 * model_count; i < p.cell_count; i++) {
        const jl_plan_model *m = &p.models[p.cells[i].model];
        assert_true(m->probe && m->batch_count == 1 && m->batches[0].batch == 1);
        assert_int_equal(p.cells[i].in_flight, 1);
    }
    size_t rounds = wish == JL_PROBES_ONCE ? 1 : 3;
    assert_int_equal(jl_plan_probe_runs(&p, 1, 10), rounds * cells);
    assert_int_equal(jl_plan_probe_runs(&p, 1, 1), cells);
    assert_int_equal(jl_plan_probe_runs(&p, 2, 8), (rounds - 1) * cells);
    assert_int_equal(jl_plan_probe_runs(&p, 4, 7), 0);
    jl_study_size size;
    ok(jl_study_check(&spec, &size, &err), &err);
    assert_int_equal(size.cells, 2 * model_count);
    assert_int_equal(size.models, model_count);
    assert_int_equal(size.probe_runs, rounds * cells);
    jl_arena_free(arena);
}

/* Four a configuration, in sizes for its device and precision; never counted with the models. */
static void test_probes(void **state)
{
    (void)state;
    const char *models[] = {"resnet18", "resnet50", "vgg16", "swin_t"};
    count_probes(models, 1, JL_PROBES_NO, "ort-cpu/fp32", 0);
    count_probes(models, 1, JL_PROBES_YES, "ort-cpu/fp32", 4);
    count_probes(models, 3, JL_PROBES_AUTO, "ort-cpu/fp32", 0);
    count_probes(models, 4, JL_PROBES_AUTO, "ort-cpu/int8", 4);
    count_probes(models, 4, JL_PROBES_YES, "ort-cuda/fp16", 4);
    count_probes(models, 4, JL_PROBES_ONCE, "ort-cuda/fp16", 4);
    count_probes(models, 1, JL_PROBES_YES, "fake-gpu/fp32", 4);
}

/* What a model needs follows from the configurations of its cells, of which there are many more. */
static void test_needs(void **state)
{
    (void)state;
    jl_error err = {0};
    jl_arena *arena = jl_arena_new();
    char folder[] = "/tmp/jl_needs_XXXXXX", a[64], b[64], cache[64], given[128];
    assert_non_null(mkdtemp(folder));
    snprintf(a, sizeof a, "%s/a.onnx", folder);
    snprintf(b, sizeof b, "%s/b.onnx", folder);
    snprintf(cache, sizeof cache, "%s/cache", folder);
    snprintf(given, sizeof given, "ort-cpu/fp16+convert=%s", a); /* not made by us */
    setenv("XDG_CACHE_HOME", cache, 1);
    ok(jl_zoo_export("probe_matmul_4x4x1", NULL, a, &err), &err);
    ok(jl_zoo_export("probe_matmul_4x4x2", NULL, b, &err), &err);
    const char *models[] = {b};
    const char *elsewhere[] = {given, "ort-cpu/fp32"}, *own[] = {given, "ort-cpu/fp16"};
    jl_plan p;
    for (int i = 0; i < 2; i++) {
        ok(plan_of(models, 1, i ? own : elsewhere, 2, arena, &p, &err), &err);
        assert_true(p.cell_count > p.configuration_count);
        ok(jl_plan_prepare(&p, folder, NULL, NULL, &err), &err);
        for (size_t m = 0; m < p.model_count; m++) {
            assert_null(p.models[m].reason);
            assert_true(p.models[m].needs_onnx);
            assert_int_equal(p.models[m].needs_fp16, i == 1);
            assert_int_equal(p.models[m].fp16 != NULL, i == 1);
        }
    }
    unsetenv("XDG_CACHE_HOME");
    const char *argv[] = {"rm", "-rf", "--", folder, NULL};
    jl_process_run(&(jl_spawn){.argv = argv}, 60 * JL_NS_PER_S, 0, NULL, NULL, NULL, NULL);
    jl_arena_free(arena);
}

static void refuse(const char *model, const char *configuration, int code, const char *words)
{
    jl_error err = {0};
    jl_arena *arena = jl_arena_new();
    jl_plan p;
    assert_int_equal(plan_of(&model, 1, &configuration, 1, arena, &p, &err), code);
    if (!strstr(err.msg, words)) fail_msg("'%s' is not in: %s", words, err.msg);
    jl_arena_free(arena);
}

static void test_plans_that_are_refused(void **state)
{
    (void)state;
    refuse("resnet19", "ort-cpu/fp32", JL_ERR_MISSING, "resnet18");
    refuse("resnet18", "otr-cpu/fp32", JL_ERR_USAGE, "ort");
    refuse("resnet18", "ort-cpu/fp23", JL_ERR_USAGE, "fp23");
    refuse("resnet18", "ort-cpu/fp32+thraeds=2", JL_ERR_USAGE, "threads");
    refuse("none.onnx", "ort-cpu/fp32", JL_ERR_MISSING, "none.onnx");
    refuse("torch:x", "ort-cpu/fp32", JL_ERR_USAGE, "NAME=");
    refuse("x=onnx:none", "ort-cpu/fp32", JL_ERR_MISSING, "none");
    refuse("resnet18", "ort-cpu/fp16+convert=ocx", JL_ERR_USAGE, "did you mean 'occ'");
    refuse("resnet18", "ort-cpu/fp32+convert=occ", JL_ERR_USAGE, "ort-cpu/fp16+convert=occ");
    refuse("resnet18", "pytorch-cpu/fp16+convert=mixed", JL_ERR_USAGE, "takes none");
    refuse("resnet18", "ort-cpu/fp16+convert=none.onnx", JL_ERR_MISSING, "none.onnx");
    refuse("x=family:mine", "ort-cpu/fp32", JL_ERR_USAGE, "no file");
}

static void test_gpu_driver(void **state)
{
    files *f = *state;
    char command[512], text[32];
    jl_host_gpu_driver(f->folder, text, sizeof text);
    assert_string_equal(text, "");
    snprintf(command, sizeof command,
             "mkdir -p %s/proc/driver/nvidia && echo 'NVRM version: NVIDIA UNIX Open Kernel Module "
             "for x86_64  580.159.04  Release Build' > %s/proc/driver/nvidia/version",
             f->folder, f->folder);
    assert_int_equal(system(command), 0);
    jl_host_gpu_driver(f->folder, text, sizeof text);
    assert_string_equal(text, "580.159.04");
    snprintf(command, sizeof command, "rm -r %s/proc", f->folder);
    assert_int_equal(system(command), 0);
}

static json_t *conditions_of(const char *root)
{
    char *text = jl_host_conditions(root);
    json_t *j = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(j);
    return j;
}

static void test_conditions(void **state)
{
    files *f = *state;
    char command[1024];
    JL_JSON *bare = conditions_of(f->folder);
    assert_null(json_object_get(bare, "governor"));
    assert_non_null(strstr(jl_json_text(bare, "governor_missing", ""), "virtual machines"));
    assert_true(*jl_json_text(bare, "kernel", "") && *jl_json_text(bare, "cpu", ""));
    snprintf(command, sizeof command,
             "cd %s && for i in 0 1 3; do mkdir -p sys/devices/system/cpu/cpu$i/cpufreq && "
             "echo powersave > sys/devices/system/cpu/cpu$i/cpufreq/scaling_governor; done && "
             "echo performance > sys/devices/system/cpu/cpu3/cpufreq/scaling_governor",
             f->folder);
    assert_int_equal(system(command), 0);
    JL_JSON *mixed = conditions_of(f->folder);
    assert_string_equal(jl_json_text(mixed, "governor", ""), "powersave, performance");
    assert_null(json_object_get(mixed, "governor_missing"));
    snprintf(command, sizeof command, "rm -r %s/sys", f->folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settled),
        cmocka_unit_test(test_narrow),
        cmocka_unit_test_setup_teardown(test_agreement, make_files, remove_files),
        cmocka_unit_test_setup_teardown(test_new_nan_and_old_nan, make_files, remove_files),
        cmocka_unit_test_setup_teardown(test_gpu_driver, make_files, remove_files),
        cmocka_unit_test_setup_teardown(test_conditions, make_files, remove_files),
        cmocka_unit_test(test_channel),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_worker_that_cannot_start),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_plan_of_programs_and_converted_files),
        cmocka_unit_test(test_plans_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
