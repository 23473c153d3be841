/* Contrasts: two configurations, precisions, regimes or batches of a device held against each
 * other over many models, for every family of architectures and for all models together.
 *
 * Everything that a contrast says of a device and a metric is tested in one family: the ratios
 * of all members and of all groups, by joint sign flips over rounds. */
#ifndef JOULELINE_CONTRAST_H
#define JOULELINE_CONTRAST_H

#include "jouleline/study_table.h"

typedef enum jl_contrast_kind {
    JL_CONTRAST_RUNTIME,   /* same precision and options, another runtime or provider */
    JL_CONTRAST_PRECISION, /* same runtime, provider and options, another named precision */
    JL_CONTRAST_REGIME,    /* same runtime and provider: native (new) against matched FP32 (base) */
    JL_CONTRAST_BATCH      /* same configuration: a larger batch (new) against the smallest */
} jl_contrast_kind;

/* One model of a contrast. Ratios are new / base, per item. */
typedef struct jl_member {
    uint32_t base, new_cell; /* cells */
    uint32_t n;              /* common rounds */
    jl_value ratio;          /* Hodges-Lehmann */
    jl_interval interval;
    jl_value effect; /* rank-biserial */
    jl_value p;      /* joint */
} jl_member;

typedef struct jl_contrast {
    jl_contrast_kind kind;
    jl_metric metric;
    uint32_t device, base_configuration, new_configuration;
    uint32_t base_batch, new_batch, in_flight;
    const char *family;       /* NULL: all models */
    const jl_member *members; /* models that ran on both sides */
    size_t count;
    uint32_t lower, higher;        /* members whose ratio is shown to be below, above 1 */
    jl_value ratio_mean, ratio_sd; /* of new / base over models; sd from two on */
    jl_value gain_mean, gain_sd;   /* of base / new over models: the speed-up */
    uint32_t n;                    /* rounds in which every member has both sides */
    jl_value ratio; /* over rounds: Hodges-Lehmann of the models' geometric mean ratio */
    jl_interval interval;
    jl_value effect, p; /* rank-biserial over rounds; joint */
} jl_contrast;

typedef struct jl_contrasts {
    jl_contrast *items; /* by device, kind, configurations, batch; all models before families */
    size_t count;
    jl_member *members; /* what the items point into */
    size_t member_count;
} jl_contrasts;

/* All contrasts of a metric. alpha decides `lower` and `higher` (0: 0.05). */
int jl_find_contrasts(const jl_study_table *t, jl_metric metric, double alpha, uint64_t seed,
                      jl_contrasts *out, jl_error *err);
void jl_contrasts_free(jl_contrasts *c);

/* Which configuration of a device takes least over all cells that every one of the best two has:
 * the last line of `run` and the first of `report`. */
typedef struct jl_headline {
    jl_why why; /* JL_TOO_FEW: fewer than two configurations ran the same cells */
    jl_metric metric;
    uint32_t device, best, next; /* configurations */
    uint32_t cells, n;           /* cells in common, rounds */
    jl_value ratio; /* best / next, geometric mean over cells, Hodges-Lehmann over rounds */
    jl_interval interval;
    jl_value p; /* two-sided signed rank against each other configuration: the largest */
} jl_headline;

/* The energy if it was measured on this device, else the latency per item. */
int jl_find_headline(const jl_study_table *t, uint32_t device, jl_headline *out, jl_error *err);

#endif
