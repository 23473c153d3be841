#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <unistd.h>

#include "base/scratch.h"
#include "convert/calibrate.h"
#include "convert/histogram.h"
#include "convert/passes.h"
#include "runtime/ort.h"
#include "tiny.h"

/* Histograms */

static uint64_t total(const jl_histogram *h)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof h->bins / sizeof *h->bins; i++)
        sum += h->bins[i];
    return sum;
}

static float magnitude(const float *x, size_t n)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    return most;
}

static void bins_do_not_depend_on_the_order(void **state)
{
    (void)state;
    enum { N = 4000, PARTS = 4, PART = N / PARTS };
    static jl_histogram whole, forth, back, parts[PARTS];
    static float x[N];
    for (int i = 0; i < N; i++) /* spans of very different width, and zeros */
        x[i] = i % 7 == 0 ? 0 : sinf((float)i) * ldexpf(1, i / PART * 5 - 8);
    jl_histogram_add(&whole, x, N, magnitude(x, N));
    for (int k = 0; k < PARTS; k++) {
        const float *p = x + k * PART, *q = x + (PARTS - 1 - k) * PART;
        jl_histogram_add(&forth, p, PART, magnitude(p, PART));
        jl_histogram_add(&back, q, PART, magnitude(q, PART));
        jl_histogram_add(&parts[k], p, PART, magnitude(p, PART));
    }
    for (int k = 1; k < PARTS; k++)
        jl_histogram_join(&parts[0], &parts[k]);
    assert_int_equal(total(&whole), N);
    assert_memory_equal(&forth, &back, sizeof forth);
    assert_memory_equal(&forth, &parts[0], sizeof forth);
    assert_true(whole.top == forth.top);
    /* A span that grew has joined bins as they are: only the sides of zero are exact. */
    uint64_t below[2] = {0, 0};
    for (int i = 0; i < JL_HISTOGRAM_HALF; i++) {
        below[0] += whole.bins[i];
        below[1] += forth.bins[i];
    }
    assert_int_equal(below[0], below[1]);
}

static void a_percentile_cuts_its_share_at_either_end(void **state)
{
    (void)state;
    enum { N = 100000 };
    static jl_histogram h;
    static float x[N];
    for (int i = 0; i < N; i++) /* even in [-1, 3) */
        x[i] = -1 + 4 * (float)i / N;
    jl_histogram_add(&h, x, N, 3);
    float low = x[0], high = x[N - 1], bin = h.top / JL_HISTOGRAM_HALF;
    jl_histogram_percentile(&h, 100, &low, &high);
    assert_true(low == x[0] && high == x[N - 1]);
    jl_histogram_percentile(&h, 99, &low, &high);
    assert_true(low >= -0.96f - bin && low <= -0.96f && high <= 2.96f + bin && high >= 2.96f);
    jl_histogram_percentile(&h, 90, &low, &high);
    assert_true(fabsf(low + 0.6f) <= bin && fabsf(high - 2.6f) <= bin);
}

static void entropy_leaves_outliers_out(void **state)
{
    (void)state;
    enum { N = 100000 };
    static jl_histogram h;
    static float x[N];
    for (int i = 0; i < N; i++) /* a sum of sines has the shape of a bell */
        x[i] = sinf((float)i) + sinf(1.7f * (float)i) + sinf(2.3f * (float)i);
    x[5] = 64;
    jl_histogram_add(&h, x, N, 64);
    float low = -3, high = 64;
    jl_histogram_entropy(&h, &low, &high);
    assert_true(low == -3 && high > 2 && high < 16);
}

