#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/dl.h"
#include "base/paths.h"
#include "base/str.h"
#include "runtime/openvino.h"

/* The first file of `folder` that matches, or an empty path. */
static void first_match(jl_path *path, const char *folder, const char *pattern)
{
    jl_path whole;
    glob_t found;
    path->s[0] = '\0';
    if (snprintf(whole.s, sizeof whole.s, "%s/%s", folder, pattern) >= (int)sizeof whole.s) return;
    if (glob(whole.s, 0, NULL, &found) != 0) return;
    snprintf(path->s, sizeof path->s, "%s", found.gl_pathv[0]);
    globfree(&found);
}

/* The wheel has the library with its release in the name only: libopenvino_c.so.2641. */
static int find_path(jl_path *path, const jl_configuration *c, jl_error *err)
{
    const char *chosen = jl_configuration_option(c, "lib");
    if (chosen) {
        snprintf(path->s, sizeof path->s, "%s%s", strchr(chosen, '/') ? "" : "./", chosen);
        return 0;
    }
    jl_path folder;
    struct stat st;
    int rc = jl_path_library(&folder, "JOULELINE_OPENVINO", "openvino", ".", err);
    if (rc) return rc;
    *path = folder;
    bool found = strcmp(folder.s, ".") != 0;
    if (found && stat(folder.s, &st) == 0 && S_ISDIR(st.st_mode))
        first_match(path, folder.s, "libopenvino_c.so*");
    if (!found || !path->s[0]) snprintf(path->s, sizeof path->s, "libopenvino_c.so");
    return 0;
}

/* The wheel's C library does not say that its main library lies beside it. */
static void preload_main_library(const char *path)
{
    const char *slash = strrchr(path, '/');
    jl_path folder, library;
    if (!slash) return;
    snprintf(folder.s, sizeof folder.s, "%.*s", (int)(slash - path), path);
    first_match(&library, folder.s, "libopenvino.so*");
    if (library.s[0]) dlopen(library.s, RTLD_NOW | RTLD_LOCAL);
}

static int resolve(openvino_library *l, const char *path, jl_error *err)
{
    ov_api *a = &l->api;
#define OV(member)                                                                                 \
    {                                                                                              \
        "ov_" #member, (void **)&a->member, true                                                   \
    }
    const jl_symbol symbols[] = {
        OV(get_last_err_msg),
        OV(free),
        OV(get_openvino_version),
        OV(version_free),
        OV(core_create),
        OV(core_free),
        OV(core_read_model),
        OV(core_set_property),
        OV(core_get_property),
        OV(core_compile_model),
        OV(model_free),
        OV(model_inputs_size),
        OV(model_const_input_by_index),
        OV(model_const_input_by_name),
        OV(model_reshape),
        OV(compiled_model_free),
        OV(compiled_model_outputs_size),
        OV(compiled_model_output_by_index),
        OV(compiled_model_get_property),
        OV(compiled_model_create_infer_request),
        OV(port_get_any_name),
        OV(port_get_element_type),
        OV(output_const_port_free),
        OV(partial_shape_create_static),
        OV(partial_shape_free),
        OV(shape_create),
        OV(shape_free),
        OV(tensor_create_from_host_ptr),
        OV(tensor_get_shape),
        OV(tensor_get_element_type),
        OV(tensor_get_byte_size),
        OV(tensor_data),
        OV(tensor_free),
        OV(infer_request_set_tensor),
        OV(infer_request_get_output_tensor_by_index),
        OV(infer_request_infer),
        OV(infer_request_start_async),
        OV(infer_request_wait),
        OV(infer_request_free),
        {0},
    };
#undef OV
    void *handle; /* stays open: the library has threads and exit handlers of its own */
    preload_main_library(path);
    return jl_dl_open(path, symbols, &handle, err);
}

int openvino_library_open(openvino_library *l, const jl_configuration *c, jl_error *err)
{
    jl_path path;
    int rc = find_path(&path, c, err);
    if (!rc) rc = resolve(l, path.s, err);
    if (rc) {
        jl_prefix(err, "no OpenVINO library (the environment variable JOULELINE_OPENVINO or "
                       "+lib=PATH names libopenvino_c.so; ./dev fetches one)");
        return rc;
    }
    Dl_info info;
    bool found = dladdr((void *)l->api.core_create, &info) && info.dli_fname;
    snprintf(l->path, sizeof l->path, "%s", found ? info.dli_fname : path.s);
    ov_version v;
    rc = openvino_check(l, l->api.get_openvino_version(&v), err, "tell its version");
    if (rc) return rc;
    snprintf(l->version, sizeof l->version, "%s", v.build_number);
    l->api.version_free(&v);
    return 0;
}

static bool says(const char *message, const char *words)
{
    return strcasestr(message, words) != NULL;
}

int openvino_check(const openvino_library *l, int status, jl_error *err, const char *what)
{
    if (status == 0) return 0;
    const char *theirs = l->api.get_last_err_msg();
    const char *message = theirs ? theirs : "no reason given";
    int code = JL_ERR_UNSUPPORTED;
    if (says(message, "bad_alloc") || says(message, "allocate memory")) code = JL_ERR_MEMORY;
    if (says(message, "unsupported property")) code = JL_ERR_USAGE;
    jl_fail(err, code, "OpenVINO cannot %s: %s", what, message);
    if (err) jl_one_line(err->msg);
    if (theirs) l->api.free(theirs);
    return code;
}
