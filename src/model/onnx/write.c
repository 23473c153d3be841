#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_buf(void *ctx, const void *bytes, size_t n, jl_error *err)
{
    jl_buf *b = ctx;
    jl_buf_append(b, bytes, n);
    return b->failed ? jl_fail(err, JL_ERR_MEMORY, "out of memory while writing the model") : 0;
}

int onnx_encode(const onnx_model *model, jl_buf *out, jl_error *err)
{
    onnx_sink sink = {write_buf, out};
    return onnx_encode_message(&onnx_schema_model, model, NULL, &sink, err);
}

static int write_fd(void *ctx, const void *bytes, size_t n, jl_error *err)
{
    const char *p = bytes;
    while (n) {
        ssize_t done = write(*(const int *)ctx, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return jl_fail_errno(err, JL_ERR_IO, "write");
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

/* mkstemp makes files for their owner only; give the mode that open() would have given. */
static void usual_mode(int fd)
{
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
}

int onnx_save(const onnx_model *model, const char *path, const onnx_payload_source *source,
              jl_error *err)
{
    jl_buf temporary = {0};
    jl_buf_printf(&temporary, "%s.XXXXXX", path);
    if (temporary.failed) {
        jl_buf_free(&temporary);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    }
    int fd = mkstemp(temporary.p);
    if (fd < 0) {
        int rc = jl_fail_errno(err, JL_ERR_IO, "cannot create %s", temporary.p);
        jl_buf_free(&temporary);
        return rc;
    }
    onnx_sink sink = {write_fd, &fd};
    int rc = onnx_encode_message(&onnx_schema_model, model, source, &sink, err);
    if (rc) jl_prefix(err, "cannot write %s", path);
    if (!rc) usual_mode(fd);
    if (close(fd) && !rc) rc = jl_fail_errno(err, JL_ERR_IO, "cannot write %s", path);
    if (!rc && rename(temporary.p, path))
        rc = jl_fail_errno(err, JL_ERR_IO, "cannot rename %s to %s", temporary.p, path);
    if (rc) unlink(temporary.p);
    jl_buf_free(&temporary);
    return rc;
}
