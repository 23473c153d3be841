/* The sensor of a simulated device (base/fake_device.h): its energy follows what the fake runtime
 * says it does, in ticks of 100 ms, and is labelled simulated. */
#include "base/fake_device.h"
#include "meter/meters.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

typedef struct fake {
    jl_fake_device *device;
    const jl_clock *clock;
    jl_meter_domain domain;
    double last_j;
} fake;

static void fake_probe(const jl_meter_options *options, jl_meter_probe *out)
{
    *out = (jl_meter_probe){0};
    out->works = options->fake_device_fd > 0;
    snprintf(out->what, sizeof out->what, "%s",
             out->works ? "the simulated device of the fake runtime"
                        : "there is a simulated device only while the fake runtime runs");
}

static int fake_open(const jl_meter_options *options, void **ctx, jl_error *err)
{
    *ctx = NULL;
    if (options->fake_device_fd <= 0)
        return jl_fail(err, JL_ERR_MISSING, "no simulated device runs: use a fake-* configuration");
    fake *f = calloc(1, sizeof *f);
    if (!f) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    void *page = mmap(NULL, JL_FAKE_DEVICE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                      options->fake_device_fd, 0);
    if (page == MAP_FAILED) {
        free(f);
        return jl_fail_errno(err, JL_ERR_IO, "the simulated device's page cannot be mapped");
    }
    f->device = page;
    f->clock = options->clock ? options->clock : &jl_clock_real;
    if (f->device->magic != JL_FAKE_DEVICE_MAGIC || f->device->version != JL_FAKE_DEVICE_VERSION) {
        munmap(page, JL_FAKE_DEVICE_BYTES);
        free(f);
        return jl_fail(err, JL_ERR_FORMAT, "the descriptor holds no simulated device");
    }
    f->domain = (jl_meter_domain){.id = "fake:0",
                                  .meter = "fake",
                                  .label = "simulated device",
                                  .kind = JL_DOMAIN_GPU,
                                  .unit = 0,
                                  .parent = -1,
                                  .has_counter = true,
                                  .has_power = true,
                                  .simulated = true,
                                  .quantum_j = 1e-6,
                                  .quantum_w = 1e-6,
                                  .tick_s = (double)JL_FAKE_DEVICE_TICK_NS * 1e-9};
    snprintf(f->domain.device_uuid, sizeof f->domain.device_uuid, "%.63s",
             f->device->uuid[0] ? f->device->uuid : "fake-0");
    *ctx = f;
    return 0;
}

static const jl_meter_domain *fake_domains(void *ctx, size_t *count)
{
    *count = 1;
    return &((fake *)ctx)->domain;
}

static int fake_read(void *ctx, size_t domain, uint32_t want, jl_meter_reading *out, jl_error *err)
{
    fake *f = ctx;
    (void)domain;
    (void)err;
    out->t_before_ns = f->clock->now_ns(f->clock->ctx);
    out->energy_j = jl_fake_device_counter_j(f->device, out->t_before_ns, &out->power_w);
    out->t_after_ns = f->clock->now_ns(f->clock->ctx);
    /* The device writes a change of power down after it has happened: what was extrapolated over a
     * tick that fell in between is taken back then. A counter never runs backwards. */
    if (out->energy_j < f->last_j) out->energy_j = f->last_j;
    f->last_j = out->energy_j;
    out->valid = want & (JL_READ_ENERGY | JL_READ_POWER);
    return 0;
}

static void fake_close(void *ctx)
{
    fake *f = ctx;
    if (!f) return;
    munmap(f->device, JL_FAKE_DEVICE_BYTES);
    free(f);
}

const jl_meter_vtable jl_meter_fake = {
    .abi = JL_METER_ABI,
    .name = "fake",
    .summary = "the simulated device of the fake runtime (simulated)",
    .opt_in = true,
    .probe = fake_probe,
    .open = fake_open,
    .domains = fake_domains,
    .read = fake_read,
    .close = fake_close,
};
