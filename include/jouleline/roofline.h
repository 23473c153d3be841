/* A roofline with three roofs: how fast a device and a runtime can compute, move bytes, and
 * dispatch nodes. A call needs at least the longest of the three times; how much of that roof
 * it achieves, and which roof binds, says where its time goes.
 * Source: Williams, Waterman, Patterson, Commun. ACM 52 (2009) 65; the dispatch roof as in Yang
 * et al., Concurr. Comput. 32 (2020) e5547 for launch latency. */
#ifndef JOULELINE_ROOFLINE_H
#define JOULELINE_ROOFLINE_H

#include "jouleline/study_table.h"

typedef enum jl_roof { JL_ROOF_COMPUTE, JL_ROOF_MEMORY, JL_ROOF_DISPATCH, JL_ROOF_COUNT } jl_roof;
/* "compute", "memory", "dispatch". */
const char *jl_roof_name(jl_roof r);

/* The work of one call: floating-point operations, bytes moved, nodes run. NaN: unknown. */
typedef struct jl_work {
    double amount[JL_ROOF_COUNT]; /* flop, bytes, dispatches */
} jl_work;

/* Ceilings: flop/s, bytes/s, dispatches/s; absent where no probe reaches for it. */
typedef struct jl_roofs {
    jl_value rate[JL_ROOF_COUNT];
} jl_roofs;

/* Each ceiling is the highest rate that any probe reached. work and time_s (of one call, NaN
 * missing) hold n probes: large matrix products, a pass over memory, a chain of tiny nodes. */
jl_roofs jl_roofs_of_probes(const jl_work *work, const double *time_s, size_t n);

typedef struct jl_roof_place {
    jl_value least_s[JL_ROOF_COUNT]; /* the time that each roof allows */
    jl_value bound_s;                /* the longest of them */
    jl_roof binds;                   /* meaningful when bound_s is known */
    jl_value fraction;               /* bound_s / time: above 1, bytes came from a cache */
    jl_value intensity;              /* flop / byte */
    bool partial;                    /* a roof or an amount is unknown: another roof may bind */
} jl_roof_place;

/* Where n calls stand under the roofs. */
void jl_roofline(const jl_roofs *roofs, const jl_work *work, const double *time_s, size_t n,
                 jl_roof_place *out);

/* The roofs of a device under a configuration, from the table's probes (median latencies). */
int jl_study_roofs(const jl_study_table *t, uint32_t device, uint32_t configuration, jl_roofs *out,
                   jl_error *err);
/* One place a cell of the table, each under the roofs of its own device and configuration. */
int jl_study_roofline(const jl_study_table *t, jl_roof_place *out, jl_error *err);

#endif
