/* NVIDIA GPUs through NVML, loaded at run time. Only asks; never sets anything.
 *
 * The board's energy counter moves in ticks of 20 to 100 ms; without a counter (before Volta, some
 * laptop boards) there is power, averaged over a time that depends on the generation. Update and
 * averaging times: Yang, Adamek, Armour, "Part-time power measurements: nvidia-smi's lack of
 * attention", SC24, arXiv 2312.02741; the gain error of about 5 % is theirs too. */
#include "meter/nvml_abi.h"

#include "meter/meters.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GPUS_MOST = 64, DOMAINS_MOST = 3 * GPUS_MOST };

typedef struct sensor {
    nvml_device device;
    uint32_t scope;
    bool power_by_field;
} sensor;

typedef struct nvml {
    nvml_api api;
    const jl_clock *clock;
    size_t count;
    unsigned gpus, refused;
    char driver[80];
    char note[256]; /* GPUs that are left out, and why */
    sensor sensor[DOMAINS_MOST];
    jl_meter_domain domain[DOMAINS_MOST];
} nvml;

/* Usual times of the generation, in seconds. */
static void sensor_times(const nvml_api *api, nvml_device device, jl_meter_domain *d)
{
    unsigned arch = 0;
    d->power_average_s = -1;
    if (!api->architecture || api->architecture(device, &arch) != NVML_OK) return;
    bool ga100 = strstr(d->label, "A100") || strstr(d->label, "A30 ") || strstr(d->label, "A800");
    if (arch <= NVML_ARCH_VOLTA) {
        d->tick_s = 0.02;
        d->power_average_s = 0.01;
    } else {
        d->tick_s = 0.1;
        d->power_average_s = arch == NVML_ARCH_TURING ? 0.1 : ga100 ? 0.025 : 1;
    }
}

static jl_meter_domain *add(nvml *n, nvml_device device, unsigned gpu, const char *uuid,
                            uint32_t scope)
{
    static const char *const parts[] = {"gpu", "module", "memory"};
    static const jl_domain_kind kinds[] = {JL_DOMAIN_GPU, JL_DOMAIN_MODULE, JL_DOMAIN_GPU_MEMORY};
    char name[96] = "NVIDIA GPU";
    jl_meter_domain *d = &n->domain[n->count];
    *d = (jl_meter_domain){.meter = "nvml",
                           .kind = kinds[scope],
                           .unit = (int)gpu,
                           .parent = -1,
                           .quantum_j = 0.001,
                           .quantum_w = 0.001,
                           .gain_rel = 0.05};
    if (n->api.name) n->api.name(device, name, sizeof name);
    snprintf(d->id, sizeof d->id, "nvml:%.60s:%s", uuid, parts[scope]);
    snprintf(d->device_uuid, sizeof d->device_uuid, "%.63s", uuid);
    snprintf(d->label, sizeof d->label, "%.90s %s", name, scope ? parts[scope] : "board");
    snprintf(d->driver, sizeof d->driver, "%.31s", n->driver);
    sensor_times(&n->api, device, d);
    n->sensor[n->count++] = (sensor){.device = device, .scope = scope};
    return d;
}

static void add_board(nvml *n, nvml_device device, unsigned gpu, const char *uuid)
{
    unsigned long long mj;
    unsigned mw;
    double value;
    jl_meter_domain *d = add(n, device, gpu, uuid, NVML_SCOPE_GPU);
    sensor *s = &n->sensor[n->count - 1];
    d->has_counter = n->api.energy && n->api.energy(device, &mj) == NVML_OK;
    /* the averaged field says how it averages; GetPowerUsage depends on the generation */
    s->power_by_field =
        jl_nvml_field(&n->api, device, NVML_FIELD_POWER_AVERAGE, NVML_SCOPE_GPU, &value);
    d->has_power = s->power_by_field || (n->api.power && n->api.power(device, &mw) == NVML_OK);
    if (d->has_counter || d->has_power) return;
    n->count--;
    n->refused++;
    snprintf(n->note, sizeof n->note, "GPU %u tells neither energy nor power (NOT_SUPPORTED)", gpu);
}

/* The energy of a scope; false when there is none, or when the driver ignores the scope and shows
 * the board's own counter again (seen on an H200 with driver 580). */
