/* Sensors of the hwmon class, told by the driver's name as their numbers move from boot to boot:
 * amdgpu (board power), i915 and xe (energy), amd_energy (sockets and cores), ina3221 (rails). */
#include "meter/meters.h"
#include "meter/sysfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SENSORS_MOST = 256 };
#define HWMON "/sys/class/hwmon"

typedef struct sensor {
    int fd, second; /* energy (uJ), power (uW), or voltage (mV) and current (mA); -1: none */
    int temperature, clock_hz, memory_hz, limit_uw; /* -1: none */
    int64_t first_uj;
} sensor;

typedef struct hwmon {
    const jl_clock *clock;
    size_t count;
    sensor sensor[SENSORS_MOST];
    jl_meter_domain domain[SENSORS_MOST];
} hwmon;

static void hwmon_close(void *ctx)
{
    hwmon *h = ctx;
    if (!h) return;
    for (size_t i = 0; i < h->count; i++) {
        const sensor *s = &h->sensor[i];
        const int fds[] = {s->fd,       s->second,    s->temperature,
                           s->clock_hz, s->memory_hz, s->limit_uw};
        for (size_t k = 0; k < sizeof fds / sizeof fds[0]; k++)
            if (fds[k] >= 0) close(fds[k]);
    }
    free(h);
}

/* An open file of the sensor's folder that holds a number, or -1. */
static int number_file(const char *folder, const char *file)
{
    char path[768];
    int fd;
    int64_t value;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    if (jl_sysfs_open(path, &fd, NULL)) return -1;
    if (!jl_sysfs_reread(fd, path, &value, NULL)) return fd;
    close(fd);
    return -1;
}

static jl_meter_domain *add(hwmon *h, sensor s, const char *driver, const char *label)
{
    if (h->count == SENSORS_MOST) return NULL;
    jl_meter_domain *d = &h->domain[h->count];
    *d = (jl_meter_domain){
        .meter = "hwmon", .unit = -1, .parent = -1, .power_average_s = -1, .gain_rel = 0.1};
    size_t same = 0; /* two cards of one driver */
    snprintf(d->id, sizeof d->id, "hwmon:%s:%s", driver, label);
    for (size_t i = 0; i < h->count; i++)
        same += !strcmp(h->domain[i].id, d->id);
    if (same) snprintf(d->id, sizeof d->id, "hwmon:%s:%s-%zu", driver, label, same);
    snprintf(d->label, sizeof d->label, "%.40s %.60s", driver, label);
    h->sensor[h->count++] = s;
    return d;
}

static const sensor empty = {-1, -1, -1, -1, -1, -1, 0};

static void add_amdgpu(hwmon *h, const char *folder)
{
    sensor s = empty;
    char path[768], id[64] = "";
    s.fd = number_file(folder, "power1_average");
    if (s.fd < 0) s.fd = number_file(folder, "power1_input");
    if (s.fd < 0) return;
    s.temperature = number_file(folder, "temp1_input");
    s.clock_hz = number_file(folder, "freq1_input");
    s.memory_hz = number_file(folder, "freq2_input");
    s.limit_uw = number_file(folder, "power1_cap");
    jl_meter_domain *d = add(h, s, "amdgpu", "board");
    if (!d) return;
    snprintf(path, sizeof path, "%s/device/unique_id", folder);
    jl_sysfs_line(path, id, sizeof id);
    d->kind = JL_DOMAIN_GPU;
    d->has_power = true;
    d->quantum_w = 1;
    snprintf(d->device_uuid, sizeof d->device_uuid, "%.60s", id[0] ? id : d->id);
}

/* Intel's discrete GPUs: energy1 is the card, energy2 (xe) the package on it. */
static void add_intel(hwmon *h, const char *folder, const char *driver)
{
    int card = -1;
    for (int k = 1; k <= 2; k++) {
        sensor s = empty;
        char file[32];
        snprintf(file, sizeof file, "energy%d_input", k);
        s.fd = number_file(folder, file);
        if (s.fd < 0) continue;
        jl_sysfs_reread(s.fd, file, &s.first_uj, NULL);
        jl_meter_domain *d = add(h, s, driver, k == 1 ? "card" : "package");
        if (!d) return;
        d->kind = k == 1 ? JL_DOMAIN_GPU : JL_DOMAIN_GPU_CHIP;
        d->has_counter = true;
        d->quantum_j = 6.1e-5;
        d->tick_s = 0.001;
        d->parent = card;
        snprintf(d->device_uuid, sizeof d->device_uuid, "%.60s", d->id);
        if (k == 1) card = (int)h->count - 1;
    }
}

