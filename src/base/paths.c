#include "base/paths.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEVELS_ABOVE = 4 };

__attribute__((format(printf, 2, 3))) static bool put(jl_path *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(path->s, sizeof path->s, format, args);
    va_end(args);
    return n >= 0 && (size_t)n < sizeof path->s;
}

static bool exists(const jl_path *path)
{
    return access(path->s, F_OK) == 0;
}

/* Cuts the last component; false at the root. */
static bool go_up(jl_path *path)
{
    char *slash = strrchr(path->s, '/');
    if (!slash || path->s[0] == '\0') return false;
    *slash = '\0'; /* "/a" becomes "", to which "/share" is appended */
    return true;
}

int jl_path_exe_dir(jl_path *path, jl_error *err)
{
    ssize_t n = readlink("/proc/self/exe", path->s, sizeof path->s - 1);
    if (n < 0)
        return jl_fail_errno(err, JL_ERR_IO,
                             "cannot find this program's own path in /proc/self/exe");
    path->s[n] = '\0';
    go_up(path);
    return 0;
}

/* The first of FOLDER/sub[k]/name that exists, going up from the executable. */
static int search_upwards(jl_path *path, const char *const *sub, size_t count, const char *name,
                          jl_error *err)
{
    jl_path at;
    int rc = jl_path_exe_dir(&at, err);
    if (rc) return rc;
    for (int level = 0; level <= LEVELS_ABOVE; level++) {
        for (size_t k = 0; k < count; k++)
            if (put(path, "%s/%s/%s", at.s, sub[k], name) && exists(path)) return 0;
        if (!go_up(&at)) break;
    }
    return JL_ERR_MISSING;
}

int jl_path_share(jl_path *path, const char *name, jl_error *err)
{
    const char *chosen = getenv("JOULELINE_SHARE");
    if (chosen && *chosen) {
        if (put(path, "%s/%s", chosen, name) && exists(path)) return 0;
        return jl_fail(err, JL_ERR_MISSING,
                       "there is no %s in %s, the folder that JOULELINE_SHARE names", name, chosen);
    }
    jl_path exe;
    int rc = jl_path_exe_dir(&exe, err);
    if (!rc) rc = search_upwards(path, (const char *const[]){"share/jouleline"}, 1, name, err);
    if (rc == JL_ERR_MISSING)
        return jl_fail(err, rc,
                       "there is no share/jouleline/%s above %s; set JOULELINE_SHARE to the folder "
                       "that holds jouleline's data files",
                       name, exe.s);
    return rc;
}

int jl_path_library(jl_path *path, const char *variable, const char *folder, const char *file,
                    jl_error *err)
{
    const char *chosen = getenv(variable);
    if (chosen && *chosen) {
        if (!put(path, "%s", chosen))
            return jl_fail(err, JL_ERR_LIMIT, "the path in %s is too long", variable);
        if (exists(path)) return 0;
        return jl_fail(err, JL_ERR_MISSING, "%s names %s, and there is no such file", variable,
                       chosen);
    }
    jl_path name;
    if (!put(&name, "%s/%s", folder, file))
        return jl_fail(err, JL_ERR_LIMIT, "the library name %s is too long", file);
    static const char *const sub[] = {"lib/jouleline", "build/runtimes"};
    int rc = search_upwards(path, sub, sizeof sub / sizeof *sub, name.s, err);
    if (rc != JL_ERR_MISSING) return rc;
    put(path, "%s", file);
    return 0;
}

int jl_path_converter_python(jl_path *path, jl_error *err)
{
    const char *chosen = getenv("JOULELINE_CONVERTER_PYTHON");
    if (chosen && *chosen)
        return put(path, "%s", chosen)
                   ? 0
                   : jl_fail(err, JL_ERR_LIMIT,
                             "the path in JOULELINE_CONVERTER_PYTHON is too long");
    int rc = search_upwards(path, (const char *const[]){"build/venv/bin"}, 1, "python", err);
    if (rc == JL_ERR_MISSING && put(path, "python3")) rc = 0;
    return rc;
}

int jl_make_dirs(const char *path, jl_error *err)
{
    jl_path p;
    if (!put(&p, "%s", path))
        return jl_fail(err, JL_ERR_LIMIT, "the path %.200s... is too long", path);
    for (char *c = p.s + 1; p.s[0]; c++) {
        if (*c != '/' && *c != '\0') continue;
        char kept = *c;
        *c = '\0';
        if (mkdir(p.s, 0700) < 0 && errno != EEXIST)
            return jl_fail_errno(err, JL_ERR_IO, "cannot make the folder %s", p.s);
        *c = kept;
        if (!kept) break;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return jl_fail_errno(err, JL_ERR_IO, "cannot make the folder %s", path);
    if (!S_ISDIR(st.st_mode)) return jl_fail(err, JL_ERR_IO, "%s is not a folder", path);
    return 0;
}

int jl_path_cache_dir(jl_path *path, jl_error *err)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (!home || home[0] != '/') {
        const struct passwd *user = getpwuid(getuid());
        home = user ? user->pw_dir : NULL;
    }
    bool fits;
    if (base && base[0] == '/') {
        fits = put(path, "%s/jouleline", base);
    } else if (home) {
        fits = put(path, "%s/.cache/jouleline", home);
    } else {
        return jl_fail(err, JL_ERR_MISSING, "this user has no home folder; set XDG_CACHE_HOME");
    }
    return fits ? jl_make_dirs(path->s, err)
                : jl_fail(err, JL_ERR_LIMIT, "the cache folder's path is too long");
}
