/* What runs where, and what a comparison did not hold equal. */
#ifndef JOULELINE_PORTABILITY_H
#define JOULELINE_PORTABILITY_H

#include "jouleline/study_table.h"

/* A model and a configuration on a device: which of its cells failed, and how. */
typedef struct jl_portability_row {
    uint32_t model, configuration, device;
    jl_outcome outcome;               /* of the cells counted here; never ok */
    uint32_t cells, of;               /* so many of its cells came to this outcome */
    uint32_t least_batch, most_batch; /* among them */
    const char *message;              /* of the first of them, or NULL */
    /* The first other configuration of the same RUNTIME-PROVIDER/PRECISION, such as one with
     * another converter, on which every cell of the model ran on the device; JL_NO_CONFIGURATION
     * when there is none. */
    uint32_t runs_as;
} jl_portability_row;
#define JL_NO_CONFIGURATION UINT32_MAX

typedef struct jl_portability {
    jl_portability_row *rows; /* by configuration, outcome, model, device */
    size_t count;
} jl_portability;

/* What did not run or ran wrongly, probes left out. Fails for lack of memory only. */
int jl_find_failures(const jl_study_table *t, jl_portability *out, jl_error *err);
void jl_portability_free(jl_portability *p);

/* Facts of two cells that are held against each other: those of their runs, and those of their
 * devices' hosts where the devices differ. Between two runtimes their own versions and libraries
 * are what is compared, and a 0 that only one of them knows (nodes elsewhere) is left out. */
typedef struct jl_audit {
    bool runtimes; /* the runtimes differ */
    const jl_study_fact *a[2], *b[2];
    size_t count_a[2], count_b[2];
    size_t set, from;
} jl_audit;
/* The tables are those of a and of b, which may be one. */
jl_audit jl_audit_begin(const jl_study_table *ta, const jl_study_cell *a, const jl_study_table *tb,
                        const jl_study_cell *b);
/* The next fact in which they differ (or that one of them lacks); false when none is left. */
bool jl_audit_next(jl_audit *x, const char **name, const char **value_a, const char **value_b);

#endif
