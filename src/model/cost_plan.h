/* A model being costed: what the parts of the computation share. Private to src/model. */
#ifndef JL_MODEL_COST_PLAN_H
#define JL_MODEL_COST_PLAN_H

#include "jouleline/cost.h"
#include "model/cost_rules.h"
#include "model/model.h"

typedef struct cost_plan {
    jl_model *m;
    const jl_graph *g;
    cost_sizes sizes;
    jl_cost *cost;
    jl_dtype precision;
    jl_node_cost *nodes;     /* by node number */
    const cost_rule **rules; /* by node number; NULL for an operator without one */
    bool *folded;            /* by node number */
    bool *constant;          /* by value number: depends on no input */
    int64_t *bytes;          /* by value number; 0 where sizes are not known */
    bool *sized;             /* by value number */
    uint32_t *group;         /* by node number: the first node of those fused with it */
    uint32_t *position;      /* by node number: place in the order of its scope */
    const char **notes;
    size_t n_notes;
    jl_error *err;
} cost_plan;

enum { MAX_NOTES = 32 };

int cost_no_memory(const cost_plan *p);
int cost_note(cost_plan *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cost_overflow(const cost_plan *p, uint32_t node);

/* Is it the first time that node i reads the value, counting from input 0? */
bool cost_first_reading(const jl_node *n, uint32_t input);

/* Nodes in the order of execution, totals, sums by operator, notes on what is not known. */
int cost_list(cost_plan *p);
/* Marks what depends on no input. */
void cost_fold(cost_plan *p);
/* Parameters by node and in total, weight bytes. */
int cost_weights(cost_plan *p);
/* Activation bytes, unfused and fused. */
int cost_traffic(cost_plan *p);
/* The peak of the main graph. */
int cost_peak(cost_plan *p, int64_t *peak);

#endif
