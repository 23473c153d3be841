#include <dlfcn.h>

#include "base/plugin.h"
#include "runtime/registry.h"

static const jl_plugin_kind kind = {"runtime", "jouleline_runtime", "include/jouleline/runtime.h",
                                    JL_RUNTIME_ABI};

static int check_hooks(const char *path, const jl_runtime *r, jl_error *err)
{
    const jl_plugin_hook hooks[] = {
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
        {"submit", r->submit || !r->wait}, /* they come as a pair */
        {"wait", r->wait || !r->submit},
    };
    return jl_plugin_check(&kind, path, hooks, sizeof hooks / sizeof *hooks, err);
}

int jl_runtime_load_plugin(const char *path, jl_error *err)
{
    const void *table;
    void *handle;
    int rc = jl_plugin_open(&kind, path, &table, &handle, err);
    if (rc) return rc;
    rc = check_hooks(path, table, err);
    if (!rc) rc = jl_runtime_register(table, err);
    if (rc) dlclose(handle);
    return rc;
}
