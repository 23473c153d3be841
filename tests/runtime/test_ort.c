/* ONNX Runtime through its vtable, with the library that ./dev fetches. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "fixture.h"

/* A thread of ONNX Runtime's telemetry would be measured with the model. First of the tests: the
 * library decides when it starts, and stays silent where CI is set. */
static void nothing_runs_beside_the_calls(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    unsetenv("CI");
    unsetenv("ORT_DISABLE_TELEMETRY");
    if (session_load(&s, "ort-cpu/fp32+threads=1", models.relu, &in, 1, 1, &err))
        fail_msg("%s", err.msg);
    infer(&s);
    int threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *e; (e = readdir(tasks));)
        threads += e->d_name[0] != '.';
    closedir(tasks);
    assert_int_equal(threads, 1);
    session_close(&s);
}

static void a_session_runs_and_describes_itself(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    const jl_tensor *out;
    size_t count;
    if (session_load(&s, "ort-cpu/fp32+threads=1", models.relu, &in, 1, 1, &err))
        fail_msg("%s", err.msg);
    for (int i = 0; i < 3; i++)
        infer(&s);
    assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
    check_relu(&s, JL_FLOAT);
    const void *first = out->data;
    infer(&s);
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
    jl_tensor in = relu_input();
    fact_list f;
    for (int in_flight = 1; in_flight <= 2; in_flight++) {
        if (session_load_host(&s, "ort-cpu/fp32", models.relu, &in, 1, in_flight, &err))
            fail_msg("%s", err.msg);
        for (int i = 0; i < 3; i++) {
            if (in_flight == 1) {
                infer(&s);
                continue;
            }
            assert_int_equal(s.runtime->submit(s.ctx, 0, &err), 0);
            assert_int_equal(s.runtime->submit(s.ctx, 1, &err), 0);
            assert_int_equal(s.runtime->wait(s.ctx, 1, &err), 0);
            assert_int_equal(s.runtime->wait(s.ctx, 0, &err), 0);
        }
        check_relu(&s, JL_FLOAT);
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
    jl_tensor in = relu_input();
    fact_list f;
    char cores[16];
    snprintf(cores, sizeof cores, "%d", jl_cpu_cores(NULL));
    assert_int_equal(session_load(&s, "ort-cpu/fp32", models.relu, &in, 1, 1, &err), 0);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "threads"), cores);
    session_close(&s);
    assert_int_equal(session_load(&s, "ort-cpu/native", models.relu, &in, 1, 1, &err), 0);
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
    jl_tensor in = relu_input();
    fact_list f;
    if (session_load(&s, "ort-cpu/fp16", models.relu16, &in, 1, 1, &err)) fail_msg("%s", err.msg);
    infer(&s);
    check_relu(&s, JL_FLOAT16);
    assert_int_equal(session_facts(&s, &f, &err), 0);
#if defined __x86_64__
    assert_non_null(strstr(fact(&f, "emulated"), "FP32"));
#endif
    session_close(&s);
    /* native says so where the file itself is in half */
    const char *const models_of[] = {models.relu16, models.relu};
    for (int i = 0; i < 2; i++) {
        if (session_load(&s, "ort-cpu/native", models_of[i], &in, 1, 1, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(session_facts(&s, &f, &err), 0);
#if defined __x86_64__
        assert_true((fact(&f, "emulated") != NULL) == (i == 0));
#endif
        session_close(&s);
    }
}

static void several_inputs_and_outputs_go_by_name(void **state)
{
    (void)state;
    check_gather("ort-cpu/fp32", 4);
    /* one of another type */
    gather_inputs in;
    gather_fill(&in, (int64_t[]){10, 0, 4});
    session s;
    jl_error err = {0};
    in.t[1].dtype = JL_FLOAT, in.t[1].size_bytes = 12;
    assert_int_equal(session_load(&s, "ort-cpu/fp32", models.gather, in.t, 2, 1, &err),
                     JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "takes int64"));
    /* an index outside the table is the runtime's to refuse */
    in.t[1].dtype = JL_INT64, in.t[1].size_bytes = sizeof in.ids;
    assert_int_equal(session_load(&s, "ort-cpu/fp32", models.gather, in.t, 2, 1, &err), 0);
    assert_true(s.runtime->infer(s.ctx, &err) < 0);
    assert_non_null(strstr(err.msg, "out of"));
    session_close(&s);
}

