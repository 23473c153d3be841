#include "base/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#if defined __aarch64__
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined __x86_64__
#include <cpuid.h>
#endif

/* The first processor of the core that `cpu` belongs to, or itself where nothing is known. */
static int first_sibling(const char *sysfs, int cpu)
{
    char path[256];
    snprintf(path, sizeof path, "%s/cpu%d/topology/thread_siblings_list", sysfs, cpu);
    FILE *f = fopen(path, "re");
    int first = cpu;
    if (f) {
        if (fscanf(f, "%d", &first) != 1) first = cpu;
        fclose(f);
    }
    return first;
}

int jl_cpu_cores(const char *sysfs)
{
    if (!sysfs) sysfs = "/sys/devices/system/cpu";
    cpu_set_t usable, seen;
    CPU_ZERO(&usable);
    CPU_ZERO(&seen);
    if (sched_getaffinity(0, sizeof usable, &usable) < 0) return 1;
    int count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &usable)) continue;
        int core = first_sibling(sysfs, cpu);
        if (core < 0 || core >= CPU_SETSIZE) core = cpu;
        if (CPU_ISSET((size_t)core, &seen)) continue;
        CPU_SET((size_t)core, &seen);
        count++;
    }
    return count > 0 ? count : 1;
}

void jl_cpu_name(char *name, size_t size)
{
    struct utsname u;
    snprintf(name, size, "%s processor", uname(&u) == 0 ? u.machine : "unknown");
    FILE *f = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, size, "%s", colon + 2);
        break;
    }
    if (f) fclose(f);
}

#if defined __x86_64__
/* A bit of CPUID leaf 7; Intel's and AMD's manuals number them alike. */
static bool leaf7(unsigned subleaf, char reg, unsigned bit)
{
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, subleaf, &a, &b, &c, &d)) return false;
    unsigned word = reg == 'a' ? a : reg == 'c' ? c : d;
    return word >> bit & 1;
}

bool jl_cpu_has_bf16(void)
{
    return leaf7(1, 'a', 5) || leaf7(0, 'd', 22); /* AVX512_BF16, AMX-BF16 */
}

bool jl_cpu_has_fp16(void)
{
    return leaf7(0, 'd', 23) || leaf7(1, 'a', 21); /* AVX512-FP16, AMX-FP16 */
}

bool jl_cpu_has_vnni(void)
{
    return leaf7(0, 'c', 11) || leaf7(1, 'a', 4); /* AVX512_VNNI, AVX-VNNI */
}
#elif defined __aarch64__
bool jl_cpu_has_bf16(void)
{
    return getauxval(AT_HWCAP2) & HWCAP2_BF16;
}

bool jl_cpu_has_fp16(void)
{
    return getauxval(AT_HWCAP) & HWCAP_ASIMDHP;
}

bool jl_cpu_has_vnni(void)
{
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
}
#else
bool jl_cpu_has_bf16(void)
{
    return false;
}

bool jl_cpu_has_fp16(void)
{
    return false;
}

bool jl_cpu_has_vnni(void)
{
    return false;
}
#endif
