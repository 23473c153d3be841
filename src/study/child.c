#include "study/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jouleline/clock.h"
#include "runtime/kernel_cache.h"
#include "runtime/pytorch.h"
#include "study/wire.h"

enum { CONTROL_FD = 3, RING_FD = 4, FAKE_FD = 5 };
static const int64_t BYE_NS = 10 * JL_NS_PER_S;

/* Workers remember kernels in the folder that JOULELINE_KERNEL_CACHE names, which is made here. */
static int set_kernel_cache(jl_launch *l, jl_error *err)
{
    jl_path folder, libraries;
    const char *wanted = jl_kernel_cache();
    if (!wanted) return 0;
    int rc = jl_make_dirs(wanted, err);
    if (!rc && !realpath(wanted, folder.s))
        rc = jl_fail_errno(err, JL_ERR_IO, "cannot find %s", wanted);
    if (rc) return jl_prefix(err, "JOULELINE_KERNEL_CACHE");
    rc = jl_kernel_cache_libraries(&libraries, err);
    if (rc) return rc;
    snprintf(l->cache, sizeof l->cache, "JOULELINE_KERNEL_CACHE=%s", folder.s);
    snprintf(l->nvrtc, sizeof l->nvrtc, "JOULELINE_NVRTC=%s", libraries.s);
    return 0;
}

int jl_launch_of(const jl_configuration *c, const char *const *plugins, size_t plugin_count,
                 int fake_device_fd, jl_launch *l, jl_error *err)
{
    *l = (jl_launch){.fake_device_fd = fake_device_fd};
    int rc = set_kernel_cache(l, err);
    if (rc) return rc;
    if (!strcmp(c->runtime, "pytorch")) {
        jl_pytorch_command found;
        rc = jl_pytorch_find(&found, err);
        if (rc) return rc;
        snprintf(l->program, sizeof l->program, "%s", found.python);
        snprintf(l->script, sizeof l->script, "%s", found.script.s);
        l->argv[l->words++] = l->program;
        l->argv[l->words++] = l->script;
        return 0;
    }
    ssize_t n = readlink("/proc/self/exe", l->program, sizeof l->program - 1);
    if (n < 0) return jl_fail_errno(err, JL_ERR_IO, "cannot find this program's own file");
    l->program[n] = '\0';
    const char *own = getenv("JOULELINE_WORKER"); /* the tests' programs are not jouleline */
    l->argv[l->words++] = own && *own ? own : l->program;
    l->argv[l->words++] = "worker";
    for (size_t i = 0; i < plugin_count; i++) {
        if (l->words + 8 > JL_LAUNCH_WORDS)
            return jl_fail(err, JL_ERR_LIMIT, "%zu plugins are too many", plugin_count);
        l->argv[l->words++] = "--plugin";
        l->argv[l->words++] = plugins[i];
    }
    return 0;
}

/* Starts argv with the option and the descriptors; ours of the channel is *control. */
static int start_process(const jl_launch *launch, bool nursery, const jl_ring *ring, int log_fd,
                         jl_process *p, int *control, jl_error *err)
{
    const char *argv[JL_LAUNCH_WORDS + 5];
    memcpy(argv, launch->argv, sizeof(char *) * launch->words);
    size_t n = launch->words;
    argv[n++] = nursery ? "--nursery-fd" : "--control-fd";
    argv[n++] = "3";
    if (!nursery) argv[n++] = "--ring-fd", argv[n++] = "4";
    argv[n] = NULL;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return jl_fail_errno(err, JL_ERR_IO, "cannot make a channel to a worker");
    jl_fd_map fds[3] = {{ends[1], CONTROL_FD}};
    size_t fd_count = 1;
    if (!nursery) fds[fd_count++] = (jl_fd_map){ring->fd, RING_FD};
    if (launch->fake_device_fd) fds[fd_count++] = (jl_fd_map){launch->fake_device_fd, FAKE_FD};
    const char *environment[4];
    size_t words = 0;
    if (launch->fake_device_fd) environment[words++] = "JOULELINE_FAKE_DEVICE_FD=5";
    if (*launch->cache) environment[words++] = launch->cache;
    if (*launch->nvrtc) environment[words++] = launch->nvrtc;
    environment[words] = NULL;
    jl_spawn spawn = {.argv = argv,
                      .setenv = environment,
                      .stdout_fd = log_fd,
                      .stderr_fd = log_fd,
                      .fds = fds,
                      .fd_count = fd_count};
    int rc = jl_process_spawn(&spawn, p, err);
    close(ends[1]);
    if (rc)
        close(ends[0]);
    else
        *control = ends[0];
    return rc;
}

