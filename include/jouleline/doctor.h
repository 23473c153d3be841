/* What this machine has to measure with: its processors and every runtime's providers and devices.
 * Each runtime is asked in a helper process, so that a library that crashes is a finding. */
#ifndef JOULELINE_DOCTOR_H
#define JOULELINE_DOCTOR_H

#include <jansson.h>

/* {"name", "cpu", "cpus", "memory_bytes", "arch", "kernel", "os"}; what is unknown is null. The
 * caller owns it. */
json_t *jl_doctor_host(void);

/* One object a runtime and provider: "runtime", "provider", "state" ("works", "missing",
 * "simulated"), "reason" (why it is missing, with the remedy, or null), "version", "library" (or
 * null), "devices" (names). The caller owns the array. */
json_t *jl_doctor_runtimes(void);

#endif
