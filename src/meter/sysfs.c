#include "meter/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void jl_sysfs_path(char *out, size_t n, const char *root, const char *format, ...)
{
    int used = snprintf(out, n, "%s", root ? root : "");
    if (used < 0 || (size_t)used >= n) return;
    va_list args;
    va_start(args, format);
    vsnprintf(out + used, n - (size_t)used, format, args);
    va_end(args);
}

bool jl_sysfs_line(const char *path, char *out, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t got = read(fd, out, n - 1);
    int saved = errno;
    close(fd);
    errno = saved;
    if (got < 0) return false;
    out[got] = 0;
    out[strcspn(out, "\n")] = 0;
    return true;
}

static bool parse(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || end == text || (*end && *end != '\n')) return false;
    *out = v;
    return true;
}

bool jl_sysfs_number(const char *path, int64_t *out)
{
    char line[64];
    return jl_sysfs_line(path, line, sizeof line) && parse(line, out);
}

int jl_sysfs_open(const char *path, int *fd, jl_error *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    return *fd < 0 ? jl_fail_errno(err, JL_ERR_IO, "cannot read %s", path) : 0;
}

int jl_sysfs_reread(int fd, const char *name, int64_t *out, jl_error *err)
{
    char line[64];
    ssize_t got = pread(fd, line, sizeof line - 1, 0);
    if (got < 0)
        return jl_fail_errno(err, errno == ENODEV || errno == ENXIO ? JL_ERR_MISSING : JL_ERR_IO,
                             "reading %s", name);
    line[got] = 0;
    if (!parse(line, out))
        return jl_fail(err, JL_ERR_IO, "%s holds no number: '%.40s'", name, line);
    return 0;
}

char **jl_sysfs_list(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, versionsort);
    if (count < 0) return NULL;
    size_t bytes = ((size_t)count + 1) * sizeof(char *);
    for (int i = 0; i < count; i++)
        bytes += strlen(entries[i]->d_name) + 1;
    char **names = malloc(bytes);
    char *text = names ? (char *)(names + count + 1) : NULL;
    size_t kept = 0;
    for (int i = 0; i < count; i++) {
        if (names && entries[i]->d_name[0] != '.') {
            names[kept++] = text;
            text = stpcpy(text, entries[i]->d_name) + 1;
        }
        free(entries[i]);
    }
    free(entries);
    if (names) names[kept] = NULL;
    return names;
}