static bool scope_energy(const nvml_api *api, nvml_device device, uint32_t scope)
{
    double before, mj, after;
    if (!jl_nvml_field(api, device, NVML_FIELD_ENERGY, NVML_SCOPE_GPU, &before) ||
        !jl_nvml_field(api, device, NVML_FIELD_ENERGY, scope, &mj) ||
        !jl_nvml_field(api, device, NVML_FIELD_ENERGY, NVML_SCOPE_GPU, &after))
        return false;
    return mj > 0 && (mj < before || mj > after);
}

/* Parts of a board or the module around it, where this GPU has such scopes. */
static void add_scope(nvml *n, nvml_device device, unsigned gpu, const char *uuid, uint32_t scope,
                      size_t board)
{
    double mw = 0;
    bool energy = scope_energy(&n->api, device, scope);
    bool power = jl_nvml_field(&n->api, device, NVML_FIELD_POWER_INSTANT, scope, &mw) && mw > 0;
    if (!energy && !power) return;
    jl_meter_domain *d = add(n, device, gpu, uuid, scope);
    d->has_counter = energy;
    d->has_power = power;
    d->power_average_s = 0.025;
    n->sensor[n->count - 1].power_by_field = true;
    if (scope == NVML_SCOPE_MEMORY) d->parent = (int)board;
    if (scope == NVML_SCOPE_MODULE) n->domain[board].parent = (int)n->count - 1;
}

static void add_gpu(nvml *n, unsigned i)
{
    nvml_device device;
    char uuid[96] = "";
    unsigned mig = 0, pending;
    int rc = n->api.by_index(i, &device);
    if (!rc) rc = n->api.uuid(device, uuid, sizeof uuid);
    if (rc) {
        n->refused++;
        snprintf(n->note, sizeof n->note, "GPU %u does not answer: %.150s", i,
                 jl_nvml_words(&n->api, rc));
        return;
    }
    if (n->api.mig_mode && n->api.mig_mode(device, &mig, &pending) == NVML_OK && mig) {
        n->refused++;
        snprintf(
            n->note, sizeof n->note,
            "GPU %u is split by MIG, and no sensor tells the instances apart: measure it whole", i);
        return;
    }
    size_t board = n->count;
    add_board(n, device, i, uuid);
    if (n->count == board) return;
    add_scope(n, device, i, uuid, NVML_SCOPE_MODULE, board);
    add_scope(n, device, i, uuid, NVML_SCOPE_MEMORY, board);
}

static void nvml_close(void *ctx)
{
    nvml *n = ctx;
    if (!n) return;
    if (n->api.library) {
        n->api.shutdown();
        dlclose(n->api.library);
    }
    free(n);
}

static int nvml_open(const jl_meter_options *options, void **ctx, jl_error *err)
{
    *ctx = NULL;
    nvml *n = calloc(1, sizeof *n);
    if (!n) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    n->clock = options->clock ? options->clock : &jl_clock_real;
    int rc = jl_nvml_load(options, &n->api, err);
    if (rc) {
        free(n);
        return rc;
    }
    rc = n->api.count(&n->gpus);
    if (rc) {
        jl_fail(err, JL_ERR_MISSING, "NVML does not count its GPUs: %s",
                jl_nvml_words(&n->api, rc));
        nvml_close(n);
        return JL_ERR_MISSING;
    }
    if (n->api.driver_version) n->api.driver_version(n->driver, sizeof n->driver);
    for (unsigned i = 0; i < n->gpus && i < GPUS_MOST; i++)
        add_gpu(n, i);
    if (!n->count) {
        jl_fail(err, JL_ERR_MISSING, "%s", n->note[0] ? n->note : "NVML lists no GPU");
        nvml_close(n);
        return JL_ERR_MISSING;
    }
    *ctx = n;
    return 0;
}

static const jl_meter_domain *nvml_domains(void *ctx, size_t *count)
{
    nvml *n = ctx;
    *count = n->count;
    return n->domain;
}

static int read_failed(const nvml *n, size_t domain, int rc, jl_error *err)
{
    int code = rc == NVML_GPU_IS_LOST || rc == NVML_UNINITIALIZED || rc == NVML_NOT_SUPPORTED
                   ? JL_ERR_MISSING
                   : JL_ERR_IO;
    return jl_fail(err, code, "%s: %s", n->domain[domain].label, jl_nvml_words(&n->api, rc));
}

