/* What Python costs: `pytorch` against `libtorch`, which calls the same kernels from C++. */
#ifndef JOULELINE_INTERPRETER_H
#define JOULELINE_INTERPRETER_H

#include "jouleline/study_table.h"

/* A cell of pytorch and one of libtorch that differ in nothing but the runtime: model, device,
 * batch, calls in flight, provider, precision and options (`trace` and `lib` aside). */
typedef struct jl_interpreter_share {
    uint32_t pytorch, libtorch; /* cells */
    /* Both dispatched the same sequence of operators (libtorch's fact `same_operators`), of the
     * same torch and with everything that the audit compares held equal: the difference is the
     * interpreter's alone. Otherwise it is also the graph's, or whatever is not held equal. */
    bool alone;
    bool same_operators, same_torch;
    uint32_t n;                /* common rounds */
    jl_value difference;       /* pytorch - libtorch in the metric's unit, Hodges-Lehmann */
    jl_interval between;       /* of the difference, by inverted signed ranks */
    jl_value share;            /* of pytorch's value: 1 - libtorch / pytorch */
    jl_interval share_between; /* the like */
} jl_interpreter_share;

typedef struct jl_interpreter_shares {
    jl_interpreter_share *items; /* by device, model, batch, in-flight, then configurations */
    size_t count;
} jl_interpreter_shares;

/* Every such pair of cells that ran, where the metric was measured. level: of the intervals. */
int jl_find_interpreter_shares(const jl_study_table *t, jl_metric metric, double level,
                               jl_interpreter_shares *out, jl_error *err);
void jl_interpreter_shares_free(jl_interpreter_shares *s);

#endif
