/* Child processes: started with chosen descriptors in a process group of their own, waited for
 * with a deadline, killed as a group, and killed by the kernel when the parent dies, so that no
 * orphan is left. Times are CLOCK_MONOTONIC nanoseconds (jouleline/clock.h).
 *
 * The kernel ties a child to the thread that started it: start children from a thread that
 * lives as long as they do (the main thread). */
#ifndef JL_BASE_PROCESS_H
#define JL_BASE_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "jouleline/error.h"

#define JL_NO_DEADLINE INT64_MAX

/* A descriptor of ours that the child sees under another number (3 or above). */
typedef struct jl_fd_map {
    int ours, theirs;
} jl_fd_map;

typedef struct jl_spawn {
    const char *const *argv;   /* ends with NULL; argv[0] is looked up in PATH */
    const char *const *setenv; /* "NAME=value", ends with NULL; added to our environment; or NULL */
    const char *cwd;           /* NULL: ours */
    int stdin_fd;              /* 0 or below: /dev/null */
    int stdout_fd, stderr_fd;  /* 0 or below: ours */
    bool inherit_stdin;        /* our own standard input instead of stdin_fd */
    bool same_group;           /* stay in our process group: an interactive command keeps the
                                  terminal and its Ctrl-C; jl_process_kill then reaches it alone */
    const jl_fd_map *fds;      /* every other descriptor with FD_CLOEXEC is closed */
    size_t fd_count;           /* at most 16 */
} jl_spawn;

typedef struct jl_process {
    pid_t pid; /* 0 once it was reaped */
    int pidfd; /* readable when it has ended: for poll() beside other descriptors; -1 when reaped */
    bool group; /* it leads a group of its own */
} jl_process;

typedef struct jl_exit {
    int status;     /* exit code, -1 when a signal ended it */
    int signal;     /* 0, or the signal that ended it */
    int64_t cpu_ns; /* user and system time of it and of the children that it reaped */
    int64_t peak_memory_bytes;
} jl_exit;

/* Starts a program. JL_ERR_MISSING when there is no such program, JL_ERR_IO otherwise; on
 * failure there is no child. */
int jl_process_spawn(const jl_spawn *spawn, jl_process *p, jl_error *err);

/* Waits until the process has ended, reaps it and kills what it left running in its group;
 * `result` may be NULL. JL_ERR_TIMEOUT when the deadline (absolute) passes first: the process
 * then still runs. */
int jl_process_wait(jl_process *p, int64_t deadline_ns, jl_exit *result, jl_error *err);

/* Kills the group with SIGKILL and reaps the process; nothing to do when it was reaped. */
void jl_process_kill(jl_process *p);

/* Sends a signal to the group; 0, or JL_ERR_MISSING when it was reaped. */
int jl_process_signal(const jl_process *p, int signal);

/* "died of signal 11 (Segmentation fault)", "exited with status 3". */
void jl_exit_words(const jl_exit *e, char *words, size_t size);

/* Runs a program to its end and keeps what it prints, at most `limit_bytes` of each stream (what
 * is beyond is read and dropped). `out` and `errors` may be NULL (ours); pointing both at one
 * buffer interleaves the streams. 0 however the program ended: see `result`. JL_ERR_TIMEOUT:
 * it was killed after timeout_ns. */
int jl_process_run(const jl_spawn *spawn, int64_t timeout_ns, size_t limit_bytes, jl_buf *out,
                   jl_buf *errors, jl_exit *result, jl_error *err);

/* Runs fn(arg, out, err) in a forked child and brings back its return code, its error and the
 * bytes that it appended to `out` (at most limit_bytes, JL_ERR_LIMIT beyond). A crash is
 * JL_ERR_CRASH with the signal's name, JL_ERR_TIMEOUT means that the child was killed after
 * timeout_ns, and JL_ERR_INTERRUPTED that it was killed since *interrupted (NULL: none) became
 * true. Nothing else that fn changes is seen by the parent. */
typedef int (*jl_child_fn)(void *arg, jl_buf *out, jl_error *err);
int jl_call_in_child(jl_child_fn fn, void *arg, int64_t timeout_ns,
                     const volatile sig_atomic_t *interrupted, size_t limit_bytes, jl_buf *out,
                     jl_error *err);

#endif
