#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>

#include "base/dl.h"
#include "runtime/registry.h"

static int check_hooks(const char *path, const jl_runtime *r, jl_error *err)
{
    const struct {
        const char *name;
        bool present;
    } hooks[] = {
        {"name", r->name && r->name[0]},
        {"summary", r->summary},
        {"probe", r->probe},
        {"open", r->open},
        {"load", r->load},
        {"infer", r->infer},
        {"outputs", r->outputs},
        {"describe", r->describe},
        {"close", r->close},
        {"device_memory_bytes", r->device_memory_bytes},
    };
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
        if (!hooks[i].present)
            return jl_fail(err, JL_ERR_FORMAT,
                           "plugin %s: the runtime lacks '%s'; see include/jouleline/runtime.h",
                           path, hooks[i].name);
    if (!r->submit != !r->wait)
        return jl_fail(err, JL_ERR_FORMAT,
                       "plugin %s: 'submit' and 'wait' come as a pair, and '%s' is missing", path,
                       r->submit ? "wait" : "submit");
    return 0;
}

int jl_runtime_load_plugin(const char *path, jl_error *err)
{
    const jl_runtime *(*entry)(void) = NULL;
    jl_symbol symbols[] = {{"jouleline_runtime", (void **)&entry, true}, {0}};
    void *handle;
    /* The whole path: dlopen would search the system's folders for a bare file name. */
    char *whole = realpath(path, NULL);
    if (!whole) return jl_fail_errno(err, JL_ERR_MISSING, "cannot open the plugin %s", path);
    int rc = jl_dl_open(whole, symbols, &handle, err);
    free(whole);
    if (rc) {
        jl_prefix(err, "plugin %s", path);
        return rc;
    }
    const jl_runtime *r = entry();
    if (!r) {
        rc = jl_fail(err, JL_ERR_FORMAT, "plugin %s: jouleline_runtime() returned NULL", path);
    } else if (r->abi != JL_RUNTIME_ABI) {
        rc = jl_fail(err, JL_ERR_FORMAT,
                     "plugin %s was built for runtime ABI %u and this jouleline has %u; build it "
                     "again with this version's include/jouleline",
                     path, r->abi, (unsigned)JL_RUNTIME_ABI);
    } else {
        rc = check_hooks(path, r, err);
        if (!rc) rc = jl_runtime_register(r, err);
    }
    if (rc) dlclose(handle);
    return rc;
}
