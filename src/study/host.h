/* This machine, as the store names it. */
#ifndef JL_STUDY_HOST_H
#define JL_STUDY_HOST_H

#include "jouleline/store.h"

typedef struct jl_host {
    jl_host_record record; /* points into the fields below */
    char uid[33], name[65], cpu[128], arch[65], kernel[65], os[128], boot[48];
} jl_host;

/* Never fails: what cannot be found out is left out. The uid is a hash of the machine's own
 * identity, which stays private. */
void jl_host_describe(jl_host *h);
/* Version of NVIDIA's kernel module, "580.159.04"; "" where there is none. `root` is put before
 * /sys and /proc; NULL for this machine. */
void jl_host_gpu_driver(const char *root, char *text, size_t size);
/* Conditions that a round runs under, as a JSON object of strings for free(): cpu, kernel, governor
 * (each as KEY_missing with the reason when it is not known), boost, load average. `root` as
 * above. */
char *jl_host_conditions(const char *root);

#endif
