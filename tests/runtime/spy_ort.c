/* An ONNX Runtime that says it has every provider, for tests without a GPU. All it does is the
 * real library's ($SPY_ORT_REAL), but for provider options: they are noted, and the provider is
 * then left out. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/ort_abi.h"

#define EXPORT __attribute__((visibility("default")))

static ort_api table;
static char noted[2048], options_text[1024];

const char *spy_ort_noted(void);
EXPORT const char *spy_ort_noted(void)
{
    return noted;
}

static void note(const char *provider, const char *const *keys, const char *const *values, size_t n)
{
    size_t at = strlen(noted);
    at += (size_t)snprintf(noted + at, sizeof noted - at, "%s:", provider);
    for (size_t i = 0; i < n && at < sizeof noted; i++)
        at += (size_t)snprintf(noted + at, sizeof noted - at, " %s=%s", keys[i], values[i]);
    if (at < sizeof noted) snprintf(noted + at, sizeof noted - at, "; ");
}

static OrtStatus *providers(char ***names, int *count)
{
    static char *all[] = {"TensorrtExecutionProvider", "CUDAExecutionProvider",
                          "OpenVINOExecutionProvider", "CPUExecutionProvider"};
    *names = all;
    *count = 4;
    return NULL;
}
static OrtStatus *release_providers(char **names, int count)
{
    (void)names, (void)count;
    return NULL;
}
static OrtStatus *create_cuda(OrtCUDAProviderOptionsV2 **options)
{
    *options = (OrtCUDAProviderOptionsV2 *)noted;
    return NULL;
}
static OrtStatus *update_cuda(OrtCUDAProviderOptionsV2 *options, const char *const *keys,
                              const char *const *values, size_t n)
{
    (void)options;
    note("cuda", keys, values, n);
    size_t at = 0; /* as the library prints them */
    for (size_t i = 0; i < n && at < sizeof options_text; i++)
        at += (size_t)snprintf(options_text + at, sizeof options_text - at, "%s%s=%s", i ? ";" : "",
                               keys[i], values[i]);
    return NULL;
}
static OrtStatus *cuda_text(const OrtCUDAProviderOptionsV2 *options, OrtAllocator *allocator,
                            char **text)
{
    (void)options, (void)allocator;
    *text = options_text;
    return NULL;
}
static OrtStatus *free_nothing(OrtAllocator *allocator, void *p)
{
    (void)allocator, (void)p;
    return NULL;
}
static void release_cuda(OrtCUDAProviderOptionsV2 *options)
{
    (void)options;
}
static OrtStatus *append_cuda(OrtSessionOptions *o, const OrtCUDAProviderOptionsV2 *options)
{
    (void)o, (void)options;
    return NULL;
}
static OrtStatus *create_tensorrt(OrtTensorRTProviderOptionsV2 **options)
{
    *options = (OrtTensorRTProviderOptionsV2 *)noted;
    return NULL;
}
static OrtStatus *update_tensorrt(OrtTensorRTProviderOptionsV2 *options, const char *const *keys,
                                  const char *const *values, size_t n)
{
    (void)options;
    note("tensorrt", keys, values, n);
    return NULL;
}
static void release_tensorrt(OrtTensorRTProviderOptionsV2 *options)
{
    (void)options;
}
static OrtStatus *append_tensorrt(OrtSessionOptions *o, const OrtTensorRTProviderOptionsV2 *options)
{
    (void)o, (void)options;
    return NULL;
}
static OrtStatus *append(OrtSessionOptions *o, const char *name, const char *const *keys,
                         const char *const *values, size_t n)
{
    (void)o;
    note(name, keys, values, n);
    return NULL;
}

static const ort_api_base *real(void)
{
    static const ort_api_base *base;
    const ort_api_base *(*entry)(void) = NULL;
    if (base) return base;
    void *library = dlopen(getenv("SPY_ORT_REAL"), RTLD_NOW | RTLD_LOCAL);
    if (library) *(void **)&entry = dlsym(library, "OrtGetApiBase");
    if (!entry) abort();
    return base = entry();
}

static const ort_api *get_api(uint32_t version)
{
    const ort_api *api = real()->GetApi(version);
    if (!api) return NULL;
    table = *api;
    table.GetAvailableProviders = providers;
    table.ReleaseAvailableProviders = release_providers;
    table.CreateCUDAProviderOptions = create_cuda;
    table.UpdateCUDAProviderOptions = update_cuda;
    table.GetCUDAProviderOptionsAsString = cuda_text;
    table.AllocatorFree = free_nothing;
    table.ReleaseCUDAProviderOptions = release_cuda;
    table.SessionOptionsAppendExecutionProvider_CUDA_V2 = append_cuda;
    table.CreateTensorRTProviderOptions = create_tensorrt;
    table.UpdateTensorRTProviderOptions = update_tensorrt;
    table.ReleaseTensorRTProviderOptions = release_tensorrt;
    table.SessionOptionsAppendExecutionProvider_TensorRT_V2 = append_tensorrt;
    table.SessionOptionsAppendExecutionProvider = append;
    return &table;
}

static const char *version(void)
{
    const char *other = getenv("SPY_ORT_VERSION"); /* another release at the same place */
    return other ? other : real()->GetVersionString();
}

const ort_api_base *OrtGetApiBase(void);
EXPORT const ort_api_base *OrtGetApiBase(void)
{
    static const ort_api_base base = {get_api, version};
    return &base;
}
