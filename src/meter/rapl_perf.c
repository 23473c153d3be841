/* RAPL through perf events (the `power` PMU): the same registers as powercap, for users who may
 * open performance events but not read energy_uj. */
#include "meter/meters.h"
#include "meter/sysfs.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EVENTS_MOST = 64 };
#define POWER_PMU "/sys/bus/event_source/devices/power"

typedef struct perf {
    const jl_clock *clock;
    size_t count;
    int fd[EVENTS_MOST];
    double scale_j[EVENTS_MOST];
    jl_meter_domain domain[EVENTS_MOST];
} perf;

static const struct {
    const char *event, *name;
    jl_domain_kind kind;
    bool inside_package;
} events[] = {
    {"energy-pkg", "package", JL_DOMAIN_PACKAGE, false},
    {"energy-ram", "dram", JL_DOMAIN_DRAM, false},
    {"energy-cores", "core", JL_DOMAIN_CORE, true},
    {"energy-gpu", "uncore", JL_DOMAIN_UNCORE, true},
    {"energy-psys", "psys", JL_DOMAIN_PLATFORM, false},
};

static void explain(const char *root, jl_meter_probe *out)
{
    char path[512];
    int64_t paranoid;
    jl_sysfs_path(path, sizeof path, root, POWER_PMU);
    if (access(path, F_OK)) {
        snprintf(out->what, sizeof out->what,
                 "there is no %.400s: a virtual machine, or a processor or kernel without RAPL",
                 path);
        snprintf(out->fix, sizeof out->fix, "sudo modprobe rapl (on the bare machine)");
        return;
    }
    jl_sysfs_path(path, sizeof path, root, "/proc/sys/kernel/perf_event_paranoid");
    if (jl_sysfs_number(path, &paranoid) && paranoid > 0) {
        snprintf(out->what, sizeof out->what, "kernel.perf_event_paranoid is %lld",
                 (long long)paranoid);
        snprintf(out->fix, sizeof out->fix, "sudo sysctl kernel.perf_event_paranoid=0");
        return;
    }
    snprintf(
        out->what, sizeof out->what,
        "the energy events do not open or do not count: a virtual machine, or a container that "
        "filters perf_event_open");
    snprintf(out->fix, sizeof out->fix,
             "on the bare machine; start a container with --cap-add PERFMON");
}

static void perf_close(void *ctx)
{
    perf *p = ctx;
    if (!p) return;
    for (size_t i = 0; i < p->count; i++)
        close(p->fd[i]);
    free(p);
}

static bool read_event(const char *root, const char *event, uint64_t *config, double *scale_j)
{
    char path[512], line[128];
    jl_sysfs_path(path, sizeof path, root, POWER_PMU "/events/%s", event);
    if (!jl_sysfs_line(path, line, sizeof line) || strncmp(line, "event=", 6)) return false;
    *config = strtoull(line + 6, NULL, 0);
    jl_sysfs_path(path, sizeof path, root, POWER_PMU "/events/%s.unit", event);
    if (!jl_sysfs_line(path, line, sizeof line) || strcmp(line, "Joules")) return false;
    jl_sysfs_path(path, sizeof path, root, POWER_PMU "/events/%s.scale", event);
    if (!jl_sysfs_line(path, line, sizeof line)) return false;
    *scale_j = strtod(line, NULL);
    return *scale_j > 0 && isfinite(*scale_j);
}

/* One event on one processor of its package. */
static void add_event(perf *p, size_t kind, uint32_t type, uint64_t config, double scale_j, int cpu,
                      int package)
{
    struct perf_event_attr attr = {.type = type, .size = sizeof attr, .config = config};
    long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0) return;
    if (p->count == EVENTS_MOST) {
        close((int)fd);
        return;
    }
    int parent = -1;
    for (size_t i = 0; i < p->count && events[kind].inside_package; i++)
        if (p->domain[i].kind == JL_DOMAIN_PACKAGE && p->domain[i].unit == package) parent = (int)i;
    jl_meter_domain *d = &p->domain[p->count];
    *d = (jl_meter_domain){.meter = "perf",
                           .kind = events[kind].kind,
                           .unit = package,
                           .parent = parent,
                           .has_counter = true,
                           .quantum_j = 6.1e-5,
                           .tick_s = 0.001,
                           .gain_rel = 0.05};
    snprintf(d->id, sizeof d->id, "perf:%s-%d", events[kind].name, package);
    snprintf(d->label, sizeof d->label, "CPU %s-%d", events[kind].name, package);
    p->fd[p->count] = (int)fd;
    p->scale_j[p->count++] = scale_j;
}

