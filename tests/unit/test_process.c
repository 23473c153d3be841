#include "base/process.h"
#include "jouleline/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { LONG_S = 60, PLENTY = 1 << 20 };
static const int64_t long_ns = LONG_S * JL_NS_PER_S;

#define SHELL(script) ((const char *const[]){"sh", "-c", (script), NULL})

static void a_program_gets_its_descriptors_environment_and_folder(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    jl_fd_map map = {.ours = pair[1], .theirs = 5};
    setenv("JL_TEST_OLD", "old", 1);
    jl_spawn s = {
        .argv =
            SHELL("printf '%s %s %s' \"$JL_TEST_OLD\" \"$JL_TEST_NEW\" \"$PWD\" >&5; cat; exit 7"),
        .setenv = (const char *const[]){"JL_TEST_OLD=changed", "JL_TEST_NEW=new", NULL},
        .cwd = "/",
        .fds = &map,
        .fd_count = 1};
    jl_process p;
    jl_error err = {0};
    assert_int_equal(jl_process_spawn(&s, &p, &err), 0);
    close(pair[1]);
    jl_exit e;
    assert_int_equal(jl_process_wait(&p, jl_now_ns() + long_ns, &e, &err), 0);
    assert_int_equal(e.status, 7);
    assert_int_equal(e.signal, 0);
    assert_true(e.peak_memory_bytes > 0);
    char text[100] = {0};
    assert_true(read(pair[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "changed new /");
    close(pair[0]);
    assert_int_equal(p.pid, 0);
    jl_process_kill(&p); /* nothing to do */
}

static void a_missing_program_is_named_and_leaves_no_child(void **state)
{
    (void)state;
    jl_process p;
    jl_error err = {0};
    jl_spawn s = {.argv = (const char *const[]){"jouleline-no-such-program", NULL}};
    assert_int_equal(jl_process_spawn(&s, &p, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "jouleline-no-such-program"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void a_deadline_passes_and_the_whole_group_dies(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    /* The grandchild holds the pipe; its end closes only when both are dead. */
    jl_spawn s = {.argv = SHELL("sleep 1000 & sleep 1000"), .stdout_fd = ends[1]};
    jl_process p;
    jl_error err = {0};
    assert_int_equal(jl_process_spawn(&s, &p, &err), 0);
    close(ends[1]);
    assert_int_equal(jl_process_wait(&p, jl_now_ns() + 20000000, NULL, &err), JL_ERR_TIMEOUT);
    jl_process_kill(&p);
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&fd, 1, LONG_S * 1000), 1);
    char c;
    assert_int_equal(read(ends[0], &c, 1), 0);
    close(ends[0]);
}

static void what_a_program_prints_is_kept_up_to_the_limit(void **state)
{
    (void)state;
    jl_buf out = {0}, errors = {0};
    jl_exit e;
    jl_error err = {0};
    jl_spawn s = {.argv =
                      SHELL("echo good; echo bad >&2; head -c 3000000 /dev/zero; kill -TERM $$")};
    assert_int_equal(jl_process_run(&s, long_ns, 1000, &out, &errors, &e, &err), 0);
    assert_int_equal(out.n, 1000);
    assert_memory_equal(out.p, "good\n", 5);
    assert_string_equal(errors.p, "bad\n");
    assert_int_equal(e.signal, SIGTERM);
    char words[100];
    jl_exit_words(&e, words, sizeof words);
    assert_string_equal(words, "died of signal 15 (Terminated)");
    jl_buf_free(&out);
    jl_buf_free(&errors);
    s.argv = SHELL("echo one; echo two >&2");
    assert_int_equal(jl_process_run(&s, long_ns, PLENTY, &out, &out, &e, &err), 0);
    assert_string_equal(out.p, "one\ntwo\n");
    jl_buf_free(&out);
}

static void a_program_that_never_stops_printing_is_stopped(void **state)
{
    (void)state;
    jl_buf out = {0};
    jl_error err = {0};
    jl_spawn s = {.argv = (const char *const[]){"yes", NULL}};
    assert_int_equal(jl_process_run(&s, 500000000, 10, &out, NULL, NULL, &err), JL_ERR_TIMEOUT);
    assert_non_null(strstr(err.msg, "yes"));
    assert_int_equal(out.n, 10);
    jl_buf_free(&out);
}

static void a_background_grandchild_does_not_hold_us_up(void **state)
{
    (void)state;
    jl_buf out = {0};
    jl_exit e;
    jl_error err = {0};
    jl_spawn s = {.argv = SHELL("sleep 1000 & echo done")};
    assert_int_equal(jl_process_run(&s, long_ns, PLENTY, &out, NULL, &e, &err), 0);
    assert_string_equal(out.p, "done\n");
    jl_buf_free(&out);
}

static int repeat_in_child(void *arg, jl_buf *out, jl_error *err)
{
    const char *what = arg;
    if (!strcmp(what, "crash")) raise(SIGSEGV);
    if (!strcmp(what, "hang"))
        for (;;)
            pause();
    if (!strcmp(what, "leave")) _exit(3);
    if (!strcmp(what, "fail")) return jl_fail(err, JL_ERR_FORMAT, "byte 9 is wrong");
    for (int i = 0; i < 100000; i++)
        jl_buf_puts(out, what);
    return 0;
}

static int call(const char *what, int64_t timeout_ns, size_t limit, jl_buf *out, jl_error *err)
{
    return jl_call_in_child(repeat_in_child, (void *)(uintptr_t)what, timeout_ns, NULL, limit, out,
                            err);
}

static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void a_call_in_a_child_ends_with_a_signal(void **state)
{
    (void)state;
    jl_buf out = {0};
    jl_error err = {0};
    void (*before)(int) = signal(SIGALRM, note_signal);
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 20000}, NULL);
    assert_int_equal(jl_call_in_child(repeat_in_child, (void *)(uintptr_t) "hang", long_ns,
                                      &interrupted, PLENTY, &out, &err),
                     JL_ERR_INTERRUPTED);
    assert_string_equal(err.msg, "interrupted");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    signal(SIGALRM, before);
    jl_buf_free(&out);
}

static void a_call_in_a_child_brings_back_bytes_and_errors(void **state)
{
    (void)state;
    jl_buf out = {0};
    jl_error err = {0};
    assert_int_equal(call("abc", long_ns, PLENTY, &out, &err), 0);
    assert_int_equal(out.n, 300000);
    assert_memory_equal(out.p + out.n - 6, "abcabc", 6);
    assert_int_equal(call("abc", long_ns, 299999, &out, &err), JL_ERR_LIMIT);
    assert_int_equal(call("fail", long_ns, PLENTY, &out, &err), JL_ERR_FORMAT);
    assert_string_equal(err.msg, "byte 9 is wrong");
    assert_int_equal(out.n, 300000);
    jl_buf_free(&out);
}

static void a_crash_a_hang_and_an_exit_are_contained(void **state)
{
    (void)state;
    jl_buf out = {0};
    jl_error err = {0};
    assert_int_equal(call("crash", long_ns, PLENTY, &out, &err), JL_ERR_CRASH);
    assert_int_equal(call("hang", 20000000, PLENTY, &out, &err), JL_ERR_TIMEOUT);
    assert_int_equal(call("leave", long_ns, PLENTY, &out, &err), JL_ERR_CRASH);
    assert_non_null(strstr(err.msg, "status 3"));
    assert_int_equal(out.n, 0);
    jl_buf_free(&out);
}

/* A parent that is killed takes its child along. */
static void a_child_dies_with_its_parent(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        jl_spawn s = {.argv = (const char *const[]){"sleep", "1000", NULL}, .stdout_fd = ends[1]};
        jl_process p;
        if (jl_process_spawn(&s, &p, NULL) < 0) _exit(1);
        raise(SIGKILL);
    }
    close(ends[1]);
    int status;
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_true(WIFSIGNALED(status));
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&fd, 1, LONG_S * 1000), 1);
    char c;
    assert_int_equal(read(ends[0], &c, 1), 0);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_gets_its_descriptors_environment_and_folder),
        cmocka_unit_test(a_missing_program_is_named_and_leaves_no_child),
        cmocka_unit_test(a_deadline_passes_and_the_whole_group_dies),
        cmocka_unit_test(what_a_program_prints_is_kept_up_to_the_limit),
        cmocka_unit_test(a_program_that_never_stops_printing_is_stopped),
        cmocka_unit_test(a_background_grandchild_does_not_hold_us_up),
        cmocka_unit_test(a_call_in_a_child_ends_with_a_signal),
        cmocka_unit_test(a_call_in_a_child_brings_back_bytes_and_errors),
        cmocka_unit_test(a_crash_a_hang_and_an_exit_are_contained),
        cmocka_unit_test(a_child_dies_with_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
