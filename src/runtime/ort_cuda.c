/* The CUDA and TensorRT providers. */
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/kernel_cache.h"
#include "runtime/ort.h"

/* The wheel's provider library finds CUDA and cuDNN only where the loader looks. Opened first,
 * they are found by name. In the order of their needs; what is missing is left to the provider's
 * own message. The parts of cuDNN and the compiler's tables would be opened by the first call. */
static void preload_from(ort *o, const char *folder)
{
    static const char *const names[] = {
        "libcudart.so.*",
        "libnvJitLink.so.*",
        "libnvrtc.so.*",
        "libnvrtc-builtins.so.*",
        "libcublasLt.so.*",
        "libcublas.so.*",
        "libcurand.so.*",
        "libcufft.so.*",
        "libcudnn.so.*",
        "libcudnn_graph.so.*",
        "libcudnn_ops.so.*",
        "libcudnn_cnn.so.*",
        "libcudnn_adv.so.*",
        "libcudnn_heuristic.so.*",
        "libcudnn_engines_precompiled.so.*",
        "libcudnn_engines_runtime_compiled.so.*",
        "libcudnn_engines_tensor_ir.so.*",
        "libnvinfer.so.*",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char pattern[PATH_MAX];
        glob_t found;
        if (snprintf(pattern, sizeof pattern, "%s/%s", folder, names[i]) >= (int)sizeof pattern)
            continue;
        if (glob(pattern, 0, NULL, &found) == 0) {
            const char *path = found.gl_pathv[0];
            bool kept = strstr(names[i], "libnvrtc.so") && jl_kernel_cache_open(path);
            if (kept) o->kernel_cache = true;
            if (!kept) dlopen(path, RTLD_NOW | RTLD_GLOBAL);
            globfree(&found);
        }
    }
}

/* NVIDIA's wheels lie in site-packages/nvidia/cu13/lib, .../cudnn/lib. True when some are there. */
static bool preload_wheels(ort *o, int length, const char *folder, const char *site_packages)
{
    char pattern[PATH_MAX];
    glob_t found;
    if (snprintf(pattern, sizeof pattern, "%.*s/%s/nvidia/*/lib", length, folder, site_packages) >=
            (int)sizeof pattern ||
        glob(pattern, 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++)
        preload_from(o, found.gl_pathv[i]);
    globfree(&found);
    return true;
}

/* Those of the Python that PATH leads to, as in an activated environment with torch. */
static void preload_from_python(ort *o)
{
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t n = strcspn(path, ":");
        char python[PATH_MAX];
        snprintf(python, sizeof python, "%.*s/python3", (int)n, path);
        if (n > 0 && access(python, X_OK) == 0) {
            preload_wheels(o, (int)n, path, "../lib/python3*/site-packages");
            return;
        }
        path += path[n] ? n + 1 : n;
    }
}

/* The provider itself is not opened here: it needs what ONNX Runtime gives it while it opens it,
 * and that starts a thread, which a parent of workers must not have. */
void ort_preload_cuda(ort *o)
{
    const char *chosen = getenv("JOULELINE_CUDA_LIBS");
    if (chosen && *chosen) {
        char folders[PATH_MAX];
        snprintf(folders, sizeof folders, "%s", chosen);
        char *rest = folders;
        for (char *folder; (folder = strsep(&rest, ":"));)
            if (*folder) preload_from(o, folder);
        return;
    }
    /* site-packages/onnxruntime/capi/libonnxruntime.so */
    const char *slash = strrchr(o->library.path, '/');
    if (slash && preload_wheels(o, (int)(slash - o->library.path), o->library.path, "../.."))
        return;
    preload_from_python(o);
}

int ort_find_gpu(ort *o, jl_error *err)
{
    jl_cuda_device devices[64];
    size_t count;
    int rc = jl_cuda_open(&o->cuda, NULL, err);
    if (!rc) rc = jl_cuda_devices(&o->cuda, devices, 64, &count, err);
    if (rc) return rc;
    if ((size_t)o->configuration.device >= count)
        return jl_fail(err, JL_ERR_MISSING, "there is no GPU %d: %zu here, counted from 0",
                       o->configuration.device, count);
    o->gpu = devices[o->configuration.device];
    o->on_gpu = true;
    return jl_cuda_use(&o->cuda, &o->gpu, err);
}

