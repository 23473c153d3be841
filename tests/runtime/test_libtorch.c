/* libtorch through its vtable, with the shim that the script built. */
#include <string.h>

#include "fixture.h"

static void run_relu(const char *configuration, const char *model, jl_dtype dtype)
{
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    if (session_load(&s, configuration, model, &in, 1, 1, &err)) fail_msg("%s", err.msg);
    for (int call = 0; call < 3; call++) {
        relu_x[0][1] += call ? 4 : 0; /* new contents from the second call on */
        if (call && s.runtime->refresh(s.ctx, &err)) fail_msg("%s", err.msg);
        infer(&s);
    }
    check_relu(&s, dtype);
    relu_x[0][1] = -1;
    session_close(&s);
}

static void precisions_change_the_types(void **state)
{
    (void)state;
    run_relu("libtorch-cpu/fp32", models.relu, JL_FLOAT);
    run_relu("libtorch-cpu/native", models.relu, JL_FLOAT);
    run_relu("libtorch-cpu/bf16", models.relu, JL_BFLOAT16);
    run_relu("libtorch-cpu/fp32", models.relu16, JL_FLOAT);
}

static void a_session_describes_itself(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    fact_list f;
    if (session_load(&s, "libtorch-cpu/fp32+threads=1", models.relu, &in, 1, 1, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "threads"), "1");
    assert_string_equal(fact(&f, "regime"), "matched");
    assert_string_equal(fact(&f, "dispatch"), "graph");
    assert_string_equal(fact(&f, "layout"), "nchw");
    assert_non_null(fact(&f, "version"));
    assert_non_null(fact(&f, "device"));
    assert_null(fact(&f, "tf32"));
    assert_int_equal(s.runtime->device_memory_bytes(s.ctx), -1);
    session_close(&s);
}

static void several_inputs_and_outputs_go_by_name(void **state)
{
    (void)state;
    check_gather("libtorch-cpu/fp32", -6);
    gather_inputs in;
    gather_fill(&in, (int64_t[]){10, 0, -6});
    session s;
    jl_error err = {0};
    assert_int_equal(session_load(&s, "libtorch-cpu/fp32", models.gather, in.t, 2, 1, &err), 0);
    assert_int_equal(s.runtime->infer(s.ctx, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "index"));
    session_close(&s);
}

static void failures_say_what_and_why(void **state)
{
    (void)state;
    jl_tensor in = relu_input();
    static const refusal cases[] = {
        {"libtorch-cpu/fp32", models.unknown, "Quux", JL_ERR_UNSUPPORTED},
        {"libtorch-cpu/fp32", models.broken, "broken.onnx", JL_ERR_FORMAT},
        {"libtorch-cpu/fp32", "/nowhere/m.onnx", "/nowhere/m.onnx", JL_ERR_IO},
        {"libtorch-cpu/fp32", NULL, "needs an ONNX file", JL_ERR_USAGE},
        {"libtorch-cpu/tf32", models.relu, "NVIDIA", JL_ERR_UNSUPPORTED},
        {"libtorch-cpu/int8", models.relu, "quantised", JL_ERR_UNSUPPORTED},
        {"libtorch-cuda/fp32", models.relu, " here", JL_ERR_MISSING},
        {"libtorch-cpu/fp32+threads=0", models.relu, "+threads=0", JL_ERR_USAGE},
        {"libtorch-cpu/fp32+trace=/nowhere/t.pt", models.relu, "--trust", JL_ERR_USAGE},
        {"libtorch-cpu/fp32+cudnn_benchmark=1", models.relu, "belongs to libtorch-cuda",
         JL_ERR_USAGE},
        {"libtorch-cpu/fp32+channels_last=2", models.relu, "neither 0 nor 1", JL_ERR_USAGE},
        {"libtorch-cpu/fp32+lib=/nowhere/shim.so", models.relu, "build_libtorch_shim.sh",
         JL_ERR_MISSING},
        {"libtorch-cpu/fp32+lib=/lib/x86_64-linux-gnu/libm.so.6", models.relu, "jouleline_torch",
         JL_ERR_MISSING},
    };
    check_refusals(cases, sizeof cases / sizeof *cases);
    session s;
    jl_error err = {0};
    assert_int_equal(session_load(&s, "libtorch-cpu/fp32", models.relu, &in, 1, 2, &err),
                     JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "in flight"));
}

static void the_probe_tells_version_and_processor(void **state)
{
    (void)state;
    const jl_runtime *r = jl_runtime_find("libtorch");
    jl_configuration c;
    jl_device d[4];
    size_t count;
    jl_error err = {0};
    fact_list f;
    jl_facts sink = facts_sink(&f);
    assert_int_equal(r->probe(NULL, d, 4, &count, &sink, &err), 0);
    assert_true(count >= 1);
    assert_string_equal(d[0].provider, "cpu");
    assert_non_null(fact(&f, "version"));
    assert_int_equal(jl_configuration_parse("libtorch-cpu/fp32+lib=/nowhere.so", &c, &err), 0);
    assert_int_equal(r->probe(&c, d, 4, &count, &sink, &err), JL_ERR_MISSING);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precisions_change_the_types),
        cmocka_unit_test(a_session_describes_itself),
        cmocka_unit_test(several_inputs_and_outputs_go_by_name),
        cmocka_unit_test(failures_say_what_and_why),
        cmocka_unit_test(the_probe_tells_version_and_processor),
    };
    return cmocka_run_group_tests(tests, models_make, models_remove);
}
