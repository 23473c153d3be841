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
} jl_portability_row;

typedef struct jl_portability {
    jl_portability_row *rows; /* by configuration, outcome, model, device */
    size_t count;
} jl_portability;

int jl_find_failures(const jl_study_table *t, jl_portability *out, jl_error *err);
void jl_portability_free(jl_portability *p);

/* The first fact from `*from` on in which two cells differ (or that one of them lacks); false
 * when there is none left. *from is moved past it: start at 0 and call until false. */
bool jl_audit_next(const jl_study_cell *a, const jl_study_cell *b, size_t *from, const char **name,
                   const char **value_a, const char **value_b);

#endif
