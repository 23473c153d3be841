/* This machine's processor. */
#ifndef JL_BASE_CPU_H
#define JL_BASE_CPU_H

#include <stdbool.h>
#include <stddef.h>

/* Physical cores among the processors that this process may run on (hyperthreads count once);
 * `sysfs` is the folder of cpu0, cpu1..., NULL for /sys/devices/system/cpu. At least 1. */
int jl_cpu_cores(const char *sysfs);
/* "AMD EPYC 9B14 96-Core Processor", or the architecture where the kernel tells no name. */
void jl_cpu_name(char *name, size_t size);
/* Arithmetic in the processor itself. */
bool jl_cpu_has_bf16(void);
bool jl_cpu_has_fp16(void);
bool jl_cpu_has_vnni(void); /* 8-bit dot products that do not saturate (VNNI, dotprod) */

#endif
