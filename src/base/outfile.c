#include "base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int jl_outfile_open(jl_outfile *f, const char *path, jl_error *err)
{
    *f = (jl_outfile){.path = path, .fd = -1};
    jl_buf_printf(&f->temporary, "%s.XXXXXX", path);
    if (f->temporary.failed) {
        jl_buf_free(&f->temporary);
        return jl_fail(err, JL_ERR_MEMORY, "cannot write %s: out of memory", path);
    }
    f->fd = mkstemp(f->temporary.p);
    if (f->fd >= 0) return 0;
    int rc = jl_fail_errno(err, JL_ERR_IO, "cannot create %s", path);
    jl_buf_free(&f->temporary);
    return rc;
}

int jl_outfile_write(jl_outfile *f, const void *bytes, size_t n, jl_error *err)
{
    const char *p = bytes;
    while (n) {
        ssize_t done = write(f->fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return jl_fail_errno(err, JL_ERR_IO, "cannot write %s", f->path);
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

int jl_outfile_close(jl_outfile *f, int rc, jl_error *err)
{
    if (!rc) usual_mode(f->fd);
    if (close(f->fd) && !rc) rc = jl_fail_errno(err, JL_ERR_IO, "cannot write %s", f->path);
    if (!rc && rename(f->temporary.p, f->path))
        rc = jl_fail_errno(err, JL_ERR_IO, "cannot rename %s to %s", f->temporary.p, f->path);
    if (rc) unlink(f->temporary.p);
    jl_buf_free(&f->temporary);
    return rc;
}
