/* Which configuration and batch to use for a model, given limits. */
#ifndef JOULELINE_ADVISE_H
#define JOULELINE_ADVISE_H

#include "jouleline/study_table.h"

/* Limits; 0 (or NaN) where there is none. */
typedef struct jl_limits {
    double latency_ns;             /* of a call, at most: the median, or the table's tail */
    bool tail;                     /* latency_ns is of the table's tail percentile */
    double energy_j_per_item;      /* at most */
    double power_w;                /* at most, on average while running */
    double throughput_items_per_s; /* at least */
    double agreement;              /* top-1 with FP32, at least, 0 to 1 */
} jl_limits;

enum { /* limits that a cell misses, or that cannot be decided for it */
       JL_MISS_LATENCY = 1,
       JL_MISS_ENERGY = 2,
       JL_MISS_POWER = 4,
       JL_MISS_THROUGHPUT = 8,
       JL_MISS_AGREEMENT = 16
};

/* One cell of the model. Its values are medians over rounds; a limit is met only if the
 * unfavourable end of the interval meets it (of the median where so few rounds give none). */
typedef struct jl_candidate {
    uint32_t cell;
    jl_value latency_ns, tail_ns;           /* per call */
    jl_value energy_j, power_w, throughput; /* joules per item, W, items/s */
    jl_value agreement; /* share; absent when not checked; FP32 itself counts as 1 */
    unsigned misses;    /* JL_MISS_*; 0: meets every limit */
    bool pareto;        /* no other cell is as good in latency, energy and throughput
                           and better in one of them */
    bool certain;       /* every limit was decided by an interval */
} jl_candidate;

typedef struct jl_advice {
    jl_candidate *items; /* the cells that ran: those that meet the limits first, then by energy
                            per item, or by time per item without energy */
    size_t count;
    size_t meeting; /* the first so many meet every limit; items[0] is recommended if any */
    bool by_energy;
    char *text; /* the recommendation and why, in sentences */
} jl_advice;

/* device: an index, or UINT32_MAX for any. The latency is closed loop: one caller per call in
 * flight, who waits. */
int jl_advise(const jl_study_table *t, uint32_t model, uint32_t device, const jl_limits *limits,
              jl_advice *out, jl_error *err);
void jl_advice_free(jl_advice *a);

#endif