static void extreme_magnitudes_keep_their_range(void **state)
{
    (void)state;
    static const float tops[] = {0, 1e-45f, FLT_MIN, 1, 0x1p126f, 0x1p127f, FLT_MAX};
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        const float x[] = {-tops[i], 0, 0, tops[i] / 2, tops[i]};
        for (int entropy = 0; entropy < 2; entropy++) {
            static jl_histogram h, other;
            float low = x[0], high = x[4];
            h = other = (jl_histogram){0};
            jl_histogram_add(&h, x, 5, tops[i]);
            jl_histogram_add(&other, x, 5, tops[i]);
            jl_histogram_join(&h, &other);
            assert_int_equal(total(&h), 10);
            if (entropy)
                jl_histogram_entropy(&h, &low, &high);
            else
                jl_histogram_percentile(&h, 99.999, &low, &high);
            if (!entropy) assert_true(low == x[0] && high == x[4]);
            assert_true(low >= x[0] && low <= 0 && high >= 0 && high <= x[4]);
        }
    }
}

/* Passes: x [1, 8] -> Relu -> r, r x ones [8, 64] -> y; beside it s (int64) and e (no element). */

enum { WIDTH = 8, CLASSES = 64, SAMPLES = 11 };

typedef struct fixture {
    jl_path folder;
    char path[PATH_MAX + 64], scratch[PATH_MAX + 64];
    onnx_file *file;
    jl_edit edit;
} fixture;

static float made[SAMPLES][WIDTH];

static int get(void *ctx, size_t i, jl_tensor *t, jl_error *err)
{
    static float reused[WIDTH]; /* as those do that make samples on demand */
    const size_t *failing = ctx;
    if (failing && i == *failing) return jl_fail(err, JL_ERR_IO, "sample %zu is gone", i);
    memcpy(reused, made[i], sizeof reused);
    *t = (jl_tensor){.name = "x",
                     .dtype = JL_FLOAT,
                     .rank = 2,
                     .dims = {1, WIDTH},
                     .data = reused,
                     .size_bytes = sizeof reused};
    return 0;
}

static void open_model(fixture *f)
{
    jl_error err = {0};
    tiny t = tiny_model(17, 8);
    tiny_input(&t, "x", "float 1 8");
    tiny_node(&t, "Relu", "x", "r");
    tiny_weight(&t, "w", 2, WIDTH, CLASSES);
    onnx_tensor *w = &t.graph->initializers.p[0];
    float *ones = jl_arena_alloc(t.arena, w->raw_data.n);
    for (size_t i = 0; i < WIDTH * CLASSES; i++)
        ones[i] = 1;
    w->raw_data.p = (const char *)ones;
    w->has_raw_data = true;
    tiny_shape(&t, "zero", 1, 0);
    tiny_node(&t, "MatMul", "r w", "y");
    tiny_node(&t, "Shape", "x", "s");
    tiny_node(&t, "Slice", "x zero zero zero", "e");
    tiny_output(&t, "y");
    t.graph->outputs.p[0].type = tiny_info(&t, "y", "float 1 64")->type;
    snprintf(f->path, sizeof f->path, "%s/m.onnx", f->folder.s);
    snprintf(f->scratch, sizeof f->scratch, "%s/scratch.onnx", f->folder.s);
    if (onnx_save(t.model, f->path, NULL, &err) || onnx_open(f->path, &f->file, &err) ||
        jl_edit_begin(&f->edit, f->file, &err))
        fail_msg("%s", err.msg);
    tiny_free(&t);
}

static int set_up(void **state)
{
    fixture *f = *state = calloc(1, sizeof *f);
    if (jl_scratch_make(&f->folder, "test", NULL)) return -1;
    for (int i = 0; i < SAMPLES; i++)
        for (int k = 0; k < WIDTH; k++)
            made[i][k] = (float)((i * 37 + k * 11) % 23 - 9);
    open_model(f);
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    jl_edit_end(&f->edit);
    onnx_close(f->file);
    jl_scratch_remove(&f->folder);
    free(f);
    return 0;
}

static void need_runtime(void)
{
    ort_library library;
    if (ort_library_open(&library, &(jl_configuration){.runtime = "ort"}, NULL)) skip();
}

typedef struct seen {
    int times;
    jl_dtype dtype;
    size_t bytes;
    double sum;
} seen;

typedef struct watcher {
    seen seen[SAMPLES][4];
    size_t failing; /* sample, SAMPLES: none */
} watcher;

