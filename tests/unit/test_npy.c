#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/npy.h"

static char path[] = "/tmp/jl_npy_XXXXXX";

/* Writes a file of the given version, header text and payload. */
static void write_npy(int version, const char *header, const void *data, size_t n)
{
    FILE *f = fopen(path, "w");
    size_t length = strlen(header);
    fwrite("\x93NUMPY", 1, 6, f);
    fputc(version, f), fputc(0, f);
    fputc((int)(length & 255), f), fputc((int)(length >> 8), f);
    if (version > 1) fputc(0, f), fputc(0, f);
    fwrite(header, 1, length, f);
    fwrite(data, 1, n, f);
    fclose(f);
}

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static void arrays_are_read_in_place(void **state)
{
    (void)state;
    float x[6] = {1, 2, 3, 4, 5, 6};
    for (int version = 1; version <= 3; version++) {
        jl_npy n;
        jl_error err = {0};
        write_npy(version, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", x,
                  sizeof x);
        if (jl_npy_open(path, &n, &err)) fail_msg("%s", err.msg);
        assert_int_equal(n.tensor.dtype, JL_FLOAT);
        assert_int_equal(n.tensor.rank, 2);
        assert_int_equal(n.tensor.dims[1], 3);
        assert_memory_equal(n.tensor.data, x, sizeof x);
        jl_npy_close(&n);
    }
}

static void shapes_and_types_of_numpy_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        jl_dtype dtype;
        int rank;
        size_t bytes;
    } good[] = {
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (), }", JL_UINT8, 0, 1},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (4,), }", JL_BOOL, 1, 4},
        {"{'descr': '<i8', 'fortran_order': True, 'shape': (2,), }", JL_INT64, 1, 16},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (0, 7), }", JL_FLOAT16, 2, 0},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1, 2), }", JL_COMPLEX64, 2, 16},
    };
    static const char zeros[64];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        jl_npy n;
        jl_error err = {0};
        write_npy(1, good[i].header, zeros, sizeof zeros);
        if (jl_npy_open(path, &n, &err)) fail_msg("%s", err.msg);
        assert_int_equal(n.tensor.dtype, good[i].dtype);
        assert_int_equal(n.tensor.rank, good[i].rank);
        assert_int_equal(n.tensor.size_bytes, good[i].bytes);
        jl_npy_close(&n);
    }
}

static void big_endian_is_swapped(void **state)
{
    (void)state;
    jl_npy n;
    jl_error err = {0};
    write_npy(1, "{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }",
              "\0\0\1\2\377\377\377\376", 8);
    if (jl_npy_open(path, &n, &err)) fail_msg("%s", err.msg);
    assert_int_equal(((int32_t *)n.tensor.data)[0], 258);
    assert_int_equal(((int32_t *)n.tensor.data)[1], -2);
    jl_npy_close(&n);
}

static void bad_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *header, *words;
    } bad[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 9), }", "truncated"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
         "truncated"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", "ascontiguousarray"},
        {"{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", "astype"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "records"},
        {"{'fortran_order': False, 'shape': (1,), }", "'descr'"},
        {"{'descr': '<f4', 'fortran_order': False, }", "'shape'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (x,), }", "numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1", "numbers"},
        {"{'descr': '<f4', 'shape': (1,), }", "'fortran_order'"},
    };
    static const char zeros[64];
    jl_npy n;
    jl_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_npy(1, bad[i].header, zeros, sizeof zeros);
        assert_true(jl_npy_open(path, &n, &err) < 0);
        if (!strstr(err.msg, bad[i].words) || !strstr(err.msg, path))
            fail_msg("'%s' lacks '%s'", err.msg, bad[i].words);
    }
    write_npy(9, "{}", zeros, 4);
    assert_int_equal(jl_npy_open(path, &n, &err), JL_ERR_UNSUPPORTED);
    FILE *f = fopen(path, "w");
    fwrite("\x93NUMPY\1\0\377\377{}", 1, 12, f);
    fclose(f);
    assert_int_equal(jl_npy_open(path, &n, &err), JL_ERR_FORMAT);
    f = fopen(path, "w");
    fputs("PK\3\4 an archive", f);
    fclose(f);
    assert_int_equal(jl_npy_open(path, &n, &err), JL_ERR_FORMAT);
    assert_int_equal(jl_npy_open("/nowhere/x.npy", &n, &err), JL_ERR_IO);
    assert_int_equal(jl_npy_open("/", &n, &err), JL_ERR_FORMAT);
    jl_npy_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_read_in_place),
        cmocka_unit_test(shapes_and_types_of_numpy_are_known),
        cmocka_unit_test(big_endian_is_swapped),
        cmocka_unit_test(bad_files_are_named),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
