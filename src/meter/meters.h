/* The meters of this build. */
#ifndef JL_METER_METERS_H
#define JL_METER_METERS_H

#include "jouleline/meter.h"

extern const jl_meter_vtable jl_meter_nvml;
extern const jl_meter_vtable jl_meter_rapl;
extern const jl_meter_vtable jl_meter_perf;
extern const jl_meter_vtable jl_meter_hwmon;
extern const jl_meter_vtable jl_meter_battery;
extern const jl_meter_vtable jl_meter_command;
extern const jl_meter_vtable jl_meter_estimate;
extern const jl_meter_vtable jl_meter_fake;

#endif
