/* The parent's side of a worker: start it, ask it, end it. Nothing of it is left behind. */
#ifndef JL_STUDY_CHILD_H
#define JL_STUDY_CHILD_H

#include <jansson.h>

#include "base/paths.h"
#include "base/process.h"
#include "base/str.h"
#include "jouleline/configuration.h"
#include "study/ring.h"

enum { JL_LAUNCH_WORDS = 40, JL_LOG_TAIL_BYTES = 64 << 10 };

/* How workers of a runtime are started. */
typedef struct jl_launch {
    const char *argv[JL_LAUNCH_WORDS]; /* what comes before --control-fd */
    size_t words;
    char program[4096], script[4096];
    char cache[PATH_MAX + 32], nvrtc[PATH_MAX + 32]; /* environment, or empty: no kernel cache */
    int fake_device_fd;                              /* 0: none */
} jl_launch;

/* The C worker, or the Python one for pytorch. `plugins` must outlive the launch. */
int jl_launch_of(const jl_configuration *c, const char *const *plugins, size_t plugin_count,
                 int fake_device_fd, jl_launch *launch, jl_error *err);

/* A process that has the libraries loaded and forks workers. */
typedef struct jl_nursery {
    jl_process process;
    int control;
} jl_nursery;
/* JL_ERR_MISSING, ... with the nursery's own words when it cannot load what is needed. */
int jl_nursery_start(const jl_launch *launch, const char *configuration, int64_t timeout_ns,
                     jl_nursery *n, jl_error *err);
void jl_nursery_end(jl_nursery *n); /* a zeroed one is fine */

typedef struct jl_child {
    jl_process process;  /* of a worker started by exec */
    jl_nursery *nursery; /* of a forked one, or NULL */
    pid_t pid;           /* 0: none */
    int control, log_fd; /* log: standard output and error of the worker */
} jl_child;

/* Starts a worker by exec, or by fork when there is a nursery. */
int jl_child_start(const jl_launch *launch, jl_nursery *nursery, const jl_ring *ring, jl_child *c,
                   jl_error *err);
/* Sends a request; takes it over. */
int jl_child_send(jl_child *c, json_t *request, jl_error *err);
/* The answer: JL_ERR_TIMEOUT when it is not there by the deadline, JL_ERR_CRASH when the worker
 * is gone (jl_child_finish then says how), JL_ERR_FORMAT for a breach of the protocol. */
int jl_child_receive(jl_child *c, int64_t deadline_ns, const char *type, json_t **answer,
                     jl_error *err);
/* Ends the worker: kindly with `bye` when it is in order, else by SIGKILL; `result` says how it
 * ended. Its log is kept until jl_child_close. */
void jl_child_finish(jl_child *c, bool kindly, jl_exit *result);
/* Appends the last JL_LOG_TAIL_BYTES of what the worker printed. */
void jl_child_log(const jl_child *c, jl_buf *to);
void jl_child_close(jl_child *c);

#endif
