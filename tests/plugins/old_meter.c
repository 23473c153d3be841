/* A meter of another ABI: it must be refused before any hook is looked at. */
#include "jouleline/meter.h"

const jl_meter_vtable *jouleline_meter(void);
const jl_meter_vtable *jouleline_meter(void)
{
    static const jl_meter_vtable m = {.abi = 42, .name = "old"};
    return &m;
}
