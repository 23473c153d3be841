/* An assumed power, only on request: "estimate:watts=65" or "estimate:watts=65,gain=0.3". Marked
 * modelled everywhere. */
#include "meter/meters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct estimate {
    const jl_clock *clock;
    double watts;
    jl_meter_domain domain;
} estimate;

static void estimate_probe(const jl_meter_options *options, jl_meter_probe *out)
{
    *out = (jl_meter_probe){0};
    (void)options;
    out->works = true;
    snprintf(out->what, sizeof out->what,
             "an assumption, never used unless asked for: --meter estimate:watts=65");
}

static int parse(const char *args, double *watts, double *gain, jl_error *err)
{
    *watts = NAN;
    *gain = 0.5;
    for (const char *p = args ? args : ""; *p;) {
        size_t n = strcspn(p, ",");
        char *end = NULL;
        double v = NAN, *to = NULL;
        if (!strncmp(p, "watts=", 6)) to = watts;
        if (!strncmp(p, "gain=", 5)) to = gain;
        if (to) v = strtod(strchr(p, '=') + 1, &end);
        if (!to || end != p + n || !(v > 0) || v > 1e6)
            return jl_fail(err, JL_ERR_USAGE,
                           "'%.*s' is not watts=W or gain=RELATIVE with a positive number", (int)n,
                           p);
        *to = v;
        p += n + (p[n] == ',');
    }
    if (isnan(*watts))
        return jl_fail(err, JL_ERR_USAGE,
                       "say how many watts are assumed, for example estimate:watts=65");
    return 0;
}

static int estimate_open(const jl_meter_options *options, void **ctx, jl_error *err)
{
    double watts, gain;
    *ctx = NULL;
    int rc = parse(options->args, &watts, &gain, err);
    if (rc) return rc;
    estimate *e = calloc(1, sizeof *e);
    if (!e) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    e->clock = options->clock ? options->clock : &jl_clock_real;
    e->watts = watts;
    e->domain = (jl_meter_domain){.id = "estimate:host",
                                  .meter = "estimate",
                                  .kind = JL_DOMAIN_WALL,
                                  .unit = -1,
                                  .parent = -1,
                                  .has_power = true,
                                  .modelled = true,
                                  .tick_s = 0.5,
                                  .gain_rel = gain};
    snprintf(e->domain.label, sizeof e->domain.label, "assumed constant %.6g W", watts);
    *ctx = e;
    return 0;
}

static const jl_meter_domain *estimate_domains(void *ctx, size_t *count)
{
    *count = 1;
    return &((estimate *)ctx)->domain;
}

static int estimate_read(void *ctx, size_t domain, uint32_t want, jl_meter_reading *out,
                         jl_error *err)
{
    estimate *e = ctx;
    (void)domain;
    (void)err;
    out->t_before_ns = out->t_after_ns = e->clock->now_ns(e->clock->ctx);
    out->power_w = e->watts;
    out->valid = want & JL_READ_POWER;
    return 0;
}

const jl_meter_vtable jl_meter_estimate = {
    .abi = JL_METER_ABI,
    .name = "estimate",
    .summary = "a constant power that you assume (modelled)",
    .opt_in = true,
    .probe = estimate_probe,
    .open = estimate_open,
    .domains = estimate_domains,
    .read = estimate_read,
    .close = free,
};
