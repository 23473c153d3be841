/* Folders for files that nobody keeps. */
#ifndef JL_BASE_SCRATCH_H
#define JL_BASE_SCRATCH_H

#include "base/paths.h"

/* Makes the folder $TMPDIR/jouleline-KIND-XXXXXX, in /tmp where TMPDIR is not set, for us alone.
 * On failure the path is empty. Names of files in it have at most 64 bytes. */
int jl_scratch_make(jl_path *folder, const char *kind, jl_error *err);
/* Removes it with all that is in it; nothing to do for an empty path. */
void jl_scratch_remove(const jl_path *folder);

#endif