static void failures_keep_the_words_of_the_runtime(void **state)
{
    (void)state;
    static const refusal cases[] = {
        {"ort-cpu/fp32", models.unknown, "Quux", JL_ERR_UNSUPPORTED},
        {"ort-cpu/fp32", models.broken, "rotobuf", JL_ERR_FORMAT},
        {"ort-cpu/fp32", "/nowhere/m.onnx", "/nowhere/m.onnx", JL_ERR_FORMAT},
        {"ort-cpu/fp32", NULL, "needs an ONNX file", JL_ERR_USAGE},
        {"ort-cpu/tf32", models.relu, "NVIDIA", JL_ERR_UNSUPPORTED},
        {"ort-cpu/fp32@1", models.relu, "device 0", JL_ERR_MISSING},
        {"ort-cuda/fp32", models.relu, "CUDAExecutionProvider", JL_ERR_MISSING},
        {"ort-tensorrt/fp16", models.relu, "TensorrtExecutionProvider", JL_ERR_MISSING},
        {"ort-openvino/fp32", models.relu, "OpenVINOExecutionProvider", JL_ERR_MISSING},
        {"ort-plugin/fp32", models.relu, "ep_library=", JL_ERR_USAGE},
        {"ort-plugin/fp32+ep_library=/nowhere/ep.so", models.relu, "/nowhere/ep.so",
         JL_ERR_MISSING},
        {"ort-plugin/fp32+ep_library=/lib/x86_64-linux-gnu/libm.so.6", models.relu,
         "CreateEpFactories", JL_ERR_MISSING},
        {"ort-cpu/fp32+lib=/nowhere/libonnxruntime.so", models.relu, "JOULELINE_ORT",
         JL_ERR_MISSING},
        {"ort-cpu/fp32+lib=/lib/x86_64-linux-gnu/libm.so.6", models.relu, "OrtGetApiBase",
         JL_ERR_MISSING},
        {"ort-cpu/fp32+threads=0", models.relu, "+threads=0", JL_ERR_USAGE},
        {"ort-cpu/fp32+optimization=most", models.relu, "+optimization=most", JL_ERR_USAGE},
        {"ort-cpu/fp32+cuda_graph=1", models.relu, "ort-cuda", JL_ERR_USAGE},
        {"ort-cpu/fp32+cuda_graph=yes", models.relu, "neither 0 nor 1", JL_ERR_USAGE},
        {"ort-cpu/fp32+nhwc=1", models.relu, "+nhwc=1 belongs to ort-cuda", JL_ERR_USAGE},
        {"ort-cpu/fp32+conv_search=exhaustive", models.relu, "belongs to ort-cuda", JL_ERR_USAGE},
        {"ort-cpu/fp32+max_workspace=0", models.relu, "belongs to ort-cuda", JL_ERR_USAGE},
        {"ort-cpu/fp32+ep_library=/x.so", models.relu, "belongs to ort-plugin", JL_ERR_USAGE},
        {"ort-cpu/fp32+provider.x=1", models.relu, "the CPU provider takes no options",
         JL_ERR_USAGE},
        {"ort-plugin/fp32+nhwc=1+ep_library=/x.so", models.relu, "belongs to ort-cuda",
         JL_ERR_USAGE},
        {"ort-cpu/fp32+log=5", models.relu, "from 0 to 4", JL_ERR_USAGE},
    };
    check_refusals(cases, sizeof cases / sizeof *cases);
}

static void options_reach_the_library(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    fact_list f;
    assert_int_equal(session_load(&s,
                                  "ort-cpu/fp32+session.intra_op.allow_spinning=0+"
                                  "optimization=off+session.x64quantprecision=1",
                                  models.relu, &in, 1, 1, &err),
                     0);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "optimization"), "off");
    session_close(&s);
    /* a shape that the model refuses is told when it runs */
    in.dims[0] = 1, in.dims[1] = 8;
    assert_int_equal(session_load(&s, "ort-cpu/fp32", models.relu, &in, 1, 1, &err), 0);
    assert_int_equal(s.runtime->infer(s.ctx, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "dimensions"));
    session_close(&s);
}

static void calls_in_flight_have_slots(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    if (session_load(&s, "ort-cpu/fp32+threads=1", models.relu, &in, 1, 3, &err))
        fail_msg("%s", err.msg);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(s.runtime->submit(s.ctx, i, &err), 0);
        for (int i = 2; i >= 0; i--)
            assert_int_equal(s.runtime->wait(s.ctx, i, &err), 0);
    }
    assert_int_equal(s.runtime->submit(s.ctx, 3, &err), JL_ERR_USAGE);
    check_relu(&s, JL_FLOAT);
    /* closed with a call under way */
    assert_int_equal(s.runtime->submit(s.ctx, 1, &err), 0);
    session_close(&s);
    assert_int_equal(session_load(&s, "ort-cpu/fp32", models.relu, &in, 1, 65, &err),
                     JL_ERR_UNSUPPORTED);
    assert_int_equal(session_load(&s, "ort-cpu/fp32", models.relu, &in, 1, 1, &err), 0);
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
        cmocka_unit_test(nothing_runs_beside_the_calls),
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
    return cmocka_run_group_tests(tests, models_make, models_remove);
}
