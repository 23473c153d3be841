/* RAPL through the powercap driver: /sys/class/powercap/intel-rapl:N[:M], Intel and AMD.
 *
 * Zones are told apart by their `name`, as their order is not that of the sockets; the twins of
 * intel-rapl-mmio show the same packages again and are left out. Cores and uncore are parts of
 * their package and psys contains the packages: only the package and the DRAM are outermost here.
 * Counters wrap at max_energy_range_uj. */
#include "meter/meters.h"
#include "meter/sysfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ZONES_MOST = 128 };
#define POWERCAP "/sys/class/powercap"
static const double IMPOSSIBLE_W = 20000;

typedef struct zone {
    int fd;
    int64_t last_uj, last_ns, range_uj, total_uj;
} zone;

typedef struct rapl {
    const jl_clock *clock;
    size_t count;
    zone zone[ZONES_MOST];
    jl_meter_domain domain[ZONES_MOST];
} rapl;

static bool is_zone(const char *name)
{
    return !strncmp(name, "intel-rapl:", 11) || !strncmp(name, "amd-rapl:", 9);
}

static jl_domain_kind kind_of(const char *name)
{
    static const struct {
        const char *begins;
        jl_domain_kind kind;
    } kinds[] = {{"package", JL_DOMAIN_PACKAGE},
                 {"core", JL_DOMAIN_CORE},
                 {"uncore", JL_DOMAIN_UNCORE},
                 {"dram", JL_DOMAIN_DRAM},
                 {"psys", JL_DOMAIN_PLATFORM}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strncmp(name, kinds[i].begins, strlen(kinds[i].begins))) return kinds[i].kind;
    return JL_DOMAIN_KIND_COUNT;
}

/* Why no zone can be read, and what would help. */
static void explain(const char *root, jl_meter_probe *out)
{
    char path[512], cpu[64];
    jl_sysfs_path(path, sizeof path, root, POWERCAP);
    char **names = jl_sysfs_list(path);
    const char *folder = NULL;
    for (size_t i = 0; names && names[i]; i++)
        if (is_zone(names[i]) && !folder) folder = names[i];
    jl_sysfs_path(path, sizeof path, root, "/sys/devices/system/cpu/online");
    if (folder) {
        jl_sysfs_path(path, sizeof path, root, POWERCAP "/%s/energy_uj", folder);
        if (access(path, F_OK)) {
            snprintf(out->what, sizeof out->what,
                     "%.400s is hidden here: containers mask the energy counters", path);
            snprintf(out->fix, sizeof out->fix,
                     "run outside the container, or start it with --security-opt "
                     "systempaths=unconfined -v /sys/class/powercap:/sys/class/powercap:ro");
        } else {
            snprintf(out->what, sizeof out->what, "%.400s may be read by root only", path);
            snprintf(out->fix, sizeof out->fix,
                     "sudo chmod a+r " POWERCAP "/*/energy_uj (until the next boot)");
        }
    } else if (names && jl_sysfs_line(path, cpu, sizeof cpu)) {
        snprintf(out->what, sizeof out->what, "%s%s holds no RAPL zone", root ? root : "",
                 POWERCAP);
        snprintf(out->fix, sizeof out->fix, "sudo modprobe intel_rapl_msr");
    } else {
        snprintf(out->what, sizeof out->what,
                 "there is no %s%s: a virtual machine, a container without it, or a processor or "
                 "kernel without RAPL",
                 root ? root : "", POWERCAP);
        snprintf(out->fix, sizeof out->fix, "sudo modprobe intel_rapl_msr (on the bare machine)");
    }
    free(names);
}

static void rapl_close(void *ctx)
{
    rapl *r = ctx;
    if (!r) return;
    for (size_t i = 0; i < r->count; i++)
        close(r->zone[i].fd);
    free(r);
}

