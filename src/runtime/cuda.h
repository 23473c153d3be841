/* NVIDIA's driver interface, libcuda.so.1, by dlopen: devices, a primary context, memory, copies.
 * Devices are numbered in PCI bus order among those that CUDA_VISIBLE_DEVICES leaves. Nothing
 * here may be called in a process that forks afterwards and goes on using CUDA in the child. */
#ifndef JL_RUNTIME_CUDA_H
#define JL_RUNTIME_CUDA_H

#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"

typedef struct jl_cuda_device {
    int ordinal; /* what the CUDA runtime calls this device */
    char name[96];
    char uuid[64]; /* "GPU-xxxxxxxx-xxxx-...", as NVML writes it */
    char pci[32];
    int major, minor; /* compute capability */
    uint64_t memory_bytes;
} jl_cuda_device;

typedef struct jl_cuda_api {
    int (*init)(unsigned);
    int (*driver_version)(int *);
    int (*device_count)(int *);
    int (*device_get)(int *, int);
    int (*device_name)(char *, int, int);
    int (*device_uuid)(unsigned char *, int);
    int (*device_pci)(char *, int, int);
    int (*device_memory)(size_t *, int);
    int (*device_attribute)(int *, int, int);
    int (*retain)(void **, int);
    int (*release)(int);
    int (*set_current)(void *);
    int (*alloc)(uint64_t *, size_t);
    int (*free)(uint64_t);
    int (*to_device)(uint64_t, const void *, size_t);
    int (*to_host)(void *, uint64_t, size_t);
    int (*memory)(size_t *, size_t *);
    int (*error_string)(int, const char **);
} jl_cuda_api;

typedef struct jl_cuda {
    jl_cuda_api api;
    void *handle;
    int device;            /* with a context open, else -1 */
    uint64_t used_at_open; /* bytes of the device in use when the context was new */
} jl_cuda;

/* `library` is NULL for libcuda.so.1. JL_ERR_MISSING without a driver or a device. */
int jl_cuda_open(jl_cuda *cuda, const char *library, jl_error *err);
/* Leaves the context; the library stays loaded. A zeroed struct is fine. */
void jl_cuda_close(jl_cuda *cuda);
/* All devices, at most `capacity`, in PCI bus order. */
int jl_cuda_devices(const jl_cuda *cuda, jl_cuda_device *devices, size_t capacity, size_t *count,
                    jl_error *err);
/* "13.0" of the driver. */
int jl_cuda_driver_version(const jl_cuda *cuda, char *text, size_t size, jl_error *err);

/* The primary context of a device (the one that the CUDA runtime uses too), current in the
 * calling thread until jl_cuda_close. */
int jl_cuda_use(jl_cuda *cuda, const jl_cuda_device *device, jl_error *err);
int jl_cuda_alloc(const jl_cuda *cuda, uint64_t *address, size_t size, jl_error *err);
void jl_cuda_free(const jl_cuda *cuda, uint64_t address); /* 0 is fine */
int jl_cuda_to_device(const jl_cuda *cuda, uint64_t to, const void *from, size_t n, jl_error *err);
int jl_cuda_to_host(const jl_cuda *cuda, void *to, uint64_t from, size_t n, jl_error *err);
/* Bytes of the device taken since jl_cuda_use, by every process; -1 when it cannot be told. */
int64_t jl_cuda_taken_bytes(const jl_cuda *cuda);

#endif