/* The options that this program sets; what the user says with +provider.KEY wins. */
static int cuda_pairs(ort *o, ort_pairs *p, char *device, size_t size, jl_error *err)
{
    const jl_configuration *c = &o->configuration;
    bool nhwc, workspace;
    snprintf(device, size, "%d", o->gpu.ordinal);
    ort_add_pair(p, "device_id", device);
    const char *search = jl_configuration_option(c, "conv_search");
    if (search) {
        const char *name = !strcmp(search, "heuristic")    ? "HEURISTIC"
                           : !strcmp(search, "exhaustive") ? "EXHAUSTIVE"
                           : !strcmp(search, "default")    ? "DEFAULT"
                                                           : NULL;
        if (!name)
            return jl_fail(err, JL_ERR_USAGE,
                           "+conv_search=%s is none of heuristic, exhaustive and default", search);
        ort_add_pair(p, "cudnn_conv_algo_search", name);
    } else if (o->matched) {
        ort_add_pair(p, "cudnn_conv_algo_search", "HEURISTIC");
    }
    if (o->matched) ort_add_pair(p, "use_tf32", c->precision == JL_PRECISION_TF32 ? "1" : "0");
    int rc = jl_configuration_bool(c, "nhwc", false, &nhwc, err);
    if (!rc) rc = jl_configuration_bool(c, "cuda_graph", false, &o->cuda_graph, err);
    if (!rc) rc = jl_configuration_bool(c, "max_workspace", true, &workspace, err);
    if (rc) return rc;
    if (o->matched || nhwc) ort_add_pair(p, "prefer_nhwc", nhwc ? "1" : "0");
    if (o->matched || !workspace)
        ort_add_pair(p, "cudnn_conv_use_max_workspace", workspace ? "1" : "0");
    if (o->cuda_graph) ort_add_pair(p, "enable_cuda_graph", "1");
    if (!strcmp(c->provider, "cuda")) ort_add_user_pairs(p, c);
    return 0;
}

int ort_append_cuda(ort *o, jl_error *err)
{
    const ort_api *a = o->library.api;
    OrtCUDAProviderOptionsV2 *options = NULL;
    ort_pairs p = {0};
    char device[16], *text;
    int rc = cuda_pairs(o, &p, device, sizeof device, err);
    if (rc) return rc;
    rc = ort_check(a, a->CreateCUDAProviderOptions(&options), err, "use its CUDA provider");
    if (rc) goto missing;
    rc = ort_check(a, a->UpdateCUDAProviderOptions(options, p.keys, p.values, p.count), err,
                   "take the options of its CUDA provider");
    if (!rc)
        rc = ort_check(a, a->GetCUDAProviderOptionsAsString(options, o->allocator, &text), err,
                       "tell the options of its CUDA provider");
    if (!rc) {
        o->provider_options = strdup(text);
        OrtStatus *status = a->AllocatorFree(o->allocator, text);
        if (status) a->ReleaseStatus(status);
    }
    if (rc) {
        a->ReleaseCUDAProviderOptions(options);
        return rc;
    }
    rc = ort_check(a, a->SessionOptionsAppendExecutionProvider_CUDA_V2(o->options, options), err,
                   "use its CUDA provider");
    a->ReleaseCUDAProviderOptions(options);
    if (!rc) return 0;
missing:
    if (err) err->code = JL_ERR_MISSING;
    return JL_ERR_MISSING;
}

int ort_append_tensorrt(ort *o, jl_error *err)
{
    const ort_api *a = o->library.api;
    OrtTensorRTProviderOptionsV2 *options = NULL;
    ort_pairs p = {0};
    char device[16];
    int rc =
        ort_check(a, a->CreateTensorRTProviderOptions(&options), err, "use its TensorRT provider");
    if (rc) goto missing;
    snprintf(device, sizeof device, "%d", o->gpu.ordinal);
    ort_add_pair(&p, "device_id", device);
    if (o->configuration.precision == JL_PRECISION_FP16) ort_add_pair(&p, "trt_fp16_enable", "1");
    if (o->configuration.precision == JL_PRECISION_INT8) ort_add_pair(&p, "trt_int8_enable", "1");
    ort_add_user_pairs(&p, &o->configuration);
    rc = ort_check(a, a->UpdateTensorRTProviderOptions(options, p.keys, p.values, p.count), err,
                   "take the options of its TensorRT provider");
    if (rc) {
        a->ReleaseTensorRTProviderOptions(options);
        return rc;
    }
    rc = ort_check(a, a->SessionOptionsAppendExecutionProvider_TensorRT_V2(o->options, options),
                   err, "use its TensorRT provider");
    a->ReleaseTensorRTProviderOptions(options);
    if (!rc) return 0;
missing:
    if (err) err->code = JL_ERR_MISSING;
    return JL_ERR_MISSING;
}
