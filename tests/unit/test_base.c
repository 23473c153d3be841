#include "base/arena.h"
#include "base/dl.h"
#include "base/map.h"
#include "base/outfile.h"
#include "base/rng.h"
#include "base/str.h"
#include "jouleline/clock.h"
#include "jouleline/dtype.h"
#include "jouleline/error.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void error_keeps_code_and_context(void **state)
{
    (void)state;
    jl_error err = {0};
    assert_int_equal(jl_fail(&err, JL_ERR_FORMAT, "byte %d", 7), JL_ERR_FORMAT);
    assert_int_equal(jl_prefix(&err, "model %s", "a.onnx"), JL_ERR_FORMAT);
    assert_string_equal(err.msg, "model a.onnx: byte 7");
    errno = ENOENT;
    jl_fail_errno(&err, JL_ERR_IO, "open x");
    assert_string_equal(err.msg, "open x: No such file or directory");
    assert_int_equal(jl_fail(NULL, JL_ERR_IO, "nobody listens"), JL_ERR_IO);
}

static void arena_zeroes_aligns_and_refuses_overflow(void **state)
{
    (void)state;
    jl_arena *a = jl_arena_new();
    for (size_t n = 1; n < 100000; n = n * 3 + 1) {
        unsigned char *p = jl_arena_alloc(a, n);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 255, n);
    }
    assert_null(jl_arena_array(a, SIZE_MAX / 2, 3));
    assert_string_equal(jl_arena_printf(a, "%s-%d", "x", 3), "x-3");
    jl_arena_free(a);
}

static void every_half_survives_a_round_trip(void **state)
{
    (void)state;
    uint16_t all[65536], back[65536];
    static float wide[65536];
    for (unsigned i = 0; i < 65536; i++)
        all[i] = (uint16_t)i;
    jl_floats_from_half(wide, all, 65536);
    jl_half_from_floats(back, wide, 65536);
    for (unsigned i = 0; i < 65536; i++) {
        float one = jl_float_from_half((uint16_t)i);
        if (isnan(one)) {
            assert_true(isnan(wide[i]));
            assert_true(isnan(jl_float_from_half(back[i])));
            continue;
        }
        assert_true(one == wide[i]);
        assert_int_equal(back[i], i);
        assert_int_equal(jl_half_from_float(one), i);
    }
}

static void rounding_to_half_is_to_nearest_even_and_saturation_is_counted(void **state)
{
    (void)state;
    assert_int_equal(jl_half_from_float(65519.0f), 0x7BFF);
    assert_int_equal(jl_half_from_float(65520.0f), 0x7C00);
    assert_int_equal(jl_half_from_float(0x1p-25f), 0);
    assert_int_equal(jl_half_from_float(0x1.8p-25f), 1);
    assert_int_equal(jl_half_from_float(2049.0f), jl_half_from_float(2048.0f));
    assert_int_equal(jl_half_from_float(2051.0f), jl_half_from_float(2052.0f));
    float in[11] = {1, 70000.0f, -1e9f, INFINITY, 0, 0, 0, 0, 0, 0, 1e6f};
    uint16_t out[11];
    assert_int_equal(jl_half_from_floats(out, in, 11), 3);
    jl_rng r = {1};
    for (int i = 0; i < 100000; i++) {
        float f = (float)ldexp(jl_rng_normal(&r), (int)jl_rng_below(&r, 50) - 30), pair[8] = {f};
        uint16_t fast[8];
        jl_half_from_floats(fast, pair, 8);
        assert_int_equal(fast[0], jl_half_from_float(f));
    }
}

static void names_are_suggested_when_near(void **state)
{
    (void)state;
    const char *const names[] = {"resnet18", "resnet50", "vgg16"};
    assert_string_equal(jl_nearest("resent50", names, 3), "resnet50");
    assert_string_equal(jl_nearest("vg16", names, 3), "vgg16");
    assert_null(jl_nearest("alexnet", names, 3));
    assert_int_equal(jl_edit_distance("ab", "ba"), 1);
}

static void a_text_of_lines_becomes_one_line(void **state)
{
    (void)state;
    char text[] = "\n a: \n\tb\r\n\n", empty[] = " \n";
    jl_one_line(text);
    assert_string_equal(text, "a: b");
    jl_one_line(empty);
    assert_string_equal(empty, "");
}

static void virtual_clock_moves_by_sleeping(void **state)
{
    (void)state;
    jl_virtual_clock v = {100};
    jl_clock c = jl_clock_virtual(&v);
    c.sleep_until_ns(c.ctx, 50);
    assert_int_equal(c.now_ns(c.ctx), 100);
    c.sleep_until_ns(c.ctx, 250);
    assert_int_equal(c.now_ns(c.ctx), 250);
}

