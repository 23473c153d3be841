/* A process that has the runtime's libraries loaded, opens no device, and forks workers. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jouleline/outcome.h"
#include "jouleline/runtime.h"
#include "study/wire.h"
#include "study/worker.h"

/* Threads that a fork leaves behind, 1 where the kernel does not tell: some libraries (OpenBLAS)
 * end theirs before a fork. */
static int threads_at_fork(void)
{
    int n = 0;
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    DIR *tasks = opendir("/proc/self/task");
    if (pid > 0) waitpid(pid, NULL, 0);
    if (!tasks) return 1;
    for (const struct dirent *e; (e = readdir(tasks));)
        n += e->d_name[0] != '.';
    closedir(tasks);
    return n;
}

static json_t *greet(const json_t *m, const jl_runtime **runtime, void **ctx)
{
    jl_error e = {0};
    jl_configuration c;
    int rc = jl_configuration_parse(jl_json_text(m, "configuration", ""), &c, &e);
    if (!rc) rc = jl_runtime_of(&c, runtime, &e);
    if (!rc && !*ctx) rc = (*runtime)->open(&c, ctx, &e);
    int running = rc ? 1 : threads_at_fork();
    if (running > 1)
        rc =
            jl_fail(&e, JL_ERR_UNSUPPORTED,
                    "%d threads run in it after opening %s, and a fork of them could wait for ever",
                    running, (*runtime)->name);
    if (rc)
        return json_pack("{s:s, s:s, s:s, s:s}", "type", "outcome", "outcome",
                         jl_outcome_name(jl_outcome_of_error(rc)), "stage", "hello", "message",
                         e.msg);
    return json_pack("{s:s, s:i, s:s, s:n, s:i, s:s}", "type", "hello", "protocol", JL_PROTOCOL,
                     "runtime", "jouleline", "version", "pid", (int)getpid(), "start", "nursery");
}

static json_t *spawn(int control_fd, int fds[JL_WIRE_MOST_FDS])
{
    if (fds[2] < 0)
        return json_pack("{s:s, s:s}", "type", "error", "message", "spawn needs 3 descriptors");
    pid_t pid = fork();
    if (pid == 0) {
        jl_worker_bind();
        close(control_fd);
        dup2(fds[2], STDOUT_FILENO);
        dup2(fds[2], STDERR_FILENO);
        close(fds[2]);
        exit(jl_worker_serve(fds[0], fds[1], "fork"));
    }
    for (int i = 0; i < JL_WIRE_MOST_FDS; i++)
        close(fds[i]);
    if (pid < 0) return json_pack("{s:s, s:s}", "type", "error", "message", strerror(errno));
    setpgid(pid, pid); /* here too: the parent may kill the group before the child has run */
    return json_pack("{s:s, s:i}", "type", "spawned", "pid", (int)pid);
}

static json_t *wait_for(const json_t *m)
{
    int status = 0;
    pid_t pid = (pid_t)jl_json_whole(m, "pid", 0), got = -1;
    while (pid > 0 && (got = waitpid(pid, &status, 0)) < 0 && errno == EINTR) {
    }
    if (got <= 0)
        return json_pack("{s:s, s:s}", "type", "error", "message", "no worker has that pid");
    return json_pack("{s:s, s:i, s:o, s:o}", "type", "exited", "pid", (int)pid, "status",
                     WIFEXITED(status) ? json_integer(WEXITSTATUS(status)) : json_null(), "signal",
                     WIFSIGNALED(status) ? json_integer(WTERMSIG(status)) : json_null());
}

int jl_nursery_serve(int control_fd)
{
    const jl_runtime *runtime = NULL;
    void *ctx = NULL;
    int rc = 0;
    for (bool more = true; more && !rc;) {
        JL_JSON *m = NULL;
        int fds[JL_WIRE_MOST_FDS];
        json_t *answer;
        rc = jl_wire_receive(control_fd, INT64_MAX, &m, fds, NULL);
        if (rc == JL_ERR_TIMEOUT) { /* a signal */
            rc = 0;
            continue;
        }
        if (rc) break;
        if (jl_json_is(m, "hello")) {
            answer = greet(m, &runtime, &ctx);
        } else if (jl_json_is(m, "spawn")) {
            answer = spawn(control_fd, fds);
        } else if (jl_json_is(m, "wait")) {
            answer = wait_for(m);
        } else if (jl_json_is(m, "bye")) {
            answer = json_pack("{s:s}", "type", "bye");
            more = false;
        } else {
            answer = json_pack("{s:s, s:s}", "type", "error", "message", "unknown request");
        }
        rc = jl_wire_send(control_fd, answer, NULL, 0, NULL);
    }
    if (runtime && ctx) runtime->close(ctx);
    return rc && rc != JL_ERR_CRASH ? 1 : 0;
}
