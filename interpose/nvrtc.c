/* A libnvrtc that remembers what was compiled. cuDNN compiles some kernels of each process by
 * NVRTC, in 150 to 200 ms each; they come out the same every time. Opened before the real library,
 * this one is found by its soname; it hands every call on, except that a program that was compiled
 * before, by this NVRTC from the same source with the same options, is taken from a folder.
 *
 *     int jouleline_nvrtc_cache(const char *real, const char *folder);
 *
 * opens the real library and starts. Before that every function fails. Compilations that read or
 * write files of their own (include folders, precompiled headers, traces) are never remembered. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "record.h"

#define EXPORT __attribute__((visibility("default")))
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

enum {
    OK = 0,
    MEMORY = 1,
    INVALID_INPUT = 3,
    NAMES_CLOSED = 8,
    NO_NAMES_YET = 9,
    NO_SUCH_NAME = 10,
    BROKEN = 11
};

typedef struct program {
    struct program *next;
    void *real; /* NULL until the real library is needed */
    char *source, *name, **headers, **includes, **expressions;
    int header_count, expression_count;
    bool plain;           /* nothing but source, names and options decides what comes out */
    bool compiled, added; /* added: the real one has the name expressions */
    nvrtc_head *kept;     /* what was remembered, or NULL: ask the real one */
} program;

static struct {
    int (*create)(void **, const char *, const char *, int, const char *const *,
                  const char *const *);
    int (*destroy)(void **);
    int (*compile)(void *, int, const char *const *);
    int (*add)(void *, const char *);
    int (*lowered)(void *, const char *, const char **);
    int (*version)(int *, int *);
    int (*size[NVRTC_IMAGES])(void *, size_t *);
    int (*get[NVRTC_IMAGES])(void *, char *);
} real;
static void *library;
static char folder[4000];
static uint64_t library_key[3];
static program *programs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const kinds[NVRTC_IMAGES] = {"CUBIN", "PTX", "LTOIR", "OptiXIR", "ProgramLog"};

static bool find(void *to, const char *name)
{
    *(void **)to = dlsym(library, name);
    return *(void **)to != NULL;
}

EXPORT int jouleline_nvrtc_cache(const char *path, const char *cache)
{
    struct stat st;
    int version[2] = {0};
    if (library) return OK;
    int n = snprintf(folder, sizeof folder, "%s", cache);
    if (n < 0 || n >= (int)sizeof folder || stat(path, &st) != 0) return INVALID_INPUT;
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return INVALID_INPUT;
    bool found =
        find(&real.create, "nvrtcCreateProgram") && find(&real.destroy, "nvrtcDestroyProgram") &&
        find(&real.compile, "nvrtcCompileProgram") && find(&real.add, "nvrtcAddNameExpression") &&
        find(&real.lowered, "nvrtcGetLoweredName") && find(&real.version, "nvrtcVersion");
    for (int i = 0; i < NVRTC_IMAGES; i++) { /* an older library lacks a kind or two */
        char words[64];
        snprintf(words, sizeof words, "nvrtcGet%s", kinds[i]);
        find(&real.get[i], words);
        snprintf(words, sizeof words, "nvrtcGet%sSize", kinds[i]);
        find(&real.size[i], words);
    }
    if (found && real.version(&version[0], &version[1]) == OK) {
        library_key[0] = (uint64_t)version[0] << 32 | (uint64_t)version[1];
        library_key[1] = (uint64_t)st.st_size;
        library_key[2] = (uint64_t)st.st_mtime;
        return OK;
    }
    dlclose(library);
    library = NULL;
    return BROKEN;
}

static program *ours(const void *handle)
{
    pthread_mutex_lock(&lock);
    program *p = programs;
    while (p && p != handle)
        p = p->next;
    pthread_mutex_unlock(&lock);
    return p;
}

static void free_texts(char **texts, int count)
{
    for (int i = 0; texts && i < count; i++)
        free(texts[i]);
    free(texts);
}

static char **copy_texts(const char *const *from, int count)
{
    char **to = calloc((size_t)count + 1, sizeof *to);
    for (int i = 0; to && i < count; i++)
        if (!(to[i] = strdup(from[i]))) {
            free_texts(to, i);
            return NULL;
        }
    return to;
}

static void free_program(program *p)
{
    if (p->real) real.destroy(&p->real);
    free_texts(p->headers, p->header_count);
    free_texts(p->includes, p->header_count);
    free_texts(p->expressions, p->expression_count);
    free(p->source);
    free(p->name);
    free(p->kept);
    free(p);
}

EXPORT int nvrtcCreateProgram(void **handle, const char *source, const char *name, int header_count,
                              const char *const *headers, const char *const *includes)
{
    if (!library) return BROKEN;
    if (!handle || !source || header_count < 0 || (header_count && (!headers || !includes)))
        return real.create(handle, source, name, header_count, headers, includes);
    program *p = calloc(1, sizeof *p);
    if (!p) return MEMORY;
    p->plain = true;
    p->header_count = header_count;
    p->source = strdup(source);
    p->name = name ? strdup(name) : NULL;
    p->headers = copy_texts(headers, header_count);
    p->includes = copy_texts(includes, header_count);
    p->expressions = calloc(1, sizeof *p->expressions);
    if (!p->source || !p->headers || !p->includes || !p->expressions || (name && !p->name)) {
        free_program(p);
        return MEMORY;
    }
    pthread_mutex_lock(&lock);
    p->next = programs;
    programs = p;
    pthread_mutex_unlock(&lock);
    *handle = p;
    return OK;
}

