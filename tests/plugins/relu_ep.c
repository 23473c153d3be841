/* An execution provider library for ONNX Runtime 1.23 and newer, as makers of accelerators ship
 * them: it takes every Relu of FP32 and leaves all else to other providers. The tables are those of
 * the public C interface (onnxruntime_ep_c_api.h): they only ever grow at their ends. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
enum { INTERFACE = 23 };

typedef void (*slot)(void);
typedef struct status status; /* NULL: fine */
typedef struct api_base {
    const slot *(*get_api)(uint32_t version);
    const char *(*version)(void);
} api_base;

static const slot *api, *ep_api;

/* Slots of OrtApi and OrtEpApi, each with the type of its function. */
#define GET_DATA(v, p)        ((status * (*)(void *, void **)) api[51])(v, p)
#define DIMENSION_COUNT(i, n) ((status * (*)(const void *, size_t *)) api[61])(i, n)
#define DIMENSIONS(i, d, n)   ((status * (*)(const void *, int64_t *, size_t)) api[62])(i, d, n)
#define ELEMENTS(i, n)        ((status * (*)(const void *, size_t *)) api[64])(i, n)
#define GET_SHAPE(v, i)       ((status * (*)(const void *, void **)) api[65])(v, i)
#define GET_INPUT(c, k, v)    ((status * (*)(const void *, size_t, const void **)) api[90])(c, k, v)
#define RELEASE_SHAPE(i)      ((void (*)(void *))api[99])(i)
#define DEVICE_TYPE(d)        ((int (*)(const void *))api[307])(d)
#define NODE_COUNT(g, n)      ((status * (*)(const void *, size_t *)) api[344])(g, n)
#define NODES(g, p, n)        ((status * (*)(const void *, const void **, size_t)) api[345])(g, p, n)
#define OPERATOR(n, t)        ((status * (*)(const void *, const char **)) api[350])(n, t)
#define MAKE_DEVICE(f, d, e)                                                                       \
    ((status * (*)(void *, const void *, const void *, const void *, void **))                     \
         ep_api[0])(f, d, NULL, NULL, e)
#define TAKE(g, n)                                                                                 \
    ((status * (*)(void *, const void *const *, size_t, const void *)) ep_api[2])(g, n, 1, NULL)

static status *get_output(void *context, const int64_t *dims, size_t rank, void **value)
{
    typedef status *function(void *, size_t, const int64_t *, size_t, void **);
    return ((function *)api[91])(context, 0, dims, rank, value);
}

/* --- one Relu --- */

typedef struct compute_info {
    uint32_t version;
    status *(*create_state)(struct compute_info *, void *, void **);
    status *(*compute)(struct compute_info *, void *, void *);
    void (*release_state)(struct compute_info *, void *);
} compute_info;

static status *create_state(compute_info *c, void *context, void **state)
{
    (void)context;
    *state = c;
    return NULL;
}
static void release_state(compute_info *c, void *state)
{
    (void)c, (void)state;
}

static status *relu(compute_info *c, void *state, void *context)
{
    (void)c, (void)state;
    const void *in;
    void *shape, *out, *from, *to;
    int64_t dims[8];
    size_t rank, n;
    status *s = GET_INPUT(context, 0, &in);
    if (!s) s = GET_SHAPE(in, &shape);
    if (s) return s;
    s = DIMENSION_COUNT(shape, &rank);
    if (!s && rank <= 8) s = DIMENSIONS(shape, dims, rank);
    if (!s) s = ELEMENTS(shape, &n);
    RELEASE_SHAPE(shape);
    if (!s) s = get_output(context, dims, rank, &out);
    if (!s) s = GET_DATA((void *)(uintptr_t)in, &from);
    if (!s) s = GET_DATA(out, &to);
    for (size_t i = 0; !s && i < n; i++)
        ((float *)to)[i] = ((float *)from)[i] > 0 ? ((float *)from)[i] : 0;
    return s;
}

/* --- the provider --- */

typedef struct provider {
    uint32_t version;
    const char *(*name)(const struct provider *);
    status *(*capability)(struct provider *, const void *graph, void *taken);
    status *(*compile)(struct provider *, const void **graphs, const void **fused, size_t count,
                       compute_info **infos, void **contexts);
    void (*release_infos)(struct provider *, compute_info **, size_t);
    slot optional[16]; /* layouts, options, starts and ends of runs, allocators, streams */
} provider;

static const char *provider_name(const provider *p)
{
    (void)p;
    return "ReluProvider";
}