static int read_energy(nvml *n, size_t domain, jl_meter_reading *out, jl_error *err)
{
    const sensor *s = &n->sensor[domain];
    unsigned long long mj = 0;
    double value = 0;
    int rc = NVML_OK;
    out->t_before_ns = n->clock->now_ns(n->clock->ctx);
    if (s->scope == NVML_SCOPE_GPU)
        rc = n->api.energy(s->device, &mj);
    else if (!jl_nvml_field(&n->api, s->device, NVML_FIELD_ENERGY, s->scope, &value))
        rc = NVML_NOT_SUPPORTED;
    out->t_after_ns = n->clock->now_ns(n->clock->ctx);
    if (rc != NVML_OK) return read_failed(n, domain, rc, err);
    out->energy_j = s->scope == NVML_SCOPE_GPU ? (double)mj * 1e-3 : value * 1e-3;
    out->valid |= JL_READ_ENERGY;
    return 0;
}

static int read_power(nvml *n, size_t domain, bool timed, jl_meter_reading *out, jl_error *err)
{
    const sensor *s = &n->sensor[domain];
    uint32_t id = s->scope == NVML_SCOPE_GPU ? NVML_FIELD_POWER_AVERAGE : NVML_FIELD_POWER_INSTANT;
    unsigned mw = 0;
    double value = 0;
    int rc = NVML_OK;
    if (timed) out->t_before_ns = n->clock->now_ns(n->clock->ctx);
    if (!s->power_by_field)
        rc = n->api.power(s->device, &mw);
    else if (!jl_nvml_field(&n->api, s->device, id, s->scope, &value))
        rc = NVML_NOT_SUPPORTED;
    if (timed) out->t_after_ns = n->clock->now_ns(n->clock->ctx);
    if (rc != NVML_OK) return read_failed(n, domain, rc, err);
    out->power_w = s->power_by_field ? value * 1e-3 : (double)mw * 1e-3;
    out->valid |= JL_READ_POWER;
    return 0;
}

static uint32_t translate(unsigned long long reasons)
{
    static const struct {
        unsigned theirs;
        uint32_t ours;
    } bits[] = {{NVML_REASON_POWER_CAP, JL_THROTTLE_POWER_CAP},
                {NVML_REASON_HW_SLOWDOWN, JL_THROTTLE_HW_SLOWDOWN},
                {NVML_REASON_SW_THERMAL, JL_THROTTLE_SW_THERMAL},
                {NVML_REASON_HW_THERMAL, JL_THROTTLE_HW_THERMAL},
                {NVML_REASON_POWER_BRAKE, JL_THROTTLE_POWER_BRAKE}};
    uint32_t out = 0;
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        if (reasons & bits[i].theirs) out |= bits[i].ours;
    return out;
}

static void read_throttle(const nvml_api *api, nvml_device device, uint32_t want,
                          jl_meter_reading *out)
{
    unsigned long long reasons;
    double sw, hw, brake;
    if ((want & JL_READ_THROTTLE) && api->reasons && api->reasons(device, &reasons) == NVML_OK) {
        out->throttle = translate(reasons);
        out->valid |= JL_READ_THROTTLE;
    }
    if ((want & JL_READ_THROTTLE_NS) &&
        jl_nvml_field(api, device, NVML_FIELD_TIME_SW_THERMAL, NVML_SCOPE_GPU, &sw) &&
        jl_nvml_field(api, device, NVML_FIELD_TIME_HW_THERMAL, NVML_SCOPE_GPU, &hw) &&
        jl_nvml_field(api, device, NVML_FIELD_TIME_POWER_BRAKE, NVML_SCOPE_GPU, &brake)) {
        out->throttle_disturb_ns = (int64_t)(sw + hw + brake);
        out->valid |= JL_READ_THROTTLE_NS;
    }
}

static bool link_part(int (*ask)(nvml_device, unsigned *), nvml_device device, int *out)
{
    unsigned v = 0;
    if (!ask || ask(device, &v) != NVML_OK || !v) return false;
    *out = (int)v;
    return true;
}

