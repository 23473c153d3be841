/* Meters: where joules come from. A meter is one kind of sensor of a machine (NVML, RAPL, ...);
 * it offers domains (a GPU board, a CPU package, ...), each read on its own.
 *
 * Open the meters of a machine as a set, choose the domains that belong to what is measured,
 * sample them with a jl_sampler (jouleline/window.h) and estimate energy per item from the ticks.
 * A quantity that was not read is absent from the mask of a reading; it is never 0 instead.
 * No meter ever changes a setting of a device. */
#ifndef JOULELINE_METER_H
#define JOULELINE_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/clock.h"
#include "jouleline/error.h"

typedef enum jl_domain_kind {
    JL_DOMAIN_GPU,      /* a whole GPU board */
    JL_DOMAIN_GPU_CHIP, /* a part of a board: the chip without its memory */
    JL_DOMAIN_GPU_MEMORY,
    JL_DOMAIN_MODULE,  /* a module that holds a GPU and a CPU (Grace Hopper) */
    JL_DOMAIN_PACKAGE, /* a CPU socket */
    JL_DOMAIN_CORE,    /* the cores of a package */
    JL_DOMAIN_UNCORE,  /* the integrated GPU or uncore of a package */
    JL_DOMAIN_DRAM,
    JL_DOMAIN_PLATFORM, /* the whole board of a computer as its own sensor sees it (psys) */
    JL_DOMAIN_RAIL,     /* one supply rail of a board */
    JL_DOMAIN_BATTERY,  /* what a battery gives: the whole computer while discharging */
    JL_DOMAIN_WALL,     /* an external instrument */
    JL_DOMAIN_KIND_COUNT,
} jl_domain_kind;
/* "gpu", "gpu-chip", "gpu-memory", "module", "package", ... */
const char *jl_domain_kind_name(jl_domain_kind kind);

typedef struct jl_meter_domain {
    char id[96];     /* unique in a set, stable over runs: "nvml:GPU-...:gpu", "rapl:package-0" */
    char meter[24];  /* name of the meter */
    char label[128]; /* for people: "NVIDIA H200 board" */
    char device_uuid[64]; /* GPUs: "GPU-..."; empty for the host */
    char driver[32];      /* version of the driver behind it, "" where there is none to name */
    jl_domain_kind kind;
    int unit;               /* GPU or socket number where there is one, else -1 */
    int parent;             /* domain of the same meter that contains this one, or -1; a sum never
                               holds a domain and its parent */
    bool has_counter;       /* energy_j is offered */
    bool has_power;         /* power_w is offered */
    bool simulated;         /* a simulated device: say so wherever its numbers appear */
    bool modelled;          /* not a sensor but an assumption: say so wherever its numbers appear */
    double quantum_j;       /* resolution of the counter; 0 when finer than a double shows */
    double quantum_w;       /* resolution of the power reading */
    double tick_s;          /* usual time between updates; 0 when unknown */
    double power_average_s; /* the power reading is the mean of this long; 0 instantaneous, < 0
                               unknown */
    double gain_rel; /* systematic relative uncertainty of the sensor's scale, for example 0.05 */
} jl_meter_domain;

/* What to read, and what was read. */
enum {
    JL_READ_ENERGY = 1 << 0,
    JL_READ_POWER = 1 << 1,
    JL_READ_TEMPERATURE = 1 << 2,
    JL_READ_SM_CLOCK = 1 << 3,
    JL_READ_MEM_CLOCK = 1 << 4,
    JL_READ_POWER_LIMIT = 1 << 5,
    JL_READ_THROTTLE = 1 << 6,    /* reasons now */
    JL_READ_THROTTLE_NS = 1 << 7, /* cumulative times */
    JL_READ_PROCESSES = 1 << 8,   /* processes that compute on the device */
    JL_READ_STAMPED = 1 << 9,     /* never asked for: the instrument itself says that its value is
                                     that of t_before_ns to t_after_ns */
    JL_READ_LINK = 1 << 10,       /* the PCIe link, now and at most */
    JL_READ_STATE = 0x5FC,        /* all but energy and power */
    JL_READ_ALL = 0x5FF,
};

/* Reasons why a device runs below its wish. */
enum {
    JL_THROTTLE_POWER_CAP = 1 << 0, /* steady software power cap: an operating condition */
    JL_THROTTLE_HW_SLOWDOWN = 1 << 1,
    JL_THROTTLE_SW_THERMAL = 1 << 2,
    JL_THROTTLE_HW_THERMAL = 1 << 3,
    JL_THROTTLE_POWER_BRAKE = 1 << 4,
    JL_THROTTLE_DISTURBS = 0x1E, /* all but the power cap */
};
/* "power cap, thermal slowdown", "none"; writes at most n bytes with the NUL; returns `out`. */
const char *jl_throttle_words(uint32_t reasons, char *out, size_t n);

