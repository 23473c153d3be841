/* Where things are. Nothing is compiled in: every place is found from the executable, so that a
 * build folder, an unpacked tarball and an installation all work and can be moved.
 *
 * Data files lie in share/jouleline/, in the source tree as in the tarball. Libraries fetched by
 * ./dev lie in build/runtimes/FOLDER/, in the tarball in lib/jouleline/FOLDER/. */
#ifndef JL_BASE_PATHS_H
#define JL_BASE_PATHS_H

#include <limits.h>

#include "jouleline/error.h"

typedef struct jl_path {
    char s[PATH_MAX];
} jl_path;

/* The folder of the running executable, without a trailing slash. */
int jl_path_exe_dir(jl_path *path, jl_error *err);

/* The data file or folder `name`: $JOULELINE_SHARE/name when that is set, else
 * share/jouleline/name in the executable's folder or one of the four above it. JL_ERR_MISSING
 * names what was searched. */
int jl_path_share(jl_path *path, const char *name, jl_error *err);

/* A library that is opened at run time, in this order: the path in the environment variable
 * `variable` (JL_ERR_MISSING when it is set and no such file is there); in the executable's
 * folder and the four above it lib/jouleline/FOLDER/FILE and build/runtimes/FOLDER/FILE; else
 * `file` itself, for the loader's own search. */
int jl_path_library(jl_path *path, const char *variable, const char *folder, const char *file,
                    jl_error *err);

/* The Python that runs converters of others: $JOULELINE_CONVERTER_PYTHON, else
 * build/venv/bin/python in the executable's folder or one of the four above it (./dev makes it),
 * else python3, looked up in PATH when it is started. */
int jl_path_converter_python(jl_path *path, jl_error *err);

/* $XDG_CACHE_HOME/jouleline, else ~/.cache/jouleline, made if need be (mode 0700). */
int jl_path_cache_dir(jl_path *path, jl_error *err);

/* Makes a folder and those above it; fine when it exists. */
int jl_make_dirs(const char *path, jl_error *err);

#endif
