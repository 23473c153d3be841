#include "terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void groups_share_columns_and_titles_take_the_room_there_is(void **state)
{
    (void)state;
    static const jl_column columns[] = {{"batch", true}, {"latency ms/call", true}};
    static const char *const cells[] = {"1", "12.5", "32", "1234.5"}, *const headings[] = {
                                                                          "resnet50", "vgg16"};
    jl_buf b = {0};
    jl_text_table_grouped(&b, columns, 2, cells, headings, 2, 16);
    assert_string_equal(b.p, "batch  latency\n"
                             "       ms/call\n"
                             "-----  -------\n"
                             "resnet50\n"
                             "    1     12.5\n"
                             "\n"
                             "vgg16\n"
                             "   32   1234.5\n");
    jl_buf_free(&b);
    jl_text_table_grouped(&b, columns, 2, cells, NULL, 1, 40);
    assert_string_equal(b.p, "batch  latency ms/call\n"
                             "-----  ---------------\n"
                             "    1             12.5\n");
    jl_buf_free(&b);
    assert_int_equal(jl_text_table_width(columns, 2, cells, 2), 14);
    /* After many rows the titles come again, at the next heading. */
    enum { ROWS = 60 };
    const char *many[2 * ROWS], *names[ROWS];
    for (int i = 0; i < ROWS; i++) {
        many[2 * i] = "1";
        many[2 * i + 1] = "2";
        names[i] = i < 50 ? "first" : "second";
    }
    jl_text_table_grouped(&b, columns, 2, many, names, ROWS, 40);
    const char *second = strstr(b.p, "second");
    assert_non_null(second);
    assert_non_null(strstr(b.p + 10, "latency"));
    assert_true(strstr(b.p + 10, "latency") < second);
    jl_buf_free(&b);
}

static void a_table_is_aligned_and_fits(void **state)
{
    (void)state;
    static const jl_column columns[] = {
        {"model", false}, {"latency median ms", true}, {"what", false}};
    static const char *const cells[] = {
        "resnet50", "12.5",      "ort-cpu/fp32+threads=4 and many more words",
        "vgg16",    "1\xc2\xb5", NULL,
    };
    jl_buf b = {0};
    jl_text_table(&b, columns, 3, cells, 2, 40);
    assert_string_equal(b.p, "model     latency  what\n"
                             "           median\n"
                             "               ms\n"
                             "--------  -------  ---------------------\n"
                             "resnet50     12.5  ort-cpu/fp32+\n"
                             "                   threads=4 and many\n"
                             "                   more words\n"
                             "vgg16          1\xc2\xb5\n");
    jl_buf_free(&b);
    jl_text_table(&b, columns, 3, cells, 0, 80);
    assert_non_null(strstr(b.p, "model"));
    jl_buf_free(&b);
}

static void names_stay_whole_while_others_can_give_way(void **state)
{
    (void)state;
    static const jl_column columns[] = {{"model", false}, {"configuration", false}};
    static const char *const cells[] = {"mobilenet_v3_large", "ort-cpu/fp32+threads=2"};
    jl_buf b = {0};
    jl_text_table(&b, columns, 2, cells, 1, 34);
    assert_non_null(strstr(b.p, "mobilenet_v3_large  ort-cpu/fp32+\n"
                                "                    threads=2\n"));
    jl_buf_free(&b);
    jl_text_table(&b, columns, 2, cells, 1, 32); /* the gap gives way before the names do */
    assert_non_null(strstr(b.p, "mobilenet_v3_large ort-cpu/fp32+\n"));
    jl_buf_free(&b);
}

static void a_word_longer_than_its_column_is_cut(void **state)
{
    (void)state;
    static const jl_column columns[] = {{"a", false}};
    static const char *const cells[] = {"abcdefghijkl\xc3\xa4\xc3\xb6xyz"};
    jl_buf b = {0};
    jl_text_table(&b, columns, 1, cells, 1, 13);
    assert_string_equal(b.p, "a\n-------------\nabcdefghijkl\xc3\xa4\n\xc3\xb6xyz\n");
    jl_buf_free(&b);
}

static char *progress(bool quiet)
{
    char *text = NULL;
    size_t size;
    FILE *to = tmpfile();
    assert_non_null(to);
    jl_virtual_clock v = {0};
    jl_clock clock = jl_clock_virtual(&v);
    jl_progress p;
    jl_progress_start(&p, to, &clock, 60, quiet);
    for (size_t done = 0; done <= 60; done++) {
        jl_progress_update(&p, done, "cell");
        v.now_ns += JL_NS_PER_S * 2;
    }
    jl_progress_say(&p, "a failure");
    jl_progress_end(&p);
    size = (size_t)ftell(to);
    text = calloc(1, size + 1);
    rewind(to);
    assert_int_equal(fread(text, 1, size, to), size);
    fclose(to);
    return text;
}

static void progress_prints_plain_lines_off_a_terminal_and_none_when_quiet(void **state)
{
    (void)state;
    char *text = progress(false);
    assert_non_null(strstr(text, "[0/60] cell\n[3/60] cell, 1 min 54 s left\n"));
    assert_null(strchr(text, '\r'));
    free(text);
    text = progress(true);
    assert_string_equal(text, "a failure\n");
    free(text);
}

static void durations_read_well(void **state)
{
    (void)state;
    char words[32];
    jl_duration_words(45 * JL_NS_PER_S, words, sizeof words);
    assert_string_equal(words, "45 s");
    jl_duration_words(130 * JL_NS_PER_S, words, sizeof words);
    assert_string_equal(words, "2 min 10 s");
    jl_duration_words((3 * 3600 + 5 * 60) * JL_NS_PER_S, words, sizeof words);
    assert_string_equal(words, "3 h 5 min");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_aligned_and_fits),
        cmocka_unit_test(groups_share_columns_and_titles_take_the_room_there_is),
        cmocka_unit_test(names_stay_whole_while_others_can_give_way),
        cmocka_unit_test(a_word_longer_than_its_column_is_cut),
        cmocka_unit_test(progress_prints_plain_lines_off_a_terminal_and_none_when_quiet),
        cmocka_unit_test(durations_read_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
