/* The part of NVML that jouleline uses, written from NVIDIA's public documentation: no header of
 * the toolkit is needed. Energy in mJ, power in mW, clocks in MHz, temperature in C. */
#ifndef JL_METER_NVML_ABI_H
#define JL_METER_NVML_ABI_H

#include "jouleline/meter.h"

typedef struct nvml_device *nvml_device;

enum {
    NVML_OK = 0,
    NVML_UNINITIALIZED = 1,
    NVML_NOT_SUPPORTED = 3,
    NVML_NO_PERMISSION = 4,
    NVML_INSUFFICIENT_SIZE = 7,
    NVML_DRIVER_NOT_LOADED = 9,
    NVML_GPU_IS_LOST = 15,
    NVML_VERSION_MISMATCH = 18,
};

enum { NVML_ARCH_PASCAL = 4, NVML_ARCH_VOLTA = 5, NVML_ARCH_TURING = 6, NVML_ARCH_AMPERE = 7 };
enum { NVML_CLOCK_SM = 1, NVML_CLOCK_MEM = 2, NVML_TEMPERATURE_GPU = 0 };

/* Bits of the clocks event (formerly throttle) reasons. */
enum {
    NVML_REASON_POWER_CAP = 0x4,
    NVML_REASON_HW_SLOWDOWN = 0x8,
    NVML_REASON_SW_THERMAL = 0x20,
    NVML_REASON_HW_THERMAL = 0x40,
    NVML_REASON_POWER_BRAKE = 0x80,
};

enum {
    NVML_FIELD_ENERGY = 83,
    NVML_FIELD_POWER_AVERAGE = 185,
    NVML_FIELD_POWER_INSTANT = 186,
    NVML_FIELD_TIME_SW_THERMAL = 269,
    NVML_FIELD_TIME_HW_THERMAL = 270,
    NVML_FIELD_TIME_POWER_BRAKE = 271,
};
enum { NVML_SCOPE_GPU = 0, NVML_SCOPE_MODULE = 1, NVML_SCOPE_MEMORY = 2 };

typedef struct nvml_field {
    uint32_t field, scope;
    int64_t timestamp_us, latency_us;
    uint32_t type; /* 0 double, 1 u32, 2 unsigned long, 3 u64, 4 i64, 5 i32, 6 u16 */
    uint32_t result;
    union {
        double d;
        uint32_t u32;
        uint64_t u64;
        int64_t i64;
        int32_t i32;
        uint16_t u16;
    } value;
} nvml_field;
_Static_assert(sizeof(nvml_field) == 40, "layout of nvmlFieldValue_t");

typedef struct nvml_api {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_string)(int);
    int (*driver_version)(char *, unsigned);
    int (*count)(unsigned *);
    int (*by_index)(unsigned, nvml_device *);
    int (*name)(nvml_device, char *, unsigned);
    int (*uuid)(nvml_device, char *, unsigned);
    int (*architecture)(nvml_device, unsigned *);
    int (*mig_mode)(nvml_device, unsigned *, unsigned *);
    int (*energy)(nvml_device, unsigned long long *);
    int (*power)(nvml_device, unsigned *);
    int (*fields)(nvml_device, int, nvml_field *);
    int (*temperature)(nvml_device, int, unsigned *);
    int (*clock)(nvml_device, int, unsigned *);
    int (*power_limit)(nvml_device, unsigned *);
    int (*reasons)(nvml_device, unsigned long long *);
    int (*old_reasons)(nvml_device, unsigned long long *);
    int (*processes)(nvml_device, unsigned *, void *);
    int (*link_generation)(nvml_device, unsigned *);
    int (*link_width)(nvml_device, unsigned *);
    int (*link_most_generation)(nvml_device, unsigned *);
    int (*link_most_width)(nvml_device, unsigned *);
} nvml_api;

/* Loads and starts NVML: the library that the options name, else the one below their root, else
 * the system's. JL_ERR_MISSING says "; to fix: " and what would help. */
int jl_nvml_load(const jl_meter_options *options, nvml_api *api, jl_error *err);
/* NVML's own words for what a call returned. */
const char *jl_nvml_words(const nvml_api *api, int rc);
/* A field's number; false when this GPU does not have it. */
bool jl_nvml_field(const nvml_api *api, nvml_device device, uint32_t id, uint32_t scope,
                   double *out);

#endif
