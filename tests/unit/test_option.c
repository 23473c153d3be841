#include "base/option.h"
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct settings {
    bool resume, dry_run;
    const char *db;
    int format;
    int64_t rounds, min_time_ns, stop_after_ns;
    double z;
    jl_ints batch;
    jl_words models, shapes;
} settings;

#define AT(field) .offset = offsetof(settings, field)
static const jl_option table[] = {
    {.name = "rounds",
     .letter = 'r',
     .alias = "runs",
     .kind = JL_OPT_INT,
     .argument = "N",
     .min = 1,
     .max = 1000,
     .fallback = "10",
     .help = "rounds",
     AT(rounds)},
    {.name = "batch",
     .letter = 'b',
     .kind = JL_OPT_INTS,
     .argument = "N,..",
     .min = 1,
     .max = 65536,
     .fallback = "1,8",
     .help = "batch sizes",
     AT(batch)},
    {.name = "model", .kind = JL_OPT_WORDS, .argument = "NAME,..", .help = "models", AT(models)},
    {.name = "shape",
     .kind = JL_OPT_TEXTS,
     .argument = "NAME=SHAPE",
     .help = "shape of an input",
     AT(shapes)},
    {.name = "min-time",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .max = 60,
     .fallback = "1s",
     .help = "least time",
     AT(min_time_ns)},
    {.name = "stop-after",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .min = 1,
     .help = "end",
     AT(stop_after_ns)},
    {.name = "z", .kind = JL_OPT_NUMBER, .argument = "X", .help = "a number", AT(z)},
    {.name = "output",
     .letter = 'o',
     .kind = JL_OPT_CHOICE,
     .choices = "table|md|csv",
     .argument = "FORMAT",
     .fallback = "table",
     .help = "format",
     .command_line = true,
     AT(format)},
    {.name = "resume", .kind = JL_OPT_FLAG, .conflict = "dry-run", .help = "go on", AT(resume)},
    {.name = "dry-run",
     .kind = JL_OPT_FLAG,
     .help = "only plan",
     .command_line = true,
     AT(dry_run)},
    {.name = "db",
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .help = "store",
     .command_line = true,
     AT(db)},
    {0},
};

static int no_run(const jl_invocation *call)
{
    (void)call;
    return 0;
}
static const jl_command command = {.name = "try it",
                                   .summary = "a try",
                                   .arguments = "MODEL...",
                                   .about = "About it.",
                                   .options = table,
                                   .settings_size = sizeof(settings),
                                   .most_arguments = 2,
                                   .study_file = true,
                                   .run = no_run};
const jl_command *const jl_commands[] = {&command, NULL};

typedef struct fixture {
    jl_arena *arena;
    settings s;
    jl_error err;
    char path[64];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->arena = jl_arena_new();
    snprintf(f->path, sizeof f->path, "/tmp/jl_option_XXXXXX.yaml");
    close(mkstemps(f->path, 5));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    jl_arena_free(f->arena);
    free(f);
    return 0;
}

static int set(fixture *f, const char *name, const char *text)
{
    return jl_option_set(jl_option_find(table, name), text, &f->s, f->arena, &f->err);
}

static void every_kind_is_parsed(void **state)
{
    fixture *f = *state;
    assert_int_equal(jl_option_defaults(table, &f->s, f->arena, &f->err), 0);
    assert_int_equal(f->s.rounds, 10);
    assert_int_equal(f->s.batch.count, 2);
    assert_int_equal(f->s.min_time_ns, 1000000000);
    assert_int_equal(set(f, "runs", "7"), 0);
    assert_int_equal(f->s.rounds, 7);
    assert_int_equal(set(f, "model", "a,b"), 0);
    assert_int_equal(set(f, "model", "c"), 0);
    assert_int_equal(f->s.models.count, 3);
    assert_string_equal(f->s.models.items[2], "c");
    assert_int_equal(set(f, "shape", "x=normal:0,1"), 0);
    assert_string_equal(f->s.shapes.items[0], "x=normal:0,1");
    assert_int_equal(set(f, "min-time", "250ms"), 0);
    assert_int_equal(f->s.min_time_ns, 250000000);
    assert_int_equal(set(f, "stop-after", "2h"), 0);
    assert_int_equal(set(f, "z", "-1.5e3"), 0);
    assert_true(f->s.z == -1500.0);
    assert_int_equal(set(f, "output", "csv"), 0);
    assert_int_equal(f->s.format, 2);
    assert_int_equal(set(f, "resume", NULL), 0);
    assert_true(f->s.resume);
    assert_int_equal(set(f, "resume", "false"), 0);
    assert_false(f->s.resume);
}

static void wrong_values_are_refused_with_a_reason(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *name, *text, *reason;
    } wrong[] = {
        {"rounds", "0", "between 1 and 1000"},
        {"rounds", "3x", "whole number"},
        {"rounds", "99999999999999999999", "whole number"},
        {"rounds", "", "whole number"},
        {"batch", "1,,2", "empty"},
        {"batch", "1,", "empty"},
        {"batch", "1,0", "between"},
        {"min-time", "61", "in seconds: '61' is not between 0 and 60"},
        {"min-time", "-1", "not a time"},
        {"min-time", "nan", "not a time"},
        {"min-time", "1e300h", "not a time"},
        {"stop-after", "0.5", "'0.5' is below 1"},
        {"z", "inf", "not a number"},
        {"z", "1 ", "not a number"},
        {"output", "tabel", "did you mean 'table'"},
        {"resume", "maybe", "neither true nor false"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(set(f, wrong[i].name, wrong[i].text), JL_ERR_USAGE);
        if (!strstr(f->err.msg, wrong[i].reason)) fail_msg("%s: %s", wrong[i].text, f->err.msg);
    }
}

