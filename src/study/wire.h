/* The control channel of doc/worker_protocol.md: length-prefixed JSON over a stream socket. */
#ifndef JL_STUDY_WIRE_H
#define JL_STUDY_WIRE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"

enum { JL_PROTOCOL = 1, JL_WIRE_MOST_BYTES = 1 << 20, JL_WIRE_MOST_FDS = 3 };

/* Sends a message with descriptors beside it (SCM_RIGHTS); takes `message` over, also on failure.
 * JL_ERR_CRASH when the other side is gone. */
int jl_wire_send(int fd, json_t *message, const int *fds, size_t fd_count, jl_error *err);

/* One message; the caller owns it. JL_ERR_TIMEOUT when it has not begun by the deadline (nothing
 * is lost then), JL_ERR_CRASH when the other side closed, JL_ERR_FORMAT when it is no message.
 * `fds` takes JL_WIRE_MOST_FDS descriptors, -1 where none came; NULL: none are expected. */
int jl_wire_receive(int fd, int64_t deadline_ns, json_t **message, int *fds, jl_error *err);

/* Members with their type checked; a missing or null one gives `otherwise`. */
const char *jl_json_text(const json_t *object, const char *key, const char *otherwise);
int64_t jl_json_whole(const json_t *object, const char *key, int64_t otherwise);
double jl_json_number(const json_t *object, const char *key, double otherwise);
bool jl_json_is(const json_t *message, const char *type);

static inline void jl_json_release(json_t **j)
{
    json_decref(*j);
}
#define JL_JSON __attribute__((cleanup(jl_json_release))) json_t

#endif
