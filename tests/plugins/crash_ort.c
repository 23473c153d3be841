/* A library with ONNX Runtime's name and entry that dies when it is asked for anything; with
 * CRASH_ORT_REAL=LIBRARY it is that library until it has opened $CRASH_ORT_AFTER sessions, and dies
 * when it is asked for the next. */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>

#include "runtime/ort_abi.h"

static ort_api table;
static ort_api_base base;
static OrtStatus *(*create)(const OrtEnv *, const char *, const OrtSessionOptions *, OrtSession **);

static OrtStatus *create_session(const OrtEnv *env, const char *path, const OrtSessionOptions *o,
                                 OrtSession **session)
{
    static long opened;
    if (opened++ == atol(getenv("CRASH_ORT_AFTER"))) raise(SIGSEGV);
    return create(env, path, o, session);
}

static const ort_api *(*get_real_api)(uint32_t version);

static const ort_api *get_api(uint32_t version)
{
    const ort_api *api = get_real_api(version);
    if (!api) return NULL;
    table = *api;
    create = api->CreateSession;
    table.CreateSession = create_session;
    return &table;
}

const ort_api_base *OrtGetApiBase(void);
__attribute__((visibility("default"))) const ort_api_base *OrtGetApiBase(void)
{
    const char *path = getenv("CRASH_ORT_REAL");
    const ort_api_base *(*entry)(void) = NULL;
    if (!path) raise(SIGSEGV);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library) *(void **)&entry = dlsym(library, "OrtGetApiBase");
    if (!entry) abort();
    base = *entry();
    get_real_api = base.GetApi;
    base.GetApi = get_api;
    return &base;
}