static status *capability(provider *p, const void *graph, void *taken)
{
    (void)p;
    size_t n = 0;
    status *s = NODE_COUNT(graph, &n);
    const void **nodes = calloc(n + 1, sizeof *nodes);
    if (!s && nodes) s = NODES(graph, nodes, n);
    for (size_t i = 0; !s && nodes && i < n; i++) {
        const char *type;
        s = OPERATOR(nodes[i], &type);
        if (!s && !strcmp(type, "Relu")) s = TAKE(taken, &nodes[i]);
    }
    free(nodes);
    return s;
}

static status *compile(provider *p, const void **graphs, const void **fused, size_t count,
                       compute_info **infos, void **contexts)
{
    (void)p, (void)graphs, (void)fused, (void)contexts;
    static compute_info one = {INTERFACE, create_state, relu, release_state};
    for (size_t i = 0; i < count; i++)
        infos[i] = &one;
    return NULL;
}
static void release_infos(provider *p, compute_info **infos, size_t count)
{
    (void)p, (void)infos, (void)count;
}

/* --- its factory --- */

typedef struct factory {
    uint32_t version;
    const char *(*name)(const struct factory *);
    const char *(*vendor)(const struct factory *);
    status *(*devices)(struct factory *, const void *const *, size_t, void **, size_t, size_t *);
    status *(*create)(struct factory *, const void *const *, const void *const *, size_t,
                      const void *options, const void *logger, provider **);
    void (*release)(struct factory *, provider *);
    uint32_t (*vendor_id)(const struct factory *);
    const char *(*library_version)(const struct factory *);
    slot validate;
    status *(*create_allocator)(struct factory *, const void *, const void *, void **);
    void (*release_allocator)(struct factory *, void *);
    status *(*data_transfer)(struct factory *, void **);
    bool (*stream_aware)(const struct factory *);
    slot optional[8];
} factory;

static const char *factory_name(const factory *f)
{
    (void)f;
    return "ReluProvider";
}
static const char *version_text(const factory *f)
{
    (void)f;
    return "1.0.0";
}
static uint32_t vendor_id(const factory *f)
{
    (void)f;
    return 0;
}

static status *find_devices(factory *f, const void *const *hardware, size_t count, void **devices,
                            size_t most, size_t *found)
{
    *found = 0;
    for (size_t i = 0; i < count && *found < most; i++)
        if (DEVICE_TYPE(hardware[i]) == 0) { /* a processor */
            status *s = MAKE_DEVICE(f, hardware[i], &devices[*found]);
            if (s) return s;
            ++*found;
        }
    return NULL;
}

static status *create(factory *f, const void *const *hardware, const void *const *metadata,
                      size_t count, const void *options, const void *logger, provider **made)
{
    (void)f, (void)hardware, (void)metadata, (void)count, (void)options, (void)logger;
    static provider only = {.version = INTERFACE,
                            .name = provider_name,
                            .capability = capability,
                            .compile = compile,
                            .release_infos = release_infos};
    *made = &only;
    return NULL;
}
static void release(factory *f, provider *p)
{
    (void)f, (void)p;
}
static status *create_allocator(factory *f, const void *where, const void *options, void **made)
{
    (void)f, (void)where, (void)options;
    *made = NULL; /* the processor's own */
    return NULL;
}
static void release_allocator(factory *f, void *allocator)
{
    (void)f, (void)allocator;
}
static status *data_transfer(factory *f, void **made)
{
    (void)f;
    *made = NULL;
    return NULL;
}
static bool stream_aware(const factory *f)
{
    (void)f;
    return false;
}

status *CreateEpFactories(const char *name, const api_base *base, const void *logger,
                          factory **factories, size_t most, size_t *count);
EXPORT status *CreateEpFactories(const char *name, const api_base *base, const void *logger,
                                 factory **factories, size_t most, size_t *count)
{
    (void)name, (void)logger, (void)most;
    static factory only = {.version = INTERFACE,
                           .name = factory_name,
                           .vendor = factory_name,
                           .devices = find_devices,
                           .create = create,
                           .release = release,
                           .vendor_id = vendor_id,
                           .library_version = version_text,
                           .create_allocator = create_allocator,
                           .release_allocator = release_allocator,
                           .data_transfer = data_transfer,
                           .stream_aware = stream_aware};
    api = base->get_api(INTERFACE);
    ep_api = ((const slot *(*)(void))api[317])();
    factories[0] = &only;
    *count = 1;
    return NULL;
}

status *ReleaseEpFactory(factory *f);
EXPORT status *ReleaseEpFactory(factory *f)
{
    (void)f;
    return NULL;
}
