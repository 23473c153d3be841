/* OpenVINO through its vtable, with the library that ./dev fetches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "make_model.h"
#include "session.h"

static char folder[] = "/tmp/jl_openvino_XXXXXX";
static char relu[64], relu16[64], gather[64], unknown[64], broken[64];

static int make_models(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(relu, sizeof relu, "%s/relu.onnx", folder);
    snprintf(relu16, sizeof relu16, "%s/relu16.onnx", folder);
    snprintf(gather, sizeof gather, "%s/gather.onnx", folder);
    snprintf(unknown, sizeof unknown, "%s/unknown.onnx", folder);
    snprintf(broken, sizeof broken, "%s/broken.onnx", folder);
    make_relu_model(relu, JL_FLOAT, 2, (int64_t[]){-1, 4});
    make_relu_model(relu16, JL_FLOAT16, 2, (int64_t[]){-1, 4});
    make_gather_model(gather, 10);
    make_one_node_model(unknown, "Quux", 4);
    FILE *f = fopen(broken, "w");
    fputs("this is no model", f);
    return fclose(f);
}

static int remove_models(void **state)
{
    (void)state;
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static float x[2][4] = {{1, -1, 2, -2}, {0.5f, 3, -0.25f, 70}};

static jl_tensor input(void)
{
    return (jl_tensor){.name = "x",
                       .dtype = JL_FLOAT,
                       .rank = 2,
                       .dims = {2, 4},
                       .data = x,
                       .size_bytes = sizeof x};
}

static void check_relu(session *s)
{
    const jl_tensor *y;
    size_t count;
    float f[8];
    jl_error err = {0};
    assert_int_equal(s->runtime->outputs(s->ctx, &y, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_string_equal(y->name, "y");
    assert_int_equal(jl_tensor_elements(y), 8);
    assert_int_equal(jl_tensor_floats(y, f, NULL), 0);
    for (int i = 0; i < 8; i++) {
        float twice = 2 * x[i / 4][i % 4];
        assert_true(f[i] == (twice > 0 ? twice : 0));
    }
}

static void every_precision_that_the_processor_has_runs(void **state)
{
    (void)state;
    static const char *const precisions[] = {"fp32", "int8", "native", "bf16", "fp16"};
    for (size_t i = 0; i < 5; i++) {
        char text[64];
        session s;
        jl_error err = {0};
        jl_tensor in = input();
        fact_list f;
        snprintf(text, sizeof text, "openvino-cpu/%s+threads=1", precisions[i]);
        int rc = session_load(&s, text, relu, &in, 1, 1, &err);
        if (rc == JL_ERR_UNSUPPORTED && i >= 3) { /* only where the processor cannot */
            assert_non_null(strstr(err.msg, precisions[i]));
            assert_false(i == 3 ? jl_cpu_has_bf16() : jl_cpu_has_fp16());
            continue;
        }
        if (rc) fail_msg("%s: %s", text, err.msg);
        for (int k = 0; k < 3; k++)
            assert_int_equal(s.runtime->infer(s.ctx, &err), 0);
        check_relu(&s);
        assert_int_equal(session_facts(&s, &f, &err), 0);
        assert_string_equal(fact(&f, "threads"), "1");
        assert_non_null(fact(&f, "version"));
        const char *ran = fact(&f, "inference_precision");
        assert_non_null(ran);
        if (i < 2) assert_string_equal(ran, "f32");
        if (i == 3) assert_string_equal(ran, "bf16");
        session_close(&s);
    }
}

/* Inputs wrapped in place, and inputs converted to the model's type. */
static void new_contents_of_inputs_are_seen(void **state)
{
    (void)state;
    const char *const models[] = {relu, relu16};
    for (size_t i = 0; i < 2; i++) {
        session s;
        jl_error err = {0};
        jl_tensor in = input();
        if (session_load(&s, "openvino-cpu/fp32", models[i], &in, 1, 1, &err))
            fail_msg("%s", err.msg);
        for (int call = 0; call < 3; call++) {
            x[0][1] += 4; /* -1, 3, 7, 11 */
            assert_int_equal(s.runtime->refresh(s.ctx, &err), 0);
            assert_int_equal(s.runtime->infer(s.ctx, &err), 0);
            check_relu(&s);
        }
        x[0][1] = -1;
        session_close(&s);
    }
}

static void shapes_are_fixed_or_left_as_in_the_model(void **state)
{
    (void)state;
    static const char *const texts[][2] = {{"openvino-cpu/fp32", "fixed"},
                                           {"openvino-cpu/native", "as in the model"},
                                           {"openvino-cpu/fp32+shapes=model", "as in the model"}};
    for (size_t i = 0; i < 3; i++) {
        session s;
        jl_error err = {0};
        jl_tensor in = input();
        fact_list f;
        if (session_load(&s, texts[i][0], relu, &in, 1, 1, &err)) fail_msg("%s", err.msg);
        assert_int_equal(s.runtime->infer(s.ctx, &err), 0);
        check_relu(&s);
        assert_int_equal(session_facts(&s, &f, &err), 0);
        assert_string_equal(fact(&f, "shapes"), texts[i][1]);
        session_close(&s);
    }
}

