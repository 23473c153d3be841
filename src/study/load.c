#include "study/load.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "jouleline/clock.h"

void jl_load_take(jl_load_snapshot *s)
{
    *s = (jl_load_snapshot){.t_ns = jl_now_ns(), .busy_ns = -1};
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    s->own_ns = (int64_t)t.tv_sec * JL_NS_PER_S + t.tv_nsec;
    FILE *f = fopen("/proc/stat", "re");
    unsigned long long v[8] = {0}; /* user nice system idle iowait irq softirq steal */
    if (f && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
                    &v[4], &v[5], &v[6], &v[7]) == 8) {
        unsigned long long ticks = v[0] + v[1] + v[2] + v[5] + v[6] + v[7];
        s->busy_ns = (int64_t)(ticks * (unsigned long long)JL_NS_PER_S /
                               (unsigned long long)sysconf(_SC_CLK_TCK));
    }
    if (f) fclose(f);
}

double jl_load_foreign_cpus(const jl_load_snapshot *before, const jl_load_snapshot *after,
                            int64_t worker_cpu_ns)
{
    int64_t wall_ns = after->t_ns - before->t_ns;
    if (before->busy_ns < 0 || after->busy_ns < 0 || worker_cpu_ns < 0 || wall_ns <= 0) return NAN;
    int64_t foreign_ns =
        after->busy_ns - before->busy_ns - worker_cpu_ns - (after->own_ns - before->own_ns);
    double cpus = (double)foreign_ns / (double)wall_ns;
    return cpus > 0 ? cpus : 0; /* the kernel counts in ticks of 10 ms */
}
