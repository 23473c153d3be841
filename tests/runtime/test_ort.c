/* ONNX Runtime through its vtable, with the library that ./dev fetches. */
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

static char folder[] = "/tmp/jl_ort_XXXXXX";
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

static void check_relu(const jl_tensor *y)
{
    float f[8];
    assert_string_equal(y->name, "y");
    assert_int_equal(y->rank, 2);
    assert_int_equal(jl_tensor_elements(y), 8);
    assert_int_equal(jl_tensor_floats(y, f, NULL), 0);
    for (int i = 0; i < 8; i++) {
        float twice = 2 * x[i / 4][i % 4];
        assert_true(f[i] == (twice > 0 ? twice : 0));
    }
}

static void a_session_runs_and_describes_itself(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = input();
    const jl_tensor *out;
    size_t count;
    if (session_load(&s, "ort-cpu/fp32+threads=1", relu, &in, 1, 1, &err)) fail_msg("%s", err.msg);
    for (int i = 0; i < 3; i++)
        assert_int_equal(s.runtime->infer(s.ctx, &err), 0);
    assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
    assert_int_equal(count, 1);
    check_relu(out);
    const void *first = out->data;
    assert_int_equal(s.runtime->infer(s.ctx, &err), 0);
    assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
    assert_ptr_equal(out->data, first); /* no allocation in a call */
    fact_list f;
    if (session_facts(&s, &f, &err)) fail_msg("%s", err.msg);
    assert_string_equal(fact(&f, "threads"), "1");
    assert_string_equal(fact(&f, "regime"), "matched");
    assert_string_equal(fact(&f, "optimization"), "all");
    assert_string_equal(fact(&f, "placement"), "device");
    assert_string_equal(fact(&f, "nodes_elsewhere"), "0");
    assert_string_equal(fact(&f, "nodes"), "2");
    assert_null(fact(&f, "elsewhere"));
    assert_null(fact(&f, "emulated"));
    assert_true(strncmp(fact(&f, "version"), "1.", 2) == 0);
    assert_non_null(strstr(fact(&f, "library"), "libonnxruntime.so"));
    assert_int_equal(s.runtime->device_memory_bytes(s.ctx), -1);
    session_close(&s);
}

static void inputs_in_host_memory_are_read_in_every_call(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = input();
    const jl_tensor *out;
    size_t count;
    fact_list f;
    for (int in_flight = 1; in_flight <= 2; in_flight++) {
        if (session_load_host(&s, "ort-cpu/fp32", relu, &in, 1, in_flight, &err))
            fail_msg("%s", err.msg);
        for (int i = 0; i < 3; i++) {
            if (in_flight == 1) {
                assert_int_equal(s.runtime->infer(s.ctx, &err), 0);
                continue;
            }
            assert_int_equal(s.runtime->submit(s.ctx, 0, &err), 0);
            assert_int_equal(s.runtime->submit(s.ctx, 1, &err), 0);
            assert_int_equal(s.runtime->wait(s.ctx, 1, &err), 0);
            assert_int_equal(s.runtime->wait(s.ctx, 0, &err), 0);
        }
        assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
        check_relu(out);
        assert_int_equal(session_facts(&s, &f, &err), 0);
        assert_string_equal(fact(&f, "placement"), "host");
        session_close(&s);
    }
}

static void defaults_depend_on_the_regime(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = input();
    fact_list f;
    char cores[16];
    snprintf(cores, sizeof cores, "%d", jl_cpu_cores(NULL));
    assert_int_equal(session_load(&s, "ort-cpu/fp32", relu, &in, 1, 1, &err), 0);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "threads"), cores);
    session_close(&s);
    assert_int_equal(session_load(&s, "ort-cpu/native", relu, &in, 1, 1, &err), 0);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "threads"), "default");
    assert_string_equal(fact(&f, "optimization"), "default");
    assert_string_equal(fact(&f, "regime"), "native");
    session_close(&s);
}

