#include "study/host.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cpu.h"

/* The first line of a file without its end; false when there is none. */
static bool first_line(const char *path, char *to, size_t size)
{
    FILE *f = fopen(path, "re");
    bool got = f && fgets(to, (int)size, f);
    if (f) fclose(f);
    if (!got) return false;
    to[strcspn(to, "\n")] = '\0';
    return *to != '\0';
}

static void os_name(char *to, size_t size)
{
    char line[256];
    FILE *f = fopen("/etc/os-release", "re");
    while (f && fgets(line, sizeof line, f)) {
        char name[200];
        if (sscanf(line, "PRETTY_NAME=\"%199[^\"]", name) == 1)
            snprintf(to, size, "%.*s", (int)size - 1, name);
    }
    if (f) fclose(f);
}

void jl_host_describe(jl_host *h)
{
    struct utsname u = {0};
    char identity[512];
    *h = (jl_host){0};
    uname(&u);
    snprintf(h->name, sizeof h->name, "%s", u.nodename);
    snprintf(h->arch, sizeof h->arch, "%s", u.machine);
    snprintf(h->kernel, sizeof h->kernel, "%s", u.release);
    jl_cpu_name(h->cpu, sizeof h->cpu);
    os_name(h->os, sizeof h->os);
    if (!first_line("/etc/machine-id", identity, sizeof identity))
        snprintf(identity, sizeof identity, "%s %s", h->name, h->cpu);
    XXH128_hash_t id = XXH3_128bits_withSeed(identity, strlen(identity), 0x6a6f756c65);
    snprintf(h->uid, sizeof h->uid, "%016" PRIx64 "%016" PRIx64, id.high64, id.low64);
    if (!first_line("/proc/sys/kernel/random/boot_id", h->boot, sizeof h->boot))
        snprintf(h->boot, sizeof h->boot, "%.30s-unknown", h->name);
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    h->record = (jl_host_record){
        .uid = h->uid,
        .name = h->name,
        .cpu = h->cpu,
        .arch = h->arch,
        .kernel = h->kernel,
        .os = *h->os ? h->os : NULL,
        .cpus = sysconf(_SC_NPROCESSORS_ONLN),
        .memory_bytes = pages > 0 && page > 0 ? (int64_t)pages * page : JL_ABSENT,
        .boot_uid = h->boot,
    };
}

/* The first word that is made of digits and dots. */
static bool version_in(const char *line, char *text, size_t size)
{
    for (const char *p = line + strspn(line, " \t"); *p; p += strspn(p, " \t")) {
        size_t n = strcspn(p, " \t"), digits = strspn(p, "0123456789.");
        if (digits == n && memchr(p, '.', n)) {
            snprintf(text, size, "%.*s", (int)n, p);
            return true;
        }
        p += n;
    }
    return false;
}

void jl_host_gpu_driver(const char *root, char *text, size_t size)
{
    static const char *const files[] = {"/sys/module/nvidia/version",
                                        "/proc/driver/nvidia/version"};
    *text = '\0';
    for (size_t i = 0; i < sizeof files / sizeof *files && !*text; i++) {
        char path[512], line[256];
        snprintf(path, sizeof path, "%s%s", root ? root : "", files[i]);
        if (first_line(path, line, sizeof line)) version_in(line, text, size);
    }
}

/* Every governor of the processors' frequency in use: "performance", "performance, powersave". */
static bool governors(const char *root, char *text, size_t size)
{
    char path[512];
    size_t used = 0;
    *text = '\0';
    for (int cpu = 0, gap = 0; gap < 64; cpu++) { /* numbers of absent processors are left out */
        char line[64];
        snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor",
                 root, cpu);
        gap = first_line(path, line, sizeof line) ? 0 : gap + 1;
        if (gap || strstr(text, line)) continue;
        int n = snprintf(text + used, size - used, "%s%s", used ? ", " : "", line);
        if (n < 0 || (size_t)n >= size - used) break;
        used += (size_t)n;
    }
    return used > 0;
}

static void set_fact(json_t *j, const char *key, bool known, const char *text)
{
    char missing[64];
    snprintf(missing, sizeof missing, "%s_missing", key);
    json_object_set_new(j, known ? key : missing, json_string(text));
}

char *jl_host_conditions(const char *root)
{
    static const struct {
        const char *key, *path;
    } files[] = {
        {"no_turbo", "/sys/devices/system/cpu/intel_pstate/no_turbo"},
        {"boost", "/sys/devices/system/cpu/cpufreq/boost"},
        {"smt", "/sys/devices/system/cpu/smt/active"},
        {"load", "/proc/loadavg"},
    };
    if (!root) root = "";
    json_t *j = json_object();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512], line[128];
        snprintf(path, sizeof path, "%s%s", root, files[i].path);
        if (first_line(path, line, sizeof line))
            json_object_set_new(j, files[i].key, json_string(line));
    }
    jl_host h;
    jl_host_describe(&h);
    char governor[128];
    bool scaled = governors(root, governor, sizeof governor);
    set_fact(j, "governor", scaled,
             scaled ? governor
                    : "the kernel scales no frequency here, as in most virtual machines");
    set_fact(j, "cpu", *h.cpu, *h.cpu ? h.cpu : "the kernel tells no name");
    set_fact(j, "kernel", *h.kernel, *h.kernel ? h.kernel : "uname does not tell it");
    char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(j);
    return text;
}
