/* What a laptop draws from its battery: the whole computer, while it is not plugged in. Drivers
 * disagree on the sign of the current; the magnitude counts. */
#include "meter/meters.h"
#include "meter/sysfs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUPPLIES "/sys/class/power_supply"

typedef struct battery {
    const jl_clock *clock;
    char folder[512];
    jl_meter_domain domain;
} battery;

static bool holds(const char *folder, const char *file, const char *value)
{
    char path[600], line[64];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return jl_sysfs_line(path, line, sizeof line) && !strcmp(line, value);
}

static bool power_of(const char *folder, double *watts)
{
    char path[600];
    int64_t power, current, voltage;
    snprintf(path, sizeof path, "%s/power_now", folder);
    if (jl_sysfs_number(path, &power)) {
        *watts = fabs((double)power) * 1e-6;
        return true;
    }
    snprintf(path, sizeof path, "%s/current_now", folder);
    if (!jl_sysfs_number(path, &current)) return false;
    snprintf(path, sizeof path, "%s/voltage_now", folder);
    if (!jl_sysfs_number(path, &voltage)) return false;
    *watts = fabs((double)current * 1e-6 * (double)voltage * 1e-6);
    return true;
}

static int find(const char *root, char *folder, size_t n, jl_error *err)
{
    char path[512];
    bool charging = false, found = false;
    double watts;
    jl_sysfs_path(path, sizeof path, root, SUPPLIES);
    char **names = jl_sysfs_list(path);
    for (size_t i = 0; names && names[i] && !found; i++) {
        jl_sysfs_path(folder, n, root, SUPPLIES "/%s", names[i]);
        if (!holds(folder, "type", "Battery") || holds(folder, "scope", "Device")) continue;
        if (!power_of(folder, &watts)) continue;
        found = holds(folder, "status", "Discharging");
        charging = charging || !found;
    }
    free(names);
    if (found) return 0;
    return jl_fail(err, JL_ERR_MISSING, "%s",
                   charging ? "the battery is not discharging: unplug the charger to measure by it"
                            : "there is no battery that tells its power");
}

static int battery_open(const jl_meter_options *options, void **ctx, jl_error *err)
{
    *ctx = NULL;
    battery *b = calloc(1, sizeof *b);
    if (!b) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    int rc = find(options->root, b->folder, sizeof b->folder, err);
    if (rc) {
        free(b);
        return rc;
    }
    b->clock = options->clock ? options->clock : &jl_clock_real;
    b->domain = (jl_meter_domain){.id = "battery:0",
                                  .meter = "battery",
                                  .label = "whole computer, from its battery",
                                  .kind = JL_DOMAIN_BATTERY,
                                  .unit = -1,
                                  .parent = -1,
                                  .has_power = true,
                                  .quantum_w = 0.01,
                                  .tick_s = 1,
                                  .power_average_s = -1,
                                  .gain_rel = 0.1};
    *ctx = b;
    return 0;
}

static const jl_meter_domain *battery_domains(void *ctx, size_t *count)
{
    *count = 1;
    return &((battery *)ctx)->domain;
}

static int battery_read(void *ctx, size_t domain, uint32_t want, jl_meter_reading *out,
                        jl_error *err)
{
    battery *b = ctx;
    (void)domain;
    if (!(want & JL_READ_POWER)) return 0;
    if (!holds(b->folder, "status", "Discharging"))
        return jl_fail(err, JL_ERR_MISSING, "the battery stopped discharging");
    out->t_before_ns = b->clock->now_ns(b->clock->ctx);
    if (!power_of(b->folder, &out->power_w))
        return jl_fail(err, JL_ERR_MISSING, "the battery no longer tells its power");
    out->t_after_ns = b->clock->now_ns(b->clock->ctx);
    out->valid = JL_READ_POWER;
    return 0;
}

static void battery_probe(const jl_meter_options *options, jl_meter_probe *out)
{
    *out = (jl_meter_probe){0};
    char folder[512];
    jl_error err = {0};
    out->works = !find(options->root, folder, sizeof folder, &err);
    snprintf(out->what, sizeof out->what, "%.500s",
             out->works ? "the whole computer, while it runs on battery" : err.msg);
}

const jl_meter_vtable jl_meter_battery = {
    .abi = JL_METER_ABI,
    .name = "battery",
    .summary = "a laptop as a whole, while it runs on battery",
    .probe = battery_probe,
    .open = battery_open,
    .domains = battery_domains,
    .read = battery_read,
    .close = free,
};
