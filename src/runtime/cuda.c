#include "runtime/cuda.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dl.h"

/* CUresult and CUdevice_attribute of the driver interface. */
enum {
    CUDA_OUT_OF_MEMORY = 2,
    CUDA_NO_DEVICE = 100,
    ATTRIBUTE_MAJOR = 75,
    ATTRIBUTE_MINOR = 76,
    MAX_DEVICES = 64,
};

/* Fails with the driver's own words unless the result is 0. */
static int check(const jl_cuda *cuda, int result, const char *what, jl_error *err)
{
    if (result == 0) return 0;
    const char *words = NULL;
    cuda->api.error_string(result, &words);
    int code = result == CUDA_OUT_OF_MEMORY ? JL_ERR_DEVICE_MEMORY : JL_ERR;
    return jl_fail(err, code, "CUDA cannot %s: %s (error %d)", what, words ? words : "no reason",
                   result);
}

int jl_cuda_open(jl_cuda *cuda, const char *library, jl_error *err)
{
    *cuda = (jl_cuda){.device = -1};
    jl_cuda_api *a = &cuda->api;
    const jl_symbol symbols[] = {
        {"cuInit", (void **)&a->init, true},
        {"cuDriverGetVersion", (void **)&a->driver_version, true},
        {"cuDeviceGetCount", (void **)&a->device_count, true},
        {"cuDeviceGet", (void **)&a->device_get, true},
        {"cuDeviceGetName", (void **)&a->device_name, true},
        {"cuDeviceGetUuid", (void **)&a->device_uuid, true},
        {"cuDeviceGetPCIBusId", (void **)&a->device_pci, true},
        {"cuDeviceTotalMem_v2", (void **)&a->device_memory, true},
        {"cuDeviceGetAttribute", (void **)&a->device_attribute, true},
        {"cuDevicePrimaryCtxRetain", (void **)&a->retain, true},
        {"cuDevicePrimaryCtxRelease_v2", (void **)&a->release, true},
        {"cuCtxSetCurrent", (void **)&a->set_current, true},
        {"cuMemAlloc_v2", (void **)&a->alloc, true},
        {"cuMemFree_v2", (void **)&a->free, true},
        {"cuMemcpyHtoD_v2", (void **)&a->to_device, true},
        {"cuMemcpyDtoH_v2", (void **)&a->to_host, true},
        {"cuMemGetInfo_v2", (void **)&a->memory, true},
        {"cuGetErrorString", (void **)&a->error_string, true},
        {0},
    };
    int rc = jl_dl_open(library ? library : "libcuda.so.1", symbols, &cuda->handle, err);
    if (rc) {
        jl_prefix(err, "there is no NVIDIA driver here");
        return rc;
    }
    int result = a->init(0);
    if (result == 0) return 0;
    check(cuda, result, "start", err);
    if (err) err->code = JL_ERR_MISSING;
    jl_prefix(err, "%s",
              result == CUDA_NO_DEVICE
                  ? "the NVIDIA driver sees no GPU (CUDA_VISIBLE_DEVICES may hide it)"
                  : "the NVIDIA driver does not start");
    dlclose(cuda->handle);
    *cuda = (jl_cuda){.device = -1};
    return JL_ERR_MISSING;
}

void jl_cuda_close(jl_cuda *cuda)
{
    if (!cuda->handle) return;
    if (cuda->device >= 0) {
        cuda->api.set_current(NULL);
        cuda->api.release(cuda->device);
    }
    /* A driver that has started stays loaded: a runtime that starts it once more after it was
     * unloaded would find what the first start left behind in the process. */
    *cuda = (jl_cuda){.device = -1};
}

