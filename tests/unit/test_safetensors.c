#include "model/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static char path[] = "/tmp/jl_test_safetensors.XXXXXX";

/* Writes a file of this header and `data` zero bytes, and opens it. */
static int open_header(const char *header, size_t data, jl_error *err)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    uint64_t length = strlen(header);
    fwrite(&length, sizeof length, 1, f);
    fputs(header, f);
    for (size_t i = 0; i < data; i++)
        fputc(0, f);
    fclose(f);
    jl_safetensors *file;
    int rc = jl_safetensors_open(path, &file, err);
    assert_true((file == NULL) == (rc != 0));
    jl_safetensors_close(file);
    return rc;
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *words;
    } bad[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "'a'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 8, "8 bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "'a'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "'a'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 8,
         "size 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,0]}}", 8, "size 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
         "at most 8"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'F33'"},
        {"{\"a\":{}}", 0, "unknown type"},
        {"{\"a\":3}", 0, "unknown type"},
        {"[]", 0, "not a JSON object"},
        {"{\"a\"", 0, "not a JSON object"},
        {"", 0, "not a JSON object"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        jl_error err = {0};
        assert_int_equal(open_header(bad[i].header, bad[i].data, &err), JL_ERR_FORMAT);
        if (!strstr(err.msg, bad[i].words)) fail_msg("%s: %s", bad[i].header, err.msg);
    }
}

static void truncated_files_are_refused(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {200, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    jl_safetensors *file;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        fwrite(bytes, 1, n, f);
        fclose(f);
        jl_error err = {0};
        assert_int_equal(jl_safetensors_open(path, &file, &err), JL_ERR_FORMAT);
        assert_null(file);
    }
    assert_int_equal(jl_safetensors_open("/no/such/file", &file, NULL), JL_ERR_IO);
    assert_int_equal(jl_safetensors_open("/tmp", &file, NULL), JL_ERR_FORMAT);
}

static int index_bytes(void *ctx, size_t i, uint64_t offset, void *to, size_t n, jl_error *err)
{
    (void)err;
    if (ctx) return jl_fail(err, JL_ERR, "no bytes");
    for (size_t k = 0; k < n; k++)
        ((unsigned char *)to)[k] = (unsigned char)(16 * i + offset + k);
    return 0;
}

static void a_file_comes_back(void **state)
{
    (void)state;
    jl_safetensor list[] = {
        {.name = JL_STR("half"), .dtype = JL_FLOAT16, .rank = 1, .dims = {3}},
        {.name = JL_STR("a \"quoted\" \\ name"), .dtype = JL_FLOAT, .rank = 2, .dims = {1, 2}},
        {.name = JL_STR("count"), .dtype = JL_INT64},
        {.name = JL_STR("empty"), .dtype = JL_FLOAT, .rank = 2, .dims = {0, 7}}};
    jl_error err = {0};
    assert_int_equal(
        jl_safetensors_save(path, list, 4, (jl_safetensors_source){index_bytes, NULL}, &err), 0);
    jl_safetensors *file;
    if (jl_safetensors_open(path, &file, &err)) fail_msg("%s", err.msg);
    assert_int_equal(jl_safetensors_count(file), 4);
    for (size_t i = 0; i < 4; i++) {
        const jl_safetensor *t = jl_safetensors_at(file, i);
        assert_true(jl_str_eq(t->name, list[i].name));
        assert_ptr_equal(t, jl_safetensors_find(file, list[i].name));
        assert_int_equal(t->dtype, list[i].dtype);
        assert_int_equal(t->rank, list[i].rank);
        assert_memory_equal(t->dims, list[i].dims, sizeof t->dims);
        for (size_t k = 0; k < t->size_bytes; k++)
            assert_int_equal(((const unsigned char *)t->data)[k], 16 * i + k);
        if (t->size_bytes) assert_int_equal((uintptr_t)t->data % (jl_dtype_bits(t->dtype) / 8), 0);
    }
    assert_null(jl_safetensors_find(file, JL_STR("missing")));
    jl_safetensors_close(file);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    jl_safetensor one = {.name = JL_STR("x"), .dtype = JL_FLOAT, .rank = 1, .dims = {4}};
    jl_safetensors_source good = {index_bytes, NULL}, bad = {index_bytes, &one};
    assert_int_equal(jl_safetensors_save(path, &one, 1, good, NULL), 0);
    assert_int_equal(jl_safetensors_save(path, &one, 1, bad, NULL), JL_ERR);
    jl_safetensors *file;
    assert_int_equal(jl_safetensors_open(path, &file, NULL), 0);
    assert_int_equal(jl_safetensors_at(file, 0)->size_bytes, 16);
    jl_safetensors_close(file);
    assert_int_equal(jl_safetensors_save("/no/such/folder/file", &one, 1, good, NULL), JL_ERR_IO);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(a_file_comes_back),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, make_file, drop_file);
}
