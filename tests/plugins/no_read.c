/* A meter that forgot a hook. */
#include <stdlib.h>

#include "jouleline/meter.h"

static void probe(const jl_meter_options *options, jl_meter_probe *out)
{
    (void)options;
    *out = (jl_meter_probe){.works = true};
}
static int open_meter(const jl_meter_options *options, void **ctx, jl_error *err)
{
    (void)options, (void)ctx, (void)err;
    abort(); /* nothing of it is used */
}
static const jl_meter_domain *domains(void *ctx, size_t *count)
{
    (void)ctx;
    *count = 0;
    return NULL;
}

const jl_meter_vtable *jouleline_meter(void);
const jl_meter_vtable *jouleline_meter(void)
{
    static const jl_meter_vtable m = {.abi = JL_METER_ABI,
                                      .name = "lame",
                                      .summary = "no read",
                                      .probe = probe,
                                      .open = open_meter,
                                      .domains = domains,
                                      .close = free};
    return &m;
}
