#include "base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file that takes the name: where a link leads, so that the link stays. Taking the name of
 * anything but a file would put one in its place, in that of /dev/null too. */
static int find_target(jl_outfile *f, jl_error *err)
{
    struct stat st;
    char whole[PATH_MAX];
    const char *target = f->path;
    if (stat(f->path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return jl_fail(err, JL_ERR_USAGE, "cannot write %s: it is a folder; name a file in it",
                           f->path);
        if (!S_ISREG(st.st_mode))
            return jl_fail(err, JL_ERR_USAGE,
                           "cannot write %s: it is a device or a pipe; name a file", f->path);
        if (!realpath(f->path, whole))
            return jl_fail_errno(err, JL_ERR_IO, "cannot write %s", f->path);
        target = whole;
    }
    uint32_t number = 0;
    if (getrandom(&number, sizeof number, 0) < 0) number = (uint32_t)getpid();
    jl_buf_puts(&f->target, target);
    jl_buf_printf(&f->temporary, "%s.%08x", target, (unsigned)number);
    return f->target.failed || f->temporary.failed
               ? jl_fail(err, JL_ERR_MEMORY, "cannot write %s: out of memory", f->path)
               : 0;
}

static void release(jl_outfile *f)
{
    jl_buf_free(&f->temporary);
    jl_buf_free(&f->target);
}

/* A file without a name, so that nothing is left of it when this process is killed; under the
 * temporary name where the file system has no such files. */
static int open_temporary(jl_outfile *f)
{
    const char *end = strrchr(f->target.p, '/');
    char folder[PATH_MAX] = ".";
    if (end) snprintf(folder, sizeof folder, "%.*s", (int)(end - f->target.p + 1), f->target.p);
    if (access("/proc/self/fd", X_OK) == 0) /* through which it gets its name */
        f->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    f->nameless = f->fd >= 0;
    if (f->fd < 0) f->fd = open(f->temporary.p, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
    return f->fd;
}

int jl_outfile_open(jl_outfile *f, const char *path, jl_error *err)
{
    *f = (jl_outfile){.path = path, .fd = -1};
    int rc = find_target(f, err);
    if (!rc && open_temporary(f) < 0) rc = jl_fail_errno(err, JL_ERR_IO, "cannot create %s", path);
    if (rc) release(f);
    return rc;
}

int jl_outfile_try(const char *path, jl_error *err)
{
    jl_outfile f;
    int rc = jl_outfile_open(&f, path, err);
    if (!rc) jl_outfile_close(&f, JL_ERR, NULL);
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

static bool give_temporary_name(const jl_outfile *f)
{
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", f->fd);
    return !f->nameless || !linkat(AT_FDCWD, self, AT_FDCWD, f->temporary.p, AT_SYMLINK_FOLLOW);
}

int jl_outfile_close(jl_outfile *f, int rc, jl_error *err)
{
    if (!rc && !give_temporary_name(f))
        rc = jl_fail_errno(err, JL_ERR_IO, "cannot create %s", f->temporary.p);
    bool named = !f->nameless || !rc;
    if (close(f->fd) && !rc) rc = jl_fail_errno(err, JL_ERR_IO, "cannot write %s", f->path);
    if (!rc && rename(f->temporary.p, f->target.p))
        rc = jl_fail_errno(err, JL_ERR_IO, "cannot rename %s to %s", f->temporary.p, f->target.p);
    if (rc && named) unlink(f->temporary.p);
    release(f);
    return rc;
}