static void floats_become_what_the_model_takes(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = input();
    const jl_tensor *out;
    size_t count;
    fact_list f;
    if (session_load(&s, "ort-cpu/fp16", relu16, &in, 1, 1, &err)) fail_msg("%s", err.msg);
    assert_int_equal(s.runtime->infer(s.ctx, &err), 0);
    assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
    assert_int_equal(out->dtype, JL_FLOAT16);
    check_relu(out);
    assert_int_equal(session_facts(&s, &f, &err), 0);
#if defined __x86_64__
    assert_non_null(strstr(fact(&f, "emulated"), "FP32"));
#endif
    session_close(&s);
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
    if (session_load(&s, "ort-cpu/fp32", gather, in, 2, 1, &err)) fail_msg("%s", err.msg);
    assert_int_equal(s.runtime->infer(s.ctx, &err), 0);
    assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_true(((const float *)out[0].data)[0] == 18 && ((const float *)out[0].data)[5] == 9);
    assert_memory_equal(out[1].data, mask, sizeof mask);
    session_close(&s);
    /* an input left out, and one of another type */
    assert_int_equal(session_load(&s, "ort-cpu/fp32", gather, in, 1, 1, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "'ids'"));
    in[1].dtype = JL_FLOAT, in[1].size_bytes = 12;
    assert_int_equal(session_load(&s, "ort-cpu/fp32", gather, in, 2, 1, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "takes int64"));
    /* an index outside the table is the runtime's to refuse */
    ids[0] = 10, in[1].dtype = JL_INT64, in[1].size_bytes = sizeof ids;
    assert_int_equal(session_load(&s, "ort-cpu/fp32", gather, in, 2, 1, &err), 0);
    assert_true(s.runtime->infer(s.ctx, &err) < 0);
    assert_non_null(strstr(err.msg, "out of"));
    session_close(&s);
}

static void failures_keep_the_words_of_the_runtime(void **state)
{
    (void)state;
    jl_tensor in = input();
    static const struct {
        const char *configuration, *model, *words;
        int code;
    } cases[] = {
        {"ort-cpu/fp32", unknown, "Quux", JL_ERR_UNSUPPORTED},
        {"ort-cpu/fp32", broken, "rotobuf", JL_ERR_FORMAT},
        {"ort-cpu/fp32", "/nowhere/m.onnx", "/nowhere/m.onnx", JL_ERR_FORMAT},
        {"ort-cpu/fp32", NULL, "needs an ONNX file", JL_ERR_USAGE},
        {"ort-cpu/tf32", relu, "NVIDIA", JL_ERR_UNSUPPORTED},
        {"ort-cpu/fp32@1", relu, "device 0", JL_ERR_MISSING},
        {"ort-cuda/fp32", relu, "CUDAExecutionProvider", JL_ERR_MISSING},
        {"ort-tensorrt/fp16", relu, "TensorrtExecutionProvider", JL_ERR_MISSING},
        {"ort-openvino/fp32", relu, "OpenVINOExecutionProvider", JL_ERR_MISSING},
        {"ort-plugin/fp32", relu, "ep_library=", JL_ERR_USAGE},
        {"ort-plugin/fp32+ep_library=/nowhere/ep.so", relu, "/nowhere/ep.so", JL_ERR_MISSING},
        {"ort-plugin/fp32+ep_library=/lib/x86_64-linux-gnu/libm.so.6", relu, "CreateEpFactories",
         JL_ERR_MISSING},
        {"ort-cpu/fp32+lib=/nowhere/libonnxruntime.so", relu, "JOULELINE_ORT", JL_ERR_MISSING},
        {"ort-cpu/fp32+lib=/lib/x86_64-linux-gnu/libm.so.6", relu, "OrtGetApiBase", JL_ERR_MISSING},
        {"ort-cpu/fp32+threads=0", relu, "+threads=0", JL_ERR_USAGE},
        {"ort-cpu/fp32+optimization=most", relu, "+optimization=most", JL_ERR_USAGE},
        {"ort-cpu/fp32+cuda_graph=1", relu, "ort-cuda", JL_ERR_USAGE},
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
}

static void options_reach_the_library(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = input();
    fact_list f;
    assert_int_equal(session_load(&s,
                                  "ort-cpu/fp32+session.intra_op.allow_spinning=0+"
                                  "optimization=off+session.x64quantprecision=1",
                                  relu, &in, 1, 1, &err),
                     0);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "optimization"), "off");
    session_close(&s);
    /* a shape that the model refuses is told when it runs */
    in.dims[0] = 1, in.dims[1] = 8;
    assert_int_equal(session_load(&s, "ort-cpu/fp32", relu, &in, 1, 1, &err), 0);
    assert_int_equal(s.runtime->infer(s.ctx, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "dimensions"));
    session_close(&s);
}

