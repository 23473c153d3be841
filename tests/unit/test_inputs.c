#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/inputs.h"

/* A two-input transformer, as exporters write it. */
static const jl_input_spec bert[] = {
    {.name = "input_ids",
     .dtype = JL_INT64,
     .rank = 2,
     .dims = {-1, -1},
     .dim_names = {"batch", "seq"},
     .bound = 30522},
    {.name = "attention_mask",
     .dtype = JL_INT64,
     .rank = 2,
     .dims = {-1, -1},
     .dim_names = {"batch", "seq"}},
};
static const jl_input_spec image[] = {
    {.name = "x", .dtype = JL_FLOAT, .rank = 4, .dims = {-1, 3, 8, 8}, .dim_names = {"N"}},
};

static void shapes_of_one_input_hold_for_the_others(void **state)
{
    (void)state;
    jl_input_words w = {.shapes = (const char *const[]){"input_ids=Bx16"}, .shape_count = 1};
    jl_inputs in;
    jl_error err = {0};
    if (jl_inputs_make(bert, 2, &w, 4, 1, &in, &err)) fail_msg("%s", err.msg);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(in.tensors[k].rank, 2);
        assert_int_equal(in.tensors[k].dims[0], 4);
        assert_int_equal(in.tensors[k].dims[1], 16);
        assert_int_equal(in.tensors[k].size_bytes, 4 * 16 * 8);
    }
    const int64_t *ids = in.tensors[0].data, *mask = in.tensors[1].data;
    int64_t high = 0;
    for (int i = 0; i < 64; i++) {
        assert_true(ids[i] >= 0 && ids[i] < 30522);
        assert_int_equal(mask[i], 1);
        if (ids[i] > high) high = ids[i];
    }
    assert_true(high > 10000);
    assert_true(in.batched);
    bool table = false, named = false;
    for (size_t i = 0; i < in.note_count; i++) {
        if (strstr(in.notes[i], "indexes a table")) table = true;
        if (strstr(in.notes[i], "mask")) named = true;
    }
    assert_true(table && named);
    jl_inputs_free(&in);
}

static void items_are_the_same_in_every_batch_and_distinct(void **state)
{
    (void)state;
    jl_inputs one, eight, other;
    jl_error err = {0};
    assert_int_equal(jl_inputs_make(image, 1, NULL, 1, 7, &one, &err), 0);
    assert_int_equal(jl_inputs_make(image, 1, NULL, 8, 7, &eight, &err), 0);
    assert_int_equal(jl_inputs_make(image, 1, NULL, 8, 8, &other, &err), 0);
    const float *x = eight.tensors[0].data;
    assert_memory_equal(one.tensors[0].data, x, 192 * sizeof *x);
    assert_memory_not_equal(x, x + 192, 192 * sizeof *x);
    assert_memory_not_equal(x, other.tensors[0].data, 192 * sizeof *x);
    double sum = 0, square = 0;
    for (int i = 0; i < 8 * 192; i++) {
        sum += (double)x[i];
        square += (double)x[i] * (double)x[i];
    }
    assert_true(fabs(sum / 1536) < 0.1);
    assert_true(fabs(square / 1536 - 1) < 0.15);
    jl_inputs_free(&one);
    jl_inputs_free(&eight);
    jl_inputs_free(&other);
}