EXPORT int nvrtcDestroyProgram(void **handle)
{
    if (!library) return BROKEN;
    program *p = handle ? ours(*handle) : NULL;
    if (!p) return real.destroy(handle);
    pthread_mutex_lock(&lock);
    program **at = &programs;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    pthread_mutex_unlock(&lock);
    free_program(p);
    *handle = NULL;
    return OK;
}

/* The real program, made when it is first needed. */
static int make_real(program *p)
{
    int rc = p->real
                 ? OK
                 : real.create(&p->real, p->source, p->name, p->header_count,
                               (const char *const *)p->headers, (const char *const *)p->includes);
    if (p->added) return rc;
    for (int i = 0; !rc && i < p->expression_count; i++)
        rc = real.add(p->real, p->expressions[i]);
    p->added = true;
    return rc;
}

EXPORT int nvrtcAddNameExpression(void *handle, const char *expression)
{
    if (!library) return BROKEN;
    program *p = ours(handle);
    if (!p) return real.add(handle, expression);
    if (!expression) return INVALID_INPUT;
    if (p->compiled) return NAMES_CLOSED;
    char **more = realloc(p->expressions, ((size_t)p->expression_count + 1) * sizeof *more);
    if (!more) return MEMORY;
    p->expressions = more;
    more[p->expression_count] = strdup(expression);
    if (!more[p->expression_count]) return MEMORY;
    p->expression_count++;
    return p->added ? real.add(p->real, expression) : OK;
}

/* False for options by which a compilation reads or writes what is not in the key. */
static bool option_is_plain(const char *option)
{
    static const char *const others[] = {
        "I",
        "include",
        "pre-include",
        "pch",
        "create-pch",
        "use-pch",
        "time",
        "fdevice-time",
        "optf",
        "options-file",
        "native",
        "arch=native",
        "gpu-architecture=native",
    };
    while (*option == '-')
        option++;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strncmp(option, others[i], strlen(others[i]))) return false;
    return true;
}

static void hash_text(XXH3_state_t *hash, const char *text)
{
    uint64_t n = text ? strlen(text) : UINT64_MAX;
    XXH3_128bits_update(hash, &n, sizeof n);
    if (text) XXH3_128bits_update(hash, text, (size_t)n);
}

/* The file of this compilation; false when it must not be remembered. */
static bool path_of(const program *p, int count, const char *const *options, char *path,
                    size_t size)
{
    if (!p->plain || (count && !options)) return false;
    XXH3_state_t hash;
    XXH3_128bits_reset(&hash);
    XXH3_128bits_update(&hash, library_key, sizeof library_key);
    hash_text(&hash, p->name);
    hash_text(&hash, p->source);
    for (int i = 0; i < p->header_count; i++) {
        hash_text(&hash, p->includes[i]);
        hash_text(&hash, p->headers[i]);
    }
    hash_text(&hash, NULL);
    for (int i = 0; i < p->expression_count; i++)
        hash_text(&hash, p->expressions[i]);
    hash_text(&hash, NULL);
    for (int i = 0; i < count; i++) {
        if (!options[i] || !option_is_plain(options[i])) return false;
        hash_text(&hash, options[i]);
    }
    XXH128_hash_t digest = XXH3_128bits_digest(&hash);
    int n = snprintf(path, size, "%s/%016llx%016llx", folder, (unsigned long long)digest.high64,
                     (unsigned long long)digest.low64);
    return n > 0 && (size_t)n < size;
}

/* Everything that can be asked about a compiled program, as one block. */
static void remember(const program *p, const char *path)
{
    nvrtc_head head = {.names = (uint64_t)p->expression_count};
    const char *names[64];
    uint64_t size = sizeof head;
    if (p->expression_count > 64) return;
    for (int i = 0; i < NVRTC_IMAGES; i++) {
        size_t n = 0;
        head.images[i].result = real.size[i] ? (uint64_t)real.size[i](p->real, &n) : BROKEN;
        head.images[i].size = head.images[i].result ? 0 : n;
        size += head.images[i].size;
    }
    for (int i = 0; i < p->expression_count; i++) {
        if (real.lowered(p->real, p->expressions[i], &names[i]) != OK) return;
        size += strlen(names[i]) + 1;
    }
    char *block = malloc((size_t)size), *at = block + sizeof head;
    if (!block) return;
    memcpy(block, &head, sizeof head);
    int rc = OK;
    for (int i = 0; i < NVRTC_IMAGES && !rc; i++) {
        if (head.images[i].size) rc = real.get[i](p->real, at);
        at += head.images[i].size;
    }
    for (int i = 0; i < p->expression_count && !rc; i++)
        at = stpcpy(at, names[i]) + 1;
    if (!rc) nvrtc_record_write(path, (nvrtc_head *)block, size);
    free(block);
}