int jl_nursery_start(const jl_launch *launch, const char *configuration, int64_t timeout_ns,
                     jl_nursery *n, jl_error *err)
{
    *n = (jl_nursery){.control = -1};
    int log_fd = memfd_create("jouleline-nursery", MFD_CLOEXEC);
    int rc = start_process(launch, true, NULL, log_fd, &n->process, &n->control, err);
    close(log_fd);
    JL_JSON *answer = NULL;
    if (!rc)
        rc = jl_wire_send(n->control,
                          json_pack("{s:s, s:i, s:s}", "type", "hello", "protocol", JL_PROTOCOL,
                                    "configuration", configuration),
                          NULL, 0, err);
    if (!rc) rc = jl_wire_receive(n->control, jl_now_ns() + timeout_ns, &answer, NULL, err);
    if (!rc && !jl_json_is(answer, "hello"))
        rc = jl_fail(err, JL_ERR_UNSUPPORTED, "%s",
                     jl_json_text(answer, "message", "the nursery does not answer hello"));
    if (rc) {
        jl_prefix(err, "starting a parent for the workers of %s", configuration);
        jl_nursery_end(n);
    }
    return rc;
}

void jl_nursery_end(jl_nursery *n)
{
    if (n->process.pid) jl_process_kill(&n->process);
    if (n->control > 0) close(n->control);
    *n = (jl_nursery){.control = -1};
}

static int fork_worker(jl_child *c, const jl_ring *ring, jl_error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return jl_fail_errno(err, JL_ERR_IO, "cannot make a channel to a worker");
    JL_JSON *answer = NULL;
    int fds[] = {ends[1], ring->fd, c->log_fd};
    int control = c->nursery->control;
    int rc = jl_wire_send(control, json_pack("{s:s}", "type", "spawn"), fds, 3, err);
    if (!rc) rc = jl_wire_receive(control, jl_now_ns() + BYE_NS, &answer, NULL, err);
    close(ends[1]);
    if (!rc && !jl_json_is(answer, "spawned"))
        rc = jl_fail(err, JL_ERR_IO, "%s", jl_json_text(answer, "message", "no worker was forked"));
    if (rc) {
        close(ends[0]);
        return jl_prefix(err, "forking a worker");
    }
    c->control = ends[0];
    c->pid = (pid_t)jl_json_whole(answer, "pid", 0);
    return 0;
}

int jl_child_start(const jl_launch *launch, jl_nursery *nursery, const jl_ring *ring, jl_child *c,
                   jl_error *err)
{
    *c = (jl_child){.control = -1, .nursery = nursery, .process = {.pidfd = -1}};
    atomic_store(&ring->header->index, 0);
    atomic_store(&ring->header->stop, 0);
    atomic_store(&ring->header->state, (uint32_t)JL_RING_IDLE);
    c->log_fd = memfd_create("jouleline-log", MFD_CLOEXEC);
    if (c->log_fd < 0) return jl_fail_errno(err, JL_ERR_IO, "cannot keep a worker's output");
    fcntl(c->log_fd, F_SETFL, O_APPEND);
    int rc = nursery ? fork_worker(c, ring, err)
                     : start_process(launch, false, ring, c->log_fd, &c->process, &c->control, err);
    if (rc) {
        jl_child_close(c);
        return rc;
    }
    if (!nursery) c->pid = c->process.pid;
    return 0;
}

