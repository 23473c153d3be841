/* The one place that opens shared libraries: a list of {name, slot, required} filled in at once.
 * An error names the library and the symbol. */
#ifndef JL_BASE_DL_H
#define JL_BASE_DL_H

#include <stdbool.h>

#include "jouleline/error.h"

typedef struct jl_symbol {
    const char *name;
    void **slot; /* set to the symbol's address, or NULL when it is absent and not required */
    bool required;
} jl_symbol;

/* Opens `path` (a path, or a soname for the loader's search) with RTLD_NOW | RTLD_LOCAL and
 * resolves every symbol up to the entry whose name is NULL. JL_ERR_MISSING when the library or
 * a required symbol is absent. The handle is for dlclose. */
int jl_dl_open(const char *path, const jl_symbol *symbols, void **handle, jl_error *err);

#endif
