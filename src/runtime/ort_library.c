#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/dl.h"
#include "base/paths.h"
#include "runtime/ort.h"

static int find_path(jl_path *path, const jl_configuration *c, jl_error *err)
{
    const char *chosen = jl_configuration_option(c, "lib");
    if (!chosen)
        return jl_path_library(path, "JOULELINE_ORT", "onnxruntime", "libonnxruntime.so.1", err);
    /* With a slash in it dlopen takes a path, not a name to search for. */
    snprintf(path->s, sizeof path->s, "%s%s", strchr(chosen, '/') ? "" : "./", chosen);
    return 0;
}

int ort_library_open(ort_library *l, const jl_configuration *c, jl_error *err)
{
    jl_path path;
    const ort_api_base *(*base)(void) = NULL;
    const jl_symbol symbols[] = {{"OrtGetApiBase", (void **)&base, true}, {0}};
    void *handle; /* stays open: the library has threads and exit handlers of its own */
    int rc = find_path(&path, c, err);
    /* From 1.29 on its Linux builds report sessions and calls to their maker, from a thread that
     * would run beside the measured one and with an identifier written to disk. The variable is
     * read once, when the library starts; a value of the user's stays. */
    if (!rc && setenv("ORT_DISABLE_TELEMETRY", "1", 0) != 0)
        return jl_fail_errno(err, JL_ERR_MEMORY, "cannot switch ONNX Runtime's telemetry off");
    if (!rc) rc = jl_dl_open(path.s, symbols, &handle, err);
    if (rc) {
        jl_prefix(err, "no ONNX Runtime library (the environment variable JOULELINE_ORT or "
                       "+lib=PATH names one; ./dev fetches one)");
        return rc;
    }
    Dl_info info;
    bool found = dladdr((void *)base, &info) && info.dli_fname;
    snprintf(l->path, sizeof l->path, "%s", found ? info.dli_fname : path.s);
    snprintf(l->version, sizeof l->version, "%s", base()->GetVersionString());
    int major = 0;
    l->minor = 0;
    if (sscanf(l->version, "%d.%d", &major, &l->minor) != 2 || major != 1 ||
        l->minor < ORT_MINOR_NEEDED)
        return jl_fail(err, JL_ERR_MISSING, "%s is ONNX Runtime %s; 1.%d or newer is needed",
                       l->path, l->version, (int)ORT_MINOR_NEEDED);
    /* A newer number than the library knows yields NULL and prints. */
    l->api = base()->GetApi(l->minor < ORT_MINOR_ASSIGNMENT ? (uint32_t)l->minor
                                                            : (uint32_t)ORT_MINOR_ASSIGNMENT);
    if (!l->api)
        return jl_fail(err, JL_ERR_MISSING, "%s (ONNX Runtime %s) offers no C interface that fits",
                       l->path, l->version);
    return 0;
}

int ort_library_providers(const ort_library *l, void (*add)(void *ctx, const char *name), void *ctx,
                          jl_error *err)
{
    char **names;
    int count;
    int rc =
        ort_check(l->api, l->api->GetAvailableProviders(&names, &count), err, "list the providers");
    if (rc) return rc;
    for (int i = 0; i < count; i++)
        add(ctx, names[i]);
    OrtStatus *status = l->api->ReleaseAvailableProviders(names, count);
    if (status) l->api->ReleaseStatus(status);
    return 0;
}

static bool says(const char *message, const char *words)
{
    return strcasestr(message, words) != NULL;
}

static int code_of(int ort_code, const char *message)
{
    if (says(message, "out of memory") || says(message, "CUBLAS_STATUS_ALLOC_FAILED"))
        return JL_ERR_DEVICE_MEMORY;
    if (says(message, "failed to allocate memory") || says(message, "bad_alloc") ||
        says(message, "bad allocation"))
        return JL_ERR_MEMORY;
    if (says(message, "failed to load library")) return JL_ERR_MISSING;
    if (says(message, "unknown provider option")) return JL_ERR_USAGE;
    switch (ort_code) {
    case ORT_NO_SUCHFILE:
    case ORT_NO_MODEL:
    case ORT_INVALID_PROTOBUF:
        return JL_ERR_FORMAT;
    case ORT_INVALID_ARGUMENT:
        return JL_ERR_USAGE;
    default:
        return JL_ERR_UNSUPPORTED;
    }
}

int ort_check(const ort_api *api, OrtStatus *status, jl_error *err, const char *what)
{
    if (!status) return 0;
    const char *message = api->GetErrorMessage(status);
    int code = code_of(api->GetErrorCode(status), message);
    jl_fail(err, code, "ONNX Runtime cannot %s: %s", what, message);
    if (err) jl_one_line(err->msg);
    api->ReleaseStatus(status);
    return code;
}
