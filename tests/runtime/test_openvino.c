/* OpenVINO through its vtable, with the library that ./dev fetches. */
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "fixture.h"

static void every_precision_that_the_processor_has_runs(void **state)
{
    (void)state;
    static const char *const precisions[] = {"fp32", "int8", "native", "bf16", "fp16"};
    for (size_t i = 0; i < 5; i++) {
        char text[64];
        session s;
        jl_error err = {0};
        jl_tensor in = relu_input();
        fact_list f;
        snprintf(text, sizeof text, "openvino-cpu/%s+threads=1", precisions[i]);
        int rc = session_load(&s, text, models.relu, &in, 1, 1, &err);
        if (rc == JL_ERR_UNSUPPORTED && i >= 3) { /* only where the processor cannot */
            assert_non_null(strstr(err.msg, precisions[i]));
            assert_false(i == 3 ? jl_cpu_has_bf16() : jl_cpu_has_fp16());
            continue;
        }
        if (rc) fail_msg("%s: %s", text, err.msg);
        for (int k = 0; k < 3; k++)
            infer(&s);
        check_relu(&s, JL_FLOAT);
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
    static const struct {
        const char *model;
        jl_dtype type;
    } cases[] = {{models.relu, JL_FLOAT}, {models.relu16, JL_FLOAT16}};
    for (size_t i = 0; i < 2; i++) {
        session s;
        jl_error err = {0};
        jl_tensor in = relu_input();
        if (session_load(&s, "openvino-cpu/fp32", cases[i].model, &in, 1, 1, &err))
            fail_msg("%s", err.msg);
        for (int call = 0; call < 3; call++) {
            relu_x[0][1] += 4; /* -1, 3, 7, 11 */
            assert_int_equal(s.runtime->refresh(s.ctx, &err), 0);
            infer(&s);
            check_relu(&s, cases[i].type);
        }
        relu_x[0][1] = -1;
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
        jl_tensor in = relu_input();
        fact_list f;
        if (session_load(&s, texts[i][0], models.relu, &in, 1, 1, &err)) fail_msg("%s", err.msg);
        infer(&s);
        check_relu(&s, JL_FLOAT);
        assert_int_equal(session_facts(&s, &f, &err), 0);
        assert_string_equal(fact(&f, "shapes"), texts[i][1]);
        session_close(&s);
    }
}

static void several_inputs_and_outputs_go_by_name(void **state)
{
    (void)state;
    check_gather("openvino-cpu/fp32", 4);
}

static void failures_keep_the_words_of_the_runtime(void **state)
{
    (void)state;
    static const refusal cases[] = {
        {"openvino-cpu/fp32", models.unknown, "Quux", JL_ERR_UNSUPPORTED},
        {"openvino-cpu/fp32", models.broken, models.broken, JL_ERR_FORMAT},
        {"openvino-cpu/fp32", "/nowhere/m.onnx", "/nowhere/m.onnx", JL_ERR_IO},
        {"openvino-cpu/fp32", NULL, "needs an ONNX file", JL_ERR_USAGE},
        {"openvino-cpu/tf32", models.relu, "NVIDIA", JL_ERR_UNSUPPORTED},
        {"openvino-cpu/fp32@1", models.relu, "device 0", JL_ERR_MISSING},
        {"openvino-cpu/fp32+lib=/nowhere.so", models.relu, "JOULELINE_OPENVINO", JL_ERR_MISSING},
        {"openvino-cpu/fp32+lib=/lib/x86_64-linux-gnu/libm.so.6", models.relu, "ov_",
         JL_ERR_MISSING},
        {"openvino-cpu/fp32+hint=fast", models.relu, "+hint=fast", JL_ERR_USAGE},
        {"openvino-cpu/fp32+shapes=some", models.relu, "+shapes=some", JL_ERR_USAGE},
        {"openvino-cpu/fp32+property.NO_SUCH=1", models.relu, "NO_SUCH", JL_ERR_USAGE},
    };
    check_refusals(cases, sizeof cases / sizeof *cases);
}

static void calls_in_flight_are_requests(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    fact_list f;
    if (session_load(&s, "openvino-cpu/fp32+threads=2", models.relu, &in, 1, 2, &err))
        fail_msg("%s", err.msg);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 2; i++)
            assert_int_equal(s.runtime->submit(s.ctx, i, &err), 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(s.runtime->wait(s.ctx, i, &err), 0);
    }
    check_relu(&s, JL_FLOAT);
    assert_int_equal(s.runtime->submit(s.ctx, 2, &err), JL_ERR_USAGE);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "streams"), "2");
    session_close(&s);
    if (session_load(&s, "openvino-cpu/fp32+hint=throughput", models.relu, &in, 1, 2, &err))
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
    return cmocka_run_group_tests(tests, models_make, models_remove);
}
