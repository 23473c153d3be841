#include "base/scratch.h"

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

static char scratch[PATH_MAX];

static void touch(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

static void the_share_folder_can_be_chosen(void **state)
{
    (void)state;
    jl_path p;
    jl_error err = {0};
    char file[PATH_MAX + 16];
    snprintf(file, sizeof file, "%s/a.txt", scratch);
    touch(file);
    setenv("JOULELINE_SHARE", scratch, 1);
    assert_int_equal(jl_path_share(&p, "a.txt", &err), 0);
    assert_string_equal(p.s, file);
    assert_int_equal(jl_path_share(&p, "b.txt", &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, scratch));
    unsetenv("JOULELINE_SHARE");
    assert_int_equal(jl_path_share(&p, "no-such-file", &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "JOULELINE_SHARE"));
}

static void a_library_is_found_beside_the_program_or_left_to_the_loader(void **state)
{
    (void)state;
    jl_path p, exe;
    jl_error err = {0};
    unsetenv("JL_TEST_LIBRARY");
    assert_int_equal(jl_path_library(&p, "JL_TEST_LIBRARY", "none", "libnone.so.1", &err), 0);
    assert_string_equal(p.s, "libnone.so.1");
    setenv("JL_TEST_LIBRARY", "/nowhere/libnone.so", 1);
    assert_int_equal(jl_path_library(&p, "JL_TEST_LIBRARY", "none", "libnone.so.1", &err),
                     JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "JL_TEST_LIBRARY"));
    setenv("JL_TEST_LIBRARY", scratch, 1);
    assert_int_equal(jl_path_library(&p, "JL_TEST_LIBRARY", "none", "libnone.so.1", &err), 0);
    assert_string_equal(p.s, scratch);
    unsetenv("JL_TEST_LIBRARY");

    assert_int_equal(jl_path_exe_dir(&exe, &err), 0);
    char folder[PATH_MAX + 64], file[PATH_MAX + 96];
    snprintf(folder, sizeof folder, "%s/lib/jouleline/none-%d", exe.s, (int)getpid());
    snprintf(file, sizeof file, "%s/libnone.so.1", folder);
    assert_int_equal(jl_make_dirs(folder, &err), 0);
    touch(file);
    int rc = jl_path_library(&p, "JL_TEST_LIBRARY", strrchr(folder, '/') + 1, "libnone.so.1", &err);
    unlink(file);
    rmdir(folder);
    assert_int_equal(rc, 0);
    assert_string_equal(p.s, file);
}

static void the_cache_folder_is_made_where_it_should_be(void **state)
{
    (void)state;
    jl_path p;
    jl_error err = {0};
    char base[PATH_MAX + 16], wanted[PATH_MAX + 32];
    snprintf(base, sizeof base, "%s/new/cache", scratch);
    snprintf(wanted, sizeof wanted, "%s/jouleline", base);
    setenv("XDG_CACHE_HOME", base, 1);
    assert_int_equal(jl_path_cache_dir(&p, &err), 0);
    assert_string_equal(p.s, wanted);
    assert_int_equal(jl_path_cache_dir(&p, &err), 0); /* again: it exists */
    setenv("XDG_CACHE_HOME", "relative", 1); /* to be ignored, says the XDG specification */
    setenv("HOME", scratch, 1);
    assert_int_equal(jl_path_cache_dir(&p, &err), 0);
    snprintf(wanted, sizeof wanted, "%s/.cache/jouleline", scratch);
    assert_string_equal(p.s, wanted);
    char file[PATH_MAX + 16];
    snprintf(file, sizeof file, "%s/a.txt", scratch);
    touch(file);
    assert_int_equal(jl_make_dirs(file, &err), JL_ERR_IO);
    assert_non_null(strstr(err.msg, "a.txt"));
}

static int make_scratch(void **state)
{
    (void)state;
    snprintf(scratch, sizeof scratch, "/tmp/jl_paths_XXXXXX");
    return mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **state)
{
    (void)state;
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return system(command);
}

static void a_scratch_folder_is_ours_and_goes_with_its_files(void **state)
{
    (void)state;
    jl_path folder;
    jl_error err = {0};
    struct stat st;
    char file[PATH_MAX + 16], deep[PATH_MAX + 16];
    setenv("TMPDIR", scratch, 1);
    assert_int_equal(jl_scratch_make(&folder, "test", &err), 0);
    assert_memory_equal(folder.s, scratch, strlen(scratch));
    assert_non_null(strstr(folder.s, "/jouleline-test-"));
    assert_int_equal(stat(folder.s, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    snprintf(deep, sizeof deep, "%s/deep", folder.s);
    assert_int_equal(jl_make_dirs(deep, &err), 0);
    snprintf(file, sizeof file, "%s/deep/file", folder.s);
    touch(file);
    jl_scratch_remove(&folder);
    assert_int_not_equal(stat(folder.s, &st), 0);
    setenv("TMPDIR", "/no/such/folder", 1);
    assert_int_equal(jl_scratch_make(&folder, "test", &err), JL_ERR_IO);
    assert_non_null(strstr(err.msg, "set TMPDIR"));
    assert_string_equal(folder.s, "");
    jl_scratch_remove(&folder); /* nothing to do */
    unsetenv("TMPDIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_folder_can_be_chosen),
        cmocka_unit_test(a_library_is_found_beside_the_program_or_left_to_the_loader),
        cmocka_unit_test(the_cache_folder_is_made_where_it_should_be),
        cmocka_unit_test(a_scratch_folder_is_ours_and_goes_with_its_files),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