static void add_amd_energy(hwmon *h, const char *folder)
{
    for (int k = 1; k < SENSORS_MOST; k++) {
        sensor s = empty;
        char path[768], file[32], label[32];
        int number;
        snprintf(path, sizeof path, "%s/energy%d_label", folder, k);
        if (!jl_sysfs_line(path, label, sizeof label)) break;
        bool socket = sscanf(label, "Esocket%d", &number) == 1;
        if (!socket && sscanf(label, "Ecore%d", &number) != 1) continue;
        snprintf(file, sizeof file, "energy%d_input", k);
        s.fd = number_file(folder, file);
        if (s.fd < 0) continue;
        jl_sysfs_reread(s.fd, file, &s.first_uj, NULL);
        jl_meter_domain *d = add(h, s, "amd_energy", label);
        if (!d) return;
        d->kind = socket ? JL_DOMAIN_PACKAGE : JL_DOMAIN_CORE;
        d->unit = number;
        d->has_counter = true;
        d->quantum_j = 1.6e-5;
        d->tick_s = 0.001;
    }
    /* cores are inside a socket: with several sockets which one is not said, the first serves to
       keep them out of sums */
    for (size_t i = 0; i < h->count; i++)
        for (size_t k = 0; k < h->count; k++)
            if (h->domain[i].kind == JL_DOMAIN_CORE && h->domain[k].kind == JL_DOMAIN_PACKAGE &&
                h->domain[i].parent < 0)
                h->domain[i].parent = (int)k;
}

/* Three rails of a board; VDD_IN is the input of the whole board and contains the others. */
static void add_ina3221(hwmon *h, const char *folder)
{
    size_t from = h->count;
    int whole = -1;
    for (int k = 1; k <= 3; k++) {
        sensor s = empty;
        char path[768], file[32], label[64];
        snprintf(path, sizeof path, "%s/in%d_label", folder, k);
        if (!jl_sysfs_line(path, label, sizeof label)) continue;
        snprintf(file, sizeof file, "in%d_input", k);
        s.fd = number_file(folder, file);
        snprintf(file, sizeof file, "curr%d_input", k);
        s.second = number_file(folder, file);
        if (s.fd < 0 || s.second < 0) {
            if (s.fd >= 0) close(s.fd);
            if (s.second >= 0) close(s.second);
            continue;
        }
        jl_meter_domain *d = add(h, s, "ina3221", label);
        if (!d) return;
        bool all = !strcmp(label, "VDD_IN");
        d->kind = all ? JL_DOMAIN_PLATFORM : JL_DOMAIN_RAIL;
        d->has_power = true;
        d->quantum_w = 0.04;
        if (all) whole = (int)h->count - 1;
    }
    for (size_t i = from; i < h->count; i++)
        if ((int)i != whole) h->domain[i].parent = whole;
}

static int hwmon_open(const jl_meter_options *options, void **ctx, jl_error *err)
{
    char path[512], driver[64];
    *ctx = NULL;
    hwmon *h = calloc(1, sizeof *h);
    if (!h) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    h->clock = options->clock ? options->clock : &jl_clock_real;
    jl_sysfs_path(path, sizeof path, options->root, HWMON);
    char **names = jl_sysfs_list(path);
    for (size_t i = 0; names && names[i]; i++) {
        jl_sysfs_path(path, sizeof path, options->root, HWMON "/%s/name", names[i]);
        if (!jl_sysfs_line(path, driver, sizeof driver)) continue;
        path[strlen(path) - strlen("/name")] = 0;
        if (!strcmp(driver, "amdgpu")) add_amdgpu(h, path);
        if (!strcmp(driver, "i915") || !strcmp(driver, "xe")) add_intel(h, path, driver);
        if (!strcmp(driver, "amd_energy")) add_amd_energy(h, path);
        if (!strcmp(driver, "ina3221")) add_ina3221(h, path);
    }
    free(names);
    if (!h->count) {
        hwmon_close(h);
        return jl_fail(err, JL_ERR_MISSING,
                       "%s%s has no energy sensor that is known (amdgpu, i915, xe, amd_energy, "
                       "ina3221)",
                       options->root ? options->root : "", HWMON);
    }
    *ctx = h;
    return 0;
}

