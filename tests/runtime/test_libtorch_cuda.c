/* libtorch-cuda without a GPU: the shim with the libtorch_cuda.so of fake_torch_cuda.cc and the
 * driver of tests/plugins/fake_libcuda.c, both found by LD_LIBRARY_PATH. The driver numbers three
 * devices against PCI order, so GPU 0 is torch's device 1. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "fake_torch_cuda.h"
#include "fixture.h"
#include "jouleline/zoo.h"

/* What the fake device saw. It is there as soon as a runtime was opened. */
static fake_torch *seen(void)
{
    fake_torch *(*get)(void) = NULL;
    void *library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_NOLOAD);
    if (library) *(void **)&get = dlsym(library, "fake_torch_state");
    if (!get) fail_msg("torch's CUDA library was not loaded");
    dlclose(library);
    return get();
}

/* First: torch remembers for the life of a process whether there is CUDA, and the library must
 * come before the first question. */
static void opening_loads_the_library_and_touches_no_device(void **state)
{
    (void)state;
    jl_configuration c;
    const jl_runtime *r;
    void *ctx;
    jl_error err = {0};
    assert_int_equal(jl_configuration_parse("libtorch-cuda/fp32", &c, &err), 0);
    assert_int_equal(jl_runtime_of(&c, &r, &err), 0);
    if (r->open(&c, &ctx, &err)) fail_msg("%s", err.msg);
    assert_int_equal(seen()->launched, 0);
    assert_int_equal(seen()->initialised, 0);
    r->close(ctx);
}

static void a_call_waits_for_its_stream_and_copies_nothing(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    fact_list f;
    if (session_load(&s, "libtorch-cuda/fp32", models.relu, &in, 1, 1, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(seen()->initialised, 1);
    fake_torch before = *seen();
    assert_int_equal(before.pending, 0); /* loading is over when it returns */
    infer(&s);
    assert_int_equal(seen()->device, 1);
    assert_int_equal(seen()->launched, before.launched + 2);
    assert_int_equal(seen()->pending, 0);
    assert_int_equal(seen()->synchronised, before.synchronised + 1);
    assert_int_equal(seen()->to_device, before.to_device);
    assert_int_equal(seen()->to_host, before.to_host);
    check_relu(&s, JL_FLOAT);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "device"), "Fake GPU 1");
    assert_string_equal(fact(&f, "device_uuid"), "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f");
    assert_string_equal(fact(&f, "placement"), "device");
    assert_string_equal(fact(&f, "tf32"), "0");
    assert_string_equal(fact(&f, "conv_search"), "heuristic");
    assert_string_equal(fact(&f, "cudnn"), "91900");
    session_close(&s);
    if (session_load(&s, "libtorch-cuda/tf32+cudnn_benchmark=1", models.relu, &in, 1, 1, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "tf32"), "1");
    assert_string_equal(fact(&f, "conv_search"), "exhaustive");
    session_close(&s);
}

static void host_placement_copies_in_every_call(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    fact_list f;
    if (session_load_host(&s, "libtorch-cuda/fp32", models.relu, &in, 1, 1, &err))
        fail_msg("%s", err.msg);
    for (int call = 0; call < 2; call++) {
        fake_torch before = *seen();
        infer(&s);
        assert_int_equal(seen()->to_device, before.to_device + 1);
        assert_int_equal(seen()->to_host, before.to_host + 1);
        assert_int_equal(seen()->pending, 0);
    }
    check_relu(&s, JL_FLOAT);
    assert_int_equal(session_facts(&s, &f, &err), 0);
    assert_string_equal(fact(&f, "placement"), "host");
    session_close(&s);
}

static void calls_in_flight_have_streams_of_their_own(void **state)
{
    (void)state;
    session s;
    jl_error err = {0};
    jl_tensor in = relu_input();
    int64_t stream[2];
    if (session_load(&s, "libtorch-cuda/fp32", models.relu, &in, 1, 2, &err))
        fail_msg("%s", err.msg);
    for (int slot = 0; slot < 2; slot++) {
        assert_int_equal(s.runtime->submit(s.ctx, slot, &err), 0);
        stream[slot] = seen()->last_stream;
        assert_true(seen()->pending > 0);
    }
    assert_true(stream[0] > 0 && stream[1] > 0 && stream[0] != stream[1]);
    for (int slot = 0; slot < 2; slot++) {
        assert_int_equal(s.runtime->wait(s.ctx, slot, &err), 0);
        assert_int_equal(seen()->synchronised_stream, stream[slot]);
    }
    check_relu(&s, JL_FLOAT);
    assert_int_equal(seen()->last_stream, 0); /* the stream of the caller is as it was */
    session_close(&s);
}

