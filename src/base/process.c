#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jouleline/clock.h"

enum { LARGEST_FD_COUNT = 16, FIRST_FREE_FD = 64 };

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* In the child, before anything else. `parent` is the parent's pid: it may have died between
 * fork and prctl. */
static void bind_to_parent(pid_t parent, bool own_group)
{
    if (own_group) setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP) signal(s, SIG_DFL);
}

/* fork() with every signal blocked in the child until bind_to_parent has reset the handlers:
 * a Ctrl-C must not run the parent's handler in the child. */
static pid_t fork_bound(bool own_group)
{
    pid_t parent = getpid();
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    pid_t pid = fork();
    if (pid == 0) {
        bind_to_parent(parent, own_group);
        return 0;
    }
    int saved = errno;
    if (pid > 0 && own_group) setpgid(pid, pid); /* also here: whoever comes first */
    sigprocmask(SIG_SETMASK, &old, NULL);
    errno = saved;
    return pid;
}

static int adopt(pid_t pid, bool own_group, jl_process *p, jl_error *err)
{
    *p = (jl_process){.pid = pid, .pidfd = pidfd_open(pid, 0), .group = own_group};
    if (p->pidfd >= 0) return 0;
    int rc = jl_fail_errno(err, JL_ERR_IO, "cannot watch child process %d", (int)pid);
    jl_process_kill(p);
    return rc;
}

/* 1 in the child, which must end by _exit(), 0 in the parent, negative on failure. The child leads
 * a group of its own, dies with the parent, and has its standard output on standard error, so that
 * results stay clean. */
static int fork_process(jl_process *p, jl_error *err)
{
    *p = (jl_process){.pidfd = -1};
    pid_t pid = fork_bound(true);
    if (pid < 0) return jl_fail_errno(err, JL_ERR_IO, "cannot start a child process");
    if (pid > 0) return adopt(pid, true, p, err);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    return 1;
}

/* Our environment with the additions, later ones first; the strings are borrowed. */
static char **merged_environment(const char *const *additions)
{
    size_t old = 0, added = 0;
    while (environ && environ[old])
        old++;
    while (additions && additions[added])
        added++;
    char **env = calloc(old + added + 1, sizeof *env);
    if (!env) return NULL;
    size_t n = 0;
    for (size_t i = 0; i < added; i++)
        env[n++] = (char *)(uintptr_t)additions[i];
    for (size_t i = 0; i < old; i++) {
        size_t name = strcspn(environ[i], "=");
        bool replaced = false;
        for (size_t k = 0; k < added && !replaced; k++)
            replaced = strncmp(environ[i], additions[k], name) == 0 && additions[k][name] == '=';
        if (!replaced) env[n++] = environ[i];
    }
    return env;
}

/* Puts the chosen descriptors at their numbers. All are first moved out of the way, so that
 * one's target may be another's source. */
