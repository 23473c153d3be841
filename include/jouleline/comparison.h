/* Paired comparisons of the configurations of a study, every one with both families of
 * corrections:
 *   (a) the cell table: the pairs of one model, batch and device;
 *   (b) the study: all comparisons of a device together, by joint sign flips over rounds. */
#ifndef JOULELINE_COMPARISON_H
#define JOULELINE_COMPARISON_H

#include "jouleline/study_table.h"

#define JL_ALL_PAIRS UINT32_MAX

typedef struct jl_comparison_options {
    jl_metric metric;
    uint32_t baseline; /* a configuration against which every other is compared, or JL_ALL_PAIRS */
    double level;      /* of intervals; 0: 0.95 */
    bool study_wide;   /* also family (b) */
    size_t draws;      /* of family (b) above 15 rounds; 0: 9,999, fewer for huge families */
    uint64_t seed;
    unsigned threads; /* 0: one */
} jl_comparison_options;

/* new / base, over the common complete rounds. Below 1 the new one takes less. */
typedef struct jl_comparison {
    uint32_t base, new_cell;
    uint32_t n, left_out; /* rounds with both sides, and rounds with one */
    uint32_t family;      /* comparisons in its family (a) */
    bool ties;
    jl_value ratio;                /* Hodges-Lehmann */
    jl_interval interval;          /* of the ratio */
    jl_value effect;               /* matched-pairs rank-biserial */
    jl_value p;                    /* exact signed rank, two-sided, not corrected */
    double p_least;                /* the smallest p of so many rounds */
    jl_value p_bonferroni, p_holm; /* in family (a) */
    jl_value p_study;              /* family (b), max-t */
    jl_value p_study_bonferroni;   /* family (b), the signed-rank p times its size */
    uint32_t study_family;         /* comparisons in family (b) */
} jl_comparison;

typedef struct jl_comparisons {
    jl_comparison *items; /* by device, model, batch, in-flight, then configurations */
    size_t count;
} jl_comparisons;

/* How many comparisons jl_compare_study will make. */
int jl_count_comparisons(const jl_study_table *t, const jl_comparison_options *o, size_t *count,
                         jl_error *err);

/* Compares the cells that ran (outcome ok); values that are not positive give no ratio and
 * count as left out. */
int jl_compare_study(const jl_study_table *t, const jl_comparison_options *o, jl_comparisons *out,
                     jl_error *err);
void jl_comparisons_free(jl_comparisons *c);

/* log(new / base) of every round: NaN where a side is missing, not positive, or the round is not
 * complete. out: t->rounds values. */
void jl_log_ratios(const jl_study_table *t, jl_metric metric, uint32_t base, uint32_t new_cell,
                   double *out);

#endif
