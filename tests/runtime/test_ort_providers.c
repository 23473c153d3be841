/* The execution providers of ONNX Runtime that this machine lacks: what is asked of them, through
 * spy_ort.c and the driver of tests/plugins/fake_libcuda.c. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

/* Loads the relu model and gives what the providers were told; the session may fail where it would
 * have to compute on the GPU. */
static const char *told(const char *configuration)
{
    static char text[2048];
    char full[512];
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    const char *(*noted)(void) = NULL;
    void *spy = dlopen(JL_SPY_ORT, RTLD_NOW | RTLD_LOCAL);
    if (spy) *(void **)&noted = dlsym(spy, "spy_ort_noted");
    if (!noted) fail_msg("%s", dlerror());
    *(char *)(uintptr_t)noted() = '\0'; // NOLINT: its own buffer
    snprintf(full, sizeof full, "%s+lib=%s", configuration, JL_SPY_ORT);
    int rc = session_load(&s, full, models.relu, &in, 1, 1, &err);
    if (!rc) session_close(&s);
    snprintf(text, sizeof text, "%s", noted());
    if (!*text) fail_msg("%s: %s", configuration, err.msg);
    return text;
}

static void check(const char *configuration, const char *const *words)
{
    const char *text = told(configuration);
    for (; *words; words++)
        if (!strstr(text, *words)) fail_msg("%s: '%s' is not in '%s'", configuration, *words, text);
}