static const jl_meter_domain *hwmon_domains(void *ctx, size_t *count)
{
    hwmon *h = ctx;
    *count = h->count;
    return h->domain;
}

static void read_state(const sensor *s, uint32_t want, jl_meter_reading *out)
{
    const struct {
        uint32_t bit;
        int fd;
        double scale, *to;
    } fields[] = {
        {JL_READ_TEMPERATURE, s->temperature, 1e-3, &out->temperature_c},
        {JL_READ_SM_CLOCK, s->clock_hz, 1e-6, &out->sm_clock_mhz},
        {JL_READ_MEM_CLOCK, s->memory_hz, 1e-6, &out->mem_clock_mhz},
        {JL_READ_POWER_LIMIT, s->limit_uw, 1e-6, &out->power_limit_w},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int64_t v;
        if (!(want & fields[i].bit) || fields[i].fd < 0) continue;
        if (jl_sysfs_reread(fields[i].fd, "", &v, NULL)) continue;
        *fields[i].to = (double)v * fields[i].scale;
        out->valid |= fields[i].bit;
    }
}

static int hwmon_read(void *ctx, size_t domain, uint32_t want, jl_meter_reading *out, jl_error *err)
{
    hwmon *h = ctx;
    const sensor *s = &h->sensor[domain];
    const jl_meter_domain *d = &h->domain[domain];
    uint32_t main_bit = d->has_counter ? JL_READ_ENERGY : JL_READ_POWER;
    if (want & main_bit) {
        int64_t v, amps = 0;
        out->t_before_ns = h->clock->now_ns(h->clock->ctx);
        int rc = jl_sysfs_reread(s->fd, d->id, &v, err);
        if (!rc && s->second >= 0) rc = jl_sysfs_reread(s->second, d->id, &amps, err);
        out->t_after_ns = h->clock->now_ns(h->clock->ctx);
        if (rc) return rc;
        if (d->has_counter)
            out->energy_j = (double)(v - s->first_uj) * 1e-6;
        else
            out->power_w = s->second >= 0 ? (double)v * (double)amps * 1e-6 : (double)v * 1e-6;
        if (!d->has_counter && out->power_w < 0)
            return jl_fail(err, JL_ERR_IO, "%s shows a negative power", d->id);
        out->valid |= main_bit;
    }
    read_state(s, want, out);
    return 0;
}

static void hwmon_probe(const jl_meter_options *options, jl_meter_probe *out)
{
    *out = (jl_meter_probe){0};
    void *ctx;
    jl_error err = {0};
    if (hwmon_open(options, &ctx, &err)) {
        snprintf(out->what, sizeof out->what, "%.500s", err.msg);
        return;
    }
    hwmon *h = ctx;
    size_t used = 0;
    out->works = true;
    for (size_t i = 0; i < h->count && used < sizeof out->what; i++) {
        if (h->domain[i].kind == JL_DOMAIN_CORE) continue;
        int n = snprintf(out->what + used, sizeof out->what - used, "%s%s", used ? ", " : "",
                         h->domain[i].id + 6);
        used += n > 0 ? (size_t)n : 0;
    }
    hwmon_close(h);
}

const jl_meter_vtable jl_meter_hwmon = {
    .abi = JL_METER_ABI,
    .name = "hwmon",
    .summary = "AMD and Intel GPUs, AMD sockets and board rails by hwmon",
    .probe = hwmon_probe,
    .open = hwmon_open,
    .domains = hwmon_domains,
    .read = hwmon_read,
    .close = hwmon_close,
};