static bool place_fds(const jl_spawn *s)
{
    int in = s->stdin_fd > 0 ? s->stdin_fd : -1;
    if (!s->inherit_stdin && in < 0) in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct {
        int from, to;
    } moves[LARGEST_FD_COUNT + 3];
    size_t n = 0;
    if (!s->inherit_stdin) moves[n].from = in, moves[n++].to = STDIN_FILENO;
    if (s->stdout_fd > 0) moves[n].from = s->stdout_fd, moves[n++].to = STDOUT_FILENO;
    if (s->stderr_fd > 0) moves[n].from = s->stderr_fd, moves[n++].to = STDERR_FILENO;
    for (size_t i = 0; i < s->fd_count; i++)
        moves[n].from = s->fds[i].ours, moves[n++].to = s->fds[i].theirs;
    for (size_t i = 0; i < n; i++) {
        moves[i].from = fcntl(moves[i].from, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
        if (moves[i].from < 0) return false;
    }
    for (size_t i = 0; i < n; i++)
        if (dup2(moves[i].from, moves[i].to) < 0) return false;
    return true;
}

_Noreturn static void exec_child(const jl_spawn *s, char **env, int report)
{
    /* The report pipe must not lie where place_fds puts something. */
    int high = fcntl(report, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (high >= 0 && place_fds(s) && (!s->cwd || chdir(s->cwd) == 0))
        execvpe(s->argv[0], (char *const *)(uintptr_t)s->argv, env);
    int failed = errno;
    if (write(high >= 0 ? high : report, &failed, sizeof failed) < 0) _exit(126);
    _exit(127);
}

/* What exec's errno means: a program that is not there or not to be run is missing. */
static int code_of_exec(int failed)
{
    static const int not_to_be_run[] = {ENOENT, EACCES, EPERM, ENOTDIR, ELOOP, ENOEXEC, ELIBBAD};
    for (size_t i = 0; i < sizeof not_to_be_run / sizeof *not_to_be_run; i++)
        if (failed == not_to_be_run[i]) return JL_ERR_MISSING;
    return failed == ENOMEM ? JL_ERR_MEMORY : JL_ERR_IO;
}

int jl_process_spawn(const jl_spawn *s, jl_process *p, jl_error *err)
{
    *p = (jl_process){.pidfd = -1};
    if (s->fd_count > LARGEST_FD_COUNT)
        return jl_fail(err, JL_ERR_LIMIT, "%s: %zu descriptors to pass, at most %d", s->argv[0],
                       s->fd_count, LARGEST_FD_COUNT);
    for (size_t i = 0; i < s->fd_count; i++)
        if (s->fds[i].theirs <= STDERR_FILENO || s->fds[i].theirs >= FIRST_FREE_FD)
            return jl_fail(err, JL_ERR_LIMIT,
                           "%s: descriptor number %d for the child is not in 3..%d", s->argv[0],
                           s->fds[i].theirs, FIRST_FREE_FD - 1);
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return jl_fail_errno(err, JL_ERR_IO, "cannot start %s", s->argv[0]);
    char **env = merged_environment(s->setenv);
    pid_t pid = env ? fork_bound(!s->same_group) : -1;
    if (pid == 0) exec_child(s, env, report[1]);
    int rc = pid < 0 ? jl_fail_errno(err, JL_ERR_IO, "cannot start %s", s->argv[0]) : 0;
    free(env);
    close(report[1]);
    int failed = 0;
    ssize_t got = 0;
    while (!rc && (got = read(report[0], &failed, sizeof failed)) < 0 && errno == EINTR) {
    }
    close(report[0]);
    if (!rc && got == (ssize_t)sizeof failed) {
        waitpid(pid, NULL, 0);
        errno = failed;
        return jl_fail_errno(err, code_of_exec(failed), "cannot start %s", s->argv[0]);
    }
    return rc ? rc : adopt(pid, !s->same_group, p, err);
}

/* Milliseconds for poll(), rounded up, at most a minute. */
static int poll_timeout_ms(int64_t deadline_ns)
{
    if (deadline_ns == JL_NO_DEADLINE) return -1;
    int64_t left_ns = deadline_ns - jl_now_ns();
    if (left_ns <= 0) return 0;
    if (left_ns > 60 * JL_NS_PER_S) return 60000;
    return (int)((left_ns + 999999) / 1000000);
}

static int64_t timeval_ns(struct timeval t)
{
    return t.tv_sec * JL_NS_PER_S + t.tv_usec * INT64_C(1000);
}

static int reap(jl_process *p, jl_exit *result)
{
    int status = 0;
    struct rusage usage = {0};
    pid_t got;
    if (p->group) kill(-p->pid, SIGKILL); /* its number is not reused before it is reaped */
    while ((got = wait4(p->pid, &status, 0, &usage)) < 0 && errno == EINTR) {
    }
    close_fd(&p->pidfd);
    p->pid = 0;
    if (result)
        *result = (jl_exit){
            .status = got > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            .signal = got > 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0,
            .cpu_ns = timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime),
            .peak_memory_bytes = (int64_t)usage.ru_maxrss * 1024,
        };
    return got > 0 ? 0 : -1;
}

int jl_process_wait(jl_process *p, int64_t deadline_ns, jl_exit *result, jl_error *err)
{
    if (!p->pid) return jl_fail(err, JL_ERR, "the process was already waited for");
    for (;;) {
        struct pollfd fd = {.fd = p->pidfd, .events = POLLIN};
        int n = poll(&fd, 1, poll_timeout_ms(deadline_ns));
        if (n > 0) break;
        if (n < 0 && errno != EINTR)
            return jl_fail_errno(err, JL_ERR_IO, "cannot wait for process %d", (int)p->pid);
        if (deadline_ns != JL_NO_DEADLINE && jl_now_ns() >= deadline_ns)
            return jl_fail(err, JL_ERR_TIMEOUT, "process %d has not ended in time", (int)p->pid);
    }
    pid_t pid = p->pid;
    if (reap(p, result) < 0)
        return jl_fail_errno(err, JL_ERR_IO, "cannot reap process %d", (int)pid);
    return 0;
}

void jl_process_kill(jl_process *p)
{
    if (!p->pid) return;
    kill(p->pid, SIGKILL);
    reap(p, NULL);
}

int jl_process_signal(const jl_process *p, int signal)
{
    if (!p->pid) return JL_ERR_MISSING;
    return kill(p->group ? -p->pid : p->pid, signal) == 0 ? 0 : JL_ERR_MISSING;
}

void jl_exit_words(const jl_exit *e, char *words, size_t size)
{
    if (e->signal)
        snprintf(words, size, "died of signal %d (%s)", e->signal, strsignal(e->signal));
    else
        snprintf(words, size, "exited with status %d", e->status);
}

/* Appends what can be read now; false at the end of the stream. */
static bool drain(int fd, jl_buf *to, size_t limit_bytes)
{
    char chunk[16384];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0) return errno == EINTR || errno == EAGAIN;
    if (n == 0) return false;
    size_t room = to->n < limit_bytes ? limit_bytes - to->n : 0;
    jl_buf_append(to, chunk, (size_t)n < room ? (size_t)n : room);
    return true;
}

