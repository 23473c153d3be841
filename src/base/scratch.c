#include "base/scratch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/process.h"
#include "jouleline/clock.h"

int jl_scratch_make(jl_path *folder, const char *kind, jl_error *err)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(folder->s, sizeof folder->s, "%s/jouleline-%s-XXXXXX",
                     base && *base ? base : "/tmp", kind);
    int rc = 0;
    if (n < 0 || (size_t)n + 65 > sizeof folder->s)
        rc = jl_fail(err, JL_ERR_LIMIT, "TMPDIR is too long");
    else if (!mkdtemp(folder->s))
        rc = jl_fail_errno(err, JL_ERR_IO, "cannot make the scratch folder %s (set TMPDIR)",
                           folder->s);
    if (rc) *folder->s = '\0';
    return rc;
}

void jl_scratch_remove(const jl_path *folder)
{
    const char *argv[] = {"rm", "-rf", "--", folder->s, NULL};
    if (!*folder->s) return;
    jl_process_run(&(jl_spawn){.argv = argv}, 60 * JL_NS_PER_S, 0, NULL, NULL, NULL, NULL);
}
