#include "jouleline/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int jl_fail(jl_error *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        err->code = code;
        vsnprintf(err->msg, sizeof err->msg, format, args);
        va_end(args);
    }
    return code;
}

int jl_fail_errno(jl_error *err, int code, const char *format, ...)
{
    int saved = errno;
    if (err) {
        va_list args;
        va_start(args, format);
        err->code = code;
        int n = vsnprintf(err->msg, sizeof err->msg, format, args);
        va_end(args);
        if (n >= 0 && (size_t)n < sizeof err->msg) {
            char words[128];
            snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s",
                     strerror_r(saved, words, sizeof words));
        }
    }
    return code;
}

int jl_prefix(jl_error *err, const char *format, ...)
{
    if (!err) return JL_ERR;
    char head[sizeof err->msg];
    char tail[sizeof err->msg];
    va_list args;
    va_start(args, format);
    vsnprintf(head, sizeof head, format, args);
    va_end(args);
    memcpy(tail, err->msg, sizeof tail);
    size_t used = strlen(head);
    snprintf(err->msg, sizeof err->msg, "%s", head);
    snprintf(err->msg + used, sizeof err->msg - used, ": %s", tail);
    return err->code;
}