/* Milliseconds between looks at a flag that a signal may set just before poll() sleeps. */
enum { LOOK_MS = 100 };

/* Reads the pipes until all are closed, or the process has ended and they are empty (a
 * grandchild may hold them open), or the deadline or the flag: then false. */
static bool drain_all(const jl_process *p, int fds[2], jl_buf *const to[2], size_t limit_bytes,
                      int64_t deadline_ns, const volatile sig_atomic_t *interrupted)
{
    bool ended = false;
    while (fds[0] >= 0 || fds[1] >= 0) {
        if (interrupted && *interrupted) return false;
        int sleep_ms = ended ? 0 : poll_timeout_ms(deadline_ns);
        if (interrupted && (sleep_ms < 0 || sleep_ms > LOOK_MS)) sleep_ms = LOOK_MS;
        struct pollfd polled[3] = {{.fd = fds[0], .events = POLLIN},
                                   {.fd = fds[1], .events = POLLIN},
                                   {.fd = ended ? -1 : p->pidfd, .events = POLLIN}};
        int n = poll(polled, 3, sleep_ms);
        if (n < 0 && errno != EINTR) return false;
        if (n == 0 && ended) return true;
        for (int i = 0; n > 0 && i < 2; i++)
            if (fds[i] >= 0 && polled[i].revents && !drain(fds[i], to[i], limit_bytes))
                close_fd(&fds[i]);
        if (n > 0 && polled[2].revents) ended = true;
        if (!ended && jl_now_ns() >= deadline_ns) return false;
    }
    return true;
}

static int64_t deadline_after_ns(int64_t timeout_ns)
{
    int64_t now_ns = jl_now_ns();
    return timeout_ns > JL_NO_DEADLINE - now_ns ? JL_NO_DEADLINE : now_ns + timeout_ns;
}

int jl_process_run(const jl_spawn *spawn, int64_t timeout_ns, size_t limit_bytes, jl_buf *out,
                   jl_buf *errors, jl_exit *result, jl_error *err)
{
    int64_t deadline_ns = deadline_after_ns(timeout_ns);
    bool both = out && out == errors;
    int ends[2][2] = {{-1, -1}, {-1, -1}}, rc = 0;
    jl_spawn s = *spawn;
    if ((out && pipe2(ends[0], O_CLOEXEC) < 0) ||
        (errors && !both && pipe2(ends[1], O_CLOEXEC) < 0))
        rc = jl_fail_errno(err, JL_ERR_IO, "cannot start %s", s.argv[0]);
    if (out) s.stdout_fd = ends[0][1];
    if (errors) s.stderr_fd = both ? ends[0][1] : ends[1][1];
    jl_process p = {.pidfd = -1};
    if (!rc) rc = jl_process_spawn(&s, &p, err);
    close_fd(&ends[0][1]);
    close_fd(&ends[1][1]);
    int reading[2] = {ends[0][0], ends[1][0]};
    if (!rc &&
        (!drain_all(&p, reading, (jl_buf *const[]){out, errors}, limit_bytes, deadline_ns, NULL) ||
         jl_process_wait(&p, deadline_ns, result, NULL) < 0)) {
        jl_process_kill(&p);
        rc = jl_fail(err, JL_ERR_TIMEOUT, "%s did not end within %.3g s and was killed", s.argv[0],
                     (double)timeout_ns / 1e9);
    }
    close_fd(&reading[0]);
    close_fd(&reading[1]);
    return rc;
}