static int look(const jl_pass *pass, size_t index, const jl_tensor *t, jl_error *err)
{
    watcher *w = pass->ctx;
    seen *s = &w->seen[pass->sample][index];
    const float *x = t->data;
    if (pass->sample == w->failing) return jl_fail(err, JL_ERR_FORMAT, "not this one");
    s->times++;
    s->dtype = t->dtype;
    s->bytes = t->size_bytes;
    for (size_t i = 0; t->dtype == JL_FLOAT && i < t->size_bytes / sizeof *x; i++)
        s->sum += (double)x[i];
    return 0;
}

static const jl_str names[] = {{"y", 1}, {"x", 1}, {"e", 1}, {"s", 1}};

static int pass(fixture *f, const jl_str *wanted, size_t count, const jl_samples *samples,
                watcher *w, jl_error *err)
{
    jl_watched *model;
    int rc = jl_pass_open(&f->edit, wanted, count, f->scratch, &model, err);
    if (!rc) rc = jl_pass_samples(model, samples, NULL, samples->count, look, w, err);
    jl_watched_close(model);
    return rc;
}

static void scratch_is_gone(const fixture *f)
{
    char data[sizeof f->scratch + 8];
    snprintf(data, sizeof data, "%s.data", f->scratch);
    assert_int_not_equal(access(f->scratch, F_OK), 0);
    assert_int_not_equal(access(data, F_OK), 0);
}

static void each_value_is_seen_once_a_sample(void **state)
{
    fixture *f = *state;
    need_runtime();
    jl_error err = {0};
    watcher w = {.failing = SAMPLES};
    jl_samples samples = {.count = SAMPLES, .inputs = 1, .get = get};
    size_t nodes = f->edit.graph->nodes.n, imports = f->file->model->opset_imports.n;
    if (pass(f, names, 4, &samples, &w, &err)) fail_msg("%s", err.msg);
    for (int i = 0; i < SAMPLES; i++) {
        double x = 0, r = 0;
        for (int k = 0; k < WIDTH; k++) {
            x += (double)made[i][k];
            r += (double)fmaxf(made[i][k], 0);
        }
        for (int k = 0; k < 4; k++)
            assert_int_equal(w.seen[i][k].times, 1);
        assert_true(w.seen[i][0].sum == CLASSES * r && w.seen[i][1].sum == x);
        assert_int_equal(w.seen[i][2].bytes, 0);
        assert_int_equal(w.seen[i][2].dtype, JL_FLOAT);
        assert_int_equal(w.seen[i][3].dtype, JL_INT64);
        assert_int_equal(w.seen[i][3].bytes, 16);
    }
    assert_int_equal(f->edit.graph->nodes.n, nodes);
    assert_int_equal(f->file->model->opset_imports.n, imports);
    assert_int_equal(f->edit.graph->initializers.p[0].data_location, ONNX_DATA_DEFAULT);
    scratch_is_gone(f);
}

static void some_samples_alone_can_be_run(void **state)
{
    fixture *f = *state;
    need_runtime();
    static const size_t numbers[] = {7, 2, 10};
    jl_error err = {0};
    jl_watched *model;
    watcher w = {.failing = SAMPLES};
    jl_samples samples = {.count = SAMPLES, .inputs = 1, .get = get};
    if (jl_pass_open(&f->edit, names, 2, f->scratch, &model, &err) ||
        jl_pass_samples(model, &samples, numbers, 3, look, &w, &err) ||
        jl_pass_samples(model, &samples, numbers + 1, 1, look, &w, &err))
        fail_msg("%s", err.msg);
    jl_watched_close(model);
    for (size_t i = 0; i < SAMPLES; i++)
        assert_int_equal(w.seen[i][1].times, i == 2 ? 2 : i == 7 || i == 10 ? 1 : 0);
}

