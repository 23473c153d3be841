#include "base/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>

#include "base/dl.h"

int jl_plugin_open(const jl_plugin_kind *kind, const char *path, const void **table, void **handle,
                   jl_error *err)
{
    const void *(*entry)(void) = NULL;
    jl_symbol symbols[] = {{kind->entry, (void **)&entry, true}, {0}};
    char whole[PATH_MAX];
    *table = NULL;
    *handle = NULL;
    if (!realpath(path, whole))
        return jl_fail_errno(err, JL_ERR_MISSING, "cannot open the %s plugin %s", kind->what, path);
    jl_error why = {0};
    if (jl_dl_open(whole, symbols, handle, &why))
        return jl_fail(err, why.code,
                       "%s plugin %s: %s; such a plugin is a shared object that exports %s() (%s)",
                       kind->what, path, why.msg, kind->entry, kind->header);
    int rc = 0;
    *table = entry();
    if (!*table)
        rc = jl_fail(err, JL_ERR_FORMAT, "%s plugin %s: %s() returned NULL", kind->what, path,
                     kind->entry);
    else if (*(const uint32_t *)*table != kind->abi)
        rc = jl_fail(err, JL_ERR_FORMAT,
                     "%s plugin %s was built for %s ABI %u and this jouleline has %u; build it "
                     "again with this version's %s",
                     kind->what, path, kind->what, *(const uint32_t *)*table, kind->abi,
                     kind->header);
    if (rc) {
        dlclose(*handle);
        *handle = NULL;
    }
    return rc;
}

int jl_plugin_check(const jl_plugin_kind *kind, const char *path, const jl_plugin_hook *hooks,
                    size_t count, jl_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!hooks[i].present)
            return jl_fail(err, JL_ERR_FORMAT, "%s plugin %s lacks '%s'; see %s", kind->what, path,
                           hooks[i].name, kind->header);
    return 0;
}
