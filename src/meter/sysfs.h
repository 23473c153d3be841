/* Small files of /sys and /proc below a root that tests can choose. */
#ifndef JL_METER_SYSFS_H
#define JL_METER_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"

/* root + formatted path, cut to n bytes. */
void jl_sysfs_path(char *out, size_t n, const char *root, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* First line without its end; false when it cannot be read (errno says why). */
bool jl_sysfs_line(const char *path, char *out, size_t n);
/* A whole decimal number; false when the file is absent or holds anything else. */
bool jl_sysfs_number(const char *path, int64_t *out);
/* Open for repeated reads with jl_sysfs_reread; JL_ERR_IO with the path and errno's words. */
int jl_sysfs_open(const char *path, int *fd, jl_error *err);
/* The number in an open file, read from its start. JL_ERR_MISSING when the device is gone. */
int jl_sysfs_reread(int fd, const char *name, int64_t *out, jl_error *err);
/* Names in a folder, sorted with numbers by value; NULL-terminated, one free() for all; NULL when
 * the folder cannot be read. */
char **jl_sysfs_list(const char *path);

#endif
