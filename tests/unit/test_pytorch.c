/* What C knows of the runtime pytorch: the command line and the probe, with stand-ins for Python.
 */
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

#include "runtime/pytorch.h"

/* A program that ignores its arguments and does what `body` says. */
static void stand_in(char *path, const char *body)
{
    strcpy(path, "/tmp/jl_python_XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd, "#!/bin/sh\n%s\n", body);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
    setenv("JOULELINE_PYTHON", path, 1);
}

static char seen[512];
static void keep(void *ctx, const char *key, const char *value)
{
    (void)ctx;
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s=%s;", key, value);
}

static int probe_with(const char *body, jl_device *devices, size_t capacity, size_t *count,
                      jl_error *err)
{
    char path[64];
    stand_in(path, body);
    seen[0] = 0;
    int rc = jl_runtime_pytorch.probe(NULL, devices, capacity, count, &(jl_facts){keep, NULL}, err);
    unlink(path);
    unsetenv("JOULELINE_PYTHON");
    return rc;
}

static void test_probe(void **state)
{
    (void)state;
    jl_device devices[2];
    size_t count;
    jl_error err = {0};
    int rc = probe_with("echo '{\"torch\": \"2.11\", \"cuda\": \"13.0\", \"torchvision\": null, "
                        "\"devices\": [{\"provider\": \"cpu\", \"index\": 0, \"name\": \"cpu\"}, "
                        "{\"provider\": \"cuda\", \"index\": 3, \"name\": \"G\", \"uuid\": "
                        "\"GPU-1\"}, {\"provider\": \"cuda\", \"index\": 4}]}'",
                        devices, 2, &count, &err);
    assert_int_equal(rc, 0);
    assert_int_equal(count, 2);
    assert_string_equal(devices[1].provider, "cuda");
    assert_int_equal(devices[1].index, 3);
    assert_string_equal(devices[1].uuid, "GPU-1");
    assert_string_equal(seen, "torch=2.11;cuda=13.0;");
}

static void test_probe_without_torch(void **state)
{
    (void)state;
    jl_device devices[2];
    size_t count;
    jl_error err = {0};
    assert_int_equal(
        probe_with("echo '{\"torch\": null, \"reason\": \"no module\"}'", devices, 2, &count, &err),
        JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "no module"));
    assert_non_null(strstr(err.msg, "--python"));
    assert_int_equal(probe_with("echo broken >&2; exit 7", devices, 2, &count, &err),
                     JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "broken"));
    assert_non_null(strstr(err.msg, "7"));
    assert_non_null(strstr(err.msg, "broken; --python or JOULELINE_PYTHON names another"));
    assert_int_equal(probe_with("exit 0", devices, 2, &count, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "without an answer; --python"));
    assert_int_equal(probe_with("kill -SEGV $$", devices, 2, &count, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "signal 11 (Segmentation fault); --python"));
    setenv("JOULELINE_PYTHON", "/nowhere/python", 1);
    assert_int_equal(jl_runtime_pytorch.probe(NULL, devices, 2, &count, NULL, &err),
                     JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "/nowhere/python"));
    assert_non_null(strstr(err.msg, "--python"));
    setenv("JOULELINE_PYTHON", "/proc/self/status", 1); /* a file that is not to be run */
    assert_int_equal(jl_runtime_pytorch.probe(NULL, devices, 2, &count, NULL, &err),
                     JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "/proc/self/status: Permission denied"));
    unsetenv("JOULELINE_PYTHON");
}

static void test_never_in_this_process(void **state)
{
    (void)state;
    void *ctx;
    jl_error err = {0};
    assert_int_equal(jl_runtime_pytorch.open(NULL, &ctx, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "pytorch_worker.py"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_probe_without_torch),
        cmocka_unit_test(test_never_in_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