/* What the child of jl_call_in_child sends before the bytes of its buffer. */
typedef struct answer {
    uint64_t size_bytes;
    int32_t code;
    char msg[sizeof((jl_error *)0)->msg];
} answer;

static bool write_all(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno != EINTR) return false;
        if (done > 0) p += done, n -= (size_t)done;
    }
    return true;
}

_Noreturn static void answer_and_exit(jl_child_fn fn, void *arg, size_t limit_bytes, int to)
{
    jl_error err = {0};
    jl_buf out = {0};
    signal(SIGXFSZ, SIG_IGN); /* as in main(): a file beyond the limit is an error of write() */
    int code = fn(arg, &out, &err);
    if (code == 0 && out.failed) code = jl_fail(&err, JL_ERR_MEMORY, "no memory for the answer");
    if (code == 0 && out.n > limit_bytes)
        code = jl_fail(&err, JL_ERR_LIMIT, "the answer has %zu bytes, at most %zu are allowed",
                       out.n, limit_bytes);
    answer a = {.size_bytes = code ? 0 : out.n, .code = code};
    memcpy(a.msg, err.msg, sizeof a.msg);
    _exit(write_all(to, &a, sizeof a) && write_all(to, out.p, a.size_bytes) ? 0 : 1);
}

/* Judges what came back from a child that has ended. */
static int take_answer(const jl_buf *raw, const jl_exit *ended, jl_buf *out, jl_error *err)
{
    answer a = {0};
    if (raw->n >= sizeof a) memcpy(&a, raw->p, sizeof a);
    if (raw->n < sizeof a || raw->n - sizeof a != a.size_bytes) {
        char words[128];
        jl_exit_words(ended, words, sizeof words);
        return raw->failed ? jl_fail(err, JL_ERR_MEMORY, "no memory for a helper's answer")
                           : jl_fail(err, JL_ERR_CRASH, "the helper process %s", words);
    }
    a.msg[sizeof a.msg - 1] = '\0';
    if (a.code) return jl_fail(err, a.code, "%s", a.msg);
    jl_buf_append(out, raw->p + sizeof a, a.size_bytes);
    return out->failed ? jl_fail(err, JL_ERR_MEMORY, "no memory for a helper's answer") : 0;
}

int jl_call_in_child(jl_child_fn fn, void *arg, int64_t timeout_ns,
                     const volatile sig_atomic_t *interrupted, size_t limit_bytes, jl_buf *out,
                     jl_error *err)
{
    int64_t deadline_ns = deadline_after_ns(timeout_ns);
    int ends[2];
    if (limit_bytes > SIZE_MAX / 2) limit_bytes = SIZE_MAX / 2;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return jl_fail_errno(err, JL_ERR_IO, "cannot start a helper process");
    jl_process p;
    int rc = fork_process(&p, err);
    if (rc == 1) answer_and_exit(fn, arg, limit_bytes, ends[1]);
    close(ends[1]);
    jl_buf raw = {0};
    jl_exit ended = {0};
    int reading[2] = {ends[0], -1};
    if (!rc && (!drain_all(&p, reading, (jl_buf *const[]){&raw, NULL}, limit_bytes + sizeof(answer),
                           deadline_ns, interrupted) ||
                jl_process_wait(&p, deadline_ns, &ended, NULL) < 0)) {
        jl_process_kill(&p);
        rc = interrupted && *interrupted
                 ? jl_fail(err, JL_ERR_INTERRUPTED, "interrupted")
                 : jl_fail(err, JL_ERR_TIMEOUT,
                           "the helper process did not answer within %.3g s and was killed",
                           (double)timeout_ns / 1e9);
    } else if (!rc) {
        rc = take_answer(&raw, &ended, out, err);
    }
    close_fd(&reading[0]);
    jl_buf_free(&raw);
    return rc;
}
