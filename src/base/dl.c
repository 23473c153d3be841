#include "base/dl.h"

#include <dlfcn.h>
#include <stddef.h>

int jl_dl_open(const char *path, const jl_symbol *symbols, void **handle, jl_error *err)
{
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*handle) return jl_fail(err, JL_ERR_MISSING, "cannot load %s: %s", path, dlerror());
    for (const jl_symbol *s = symbols; s->name; s++) {
        *s->slot = dlsym(*handle, s->name);
        if (!*s->slot && s->required) {
            dlclose(*handle);
            *handle = NULL;
            return jl_fail(err, JL_ERR_MISSING, "%s has no symbol %s", path, s->name);
        }
    }
    return 0;
}
