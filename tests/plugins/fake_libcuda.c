/* A libcuda of three devices in host memory, numbered against PCI order, for the tests. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

static const char *const buses[] = {"0000:c1:00.0", "0000:41:00.0", "0000:81:00.0"};
enum { DEVICES = 3, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, TOTAL = 1 << 30 };
static size_t used = 1 << 20;
static int current = -1, retained;

EXPORT int cuInit(unsigned flags)
{
    (void)flags;
    const char *fail = getenv("FAKE_CUDA_INIT");
    return fail ? atoi(fail) : 0;
}
EXPORT int cuDriverGetVersion(int *v)
{
    *v = 13010;
    return 0;
}
EXPORT int cuDeviceGetCount(int *n)
{
    *n = DEVICES;
    return 0;
}
EXPORT int cuDeviceGet(int *device, int ordinal)
{
    *device = ordinal;
    return ordinal < DEVICES ? 0 : INVALID_DEVICE;
}
EXPORT int cuDeviceGetName(char *name, int n, int device)
{
    snprintf(name, (size_t)n, "Fake GPU %d", device);
    return 0;
}
EXPORT int cuDeviceGetUuid(unsigned char *uuid, int device)
{
    for (int i = 0; i < 16; i++)
        uuid[i] = (unsigned char)(16 * device + i);
    return 0;
}
EXPORT int cuDeviceGetPCIBusId(char *bus, int n, int device)
{
    snprintf(bus, (size_t)n, "%s", buses[device]);
    return 0;
}
EXPORT int cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    *bytes = (size_t)TOTAL * (size_t)(device + 1);
    return 0;
}
EXPORT int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    *value = attribute == 75 ? 7 + device : 5; /* compute capability 7.5, 8.5, 9.5 */
    return attribute == 75 || attribute == 76 ? 0 : 1;
}
EXPORT int cuDevicePrimaryCtxRetain(void **context, int device)
{
    retained++;
    *context = (void *)(uintptr_t)(device + 1);
    return 0;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int device)
{
    (void)device;
    retained--;
    return 0;
}
EXPORT int cuCtxSetCurrent(void *context)
{
    current = (int)(uintptr_t)context - 1;
    return 0;
}
EXPORT int cuMemAlloc_v2(uint64_t *address, size_t n)
{
    if (n > TOTAL - used) return OUT_OF_MEMORY;
    used += n;
    *address = (uint64_t)(uintptr_t)malloc(n);
    return 0;
}
EXPORT int cuMemFree_v2(uint64_t address)
{
    free((void *)(uintptr_t)address);
    return 0;
}
EXPORT int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t n)
{
    memcpy((void *)(uintptr_t)to, from, n);
    return 0;
}
EXPORT int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t n)
{
    memcpy(to, (const void *)(uintptr_t)from, n);
    return 0;
}
EXPORT int cuMemGetInfo_v2(size_t *free_bytes, size_t *total)
{
    *total = TOTAL;
    *free_bytes = TOTAL - used;
    return current < 0;
}
EXPORT int cuGetErrorString(int result, const char **words)
{
    *words = result == OUT_OF_MEMORY ? "out of memory"
             : result == 100         ? "no CUDA-capable device is detected"
                                     : "fake failure";
    return 0;
}
EXPORT int fake_cuda_retained(void)
{
    return retained;
}
