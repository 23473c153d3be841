/* Execution providers that come as a library of their own. */
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "runtime/ort.h"

enum { MAX_EP_DEVICES = 64 };

typedef struct ep_devices {
    const OrtEpDevice *items[MAX_EP_DEVICES]; /* of the library, or of its provider +ep_name */
    size_t count;
    jl_buf names; /* of all that came with the library */
} ep_devices;

static int list(const ort_library *l, const OrtEnv *env, const OrtEpDevice *const **devices,
                size_t *count, jl_error *err)
{
    return ort_check(l->api, l->api->GetEpDevices(env, devices, count), err,
                     "list provider devices");
}

/* The devices that are there since the library was registered. */
static int take_new(const ort_library *l, const OrtEnv *env, const OrtEpDevice *const *before,
                    size_t before_count, const char *name, ep_devices *to, jl_error *err)
{
    const OrtEpDevice *const *devices;
    size_t count;
    int rc = list(l, env, &devices, &count, err);
    for (size_t i = 0; !rc && i < count; i++) {
        const char *own = l->api->EpDevice_EpName(devices[i]);
        bool known = false;
        for (size_t k = 0; k < before_count; k++)
            known |= before[k] == devices[i];
        if (known) continue;
        jl_buf_printf(&to->names, "%s%s", to->names.n ? ", " : "", own);
        if ((!name || !strcmp(name, own)) && to->count < MAX_EP_DEVICES)
            to->items[to->count++] = devices[i];
    }
    return rc;
}

static int register_library(const ort_library *l, OrtEnv *env, const jl_configuration *c,
                            ep_devices *to, jl_error *err)
{
    const char *path = jl_configuration_option(c, "ep_library"),
               *name = jl_configuration_option(c, "ep_name");
    const OrtEpDevice *const *listed, *before[MAX_EP_DEVICES];
    size_t count;
    *to = (ep_devices){0};
    if (!path)
        return jl_fail(err, JL_ERR_USAGE,
                       "ort-plugin takes any execution provider library, and none is named: "
                       "ort-plugin/fp32+ep_library=FILE.so");
    if (l->minor < ORT_MINOR_EP_LIBRARY)
        return jl_fail(err, JL_ERR_MISSING,
                       "%s is ONNX Runtime %s; provider libraries need 1.%d or newer", l->path,
                       l->version, (int)ORT_MINOR_EP_LIBRARY);
    int rc = list(l, env, &listed, &count, err);
    if (rc) return rc;
    if (count > MAX_EP_DEVICES) count = MAX_EP_DEVICES;
    memcpy(before, listed, count * sizeof *before); /* registering moves the library's own list */
    /* Some libraries name their provider after the registration. */
    OrtStatus *status = l->api->RegisterExecutionProviderLibrary(env, name ? name : "plugin", path);
    if (ort_check(l->api, status, err, "load the provider library")) {
        if (err) err->code = JL_ERR_MISSING;
        return JL_ERR_MISSING;
    }
    return take_new(l, env, before, count, name, to, err);
}

int ort_append_library(ort *o, jl_error *err)
{
    const ort_api *a = o->library.api;
    const jl_configuration *c = &o->configuration;
    const char *name = jl_configuration_option(c, "ep_name");
    ep_devices found;
    int rc = register_library(&o->library, o->env, c, &found, err);
    if (!rc && (size_t)c->device >= found.count)
        rc = jl_fail(err, JL_ERR_MISSING,
                     "the provider library has no device %d%s%s here; its devices: %s", c->device,
                     name ? " of " : "", name ? name : "", found.names.n ? found.names.p : "none");
    jl_buf_free(&found.names);
    if (rc) return rc;
    ort_pairs p = {0};
    ort_add_user_pairs(&p, c);
    return ort_check(a,
                     a->SessionOptionsAppendExecutionProvider_V2(
                         o->options, o->env, &found.items[c->device], 1, p.keys, p.values, p.count),
                     err, "use the provider library");
}

int ort_probe_library(const ort_library *l, const jl_configuration *c, jl_device *devices,
                      size_t capacity, size_t *count, jl_error *err)
{
    OrtEnv *env;
    ep_devices found;
    int rc = ort_check(l->api, l->api->CreateEnv(ORT_LOG_ERROR, "jouleline", &env), err, "start");
    if (rc) return rc;
    rc = register_library(l, env, c, &found, err);
    for (size_t i = 0; !rc && i < found.count && *count < capacity; i++) {
        jl_device *d = &devices[(*count)++];
        *d = (jl_device){.index = (int)i};
        snprintf(d->provider, sizeof d->provider, "%s", c->provider);
        if (l->api->HardwareDevice_Type(l->api->EpDevice_Device(found.items[i])) ==
            ORT_HARDWARE_CPU)
            jl_cpu_name(d->name, sizeof d->name);
        else
            snprintf(d->name, sizeof d->name, "%s", l->api->EpDevice_EpName(found.items[i]));
    }
    jl_buf_free(&found.names);
    l->api->ReleaseEnv(env);
    return rc;
}