EXPORT int nvrtcCompileProgram(void *handle, int count, const char *const *options)
{
    if (!library) return BROKEN;
    program *p = ours(handle);
    if (!p) return real.compile(handle, count, options);
    char path[4096];
    bool cacheable = path_of(p, count, options, path, sizeof path);
    free(p->kept);
    p->kept = cacheable ? nvrtc_record_read(path) : NULL;
    if (p->kept && p->kept->names == (uint64_t)p->expression_count) {
        p->compiled = true;
        return OK;
    }
    free(p->kept);
    p->kept = NULL;
    int rc = make_real(p);
    if (rc) return rc;
    rc = real.compile(p->real, count, options);
    p->compiled = true;
    if (!rc && cacheable) remember(p, path);
    return rc;
}

EXPORT int nvrtcGetLoweredName(void *handle, const char *expression, const char **name)
{
    if (!library) return BROKEN;
    program *p = ours(handle);
    if (!p) return real.lowered(handle, expression, name);
    if (!expression || !name) return INVALID_INPUT;
    if (!p->compiled) return NO_NAMES_YET;
    if (!p->kept) return real.lowered(p->real, expression, name);
    for (int i = 0; i < p->expression_count; i++)
        if (!strcmp(p->expressions[i], expression))
            return (*name = nvrtc_record_name(p->kept, (uint64_t)i)) ? OK : NO_SUCH_NAME;
    return NO_SUCH_NAME;
}

static int size_of(int i, void *handle, size_t *size)
{
    if (!library || !real.size[i]) return BROKEN;
    program *p = ours(handle);
    if (!p) return real.size[i](handle, size);
    if (!p->kept) {
        int rc = make_real(p);
        return rc ? rc : real.size[i](p->real, size);
    }
    if (!size) return INVALID_INPUT;
    *size = (size_t)p->kept->images[i].size;
    return (int)p->kept->images[i].result;
}

static int get(int i, void *handle, char *to)
{
    if (!library || !real.get[i]) return BROKEN;
    program *p = ours(handle);
    if (!p) return real.get[i](handle, to);
    if (!p->kept) {
        int rc = make_real(p);
        return rc ? rc : real.get[i](p->real, to);
    }
    if (!to) return INVALID_INPUT;
    if (!p->kept->images[i].result)
        memcpy(to, nvrtc_record_image(p->kept, i), (size_t)p->kept->images[i].size);
    return (int)p->kept->images[i].result;
}

#define IMAGE(i, kind)                                                                             \
    EXPORT int nvrtcGet##kind##Size(void *handle, size_t *size)                                    \
    {                                                                                              \
        return size_of(i, handle, size);                                                           \
    }                                                                                              \
    EXPORT int nvrtcGet##kind(void *handle, char *to)                                              \
    {                                                                                              \
        return get(i, handle, to);                                                                 \
    }
IMAGE(0, CUBIN)
IMAGE(1, PTX)
IMAGE(2, LTOIR)
IMAGE(3, OptiXIR)
IMAGE(4, ProgramLog)

/* The rest is handed on. */
#define FORWARD(name, type, failed, params, args)                                                  \
    EXPORT type name params                                                                        \
    {                                                                                              \
        type(*f) params = NULL;                                                                    \
        return library && find(&f, #name) ? f args : (type)failed;                                 \
    }
FORWARD(nvrtcGetErrorString, const char *, "the cache of kernels has no NVRTC", (int result),
        (result))
FORWARD(nvrtcVersion, int, BROKEN, (int *major, int *minor), (major, minor))
FORWARD(nvrtcGetNumSupportedArchs, int, BROKEN, (int *count), (count))
FORWARD(nvrtcGetSupportedArchs, int, BROKEN, (int *archs), (archs))
FORWARD(nvrtcGetPCHHeapSize, int, BROKEN, (size_t * size), (size))
FORWARD(nvrtcSetPCHHeapSize, int, BROKEN, (size_t size), (size))
FORWARD(__nvrtcCPEx, long, BROKEN,
        (long a, long b, long c, long d, long e, long f6, long g, long h),
        (a, b, c, d, e, f6, g, h))

/* Those that take a program need the real one, whose compilation is then no longer ours. */
static void *real_of(void *handle)
{
    program *p = ours(handle);
    if (!p) return handle;
    p->plain = false;
    return make_real(p) ? NULL : p->real;
}
#define FORWARD_PROGRAM(name, params, ...)                                                         \
    EXPORT int name params                                                                         \
    {                                                                                              \
        int(*f) params = NULL;                                                                     \
        return library && find(&f, #name) ? f(real_of(handle), ##__VA_ARGS__) : BROKEN;            \
    }
FORWARD_PROGRAM(nvrtcGetPCHCreateStatus, (void *handle))
FORWARD_PROGRAM(nvrtcGetPCHHeapSizeRequired, (void *handle, size_t *size), size)
FORWARD_PROGRAM(nvrtcSetFlowCallback, (void *handle, int (*call)(void *, void *), void *data), call,
                data)
