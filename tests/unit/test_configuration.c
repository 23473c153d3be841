#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "jouleline/configuration.h"
#include "jouleline/outcome.h"

static void good_texts_keep_their_meaning(void **state)
{
    (void)state;
    jl_configuration c;
    jl_error err = {0};
    assert_int_equal(
        jl_configuration_parse("ort-cpu/fp32@1+threads=4+lib=/opt/a+b/l@1.so", &c, &err), 0);
    assert_string_equal(c.runtime, "ort");
    assert_string_equal(c.provider, "cpu");
    assert_int_equal(c.precision, JL_PRECISION_FP32);
    assert_int_equal(c.device, 1);
    assert_int_equal(c.option_count, 2);
    assert_string_equal(c.options[0].key, "lib");
    assert_string_equal(c.options[0].value, "/opt/a+b/l@1.so");
    assert_string_equal(jl_configuration_option(&c, "threads"), "4");
    assert_null(jl_configuration_option(&c, "thread"));
}

static void equal_configurations_have_equal_texts(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"pytorch-cuda/fp16", "pytorch-cuda/fp16"},
        {"ort-cuda/fp32@0", "ort-cuda/fp32"},
        {"ort-cuda/tf32@3", "ort-cuda/tf32@3"},
        {"ort-cpu/int8+z=1+a=2", "ort-cpu/int8+a=2+z=1"},
        {"ort-cpu/native+session.x=1+lib=a+b", "ort-cpu/native+lib=a+b+session.x=1"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        jl_configuration c, again;
        char text[512];
        assert_int_equal(jl_configuration_parse(pairs[i][0], &c, NULL), 0);
        assert_int_equal(jl_configuration_format(&c, text, sizeof text), 0);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(jl_configuration_parse(text, &again, NULL), 0);
        char twice[512];
        assert_int_equal(jl_configuration_format(&again, twice, sizeof twice), 0);
        assert_string_equal(text, twice);
    }
    jl_configuration c;
    char small[8];
    assert_int_equal(jl_configuration_parse("ort-cpu/fp32+threads=4", &c, NULL), 0);
    assert_int_equal(jl_configuration_format(&c, small, sizeof small), JL_ERR_LIMIT);
}

static void bad_texts_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"", "no provider"},
        {"ort", "no provider"},
        {"ort/fp32", "no provider"},
        {"ort-cpu", "ort-cpu/fp32"},
        {"ort-/fp32", "provider is empty"},
        {"-cpu/fp32", "runtime is empty"},
        {"ort-cpu/", "precision is empty"},
        {"ort-cpu/fp23", "did you mean 'fp32'"},
        {"ort-cpu/fp32@", "not a number"},
        {"ort-cpu/fp32@x", "not a number"},
        {"ort-cpu/fp32@99999", "not a number"},
        {"ort-cpu/fp32+threads", "holds '+'"},
        {"ort-cpu/fp32+threads=", "no value"},
        {"ort-cpu/fp32+threads=1+threads=2", "given twice"},
        {"ort-c pu/fp32", "holds ' '"},
        {"ort-cpu-x/fp32", "holds '-'"},
        {"ort-abcdefghijklmnopqrstuvwxyz/fp32", "longer"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        jl_configuration c;
        jl_error err = {0};
        assert_int_equal(jl_configuration_parse(bad[i].text, &c, &err), JL_ERR_USAGE);
        if (!strstr(err.msg, bad[i].words))
            fail_msg("'%s' says '%s', not '%s'", bad[i].text, err.msg, bad[i].words);
    }
    char many[1024] = "ort-cpu/fp32";
    for (int i = 0; i <= JL_MAX_SETTINGS; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "+k%d=1", i);
    jl_configuration c;
    assert_int_equal(jl_configuration_parse(many, &c, NULL), JL_ERR_USAGE);
    char longer[700] = "ort-cpu/fp32+lib=";
    memset(longer + strlen(longer), 'x', 300);
    assert_int_equal(jl_configuration_parse(longer, &c, NULL), JL_ERR_USAGE);
}