static void calls_in_flight_have_slots(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = input();
    const jl_tensor *out;
    size_t count;
    if (session_load(&s, "ort-cpu/fp32+threads=1", relu, &in, 1, 3, &err)) fail_msg("%s", err.msg);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(s.runtime->submit(s.ctx, i, &err), 0);
        for (int i = 2; i >= 0; i--)
            assert_int_equal(s.runtime->wait(s.ctx, i, &err), 0);
    }
    assert_int_equal(s.runtime->submit(s.ctx, 3, &err), JL_ERR_USAGE);
    assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
    check_relu(out);
    /* closed with a call under way */
    assert_int_equal(s.runtime->submit(s.ctx, 1, &err), 0);
    session_close(&s);
    assert_int_equal(session_load(&s, "ort-cpu/fp32", relu, &in, 1, 65, &err), JL_ERR_UNSUPPORTED);
    assert_int_equal(session_load(&s, "ort-cpu/fp32", relu, &in, 1, 1, &err), 0);
    assert_int_equal(s.runtime->submit(s.ctx, 0, &err), JL_ERR_USAGE);
    session_close(&s);
}

static void the_probe_tells_library_and_processor(void **state)
{
    (void)state;
    const jl_runtime *r = jl_runtime_find("ort");
    jl_device d[8];
    size_t count;
    jl_error err = {0};
    fact_list f;
    jl_facts sink = facts_sink(&f);
    assert_int_equal(r->probe(NULL, d, 8, &count, &sink, &err), 0);
    assert_true(count >= 1);
    assert_string_equal(d[0].provider, "cpu");
    assert_true(strlen(d[0].name) > 0);
    assert_non_null(fact(&f, "version"));
    assert_non_null(strstr(fact(&f, "providers"), "CPUExecutionProvider"));
    jl_configuration c;
    static const char *const absent[][2] = {
        {"ort-cuda/fp32", "without CUDAExecutionProvider"},
        {"ort-tensorrt/fp32", "without TensorrtExecutionProvider"},
        {"ort-plugin/fp32", "+ep_library="},
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(jl_configuration_parse(absent[i][0], &c, &err), 0);
        assert_int_equal(r->probe(&c, d, 8, &count, &sink, &err), JL_ERR_MISSING);
        assert_non_null(strstr(err.msg, absent[i][1]));
    }
    assert_int_equal(jl_configuration_parse("ort-cpu/fp32", &c, &err), 0);
    assert_int_equal(r->probe(&c, d, 8, &count, &sink, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(jl_configuration_parse("ort-cpu/fp32+lib=/nowhere.so", &c, &err), 0);
    assert_int_equal(r->probe(&c, d, 8, &count, &sink, &err), JL_ERR_MISSING);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_runs_and_describes_itself),
        cmocka_unit_test(inputs_in_host_memory_are_read_in_every_call),
        cmocka_unit_test(defaults_depend_on_the_regime),
        cmocka_unit_test(floats_become_what_the_model_takes),
        cmocka_unit_test(several_inputs_and_outputs_go_by_name),
        cmocka_unit_test(failures_keep_the_words_of_the_runtime),
        cmocka_unit_test(options_reach_the_library),
        cmocka_unit_test(calls_in_flight_have_slots),
        cmocka_unit_test(the_probe_tells_library_and_processor),
    };
    return cmocka_run_group_tests(tests, make_models, remove_models);
}