static int read_device(const jl_cuda *cuda, int ordinal, jl_cuda_device *d, jl_error *err)
{
    const jl_cuda_api *a = &cuda->api;
    int handle;
    unsigned char id[16];
    size_t memory;
    *d = (jl_cuda_device){.ordinal = ordinal};
    int rc = check(cuda, a->device_get(&handle, ordinal), "open a device", err);
    if (!rc)
        rc = check(cuda, a->device_name(d->name, sizeof d->name, handle), "name a device", err);
    if (!rc) rc = check(cuda, a->device_uuid(id, handle), "tell a device's UUID", err);
    if (!rc) rc = check(cuda, a->device_pci(d->pci, sizeof d->pci, handle), "tell a PCI bus", err);
    if (!rc) rc = check(cuda, a->device_memory(&memory, handle), "tell a device's memory", err);
    if (!rc)
        rc = check(cuda, a->device_attribute(&d->major, ATTRIBUTE_MAJOR, handle),
                   "tell a device's compute capability", err);
    if (!rc)
        rc = check(cuda, a->device_attribute(&d->minor, ATTRIBUTE_MINOR, handle),
                   "tell a device's compute capability", err);
    if (rc) return rc;
    d->memory_bytes = memory;
    int n = snprintf(d->uuid, sizeof d->uuid, "GPU-");
    for (int i = 0; i < 16; i++)
        n += snprintf(d->uuid + n, sizeof d->uuid - (size_t)n, "%s%02x",
                      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
    return 0;
}

static int by_pci(const void *a, const void *b)
{
    return strcmp(((const jl_cuda_device *)a)->pci, ((const jl_cuda_device *)b)->pci);
}

int jl_cuda_devices(const jl_cuda *cuda, jl_cuda_device *devices, size_t capacity, size_t *count,
                    jl_error *err)
{
    jl_cuda_device all[MAX_DEVICES];
    int n;
    *count = 0;
    int rc = check(cuda, cuda->api.device_count(&n), "count devices", err);
    if (rc) return rc;
    if (n > MAX_DEVICES) n = MAX_DEVICES;
    for (int i = 0; i < n; i++) {
        rc = read_device(cuda, i, &all[i], err);
        if (rc) return rc;
    }
    qsort(all, (size_t)n, sizeof *all, by_pci);
    for (int i = 0; i < n && *count < capacity; i++)
        devices[(*count)++] = all[i];
    return 0;
}

int jl_cuda_driver_version(const jl_cuda *cuda, char *text, size_t size, jl_error *err)
{
    int v;
    int rc = check(cuda, cuda->api.driver_version(&v), "tell its version", err);
    if (!rc) snprintf(text, size, "%d.%d", v / 1000, v % 1000 / 10);
    return rc;
}

int jl_cuda_use(jl_cuda *cuda, const jl_cuda_device *device, jl_error *err)
{
    void *context;
    int handle;
    int rc = check(cuda, cuda->api.device_get(&handle, device->ordinal), "open a device", err);
    if (!rc) rc = check(cuda, cuda->api.retain(&context, handle), "make a context", err);
    if (rc) return rc;
    cuda->device = handle;
    rc = check(cuda, cuda->api.set_current(context), "use a context", err);
    size_t free_bytes, total;
    if (!rc) rc = check(cuda, cuda->api.memory(&free_bytes, &total), "tell its memory", err);
    if (!rc) cuda->used_at_open = total - free_bytes;
    return rc;
}

int jl_cuda_alloc(const jl_cuda *cuda, uint64_t *address, size_t size, jl_error *err)
{
    *address = 0;
    /* An empty tensor still needs an address that is not null. */
    return check(cuda, cuda->api.alloc(address, size ? size : 1), "allocate device memory", err);
}

void jl_cuda_free(const jl_cuda *cuda, uint64_t address)
{
    if (address) cuda->api.free(address);
}

int jl_cuda_to_device(const jl_cuda *cuda, uint64_t to, const void *from, size_t n, jl_error *err)
{
    return n ? check(cuda, cuda->api.to_device(to, from, n), "copy to the device", err) : 0;
}

int jl_cuda_to_host(const jl_cuda *cuda, void *to, uint64_t from, size_t n, jl_error *err)
{
    return n ? check(cuda, cuda->api.to_host(to, from, n), "copy from the device", err) : 0;
}

int64_t jl_cuda_taken_bytes(const jl_cuda *cuda)
{
    size_t free_bytes, total;
    if (cuda->device < 0 || cuda->api.memory(&free_bytes, &total)) return -1;
    int64_t taken = (int64_t)(total - free_bytes) - (int64_t)cuda->used_at_open;
    return taken > 0 ? taken : 0;
}