static int read_yaml(fixture *f, const char *text, jl_option_mask *given)
{
    FILE *file = fopen(f->path, "w");
    fputs(text, file);
    fclose(file);
    *given = 0;
    return jl_option_read_yaml(table, f->path, &f->s, given, f->arena, &f->err);
}

static void a_study_file_sets_the_same_fields(void **state)
{
    fixture *f = *state;
    jl_option_mask given;
    jl_option_defaults(table, &f->s, f->arena, &f->err);
    const char *text =
        "rounds: 3\nbatch: [1, 32]\nmodel:\n  - a\n  - b,c\nshape:\n  ids: Bx128\nresume: true\n";
    if (read_yaml(f, text, &given)) fail_msg("%s", f->err.msg);
    assert_int_equal(f->s.rounds, 3);
    assert_int_equal(f->s.batch.count, 2);
    assert_int_equal(f->s.batch.items[1], 32);
    assert_int_equal(f->s.models.count, 3);
    assert_string_equal(f->s.shapes.items[0], "ids=Bx128");
    assert_true(f->s.resume);
    assert_true(jl_option_given(table, given, "batch"));
    assert_false(jl_option_given(table, given, "z"));
}

static void a_bad_study_file_is_refused_with_its_line(void **state)
{
    fixture *f = *state;
    jl_option_mask given;
    static const struct {
        const char *text, *reason;
    } wrong[] = {
        {"rounds: 3\nbacth: 1\n", ".yaml:2:1: there is no key 'bacth'; did you mean 'batch'?"},
        {"rounds: 3\ndb: x\n", ".yaml:2:1: there is no key 'db'"},
        {"rounds: many\n", ".yaml:1:9: rounds: 'many' is not a whole number"},
        {"batch: [1, [2]]\n", ".yaml:1:12: batch: a plain value"},
        {"rounds: [1]\n", ".yaml:1:9: rounds: a plain value"},
        {"rounds: 1\nruns: 2\n", ".yaml:2:1: the key is given twice"},
        {"shape: {a: {b: c}}\n", "only 'name: value'"},
        {"db: [\n", "not YAML"},
        {"db: \"a\\0b\"\n", "there is no key"},
        {"model: \"a\\0b\"\n", "NUL"},
        {"- 1\n", "mapping"},
        {"", "mapping"},
        {"[a]: 1\n", "a key must be a word"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int rc = read_yaml(f, wrong[i].text, &given);
        if (rc >= 0 || !strstr(f->err.msg, wrong[i].reason))
            fail_msg("%s: %d %s", wrong[i].text, rc, f->err.msg);
    }
    assert_int_equal(jl_option_read_yaml(table, "/no/such.yaml", &f->s, &given, f->arena, &f->err),
                     JL_ERR_IO);
}

static void rows_that_exclude_each_other_are_found(void **state)
{
    fixture *f = *state;
    jl_option_mask resume = 1u << 8, dry_run = 1u << 9;
    assert_int_equal(jl_option_conflicts(table, resume, &f->err), 0);
    assert_int_equal(jl_option_conflicts(table, resume | dry_run, &f->err), JL_ERR_USAGE);
    assert_non_null(strstr(f->err.msg, "--resume and --dry-run"));
}

static void flags_win_over_the_study_file_and_lists_are_replaced(void **state)
{
    fixture *f = *state;
    jl_option_mask given;
    read_yaml(f, "rounds: 3\nbatch: [2, 4]\nmodel: [a]\n", &given);
    char *argv[] = {(char[]){"it"}, (char[]){"-r5"},       (char[]){"-b"},
                    (char[]){"7"},  (char[]){"--batch=8"}, f->path,
                    (char[]){"m1"}, (char[]){"m2"},        NULL};
    jl_invocation call;
    jl_parse_command(&command, 8, argv, &call);
    const settings *s = call.settings;
    assert_int_equal(s->rounds, 5);
    assert_int_equal(s->batch.count, 2);
    assert_int_equal(s->batch.items[0], 7);
    assert_int_equal(s->models.count, 1);
    assert_string_equal(call.study_file, f->path);
    assert_int_equal(call.arguments.count, 2);
    assert_string_equal(call.arguments.items[1], "m2");
    assert_true(jl_option_given(table, call.given, "model"));
    jl_arena_free(call.arena);
}

static void man_page_and_completion_name_every_option(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    jl_print_man_page(to, &command);
    jl_print_completion(to);
    fclose(to);
    for (const jl_option *o = table; o->name; o++) {
        char words[64];
        snprintf(words, sizeof words, "--%s*", o->name);
        assert_non_null(strstr(text, words));
        snprintf(words, sizeof words, "--%s ", o->name);
        assert_non_null(strstr(text, words));
    }
    assert_non_null(strstr(text, "jouleline-try-it(1)"));
    assert_non_null(strstr(text, "table md csv"));
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_is_parsed),
        TEST(wrong_values_are_refused_with_a_reason),
        TEST(a_study_file_sets_the_same_fields),
        TEST(a_bad_study_file_is_refused_with_its_line),
        TEST(rows_that_exclude_each_other_are_found),
        TEST(flags_win_over_the_study_file_and_lists_are_replaced),
        TEST(man_page_and_completion_name_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
