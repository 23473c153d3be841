/* Files written only on success: the bytes go to a file without a name in the same folder, which
 * takes the name when it is whole; nothing is left behind by a process that is killed. (File
 * systems without such files, as NFS: to one under a temporary name, which a kill leaves.) Folders,
 * devices and pipes are refused; of a link what it leads to is replaced. */
#ifndef JL_BASE_OUTFILE_H
#define JL_BASE_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "jouleline/error.h"

typedef struct jl_outfile {
    const char *path; /* the caller's, kept until the end */
    jl_buf target, temporary;
    int fd;
    bool nameless;
} jl_outfile;

int jl_outfile_open(jl_outfile *f, const char *path, jl_error *err);
/* Whether it could be opened, before long work whose result goes there. Nothing is left behind. */
int jl_outfile_try(const char *path, jl_error *err);
int jl_outfile_write(jl_outfile *f, const void *bytes, size_t n, jl_error *err);
/* Ends it: with rc 0 the file takes its name, else it vanishes. Returns rc, or the failure of
 * the end itself. */
int jl_outfile_close(jl_outfile *f, int rc, jl_error *err);

#endif