static void fills_fill(void **state)
{
    (void)state;
    static const struct {
        const char *fill;
        double first, low, high;
    } cases[] = {
        {"x=ones", 1, 1, 1},
        {"x=zeros", 0, 0, 0},
        {"x=arange", 0, 0, 191},
        {"x=const:2.5", 2.5, 2.5, 2.5},
        {"x=int:-3..4", NAN, -3, 4},
        {"uniform:0.5,2", NAN, 0.5, 2},
        {"x=normal:10,0.5", NAN, 8, 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        jl_input_words w = {.fills = &cases[i].fill, .fill_count = 1};
        jl_inputs in;
        jl_error err = {0};
        if (jl_inputs_make(image, 1, &w, 1, 3, &in, &err)) fail_msg("%s", err.msg);
        const float *x = in.tensors[0].data;
        assert_true(isnan(cases[i].first) || (double)x[0] == cases[i].first);
        for (int k = 0; k < 192; k++)
            assert_true((double)x[k] >= cases[i].low && (double)x[k] <= cases[i].high);
        jl_inputs_free(&in);
    }
}

static void every_element_type_is_made(void **state)
{
    (void)state;
    for (int t = JL_FLOAT; t < JL_DTYPE_COUNT; t++) {
        jl_input_spec s = {
            .name = "x", .dtype = (jl_dtype)t, .rank = 2, .dims = {-1, 5}, .dim_names = {"batch"}};
        jl_inputs in;
        jl_error err = {0};
        if (jl_inputs_make(&s, 1, NULL, 3, 1, &in, &err)) fail_msg("type %d: %s", t, err.msg);
        assert_int_equal(in.tensors[0].size_bytes,
                         t == JL_STRING ? 15 * sizeof(char *) : jl_dtype_bytes(s.dtype, 15));
        if (t == JL_STRING) assert_string_equal(((char **)in.tensors[0].data)[14], "text 14");
        bool some = false;
        for (size_t i = 0; i < in.tensors[0].size_bytes; i++)
            some |= ((unsigned char *)in.tensors[0].data)[i] != 0;
        assert_true(some);
        jl_inputs_free(&in);
    }
}

static void bad_words_are_named(void **state)
{
    (void)state;
    static const struct {
        const jl_input_spec *specs;
        size_t count;
        const char *shape, *fill, *file, *words;
    } bad[] = {
        {bert, 2, NULL, NULL, NULL, "--shape input_ids=Bx128"},
        {bert, 2, "input_idz=Bx8", NULL, NULL, "did you mean 'input_ids'"},
        {bert, 2, "Bx8", NULL, NULL, "names no input"},
        {bert, 2, "input_ids=8", NULL, NULL, "1 dimensions"},
        {bert, 2, "input_ids=9x8", NULL, NULL, "write B"},
        {bert, 2, "input_ids=B,8", NULL, NULL, "is no shape"},
        {bert, 2, "input_ids=Bx", NULL, NULL, "is no shape"},
        {image, 1, "Bx3x9x8", NULL, NULL, "fixed at 8"},
        {image, 1, NULL, "x=many", NULL, "is no fill"},
        {image, 1, NULL, "x=int:5..1", NULL, "is no fill"},
        {image, 1, NULL, "x=normal:1", NULL, "is no fill"},
        {image, 1, NULL, "y=ones", NULL, "no input 'y'"},
        {image, 1, NULL, "x=ones", "x=a.npy", "comes from a file"},
        {image, 1, NULL, NULL, "x=/nowhere/a.npy", "/nowhere/a.npy"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        jl_input_words w = {.shapes = &bad[i].shape,
                            .shape_count = bad[i].shape != NULL,
                            .fills = &bad[i].fill,
                            .fill_count = bad[i].fill != NULL,
                            .files = &bad[i].file,
                            .file_count = bad[i].file != NULL};
        jl_inputs in;
        jl_error err = {0};
        assert_true(jl_inputs_make(bad[i].specs, bad[i].count, &w, 2, 1, &in, &err) < 0);
        if (!strstr(err.msg, bad[i].words)) fail_msg("'%s' lacks '%s'", err.msg, bad[i].words);
        assert_null(in.arena);
    }
    const char *two[] = {"input_ids=Bx8", "attention_mask=Bx9"};
    jl_input_words w = {.shapes = two, .shape_count = 2};
    jl_inputs in;
    jl_error err = {0};
    assert_true(jl_inputs_make(bert, 2, &w, 2, 1, &in, &err) < 0);
    assert_non_null(strstr(err.msg, "one value"));
    jl_input_spec unknown = {.name = "x", .dtype = JL_FLOAT, .rank = -1};
    assert_true(jl_inputs_make(&unknown, 1, NULL, 2, 1, &in, &err) < 0);
    assert_non_null(strstr(err.msg, "how many dimensions"));
    jl_input_spec huge = {
        .name = "x", .dtype = JL_FLOAT, .rank = 2, .dims = {INT64_C(1) << 40, INT64_C(1) << 40}};
    assert_true(jl_inputs_make(&huge, 1, NULL, 2, 1, &in, &err) == JL_ERR_LIMIT);
}

static void files_give_items(void **state)
{
    (void)state;
    char path[] = "/tmp/jl_inputs_XXXXXX", word[64];
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    const char *header = "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3, 8, 8), }";
    fwrite("\x93NUMPY\1", 1, 7, f);
    fputc(0, f), fputc((int)strlen(header), f), fputc(0, f);
    fputs(header, f);
    for (int i = 0; i < 384; i++) {
        uint16_t h = jl_half_from_float((float)i);
        fwrite(&h, 2, 1, f);
    }
    fclose(f);
    snprintf(word, sizeof word, "x=%s", path);
    const char *files[] = {word};
    jl_input_words w = {.files = files, .file_count = 1};
    jl_error err = {0};
    for (int64_t batch = 1; batch <= 3; batch++) {
        jl_inputs in;
        if (jl_inputs_make(image, 1, &w, batch, 1, &in, &err)) fail_msg("%s", err.msg);
        const float *x = in.tensors[0].data;
        assert_int_equal(in.tensors[0].dims[0], batch);
        for (int i = 0; i < 192 * batch; i++)
            assert_true(x[i] == (float)(i % 384));
        assert_int_equal(in.note_count, batch == 2 ? 0 : 1);
        jl_inputs_free(&in);
    }
    jl_input_spec ints = image[0];
    ints.dtype = JL_INT32;
    jl_inputs in;
    assert_int_equal(jl_inputs_make(&ints, 1, &w, 2, 1, &in, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "holds float16"));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_of_one_input_hold_for_the_others),
        cmocka_unit_test(items_are_the_same_in_every_batch_and_distinct),
        cmocka_unit_test(fills_fill),
        cmocka_unit_test(every_element_type_is_made),
        cmocka_unit_test(bad_words_are_named),
        cmocka_unit_test(files_give_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
