#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "jouleline/dtype.h"
#include "jouleline/tensor.h"

static void elements_are_counted_without_overflow(void **state)
{
    (void)state;
    assert_int_equal(jl_tensor_elements(&(jl_tensor){.rank = 0}), 1);
    assert_int_equal(jl_tensor_elements(&(jl_tensor){.rank = 2, .dims = {3, 0}}), 0);
    assert_int_equal(jl_tensor_elements(&(jl_tensor){.rank = 2, .dims = {3, -1}}), -1);
    int64_t big = INT64_C(1) << 32;
    assert_int_equal(jl_tensor_elements(&(jl_tensor){.rank = 2, .dims = {big, big}}), -1);
}

/* Bytes of a mapped file lie anywhere; the sanitizers see a load that assumes more. */
static void bytes_need_no_alignment(void **state)
{
    (void)state;
    unsigned char bytes[1 + 9 * sizeof(float)];
    float back[9];
    for (int k = 0; k < 2; k++) {
        size_t size = k ? sizeof(float) : sizeof(uint16_t);
        for (size_t i = 0; i < 9; i++) {
            float f = (float)i;
            uint16_t h = jl_half_from_float(f);
            memcpy(bytes + 1 + i * size, k ? (const void *)&f : (const void *)&h, size);
        }
        jl_tensor to, from = {.name = "x",
                              .dtype = k ? JL_FLOAT : JL_FLOAT16,
                              .rank = 1,
                              .dims = {9},
                              .data = bytes + 1,
                              .size_bytes = 9 * size};
        assert_int_equal(jl_tensor_cast(&to, &from, k ? JL_FLOAT16 : JL_FLOAT, NULL), 0);
        assert_int_equal(jl_tensor_floats(&to, back, NULL), 0);
        for (int i = 0; i < 9; i++)
            assert_true(back[i] == (float)i);
        free(to.data);
        assert_int_equal(jl_tensor_floats(&from, back, NULL), 0);
        assert_true(back[8] == 8);
    }
}

static void floats_are_cast_both_ways(void **state)
{
    (void)state;
    float x[5] = {1, -2.5f, INFINITY, 65520, 1.0f + 0x1p-12f};
    jl_tensor from = {
        .name = "x", .dtype = JL_FLOAT, .rank = 1, .dims = {5}, .data = x, .size_bytes = sizeof x};
    static const jl_dtype types[] = {JL_FLOAT, JL_DOUBLE, JL_FLOAT16, JL_BFLOAT16};
    for (size_t k = 0; k < 4; k++) {
        jl_tensor to;
        float back[5];
        assert_int_equal(jl_tensor_cast(&to, &from, types[k], NULL), 0);
        assert_int_equal((uintptr_t)to.data % JL_TENSOR_ALIGNMENT, 0);
        assert_int_equal(jl_tensor_floats(&to, back, NULL), 0);
        assert_true(back[0] == 1 && back[1] == -2.5f && isinf(back[2]));
        assert_true(types[k] == JL_FLOAT16 ? isinf(back[3]) : fabsf(back[3] - 65520) <= 128);
        assert_true((back[4] == x[4]) == (k < 2));
        free(to.data);
    }
    jl_error err = {0};
    jl_tensor to;
    assert_int_equal(jl_tensor_cast(&to, &from, JL_INT32, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "'x'"));
    from.size_bytes--;
    assert_int_equal(jl_tensor_cast(&to, &from, JL_FLOAT16, &err), JL_ERR_FORMAT);
    float y[5];
    assert_int_equal(jl_tensor_floats(&from, y, &err), JL_ERR_FORMAT);
}

static void integers_are_read_as_floats(void **state)
{
    (void)state;
    int64_t wide[2] = {-7, INT64_C(1) << 40};
    uint8_t small[2] = {0, 255};
    float y[2];
    jl_tensor t = {.dtype = JL_INT64, .rank = 1, .dims = {2}, .data = wide, .size_bytes = 16};
    assert_int_equal(jl_tensor_floats(&t, y, NULL), 0);
    assert_true(y[0] == -7 && y[1] == 0x1p40f);
    t.dtype = JL_UINT8, t.data = small, t.size_bytes = 2;
    assert_int_equal(jl_tensor_floats(&t, y, NULL), 0);
    assert_true(y[1] == 255);
    t.dtype = JL_STRING;
    assert_int_equal(jl_tensor_floats(&t, y, NULL), JL_ERR_UNSUPPORTED);
}

/* Every processor of this test may run on becomes a sibling of processor 0. */
static void hyperthreads_count_once(void **state)
{
    (void)state;
    char root[] = "/tmp/jl_cpu_XXXXXX", path[128], command[64];
    assert_non_null(mkdtemp(root));
    cpu_set_t usable;
    assert_int_equal(sched_getaffinity(0, sizeof usable, &usable), 0);
    assert_int_equal(jl_cpu_cores(root), CPU_COUNT(&usable)); /* nothing known: each is a core */
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &usable)) continue;
        snprintf(path, sizeof path, "%s/cpu%d", root, cpu);
        mkdir(path, 0700);
        snprintf(path, sizeof path, "%s/cpu%d/topology", root, cpu);
        mkdir(path, 0700);
        snprintf(path, sizeof path, "%s/cpu%d/topology/thread_siblings_list", root, cpu);
        FILE *f = fopen(path, "w");
        fputs("0-1023\n", f);
        fclose(f);
    }
    assert_int_equal(jl_cpu_cores(root), 1);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
    assert_true(jl_cpu_cores(NULL) >= 1 && jl_cpu_cores(NULL) <= CPU_COUNT(&usable));
    char name[96] = "";
    jl_cpu_name(name, sizeof name);
    assert_true(strlen(name) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_counted_without_overflow),
        cmocka_unit_test(bytes_need_no_alignment),
        cmocka_unit_test(floats_are_cast_both_ways),
        cmocka_unit_test(integers_are_read_as_floats),
        cmocka_unit_test(hyperthreads_count_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
