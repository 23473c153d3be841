/* A shared object of somebody else that exports one function, which returns a table whose first
 * member is the version of its interface: how runtimes and meters are loaded by path. */
#ifndef JL_BASE_PLUGIN_H
#define JL_BASE_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"

typedef struct jl_plugin_kind {
    const char *what;   /* "runtime", as in "runtime plugin ./mine.so" */
    const char *entry;  /* the function: const TABLE *entry(void), TABLE beginning with uint32_t */
    const char *header; /* where the interface is described */
    uint32_t abi;
} jl_plugin_kind;

typedef struct jl_plugin_hook {
    const char *name;
    bool present;
} jl_plugin_hook;

/* Loads the file at `path` (never one of the same name in the system's folders). JL_ERR_MISSING:
 * no such file, not a library, or without the entry; JL_ERR_FORMAT: no table, or of another ABI,
 * in which case nothing else of it was looked at. The handle is for dlclose. */
int jl_plugin_open(const jl_plugin_kind *kind, const char *path, const void **table, void **handle,
                   jl_error *err);

/* JL_ERR_FORMAT names the first hook that is absent. */
int jl_plugin_check(const jl_plugin_kind *kind, const char *path, const jl_plugin_hook *hooks,
                    size_t count, jl_error *err);

#endif