static void a_missing_library_or_symbol_is_named(void **state)
{
    (void)state;
    jl_error err = {0};
    void *handle, *slot;
    jl_symbol none[] = {{0}};
    assert_int_equal(jl_dl_open("libnowhere.so.9", none, &handle, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "libnowhere.so.9"));
    jl_symbol wanted[] = {{"jl_no_such_symbol", &slot, true}, {0}};
    assert_int_equal(jl_dl_open("libm.so.6", wanted, &handle, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "jl_no_such_symbol"));
}

static void map_keeps_every_key_while_it_grows(void **state)
{
    (void)state;
    jl_map m = {0};
    jl_arena *a = jl_arena_new();
    assert_int_equal(jl_map_get(&m, JL_STR("none yet")), JL_MAP_NONE);
    for (uint32_t i = 0; i < 10000; i++)
        assert_true(jl_map_set(&m, jl_str_c(jl_arena_printf(a, "key %u", i)), i));
    assert_true(jl_map_set(&m, JL_STR("key 77"), 1));
    assert_true(jl_map_set(&m, JL_STR(""), 2));
    assert_int_equal(m.count, 10001);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(jl_map_get(&m, jl_str_c(jl_arena_printf(a, "key %u", i))),
                         i == 77 ? 1 : i);
    assert_int_equal(jl_map_get(&m, JL_STR("")), 2);
    assert_int_equal(jl_map_get(&m, JL_STR("key 10000")), JL_MAP_NONE);
    jl_map_free(&m);
    jl_arena_free(a);
}

static int write_word(const char *path, const char *word, jl_error *err)
{
    jl_outfile f;
    int rc = jl_outfile_open(&f, path, err);
    return rc ? rc : jl_outfile_close(&f, jl_outfile_write(&f, word, strlen(word), err), err);
}

/* Renaming would put a file in the place of whatever has the name. */
static void results_replace_files_only(void **state)
{
    (void)state;
    char folder[] = "/tmp/jl_outfile_XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    jl_error err = {0};
    struct stat st;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(write_word("pipe", "x", &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "pipe: it is a device or a pipe; name a file"));
    assert_int_equal(stat("pipe", &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(write_word(folder, "x", &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "it is a folder; name a file in it"));
    assert_int_equal(write_word("no/such/folder/f", "x", &err), JL_ERR_IO);
    assert_non_null(strstr(err.msg, "no/such/folder/f"));

    assert_int_equal(write_word("file", "first", &err), 0);
    assert_int_equal(symlink("file", "link"), 0);
    assert_int_equal(write_word("link", "second", &err), 0);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("file", &st), 0);
    assert_int_equal(st.st_size, 6);

    assert_int_equal(jl_outfile_try("tried", &err), 0);
    assert_int_equal(access("tried", F_OK), -1);
    assert_int_equal(jl_outfile_try("pipe", &err), JL_ERR_USAGE);
    unlink("pipe"), unlink("link"), unlink("file");
    assert_int_equal(rmdir(folder), 0); /* and nothing else was in it */
}

/* Where the file system has files without names, nothing else than the kill itself is to be seen.
 */
static void a_killed_writer_leaves_nothing(void **state)
{
    (void)state;
    char folder[] = "/tmp/jl_killed_XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    pid_t child = fork();
    if (child == 0) {
        jl_outfile f;
        bool written = !jl_outfile_open(&f, "result", NULL) && !jl_outfile_write(&f, "x", 1, NULL);
        if (!written) _exit(1);
        if (!f.nameless) _exit(2);
        raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) skip();
    assert_true(WIFSIGNALED(status));
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_keeps_code_and_context),
        cmocka_unit_test(arena_zeroes_aligns_and_refuses_overflow),
        cmocka_unit_test(every_half_survives_a_round_trip),
        cmocka_unit_test(rounding_to_half_is_to_nearest_even_and_saturation_is_counted),
        cmocka_unit_test(map_keeps_every_key_while_it_grows),
        cmocka_unit_test(names_are_suggested_when_near),
        cmocka_unit_test(a_text_of_lines_becomes_one_line),
        cmocka_unit_test(virtual_clock_moves_by_sleeping),
        cmocka_unit_test(a_missing_library_or_symbol_is_named),
        cmocka_unit_test(results_replace_files_only),
        cmocka_unit_test(a_killed_writer_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