static void failures_end_the_passes(void **state)
{
    fixture *f = *state;
    need_runtime();
    jl_error err = {0};
    watcher w = {.failing = 3};
    jl_samples samples = {.count = SAMPLES, .inputs = 1, .get = get};
    assert_int_equal(pass(f, names, 1, &samples, &w, &err), JL_ERR_FORMAT);
    assert_string_equal(err.msg, "not this one");
    w.failing = SAMPLES;
    samples.ctx = &(size_t){4};
    assert_int_equal(pass(f, names, 1, &samples, &w, &err), JL_ERR_IO);
    assert_string_equal(err.msg, "sample 4 is gone");
    samples.ctx = NULL;
    const jl_str nobody = JL_STR("nobody");
    assert_true(pass(f, &nobody, 1, &samples, &w, &err) < 0);
    assert_non_null(strstr(err.msg, "nobody"));
    scratch_is_gone(f);
}

static void callers_are_joined(void **state)
{
    fixture *f = *state;
    need_runtime();
    jl_error err = {0};
    jl_samples samples = {.count = SAMPLES, .inputs = 1, .get = get};
    for (int how = JL_CALIBRATE_MINMAX; how <= JL_CALIBRATE_PERCENTILE; how++) {
        jl_quantize_options o = {.calibration = (jl_calibration)how, .percentile = 100};
        jl_observed v[] = {{.name = JL_STR("y"), .axis = JL_NO_MEANS},
                           {.name = JL_STR("x"), .axis = -1, .keep_each = true}};
        if (jl_calibrate(&f->edit, v, 2, f->scratch, &samples, &o, &err)) fail_msg("%s", err.msg);
        float low = 100, high = -100;
        assert_int_equal(v[1].channels, WIDTH);
        for (int k = 0; k < WIDTH; k++) {
            double mean = 0;
            for (int i = 0; i < SAMPLES; i++) {
                low = fminf(low, made[i][k]);
                high = fmaxf(high, made[i][k]);
                mean += (double)made[i][k] / SAMPLES;
                assert_true(v[1].each[i * WIDTH + k] == (double)made[i][k]);
            }
            assert_true(fabs(v[1].means[k] - mean) < 1e-12);
        }
        assert_true(v[1].range.low == low && v[1].range.high == high);
        assert_null(v[0].means);
    }
}

static void calibration_names_what_it_cannot_take(void **state)
{
    fixture *f = *state;
    need_runtime();
    jl_error err = {0};
    jl_samples samples = {.count = SAMPLES, .inputs = 1, .get = get};
    const jl_quantize_options o = {.calibration = JL_CALIBRATE_MINMAX};
    jl_observed integers = {.name = JL_STR("s"), .axis = JL_NO_MEANS};
    assert_int_equal(jl_calibrate(&f->edit, &integers, 1, f->scratch, &samples, &o, &err),
                     JL_ERR_UNSUPPORTED);
    assert_string_equal(err.msg, "'s' is int64, not float");
    jl_observed none = {.name = JL_STR("e"), .axis = JL_NO_MEANS};
    assert_int_equal(jl_calibrate(&f->edit, &none, 1, f->scratch, &samples, &o, &err),
                     JL_ERR_FORMAT);
    assert_string_equal(err.msg, "the runtime did not compute an element of 'e'");
    made[SAMPLES - 1][2] = NAN;
    jl_observed x = {.name = JL_STR("x"), .axis = JL_NO_MEANS};
    assert_int_equal(jl_calibrate(&f->edit, &x, 1, f->scratch, &samples, &o, &err), JL_ERR_FORMAT);
    assert_string_equal(err.msg, "'x' is NaN or infinite on the samples");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_do_not_depend_on_the_order),
        cmocka_unit_test(a_percentile_cuts_its_share_at_either_end),
        cmocka_unit_test(entropy_leaves_outliers_out),
        cmocka_unit_test(extreme_magnitudes_keep_their_range),
        cmocka_unit_test_setup_teardown(each_value_is_seen_once_a_sample, set_up, tear_down),
        cmocka_unit_test_setup_teardown(some_samples_alone_can_be_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_end_the_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(callers_are_joined, set_up, tear_down),
        cmocka_unit_test_setup_teardown(calibration_names_what_it_cannot_take, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