static void cuda_gets_what_the_regime_and_the_options_say(void **state)
{
    (void)state;
    static const struct {
        const char *configuration, *words[8];
    } cases[] = {
        /* GPU 0 in PCI order is the driver's device 1 */
        {"ort-cuda/fp32",
         {"device_id=1", "use_tf32=0", "cudnn_conv_algo_search=HEURISTIC", "prefer_nhwc=0",
          "cudnn_conv_use_max_workspace=1"}},
        {"ort-cuda/tf32", {"use_tf32=1"}},
        {"ort-cuda/fp16+nhwc=1+max_workspace=0+conv_search=exhaustive+cuda_graph=1",
         {"prefer_nhwc=1", "cudnn_conv_use_max_workspace=0", "cudnn_conv_algo_search=EXHAUSTIVE",
          "enable_cuda_graph=1"}},
        {"ort-cuda/fp32+provider.use_tf32=1+provider.gpu_mem_limit=1000000",
         {"use_tf32=1", "gpu_mem_limit=1000000"}},
        {"ort-cuda/native+nhwc=1", {"device_id=1", "prefer_nhwc=1"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(cases[i].configuration, cases[i].words);
    assert_null(strstr(told("ort-cuda/native"), "use_tf32"));
    assert_null(strstr(told("ort-cuda/native"), "algo_search"));
    assert_null(strstr(told("ort-cuda/fp32+provider.use_tf32=1"), "use_tf32=0"));
}

/* What was set is in the facts of a run, in the words that every runtime has for it. */
static void cuda_conditions_are_recorded(void **state)
{
    (void)state;
    static const struct {
        const char *configuration, *facts[8][2];
    } cases[] = {
        {"ort-cuda/fp32",
         {{"tf32", "0"},
          {"conv_search", "heuristic"},
          {"layout", "nchw"},
          {"cuda_graph", "0"},
          {"device", "Fake GPU 1"},
          {"regime", "matched"},
          {"nodes_elsewhere", "2"}}},
        {"ort-cuda/tf32+conv_search=exhaustive+nhwc=1",
         {{"tf32", "1"}, {"conv_search", "exhaustive"}, {"layout", "nhwc"}}},
        {"ort-cuda/int8",
         {{"emulated", "ONNX Runtime's CUDA provider runs quantised models in "
                       "floating point; only TensorRT computes in INT8"}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char full[512];
        session s;
        jl_error err = {0};
        jl_tensor in = relu_input();
        fact_list f;
        snprintf(full, sizeof full, "%s+lib=%s", cases[i].configuration, JL_SPY_ORT);
        if (session_load_host(&s, full, models.relu, &in, 1, 1, &err)) fail_msg("%s", err.msg);
        assert_int_equal(session_facts(&s, &f, &err), 0);
        for (size_t k = 0; k < 8 && cases[i].facts[k][0]; k++) {
            const char *got = fact(&f, cases[i].facts[k][0]);
            if (!got || strcmp(got, cases[i].facts[k][1]))
                fail_msg("%s: %s is %s", full, cases[i].facts[k][0], got ? got : "not there");
        }
        session_close(&s);
    }
}

static void other_providers_get_their_options(void **state)
{
    (void)state;
    check("ort-tensorrt/fp16+provider.trt_engine_cache_enable=1",
          (const char *const[]){"tensorrt: device_id=1", "trt_engine_cache_enable=1",
                                "; cuda: device_id=1", NULL});
    check("ort-openvino/fp32+threads=3+provider.cache_dir=/tmp/x",
          (const char *const[]){"OpenVINO: device_type=CPU", "num_of_threads=3", "cache_dir=/tmp/x",
                                NULL});
    check("ort-openvino/fp32+provider.device_type=GPU",
          (const char *const[]){"device_type=GPU", NULL});
}

static void what_the_gpu_lacks_is_told(void **state)
{
    (void)state;
    static const refusal cases[] = {
        {"ort-cuda/bf16@2+lib=" JL_SPY_ORT, models.relu,
         "bf16 needs compute capability 8.0; Fake GPU 0 has 7.5", JL_ERR_UNSUPPORTED},
        {"ort-cuda/tf32@2+lib=" JL_SPY_ORT, models.relu, "tf32 needs compute capability 8.0",
         JL_ERR_UNSUPPORTED},
        {"ort-cuda/fp32@3+lib=" JL_SPY_ORT, models.relu, "no GPU 3: 3 here", JL_ERR_MISSING},
        {"ort-cuda/fp32+conv_search=some+lib=" JL_SPY_ORT, models.relu, "+conv_search=some",
         JL_ERR_USAGE},
        {"ort-openvino/tf32+lib=" JL_SPY_ORT, models.relu, "NVIDIA", JL_ERR_UNSUPPORTED},
    };
    check_refusals(cases, sizeof cases / sizeof *cases);
}

/* Another library is another configuration, and known by its path and version. */
static void the_probe_tells_the_library_and_what_was_never_run(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *never;
        size_t devices;
    } cases[] = {{"cpu", NULL, 1},
                 {"cuda", NULL, 3},
                 {"tensorrt", "not run here", 3},
                 {"openvino", "not run here", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512], again[512];
        jl_configuration c;
        jl_error err = {0};
        jl_device d[8];
        size_t count;
        fact_list f;
        jl_facts sink = facts_sink(&f);
        snprintf(text, sizeof text, "ort-%s/fp32+lib=%s", cases[i].provider, JL_SPY_ORT);
        if (jl_configuration_parse(text, &c, &err)) fail_msg("%s", err.msg);
        assert_int_equal(jl_configuration_format(&c, again, sizeof again), 0);
        assert_string_equal(again, text);
        if (jl_runtime_find("ort")->probe(&c, d, 8, &count, &sink, &err)) fail_msg("%s", err.msg);
        assert_int_equal(count, cases[i].devices);
        assert_string_equal(d[0].provider, cases[i].provider);
        assert_string_equal(fact(&f, "library"), JL_SPY_ORT);
        assert_true(strncmp(fact(&f, "version"), "1.", 2) == 0);
        assert_non_null(strstr(fact(&f, "providers"), "OpenVINOExecutionProvider"));
        if (!cases[i].never)
            assert_null(fact(&f, "untested"));
        else
            assert_non_null(strstr(fact(&f, "untested"), cases[i].never));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuda_gets_what_the_regime_and_the_options_say),
        cmocka_unit_test(cuda_conditions_are_recorded),
        cmocka_unit_test(other_providers_get_their_options),
        cmocka_unit_test(what_the_gpu_lacks_is_told),
        cmocka_unit_test(the_probe_tells_the_library_and_what_was_never_run),
    };
    return cmocka_run_group_tests(tests, models_make, models_remove);
}
