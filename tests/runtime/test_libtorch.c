/* libtorch through its vtable, with the shim that the script built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "make_model.h"
#include "session.h"

static char folder[] = "/tmp/jl_libtorch_XXXXXX";
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

static void run_relu(const char *configuration, const char *model, jl_dtype dtype)
{
    session s;
    jl_error err = {0};
    jl_tensor in = input();
    const jl_tensor *out;
    size_t count;
    float f[8];
    if (session_load(&s, configuration, model, &in, 1, 1, &err)) fail_msg("%s", err.msg);
    for (int call = 0; call < 3; call++) {
        x[0][1] += call ? 4 : 0; /* new contents from the second call on */
        if (call && s.runtime->refresh(s.ctx, &err)) fail_msg("%s", err.msg);
        if (s.runtime->infer(s.ctx, &err)) fail_msg("%s", err.msg);
    }
    assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_string_equal(out->name, "y");
    assert_int_equal(out->dtype, dtype);
    assert_int_equal(out->rank, 2);
    assert_int_equal(jl_tensor_floats(out, f, NULL), 0);
    for (int i = 0; i < 8; i++) {
        float twice = 2 * x[i / 4][i % 4];
        assert_true(f[i] == (twice > 0 ? twice : 0));
    }
    x[0][1] = -1;
    session_close(&s);
}

static void precisions_change_the_types(void **state)
{
    (void)state;
    run_relu("libtorch-cpu/fp32", relu, JL_FLOAT);
    run_relu("libtorch-cpu/native", relu, JL_FLOAT);
    run_relu("libtorch-cpu/bf16", relu, JL_BFLOAT16);
    run_relu("libtorch-cpu/fp32", relu16, JL_FLOAT);
}

static void a_session_describes_itself(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = input();
    fact_list f;
    if (session_load(&s, "libtorch-cpu/fp32+threads=1", relu, &in, 1, 1, &err))
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
    int64_t ids[3] = {9, 0, -6}, mask[3] = {1, 1, 0};
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
    if (session_load(&s, "libtorch-cpu/fp32", gather, in, 2, 1, &err)) fail_msg("%s", err.msg);
    if (s.runtime->infer(s.ctx, &err)) fail_msg("%s", err.msg);
    assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
    assert_int_equal(count, 2);
    const float rows[6] = {18, 19, 0, 1, 8, 9}; /* -6 counts from the end of ten rows */
    assert_memory_equal(out[0].data, rows, sizeof rows);
    assert_memory_equal(out[1].data, mask, sizeof mask);
    session_close(&s);
    assert_int_equal(session_load(&s, "libtorch-cpu/fp32", gather, in, 1, 1, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "'ids'"));
    ids[0] = 10;
    assert_int_equal(session_load(&s, "libtorch-cpu/fp32", gather, in, 2, 1, &err), 0);
    assert_int_equal(s.runtime->infer(s.ctx, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "index"));
    session_close(&s);
}

static void failures_say_what_and_why(void **state)
{
    (void)state;
    jl_tensor in = input();
    static const struct {
        const char *configuration, *model, *words;
        int code;
    } cases[] = {
        {"libtorch-cpu/fp32", unknown, "Quux", JL_ERR_UNSUPPORTED},
        {"libtorch-cpu/fp32", broken, "broken.onnx", JL_ERR_FORMAT},
        {"libtorch-cpu/fp32", "/nowhere/m.onnx", "/nowhere/m.onnx", JL_ERR_IO},
        {"libtorch-cpu/fp32", NULL, "needs an ONNX file", JL_ERR_USAGE},
        {"libtorch-cpu/tf32", relu, "NVIDIA", JL_ERR_UNSUPPORTED},
        {"libtorch-cpu/int8", relu, "quantised", JL_ERR_UNSUPPORTED},
        {"libtorch-cuda/fp32", relu, " here", JL_ERR_MISSING},
        {"libtorch-cpu/fp32+threads=0", relu, "+threads=0", JL_ERR_USAGE},
        {"libtorch-cpu/fp32+trace=/nowhere/t.pt", relu, "--trust", JL_ERR_USAGE},
        {"libtorch-cpu/fp32+lib=/nowhere/shim.so", relu, "build_libtorch_shim.sh", JL_ERR_MISSING},
        {"libtorch-cpu/fp32+lib=/lib/x86_64-linux-gnu/libm.so.6", relu, "jouleline_torch",
         JL_ERR_MISSING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        session s;
        jl_error err = {0};
        int rc = session_load(&s, cases[i].configuration, cases[i].model, &in, 1, 1, &err);
        if (rc != cases[i].code || !strstr(err.msg, cases[i].words))
            fail_msg("%s: %d '%s' is not %d '%s'", cases[i].configuration, rc, err.msg,
                     cases[i].code, cases[i].words);
        if (rc == 0) session_close(&s);
    }
    session s;
    jl_error err = {0};
    assert_int_equal(session_load(&s, "libtorch-cpu/fp32", relu, &in, 1, 2, &err),
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
    return cmocka_run_group_tests(tests, make_models, remove_models);
}
