/* Pairs of models in which fewer operations cost more energy, tested, explained, and with what
 * would cure them. */
#ifndef JOULELINE_PARADOX_H
#define JOULELINE_PARADOX_H

#include "jouleline/energy_model.h"
#include "jouleline/roofline.h"

/* At least this much less work, and an energy ratio above this. */
#define JL_PARADOX_FLOP_RATIO   0.9
#define JL_PARADOX_ENERGY_RATIO 1.05

typedef enum jl_cause {
    JL_CAUSE_UNKNOWN,    /* no roofs, or none of the below */
    JL_CAUSE_DISPATCH,   /* static power while nodes are dispatched: that roof binds, and the call
                            reaches half of it or takes about as long at the smallest batch */
    JL_CAUSE_BYTES,      /* it moves more bytes, and memory binds */
    JL_CAUSE_UTILISATION /* less than half of the binding roof is reached, and not for dispatch */
} jl_cause;

const char *jl_cause_words(jl_cause c); /* in words */

typedef enum jl_cure {
    JL_CURE_BATCHING,
    JL_CURE_GRAPHS,  /* CUDA Graphs: no dispatch by node */
    JL_CURE_RUNTIME, /* one that dispatches cheaper, or fuses nodes and moves fewer bytes */
    JL_CURES
} jl_cure;
/* "a larger batch", "CUDA Graphs", "another runtime". */
const char *jl_cure_words(jl_cure c);

typedef struct jl_cure_gain {
    jl_cure cure;
    uint32_t cell;      /* that shows it, or JL_NO_CELL: then predicted only */
    bool at_most;       /* no cell shows it: predicted is what the roofs allow */
    jl_value predicted; /* energy per item now / after, by the energy model: at the share of the
                           binding roof that other models of the family reach there */
    jl_value measured;  /* the same between the two cells */
} jl_cure_gain;

typedef struct jl_paradox {
    uint32_t small_cell,
        large_cell;    /* the one with fewer FLOP, and the one that it is held against */
    double flop_ratio; /* small / large, at most 0.9 */
    uint32_t n;        /* common rounds */
    jl_value ratio;    /* energy small / large: Hodges-Lehmann */
    jl_interval interval;
    jl_value effect;           /* rank-biserial of the log ratios less log 1.05 */
    jl_value p;                /* one-sided max-t against a ratio of 1.05, over all candidates */
    jl_value ratio_net, p_net; /* the same net of waking idle */
    uint32_t family;           /* candidate pairs tested together */
    jl_cause cause;
    jl_cure_gain cures[JL_CURES]; /* of the cause, that were measured, or else predicted, to help:
                                     the measured
                                     ones first, then the best */
    size_t cure_count;
} jl_paradox;

typedef struct jl_paradoxes {
    jl_paradox *items; /* candidates whose estimated ratio is above 1.05, shown or not: by device,
                          configuration, batch, then energy ratio */
    size_t count;
} jl_paradoxes;

/* Tests every pair of models of a device, configuration and batch whose FLOP differ by 10 % or
 * more, one-sided and jointly. fits: one per device x configuration (row major), or NULL: then
 * nothing is predicted. */
int jl_find_paradoxes(const jl_study_table *t, const jl_energy_fit *fits, uint64_t seed,
                      jl_paradoxes *out, jl_error *err);
void jl_paradoxes_free(jl_paradoxes *p);

#endif