/* Adds one zone when it can be read; silently not otherwise. */
static void add_zone(rapl *r, const char *root, const char *folder)
{
    char path[512], name[64];
    if (r->count == ZONES_MOST) return;
    jl_sysfs_path(path, sizeof path, root, POWERCAP "/%s/name", folder);
    if (!jl_sysfs_line(path, name, sizeof name)) return;
    jl_domain_kind kind = kind_of(name);
    if (kind == JL_DOMAIN_KIND_COUNT) return;
    zone z = {.fd = -1};
    jl_sysfs_path(path, sizeof path, root, POWERCAP "/%s/energy_uj", folder);
    if (jl_sysfs_open(path, &z.fd, NULL)) return;
    if (jl_sysfs_reread(z.fd, path, &z.last_uj, NULL) || z.last_uj <= 0) { /* 0: it never counts */
        close(z.fd);
        return;
    }
    jl_sysfs_path(path, sizeof path, root, POWERCAP "/%s/max_energy_range_uj", folder);
    if (!jl_sysfs_number(path, &z.range_uj) || z.range_uj <= 0) z.range_uj = 0;
    /* a sub-zone intel-rapl:N:M belongs to the zone intel-rapl:N, which was listed before it */
    const char *first = strchr(folder, ':'), *second = first ? strchr(first + 1, ':') : NULL;
    int parent = -1, unit = -1;
    char parent_name[64] = "";
    if (second) {
        jl_sysfs_path(path, sizeof path, root, POWERCAP "/%.*s/name", (int)(second - folder),
                      folder);
        jl_sysfs_line(path, parent_name, sizeof parent_name);
        for (size_t i = 0; i < r->count; i++)
            if (!strcmp(r->domain[i].id + 5, parent_name)) parent = (int)i;
    }
    const char *package = strncmp(name, "package-", 8) ? parent_name : name;
    sscanf(package, "package-%d", &unit);
    jl_meter_domain *d = &r->domain[r->count];
    *d = (jl_meter_domain){.meter = "rapl",
                           .kind = kind,
                           .unit = unit,
                           .parent = kind == JL_DOMAIN_DRAM ? -1 : parent,
                           .has_counter = true,
                           .quantum_j = 6.1e-5, /* 2^-14 J, the coarsest of current processors */
                           .tick_s = 0.001,
                           .gain_rel = 0.05};
    const char *of = second && kind != JL_DOMAIN_PACKAGE ? parent_name : "";
    snprintf(d->id, sizeof d->id, "rapl:%.40s%s%.40s", of, of[0] ? "/" : "", name);
    snprintf(d->label, sizeof d->label, "CPU %.40s%s%.40s", of, of[0] ? "/" : "", name);
    z.last_ns = r->clock->now_ns(r->clock->ctx);
    r->zone[r->count++] = z;
}

static int rapl_open(const jl_meter_options *options, void **ctx, jl_error *err)
{
    char path[512];
    *ctx = NULL;
    rapl *r = calloc(1, sizeof *r);
    if (!r) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    r->clock = options->clock ? options->clock : &jl_clock_real;
    jl_sysfs_path(path, sizeof path, options->root, POWERCAP);
    char **names = jl_sysfs_list(path);
    for (size_t i = 0; names && names[i]; i++)
        if (is_zone(names[i])) add_zone(r, options->root, names[i]);
    free(names);
    if (!r->count) {
        jl_meter_probe why = {0};
        explain(options->root, &why);
        rapl_close(r);
        return jl_fail(err, JL_ERR_MISSING, "%s; to fix: %s", why.what, why.fix);
    }
    *ctx = r;
    return 0;
}

static const jl_meter_domain *rapl_domains(void *ctx, size_t *count)
{
    rapl *r = ctx;
    *count = r->count;
    return r->domain;
}

static int rapl_read(void *ctx, size_t domain, uint32_t want, jl_meter_reading *out, jl_error *err)
{
    rapl *r = ctx;
    zone *z = &r->zone[domain];
    int64_t now_uj;
    if (!(want & JL_READ_ENERGY)) return 0;
    out->t_before_ns = r->clock->now_ns(r->clock->ctx);
    int rc = jl_sysfs_reread(z->fd, r->domain[domain].id, &now_uj, err);
    out->t_after_ns = r->clock->now_ns(r->clock->ctx);
    if (rc) return rc;
    int64_t delta_uj = now_uj - z->last_uj;
    if (delta_uj < 0) delta_uj += z->range_uj;
    /* a wrap and a counter that was set back look alike; only the first makes sense as power */
    double dt_s = (double)(out->t_after_ns - z->last_ns) * 1e-9;
    if (delta_uj < 0 || (double)delta_uj * 1e-6 > IMPOSSIBLE_W * (dt_s + 0.1))
        return jl_fail(err, JL_ERR_MISSING, "the counter of %s jumped from %lld to %lld uJ",
                       r->domain[domain].id, (long long)z->last_uj, (long long)now_uj);
    z->total_uj += delta_uj;
    z->last_uj = now_uj;
    z->last_ns = out->t_after_ns;
    out->energy_j = (double)z->total_uj * 1e-6;
    out->valid = JL_READ_ENERGY;
    return 0;
}

static void rapl_probe(const jl_meter_options *options, jl_meter_probe *out)
{
    *out = (jl_meter_probe){0};
    void *ctx;
    if (rapl_open(options, &ctx, NULL)) {
        explain(options->root, out);
        return;
    }
    rapl *r = ctx;
    size_t used = 0;
    out->works = true;
    for (size_t i = 0; i < r->count && used < sizeof out->what; i++) {
        int n = snprintf(out->what + used, sizeof out->what - used, "%s%s", i ? ", " : "",
                         r->domain[i].id + 5);
        used += n > 0 ? (size_t)n : 0;
    }
    rapl_close(r);
}

const jl_meter_vtable jl_meter_rapl = {
    .abi = JL_METER_ABI,
    .name = "rapl",
    .summary = "CPU packages and memory by the powercap driver (RAPL)",
    .probe = rapl_probe,
    .open = rapl_open,
    .domains = rapl_domains,
    .read = rapl_read,
    .close = rapl_close,
};
