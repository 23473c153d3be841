/* What others on this machine do while a run is measured. */
#ifndef JL_STUDY_LOAD_H
#define JL_STUDY_LOAD_H

#include <stdint.h>

typedef struct jl_load_snapshot {
    int64_t t_ns, busy_ns, own_ns; /* busy_ns < 0: not known; own: this process */
} jl_load_snapshot;

void jl_load_take(jl_load_snapshot *s);
/* Mean number of processors kept busy by anything but this process and the worker, time stolen by
 * a hypervisor included; NAN when not known. */
double jl_load_foreign_cpus(const jl_load_snapshot *before, const jl_load_snapshot *after,
                            int64_t worker_cpu_ns);

#endif