int jl_child_send(jl_child *c, json_t *request, jl_error *err)
{
    return jl_wire_send(c->control, request, NULL, 0, err);
}

int jl_child_receive(jl_child *c, int64_t deadline_ns, const char *type, json_t **answer,
                     jl_error *err)
{
    int rc = jl_wire_receive(c->control, deadline_ns, answer, NULL, err);
    if (rc || jl_json_is(*answer, type) || jl_json_is(*answer, "outcome")) return rc;
    rc = jl_fail(err, JL_ERR_FORMAT, "the worker broke the protocol: %s",
                 jl_json_is(*answer, "error") ? jl_json_text(*answer, "message", "no reason given")
                                              : "another answer than the request has");
    json_decref(*answer);
    *answer = NULL;
    return rc;
}

static void reap_forked(jl_child *c, jl_exit *result)
{
    jl_exit ended = {.status = -1};
    JL_JSON *answer = NULL;
    int control = c->nursery->control;
    if (jl_wire_send(control, json_pack("{s:s, s:i}", "type", "wait", "pid", (int)c->pid), NULL, 0,
                     NULL) == 0 &&
        jl_wire_receive(control, jl_now_ns() + BYE_NS, &answer, NULL, NULL) == 0 &&
        jl_json_is(answer, "exited")) {
        ended.status = (int)jl_json_whole(answer, "status", -1);
        ended.signal = (int)jl_json_whole(answer, "signal", 0);
    }
    kill(-c->pid, SIGKILL); /* what the worker left running in its group */
    if (result) *result = ended;
}

/* Says bye and waits for the answer and the end of the channel. */
static bool said_bye(jl_child *c)
{
    JL_JSON *answer = NULL, *nothing = NULL;
    int64_t deadline_ns = jl_now_ns() + BYE_NS;
    return jl_child_send(c, json_pack("{s:s}", "type", "bye"), NULL) == 0 &&
           jl_child_receive(c, deadline_ns, "bye", &answer, NULL) == 0 &&
           jl_wire_receive(c->control, deadline_ns, &nothing, NULL, NULL) == JL_ERR_CRASH;
}

void jl_child_finish(jl_child *c, bool kindly, jl_exit *result)
{
    if (!c->pid) return;
    if (kindly) kindly = said_bye(c);
    if (c->nursery) {
        if (!kindly) kill(-c->pid, SIGKILL);
        reap_forked(c, result);
    } else if (!kindly || jl_process_wait(&c->process, jl_now_ns() + BYE_NS, result, NULL) != 0) {
        jl_process_signal(&c->process, SIGKILL);
        if (jl_process_wait(&c->process, jl_now_ns() + BYE_NS, result, NULL) != 0)
            jl_process_kill(&c->process);
    }
    c->pid = 0;
}

void jl_child_log(const jl_child *c, jl_buf *to)
{
    struct stat st;
    if (c->log_fd < 0 || fstat(c->log_fd, &st) != 0) return;
    off_t from = st.st_size > JL_LOG_TAIL_BYTES ? st.st_size - JL_LOG_TAIL_BYTES : 0;
    char chunk[4096];
    ssize_t n;
    while ((n = pread(c->log_fd, chunk, sizeof chunk, from)) > 0) {
        jl_buf_append(to, chunk, (size_t)n);
        from += n;
    }
}

void jl_child_close(jl_child *c)
{
    jl_child_finish(c, false, NULL);
    if (c->control > 0) close(c->control);
    if (c->log_fd > 0) close(c->log_fd);
    *c = (jl_child){.control = -1, .log_fd = -1, .process = {.pidfd = -1}};
}