static void several_inputs_and_outputs_go_by_name(void **state)
{
    (void)state;
    int64_t ids[3] = {9, 0, 4}, mask[3] = {1, 1, 0};
    jl_tensor in[2] = {{.name = "attention_mask",
                        .dtype = JL_INT64,
                        .rank = 2,
                        .dims = {1, 3},
                        .data = mask,
                        .size_bytes = sizeof mask},
                       {.name = "ids",
                        .dtype = JL_INT64,
                        .rank = 2,
                        .dims = {1, 3},
                        .data = ids,
                        .size_bytes = sizeof ids}};
    session s;
    jl_error err = {0};
    const jl_tensor *out;
    size_t count;
    if (session_load(&s, "openvino-cpu/fp32", gather, in, 2, 1, &err)) fail_msg("%s", err.msg);
    assert_int_equal(s.runtime->infer(s.ctx, &err), 0);
    assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_true(((const float *)out[0].data)[0] == 18 && ((const float *)out[0].data)[5] == 9);
    assert_memory_equal(out[1].data, mask, sizeof mask);
    session_close(&s);
    assert_int_equal(session_load(&s, "openvino-cpu/fp32", gather, in, 1, 1, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "'ids'"));
}

static void failures_keep_the_words_of_the_runtime(void **state)
{
    (void)state;
    static const struct {
        const char *configuration, *model, *words;
        int code;
    } cases[] = {
        {"openvino-cpu/fp32", unknown, "Quux", JL_ERR_UNSUPPORTED},
        {"openvino-cpu/fp32", broken, broken, JL_ERR_FORMAT},
        {"openvino-cpu/fp32", "/nowhere/m.onnx", "/nowhere/m.onnx", JL_ERR_IO},
        {"openvino-cpu/fp32", NULL, "needs an ONNX file", JL_ERR_USAGE},
        {"openvino-cpu/tf32", relu, "NVIDIA", JL_ERR_UNSUPPORTED},
        {"openvino-cpu/fp32@1", relu, "device 0", JL_ERR_MISSING},
        {"openvino-cpu/fp32+lib=/nowhere.so", relu, "JOULELINE_OPENVINO", JL_ERR_MISSING},
        {"openvino-cpu/fp32+lib=/lib/x86_64-linux-gnu/libm.so.6", relu, "ov_", JL_ERR_MISSING},
        {"openvino-cpu/fp32+hint=fast", relu, "+hint=fast", JL_ERR_USAGE},
        {"openvino-cpu/fp32+shapes=some", relu, "+shapes=some", JL_ERR_USAGE},
        {"openvino-cpu/fp32+property.NO_SUCH=1", relu, "NO_SUCH", JL_ERR_USAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        session s;
        jl_error err = {0};
        jl_tensor in = input();
        int rc = session_load(&s, cases[i].configuration, cases[i].model, &in, 1, 1, &err);
        if (rc != cases[i].code || !strstr(err.msg, cases[i].words))
            fail_msg("%s: %d '%s' is not %d '%s'", cases[i].configuration, rc, err.msg,
                     cases[i].code, cases[i].words);
    }
}

static void calls_in_flight_are_requests(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = input();
    fact_list f;
    if (session_load(&s, "openvino-cpu/fp32+threads=2", relu, &in, 1, 2, &err))
        fail_msg("%s", err.msg);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 2; i++)
            assert_int_equal(s.runtime->submit(s.ctx, i, &err), 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(s.runtime->wait(s.ctx, i, &err), 0);
    }
    check_relu(&s);
    assert_int_equal(s.runtime->submit(s.ctx, 2, &err), JL_ERR_USAGE);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "streams"), "2");
    session_close(&s);
    if (session_load(&s, "openvino-cpu/fp32+hint=throughput", relu, &in, 1, 2, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "hint"), "THROUGHPUT");
    session_close(&s);
}

static void the_probe_tells_library_and_processor(void **state)
{
    (void)state;
    const jl_runtime *r = jl_runtime_find("openvino");
    jl_device d[2];
    size_t count;
    jl_error err = {0};
    fact_list f;
    jl_facts sink = facts_sink(&f);
    assert_int_equal(r->probe(NULL, d, 2, &count, &sink, &err), 0);
    assert_int_equal(count, 1);
    assert_non_null(fact(&f, "version"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_precision_that_the_processor_has_runs),
        cmocka_unit_test(new_contents_of_inputs_are_seen),
        cmocka_unit_test(shapes_are_fixed_or_left_as_in_the_model),
        cmocka_unit_test(several_inputs_and_outputs_go_by_name),
        cmocka_unit_test(failures_keep_the_words_of_the_runtime),
        cmocka_unit_test(calls_in_flight_are_requests),
        cmocka_unit_test(the_probe_tells_library_and_processor),
    };
    return cmocka_run_group_tests(tests, make_models, remove_models);
}
