/* The driver interface against a libcuda of our own: tests/plugins/fake_libcuda.c */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/cuda.h"

static const char library[] = JL_PLUGINS "/fake_libcuda.so";

static void devices_come_in_pci_order(void **state)
{
    (void)state;
    jl_cuda cuda;
    jl_cuda_device d[8];
    size_t count;
    jl_error err = {0};
    char version[16];
    assert_int_equal(jl_cuda_open(&cuda, library, &err), 0);
    assert_int_equal(jl_cuda_devices(&cuda, d, 8, &count, &err), 0);
    assert_int_equal(count, 3);
    static const int ordinals[] = {1, 2, 0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(d[i].ordinal, ordinals[i]);
    assert_string_equal(d[0].pci, "0000:41:00.0");
    assert_string_equal(d[0].name, "Fake GPU 1");
    assert_string_equal(d[0].uuid, "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f");
    assert_int_equal(d[0].major, 8);
    assert_int_equal(d[0].minor, 5);
    assert_true(d[1].memory_bytes == UINT64_C(3) << 30);
    assert_int_equal(jl_cuda_devices(&cuda, d, 2, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(jl_cuda_driver_version(&cuda, version, sizeof version, &err), 0);
    assert_string_equal(version, "13.1");
    jl_cuda_close(&cuda);
    jl_cuda_close(&cuda);
    void *still = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(still); /* a driver that has started is not unloaded */
    dlclose(still);
}

static void memory_is_taken_and_copied(void **state)
{
    (void)state;
    jl_cuda cuda;
    jl_cuda_device d[3];
    size_t count;
    jl_error err = {0};
    uint64_t a, b;
    char text[] = "over and back", back[sizeof text];
    assert_int_equal(jl_cuda_open(&cuda, library, &err), 0);
    assert_int_equal(jl_cuda_taken_bytes(&cuda), -1); /* no context yet */
    assert_int_equal(jl_cuda_devices(&cuda, d, 3, &count, &err), 0);
    assert_int_equal(jl_cuda_use(&cuda, &d[2], &err), 0);
    assert_int_equal(jl_cuda_taken_bytes(&cuda), 0);
    assert_int_equal(jl_cuda_alloc(&cuda, &a, sizeof text, &err), 0);
    assert_int_equal(jl_cuda_taken_bytes(&cuda), sizeof text);
    assert_int_equal(jl_cuda_to_device(&cuda, a, text, sizeof text, &err), 0);
    assert_int_equal(jl_cuda_to_host(&cuda, back, a, sizeof text, &err), 0);
    assert_string_equal(back, text);
    assert_int_equal(jl_cuda_to_host(&cuda, NULL, 0, 0, &err), 0);
    assert_int_equal(jl_cuda_alloc(&cuda, &b, 0, &err), 0); /* an empty tensor has an address */
    assert_true(b != 0);
    jl_cuda_free(&cuda, b);
    assert_int_equal(jl_cuda_alloc(&cuda, &b, (size_t)2 << 30, &err), JL_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(err.msg, "out of memory"));
    jl_cuda_free(&cuda, a);
    jl_cuda_free(&cuda, 0);
    void *handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
    int (*retained)(void) = NULL;
    *(void **)&retained = dlsym(handle, "fake_cuda_retained");
    assert_int_equal(retained(), 1);
    jl_cuda_close(&cuda);
    assert_int_equal(retained(), 0);
    dlclose(handle);
}

static void a_machine_without_gpu_is_told_apart(void **state)
{
    (void)state;
    jl_cuda cuda;
    jl_error err = {0};
    assert_int_equal(jl_cuda_open(&cuda, "libcuda-nowhere.so", &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "no NVIDIA driver"));
    setenv("FAKE_CUDA_INIT", "100", 1);
    assert_int_equal(jl_cuda_open(&cuda, library, &err), JL_ERR_MISSING);
    assert_int_equal(err.code, JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "sees no GPU"));
    setenv("FAKE_CUDA_INIT", "999", 1);
    assert_int_equal(jl_cuda_open(&cuda, library, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "error 999"));
    unsetenv("FAKE_CUDA_INIT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_come_in_pci_order),
        cmocka_unit_test(memory_is_taken_and_copied),
        cmocka_unit_test(a_machine_without_gpu_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