/* Virtual machines may offer an event that never counts: a real one moves every millisecond. */
static void drop_dead_events(perf *p)
{
    uint64_t value;
    size_t kept = 0, parent[EVENTS_MOST];
    usleep(30000);
    for (size_t i = 0; i < p->count; i++) {
        bool counts = read(p->fd[i], &value, sizeof value) == sizeof value && value > 0;
        parent[i] = counts ? kept : EVENTS_MOST;
        if (!counts) {
            close(p->fd[i]);
            continue;
        }
        p->fd[kept] = p->fd[i];
        p->scale_j[kept] = p->scale_j[i];
        p->domain[kept] = p->domain[i];
        int of = p->domain[kept].parent;
        if (of >= 0) p->domain[kept].parent = parent[of] < EVENTS_MOST ? (int)parent[of] : -1;
        kept++;
    }
    p->count = kept;
}

static int package_of(const char *root, int cpu)
{
    char path[512];
    int64_t package;
    jl_sysfs_path(path, sizeof path, root,
                  "/sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
    return jl_sysfs_number(path, &package) ? (int)package : cpu;
}

static int perf_open(const jl_meter_options *options, void **ctx, jl_error *err)
{
    char path[512], mask[256];
    int64_t type;
    *ctx = NULL;
    perf *p = calloc(1, sizeof *p);
    if (!p) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    p->clock = options->clock ? options->clock : &jl_clock_real;
    jl_sysfs_path(path, sizeof path, options->root, POWER_PMU "/type");
    bool has = jl_sysfs_number(path, &type);
    jl_sysfs_path(path, sizeof path, options->root, POWER_PMU "/cpumask");
    has = has && jl_sysfs_line(path, mask, sizeof mask);
    for (size_t k = 0; has && k < sizeof events / sizeof events[0]; k++) {
        uint64_t config;
        double scale_j;
        if (!read_event(options->root, events[k].event, &config, &scale_j)) continue;
        /* the mask lists one processor a package: "0,18"; a range would list them all */
        for (char *at = mask; *at;) {
            char *end;
            long cpu = strtol(at, &end, 10);
            if (end == at) break;
            add_event(p, k, (uint32_t)type, config, scale_j, (int)cpu,
                      package_of(options->root, (int)cpu));
            at = end + strcspn(end, ",");
            at += *at == ',';
        }
    }
    if (p->count) drop_dead_events(p);
    if (!p->count) {
        jl_meter_probe why = {0};
        explain(options->root, &why);
        perf_close(p);
        return jl_fail(err, JL_ERR_MISSING, "%s; to fix: %s", why.what, why.fix);
    }
    *ctx = p;
    return 0;
}

static const jl_meter_domain *perf_domains(void *ctx, size_t *count)
{
    perf *p = ctx;
    *count = p->count;
    return p->domain;
}

static int perf_read(void *ctx, size_t domain, uint32_t want, jl_meter_reading *out, jl_error *err)
{
    perf *p = ctx;
    uint64_t value;
    if (!(want & JL_READ_ENERGY)) return 0;
    out->t_before_ns = p->clock->now_ns(p->clock->ctx);
    ssize_t got = read(p->fd[domain], &value, sizeof value);
    out->t_after_ns = p->clock->now_ns(p->clock->ctx);
    if (got != sizeof value)
        return jl_fail_errno(err, JL_ERR_IO, "reading %s", p->domain[domain].id);
    out->energy_j = (double)value * p->scale_j[domain];
    out->valid = JL_READ_ENERGY;
    return 0;
}

static void perf_probe(const jl_meter_options *options, jl_meter_probe *out)
{
    *out = (jl_meter_probe){0};
    void *ctx;
    if (perf_open(options, &ctx, NULL)) {
        explain(options->root, out);
        return;
    }
    out->works = true;
    snprintf(out->what, sizeof out->what, "%zu energy events of the power PMU",
             ((perf *)ctx)->count);
    perf_close(ctx);
}

const jl_meter_vtable jl_meter_perf = {
    .abi = JL_METER_ABI,
    .name = "perf",
    .summary = "CPU packages and memory by perf events (RAPL)",
    .probe = perf_probe,
    .open = perf_open,
    .domains = perf_domains,
    .read = perf_read,
    .close = perf_close,
};