typedef struct jl_meter_reading {
    int64_t t_before_ns, t_after_ns; /* the call that read energy or power ran in between */
    uint32_t valid;                  /* JL_READ_* bits of the fields below that hold something */
    uint32_t throttle;               /* JL_THROTTLE_* */
    double energy_j; /* since open or earlier; wraps are taken out; never decreases */
    double power_w;
    double temperature_c;
    double sm_clock_mhz, mem_clock_mhz;
    double power_limit_w;
    int64_t throttle_disturb_ns; /* cumulative: thermal, hardware slowdown, power brake */
    int processes;
    int link_generation, link_width; /* of PCIe; a link that rests may be slower than one in use */
    int link_most_generation, link_most_width; /* what card and slot can do together */
} jl_meter_reading;

typedef struct jl_meter_options {
    const char *root;      /* put before /sys, /proc, /dev; NULL or "" for the real ones */
    const char *args;      /* what followed "NAME:" in a --meter option, or NULL */
    int fake_device_fd;    /* page of base/fake_device.h, or 0 for none (never standard input) */
    const jl_clock *clock; /* NULL: the real clock */
} jl_meter_options;

/* What doctor says of a meter. */
typedef struct jl_meter_probe {
    bool works;
    char what[512]; /* works: what was found; else why it does not work */
    char fix[512];  /* the exact command or step that would make it work; empty when none would */
} jl_meter_probe;

/* A kind of meter. A plugin is a library that exports one function,
 *
 *     const jl_meter_vtable *jouleline_meter(void);
 *
 * All hooks are required, and all but close may be called from several threads at once as long as
 * no two read the same domain. `ctx` is what open returned. */
#define JL_METER_ABI 2
typedef struct jl_meter_vtable {
    uint32_t abi;        /* JL_METER_ABI */
    const char *name;    /* "nvml", as in --meter nvml */
    const char *summary; /* one line */
    bool opt_in;         /* used only when named */
    void (*probe)(const jl_meter_options *options, jl_meter_probe *out); /* fills in all of out */
    int (*open)(const jl_meter_options *options, void **ctx, jl_error *err);
    const jl_meter_domain *(*domains)(void *ctx, size_t *count);
    /* Read the wanted quantities of one domain; what the domain does not offer is left out of
     * `valid` without an error. An error is for a sensor that should answer and does not:
     * JL_ERR_MISSING when it is gone for good, JL_ERR_IO otherwise. */
    int (*read)(void *ctx, size_t domain, uint32_t want, jl_meter_reading *out, jl_error *err);
    void (*close)(void *ctx); /* NULL is fine */
} jl_meter_vtable;

/* Every meter that this build knows; ends with NULL. */
const jl_meter_vtable *const *jl_meters(void);
const jl_meter_vtable *jl_meter_find(const char *name); /* NULL: there is none */

/* The opened meters of a machine. */
typedef struct jl_meter_set jl_meter_set;

/* Opens meters. `specs` are "NAME" or "NAME:ARGS" ("estimate:watts=65", "command:./wall.sh",
 * "plugin:./m.so"); with count 0 every meter that works here and is not opt-in. A named meter
 * that fails is an error with the remedy; an unnamed one is kept in jl_meter_set_absent. A set
 * without any domain is not an error. */
int jl_meter_set_open(const char *const *specs, size_t count, const jl_meter_options *options,
                      jl_meter_set **out, jl_error *err);
void jl_meter_set_close(jl_meter_set *set);         /* NULL is fine */
size_t jl_meter_set_count(const jl_meter_set *set); /* domains of all meters */
const jl_meter_domain *jl_meter_set_domain(const jl_meter_set *set, size_t i);
/* Reads what a domain offers of `want` (JL_READ_*). JL_ERR_MISSING when the device has gone,
 * JL_ERR_IO when it does not answer now. */
int jl_meter_set_read(jl_meter_set *set, size_t i, uint32_t want, jl_meter_reading *out,
                      jl_error *err);
/* Why there is no host or GPU energy: sentences that name each absent meter, its reason and its
 * remedy. "" when nothing is absent. Lives as long as the set. */
const char *jl_meter_set_absent(const jl_meter_set *set);
/* The domain that measures a GPU as a whole, by UUID with or without "GPU-"; -1 when there is
 * none. */
int jl_meter_set_gpu(const jl_meter_set *set, const char *uuid);
/* The host's domains that may be added up without counting anything twice: packages and DRAM
 * by one meter; else the whole computer by a wall meter or estimate, its own sensor, or the
 * battery. Writes at most `capacity` domain numbers; returns how many there are. */
size_t jl_meter_set_host(const jl_meter_set *set, size_t *out, size_t capacity);

#endif