/* Shapes are computed on the host; nothing else may leave the device in a call. */
static void networks_stay_on_the_device(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        jl_zoo_style style;
    } cases[] = {
        {"mobilenet_v3_small", JL_ZOO_PLAIN},
        {"shufflenet_v2_x1_0", JL_ZOO_TORCHSCRIPT},
        {"swin_t", JL_ZOO_TORCHSCRIPT},
        {"vit_b_16", JL_ZOO_TORCHSCRIPT},
    };
    jl_tensor in = {.name = "input", .dtype = JL_FLOAT, .rank = 4, .dims = {1, 3, 224, 224}};
    in.size_bytes = (size_t)jl_tensor_elements(&in) * sizeof(float);
    in.data = calloc(1, in.size_bytes);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        session s;
        jl_error err = {0};
        jl_zoo_options options = jl_zoo_defaults();
        options.style = cases[k].style;
        if (jl_zoo_export(cases[k].name, &options, models.scratch, &err)) fail_msg("%s", err.msg);
        if (session_load(&s, "libtorch-cuda/fp32", models.scratch, &in, 1, 1, &err))
            fail_msg("%s: %s", cases[k].name, err.msg);
        fake_torch before = *seen();
        infer(&s);
        if (seen()->to_host != before.to_host || seen()->to_device != before.to_device ||
            seen()->synchronised != before.synchronised + 1)
            fail_msg("%s: %d copies to the host, %d to the device, %d synchronisations",
                     cases[k].name, (int)(seen()->to_host - before.to_host),
                     (int)(seen()->to_device - before.to_device),
                     (int)(seen()->synchronised - before.synchronised));
        session_close(&s);
    }
    free(in.data);
}

static void what_a_device_lacks_is_told(void **state)
{
    (void)state;
    static const refusal cases[] = {
        {"libtorch-cuda/tf32@2", models.relu, "needs compute capability 8.0; Fake GPU 0 has 7.5",
         JL_ERR_UNSUPPORTED},
        {"libtorch-cuda/bf16@2", models.relu, "needs compute capability 8.0", JL_ERR_UNSUPPORTED},
        {"libtorch-cuda/fp32@3", models.relu, "no GPU 3: 3 here", JL_ERR_MISSING},
        {"libtorch-cuda/int8", models.relu, "quantised", JL_ERR_UNSUPPORTED},
    };
    session s;
    jl_tensor in = relu_input();
    jl_error err = {0};
    check_refusals(cases, sizeof cases / sizeof *cases);
    setenv("FAKE_TORCH_GPUS", "1", 1); /* a torch that sees fewer devices than the driver */
    assert_int_equal(session_load(&s, "libtorch-cuda/fp32", models.relu, &in, 1, 1, &err),
                     JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "CUDA device 1 is not here: torch sees 1"));
    unsetenv("FAKE_TORCH_GPUS");
    seen()->limit_bytes = 16;
    assert_int_equal(session_load(&s, "libtorch-cuda/fp32", models.relu, &in, 1, 1, &err),
                     JL_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(err.msg, "CUDA out of memory"));
    seen()->limit_bytes = 0;
}

static void the_probe_lists_the_devices_in_pci_order(void **state)
{
    (void)state;
    const jl_runtime *r = jl_runtime_find("libtorch");
    jl_device d[8];
    size_t count;
    jl_error err = {0};
    assert_int_equal(r->probe(NULL, d, 8, &count, NULL, &err), 0);
    assert_int_equal(count, 4);
    assert_string_equal(d[1].provider, "cuda");
    assert_string_equal(d[1].name, "Fake GPU 1");
    assert_int_equal(d[3].index, 2);
    assert_string_equal(d[3].name, "Fake GPU 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_loads_the_library_and_touches_no_device),
        cmocka_unit_test(a_call_waits_for_its_stream_and_copies_nothing),
        cmocka_unit_test(host_placement_copies_in_every_call),
        cmocka_unit_test(calls_in_flight_have_streams_of_their_own),
        cmocka_unit_test(networks_stay_on_the_device),
        cmocka_unit_test(what_a_device_lacks_is_told),
        cmocka_unit_test(the_probe_lists_the_devices_in_pci_order),
    };
    return cmocka_run_group_tests(tests, models_make, models_remove);
}