static void values_are_checked(void **state)
{
    (void)state;
    jl_configuration c;
    jl_error err = {0};
    long n;
    bool b;
    double x;
    assert_int_equal(
        jl_configuration_parse("ort-cpu/fp32+threads=4x+graph=2+arena=0+noise=0.5", &c, &err), 0);
    assert_int_equal(jl_configuration_int(&c, "threads", 1, 64, 0, &n, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "+threads=4x"));
    assert_int_equal(jl_configuration_bool(&c, "graph", false, &b, &err), JL_ERR_USAGE);
    assert_int_equal(jl_configuration_bool(&c, "arena", true, &b, &err), 0);
    assert_false(b);
    assert_int_equal(jl_configuration_bool(&c, "absent", true, &b, &err), 0);
    assert_true(b);
    assert_int_equal(jl_configuration_int(&c, "absent", 1, 64, 7, &n, &err), 0);
    assert_int_equal(n, 7);
    assert_int_equal(jl_configuration_int(&c, "graph", 3, 64, 7, &n, &err), JL_ERR_USAGE);
    assert_int_equal(jl_configuration_double(&c, "noise", 0, 1, 0, &x, &err), 0);
    assert_true(x == 0.5);
    assert_int_equal(jl_configuration_double(&c, "noise", 0, 0.1, 0, &x, &err), JL_ERR_USAGE);
    assert_int_equal(jl_configuration_double(&c, "threads", 0, 9, 0, &x, &err), JL_ERR_USAGE);
}

static void outcomes_have_names_and_come_from_errors(void **state)
{
    (void)state;
    for (int i = 0; i < JL_OUTCOME_COUNT; i++)
        assert_int_equal(jl_outcome_parse(jl_outcome_name((jl_outcome)i)), i);
    assert_int_equal(jl_outcome_parse("fine"), -1);
    assert_int_equal(jl_outcome_of_error(JL_ERR_MISSING), JL_OUTCOME_MISSING);
    assert_int_equal(jl_outcome_of_error(JL_ERR_FORMAT), JL_OUTCOME_INVALID);
    assert_int_equal(jl_outcome_of_error(JL_ERR_DEVICE_MEMORY), JL_OUTCOME_OOM);
    assert_int_equal(jl_outcome_of_error(JL_ERR_MEMORY), JL_OUTCOME_OOM);
    assert_int_equal(jl_outcome_of_error(JL_ERR_TIMEOUT), JL_OUTCOME_TIMEOUT);
    assert_int_equal(jl_outcome_of_error(JL_ERR), JL_OUTCOME_UNSUPPORTED);
}

static void a_study_answers_with_versions(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *stored;
        bool answers;
    } cases[] = {
        {"ort-cpu/fp32+lib=/a.so", "ort-cpu/fp32+lib=/a.so+version=1.31.1", true},
        {"ort-cpu/fp32@1", "ort-cpu/fp32", true},
        {"ort-cpu/fp16+convert=occ", "ort-cpu/fp16+convert=occ:1.16.0", true},
        {"ort-cpu/fp32+lib=/a.so+version=1.30", "ort-cpu/fp32+lib=/a.so+version=1.31.1", false},
        {"ort-cpu/fp32+lib=/b.so", "ort-cpu/fp32+lib=/a.so+version=1.31.1", false},
        {"ort-cpu/fp32", "ort-cpu/fp32+lib=/a.so+version=1.31.1", false},
        {"ort-cpu/fp32+threads=1", "ort-cpu/fp32", false},
        {"ort-cpu/fp32", "ort-cpu/fp16", false},
        {"ort-cpu/fp16+convert=oc", "ort-cpu/fp16+convert=occ:1.16.0", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        jl_configuration asked, stored;
        assert_int_equal(jl_configuration_parse(cases[i].asked, &asked, NULL), 0);
        assert_int_equal(jl_configuration_parse(cases[i].stored, &stored, NULL), 0);
        if (jl_configuration_answers(&asked, &stored) != cases[i].answers)
            fail_msg("%s and %s", cases[i].asked, cases[i].stored);
    }
    jl_configuration c;
    char text[128];
    assert_int_equal(jl_configuration_parse("ort-cpu/fp32+z=1+lib=/a.so", &c, NULL), 0);
    assert_int_equal(jl_configuration_add(&c, "version", "1.2", NULL), 0);
    assert_int_equal(jl_configuration_add(&c, "version", "1.2", NULL), JL_ERR_USAGE);
    assert_int_equal(jl_configuration_format(&c, text, sizeof text), 0);
    assert_string_equal(text, "ort-cpu/fp32+lib=/a.so+version=1.2+z=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_keep_their_meaning),
        cmocka_unit_test(equal_configurations_have_equal_texts),
        cmocka_unit_test(bad_texts_are_named),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(a_study_answers_with_versions),
        cmocka_unit_test(outcomes_have_names_and_come_from_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
