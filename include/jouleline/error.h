/* Errors: every function that can fail returns 0 or a negative code and takes a jl_error last.
 *
 * A library function never prints and never exits; the message says what failed, where, and
 * what to do. Callers add context on the way up with jl_prefix(). `err` may be NULL. */
#ifndef JOULELINE_ERROR_H
#define JOULELINE_ERROR_H

enum {
    JL_OK = 0,
    JL_ERR = -1,               /* any failure without a code of its own */
    JL_ERR_USAGE = -2,         /* the caller's words are wrong: bad option, bad value, conflict */
    JL_ERR_IO = -3,            /* a file or a system call; errno's words are in the message */
    JL_ERR_FORMAT = -4,        /* a file or a message that is not what it should be */
    JL_ERR_UNSUPPORTED = -5,   /* well formed, but this build, runtime or device cannot do it */
    JL_ERR_MISSING = -6,       /* a library, device, sensor or name that is not here */
    JL_ERR_MEMORY = -7,        /* host memory exhausted */
    JL_ERR_DEVICE_MEMORY = -8, /* device memory exhausted */
    JL_ERR_LIMIT = -9,         /* beyond a stated limit: depth, size, overflow of a product */
    JL_ERR_TIMEOUT = -10,      /* took longer than allowed */
    JL_ERR_CRASH = -11,        /* a child died of a signal */
    JL_ERR_INTERRUPTED = -12,  /* the user asked to stop */
};

typedef struct jl_error {
    int code;       /* one of the above; 0 when nothing failed */
    char msg[1024]; /* one or more sentences, no trailing newline */
} jl_error;

/* Store the code and the formatted message; returns code, so `return jl_fail(err, ...)`. */
int jl_fail(jl_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Like jl_fail, ending the message with ": " and the words of errno. */
int jl_fail_errno(jl_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put the formatted context and ": " before the message; returns the code already stored. */
int jl_prefix(jl_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