static void read_link(const nvml_api *api, nvml_device device, jl_meter_reading *out)
{
    if (link_part(api->link_generation, device, &out->link_generation) &&
        link_part(api->link_width, device, &out->link_width) &&
        link_part(api->link_most_generation, device, &out->link_most_generation) &&
        link_part(api->link_most_width, device, &out->link_most_width))
        out->valid |= JL_READ_LINK;
}

static void read_state(const nvml_api *api, nvml_device device, uint32_t want,
                       jl_meter_reading *out)
{
    unsigned v = 0;
    if ((want & JL_READ_TEMPERATURE) && api->temperature &&
        api->temperature(device, NVML_TEMPERATURE_GPU, &v) == NVML_OK) {
        out->temperature_c = v;
        out->valid |= JL_READ_TEMPERATURE;
    }
    if ((want & JL_READ_SM_CLOCK) && api->clock &&
        api->clock(device, NVML_CLOCK_SM, &v) == NVML_OK) {
        out->sm_clock_mhz = v;
        out->valid |= JL_READ_SM_CLOCK;
    }
    if ((want & JL_READ_MEM_CLOCK) && api->clock &&
        api->clock(device, NVML_CLOCK_MEM, &v) == NVML_OK) {
        out->mem_clock_mhz = v;
        out->valid |= JL_READ_MEM_CLOCK;
    }
    if ((want & JL_READ_POWER_LIMIT) && api->power_limit &&
        api->power_limit(device, &v) == NVML_OK) {
        out->power_limit_w = v * 1e-3;
        out->valid |= JL_READ_POWER_LIMIT;
    }
    read_throttle(api, device, want, out);
    if (want & JL_READ_LINK) read_link(api, device, out);
    if ((want & JL_READ_PROCESSES) && api->processes) {
        v = 0; /* asks for the count only */
        int rc = api->processes(device, &v, NULL);
        if (rc == NVML_OK || rc == NVML_INSUFFICIENT_SIZE) {
            out->processes = (int)v;
            out->valid |= JL_READ_PROCESSES;
        }
    }
}

static int nvml_read(void *ctx, size_t domain, uint32_t want, jl_meter_reading *out, jl_error *err)
{
    nvml *n = ctx;
    const jl_meter_domain *d = &n->domain[domain];
    bool energy = (want & JL_READ_ENERGY) && d->has_counter;
    int rc = energy ? read_energy(n, domain, out, err) : 0;
    if (!rc && (want & JL_READ_POWER) && d->has_power)
        rc = read_power(n, domain, !energy, out, err);
    if (!rc && (want & JL_READ_STATE)) read_state(&n->api, n->sensor[domain].device, want, out);
    return rc;
}

static void nvml_probe(const jl_meter_options *options, jl_meter_probe *out)
{
    *out = (jl_meter_probe){0};
    void *ctx;
    jl_error err = {0};
    if (nvml_open(options, &ctx, &err)) {
        char *fix = strstr(err.msg, "; to fix: ");
        if (fix) *fix = 0;
        bool absent = strstr(err.msg, "cannot load") != NULL;
        snprintf(out->what, sizeof out->what, "%s%.440s", absent ? "no NVIDIA driver here: " : "",
                 err.msg);
        snprintf(out->fix, sizeof out->fix, "%s",
                 fix      ? fix + strlen("; to fix: ")
                 : absent ? "install the NVIDIA driver; in a container, start it with --gpus all"
                          : "");
        return;
    }
    nvml *n = ctx;
    out->works = true;
    int used = snprintf(out->what, sizeof out->what, "driver %s", n->driver[0] ? n->driver : "?");
    for (size_t i = 0; i < n->count && used > 0 && (size_t)used < sizeof out->what; i++) {
        const jl_meter_domain *d = &n->domain[i];
        used += snprintf(out->what + used, sizeof out->what - (size_t)used, ", %s %d (%s)",
                         d->label, d->unit, d->has_counter ? "energy counter" : "power only");
    }
    if (n->refused && used > 0 && (size_t)used < sizeof out->what)
        snprintf(out->what + used, sizeof out->what - (size_t)used, "; %s", n->note);
    nvml_close(n);
}

const jl_meter_vtable jl_meter_nvml = {
    .abi = JL_METER_ABI,
    .name = "nvml",
    .summary = "NVIDIA GPUs (NVML)",
    .probe = nvml_probe,
    .open = nvml_open,
    .domains = nvml_domains,
    .read = nvml_read,
    .close = nvml_close,
};
