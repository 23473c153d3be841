#include "study/wire.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jouleline/clock.h"

/* Once a message has begun, the rest has to come without a pause of this length. */
static const int64_t STALL_NS = 30 * JL_NS_PER_S;

static int send_some(int fd, const char *bytes, size_t n, const int *fds, size_t fd_count,
                     size_t *sent)
{
    union {
        char room[CMSG_SPACE(sizeof(int) * JL_WIRE_MOST_FDS)];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd_count) {
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    ssize_t done = sendmsg(fd, &m, MSG_NOSIGNAL);
    if (done < 0) return -1;
    *sent = (size_t)done;
    return 0;
}

int jl_wire_send(int fd, json_t *message, const int *fds, size_t fd_count, jl_error *err)
{
    JL_JSON *owned = message;
    char *text = json_dumps(owned, JSON_COMPACT);
    size_t n = text ? strlen(text) : 0;
    if (!text || n > JL_WIRE_MOST_BYTES) {
        free(text);
        return jl_fail(err, text ? JL_ERR_LIMIT : JL_ERR_MEMORY, "a message of %zu bytes", n);
    }
    char *frame = malloc(n + 4);
    if (!frame) {
        free(text);
        return jl_fail(err, JL_ERR_MEMORY, "no memory for a message");
    }
    uint32_t length = htole32((uint32_t)n);
    memcpy(frame, &length, 4);
    memcpy(frame + 4, text, n);
    free(text);
    int rc = 0;
    for (size_t at = 0, done = 0; !rc && at < n + 4; at += done) {
        done = 0;
        if (send_some(fd, frame + at, n + 4 - at, fds, at ? 0 : fd_count, &done) == 0) continue;
        if (errno == EINTR) continue;
        rc = errno == EPIPE || errno == ECONNRESET
                 ? jl_fail(err, JL_ERR_CRASH, "the other side of the channel is gone")
                 : jl_fail_errno(err, JL_ERR_IO, "cannot send a message");
    }
    free(frame);
    return rc;
}

/* Waits until the socket can be read; a signal ends the wait like a timeout if `interruptible`. */
static int wait_readable(int fd, int64_t deadline_ns, bool interruptible, jl_error *err)
{
    for (;;) {
        int64_t left_ns = deadline_ns == INT64_MAX ? INT64_MAX : deadline_ns - jl_now_ns();
        if (left_ns < 0) left_ns = 0;
        struct timespec t = {.tv_sec = left_ns / JL_NS_PER_S, .tv_nsec = left_ns % JL_NS_PER_S};
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = ppoll(&p, 1, deadline_ns == INT64_MAX ? NULL : &t, NULL);
        if (n > 0) return 0;
        if (n < 0 && errno != EINTR) return jl_fail_errno(err, JL_ERR_IO, "cannot wait");
        if (deadline_ns != INT64_MAX && jl_now_ns() >= deadline_ns)
            return jl_fail(err, JL_ERR_TIMEOUT, "no answer in time");
        if (n < 0 && interruptible)
            return jl_fail(err, JL_ERR_TIMEOUT, "interrupted while waiting");
    }
}

static void take_fds(struct msghdr *m, int *fds)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int got;
            memcpy(&got, CMSG_DATA(c) + i * sizeof got, sizeof got);
            if (fds && i < JL_WIRE_MOST_FDS)
                fds[i] = got;
            else
                close(got);
        }
    }
}

static int read_exactly(int fd, char *to, size_t n, int *fds, jl_error *err)
{
    for (size_t at = 0; at < n;) {
        union {
            char room[CMSG_SPACE(sizeof(int) * JL_WIRE_MOST_FDS)];
            struct cmsghdr align;
        } control;
        struct iovec iov = {.iov_base = to + at, .iov_len = n - at};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control.room,
                           .msg_controllen = sizeof control.room};
        int rc = wait_readable(fd, jl_now_ns() + STALL_NS, false, err);
        if (rc) return rc;
        ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return jl_fail(err, JL_ERR_CRASH, "the other side closed the channel");
        if (got < 0) return jl_fail_errno(err, JL_ERR_IO, "cannot read a message");
        take_fds(&m, fds);
        at += (size_t)got;
    }
    return 0;
}

int jl_wire_receive(int fd, int64_t deadline_ns, json_t **message, int *fds, jl_error *err)
{
    *message = NULL;
    for (int i = 0; fds && i < JL_WIRE_MOST_FDS; i++)
        fds[i] = -1;
    int rc = wait_readable(fd, deadline_ns, true, err);
    uint32_t length;
    if (!rc) rc = read_exactly(fd, (char *)&length, sizeof length, fds, err);
    if (rc) return rc;
    size_t n = le32toh(length);
    if (n > JL_WIRE_MOST_BYTES)
        return jl_fail(err, JL_ERR_FORMAT, "a message of %zu bytes, at most %d are allowed", n,
                       JL_WIRE_MOST_BYTES);
    char *text = malloc(n + 1);
    if (!text) return jl_fail(err, JL_ERR_MEMORY, "no memory for a message");
    rc = read_exactly(fd, text, n, fds, err);
    json_error_t where;
    if (!rc) *message = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
    if (!rc && (!json_is_object(*message) || !jl_json_text(*message, "type", NULL))) {
        json_decref(*message);
        *message = NULL;
        rc = jl_fail(err, JL_ERR_FORMAT, "a message is no JSON object with a type");
    }
    free(text);
    return rc;
}

const char *jl_json_text(const json_t *object, const char *key, const char *otherwise)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : otherwise;
}

int64_t jl_json_whole(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *j = json_object_get(object, key);
    return json_is_integer(j) ? json_integer_value(j) : otherwise;
}

double jl_json_number(const json_t *object, const char *key, double otherwise)
{
    const json_t *j = json_object_get(object, key);
    return json_is_number(j) ? json_number_value(j) : otherwise;
}

bool jl_json_is(const json_t *message, const char *type)
{
    return !strcmp(jl_json_text(message, "type", ""), type);
}
