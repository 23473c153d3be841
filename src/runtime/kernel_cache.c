#include "runtime/kernel_cache.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *jl_kernel_cache(void)
{
    const char *folder = getenv("JOULELINE_KERNEL_CACHE");
    return folder && *folder ? folder : NULL;
}

int jl_kernel_cache_libraries(jl_path *folder, jl_error *err)
{
    const char *chosen = getenv("JOULELINE_NVRTC");
    if (chosen && *chosen) {
        snprintf(folder->s, sizeof folder->s, "%s", chosen);
        return 0;
    }
    int rc = jl_path_library(folder, "JOULELINE_NVRTC", "nvrtc", "libnvrtc.so.13", err);
    char *slash = strrchr(folder->s, '/');
    if (rc || !slash)
        return jl_fail(err, JL_ERR_MISSING,
                       "there is no lib/jouleline/nvrtc beside this program, which "
                       "JOULELINE_KERNEL_CACHE needs; JOULELINE_NVRTC names the folder");
    *slash = '\0';
    return 0;
}

/* The soname of the library at `path`: libnvrtc.so.13 of libnvrtc.so.13.0.88. */
static bool soname(const char *path, char name[32])
{
    const char *slash = strrchr(path, '/');
    int major, end = 0;
    if (sscanf(slash ? slash + 1 : path, "libnvrtc.so.%d%n", &major, &end) != 1) return false;
    snprintf(name, 32, "libnvrtc.so.%d", major);
    return true;
}

bool jl_kernel_cache_open(const char *real)
{
    jl_path folder;
    char name[32], path[PATH_MAX + 64];
    jl_error e;
    int (*start)(const char *, const char *);
    if (!jl_kernel_cache() || !soname(real, name) || jl_kernel_cache_libraries(&folder, &e))
        return false;
    snprintf(path, sizeof path, "%s/%s", folder.s, name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* stays open: cuDNN will want it */
    if (!library) return false;
    *(void **)&start = dlsym(library, "jouleline_nvrtc_cache");
    return start && start(real, jl_kernel_cache()) == 0;
}
