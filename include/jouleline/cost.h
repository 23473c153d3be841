/* What a model costs by its graph: multiplications, floating point operations, bytes, memory.
 *
 * Conventions
 * - A MAC is one multiplication of a convolution or a matrix product with its addition: windows
 *   count whole, padding included. The total is what torchvision publishes as "GFLOPs".
 * - FLOP counts every arithmetic operation: 2 a MAC, 1 for each addition, multiplication,
 *   division, comparison, exponential, root... of the other operators (softmax 5 an element,
 *   layer norm 7, sigmoid 4, GELU 5; the whole list is in src/model/cost_table.c).
 * - Nodes that depend on no input are folded when a session is made, and cost nothing.
 * - Activation bytes: what each node reads and writes when none is fused with another; reshapes
 *   move nothing, a Gather or Slice reads what it returns. The fused estimate leaves out every
 *   tensor between a node and an elementwise operator or batch norm that alone reads it.
 * - Peak activation memory: the largest sum of the sizes of the tensors that live at one time,
 *   in the file's order of execution, each freed after its last reader; inputs and outputs
 *   included, weights not.
 * - Arithmetic intensity: FLOP / (weight bytes + activation bytes).
 * - Parameters: elements of initializers that hold weights. Batch norm statistics, other
 *   constants (scalars, shapes, indices) and quantisation scales and zero points are counted
 *   apart.
 * Nothing here is measured: all numbers are computed from shapes. */
#ifndef JOULELINE_COST_H
#define JOULELINE_COST_H

#include "jouleline/model.h"

typedef struct jl_cost_numbers {
    int64_t macs, flop;
    int64_t parameters;             /* elements */
    int64_t weight_bytes;           /* initializers read */
    int64_t activation_bytes;       /* read and written, nothing fused: an upper bound */
    int64_t fused_activation_bytes; /* an estimate */
} jl_cost_numbers;

typedef struct jl_node_cost {
    const char *name; /* of the node, or "#12" */
    const char *op;
    const char *output; /* "float[8, 64, 112, 112]" */
    jl_cost_numbers cost;
    int64_t times; /* executions: 1, or the iterations of the loop that it stands in */
    bool known;    /* false: an operator without a rule, or sizes that depend on values */
    bool folded;   /* depends on no input */
    bool counted;  /* false in the branch of an If that is not taken, or the cheaper one */
} jl_node_cost;

/* An operator type and the sum over its nodes. */
typedef struct jl_op_cost {
    const char *op;
    size_t nodes, unknown;
    jl_cost_numbers cost;
} jl_op_cost;

typedef struct jl_cost {
    jl_cost_numbers total;
    int64_t statistics;   /* elements of batch norm means and variances */
    int64_t constants;    /* elements of shapes, indices and the like */
    int64_t quantisation; /* elements of scales and zero points */
    int64_t peak_activation_bytes;
    double intensity_flop_per_byte; /* unfused; 0 when no byte moves */
    size_t n_nodes;
    const jl_node_cost *nodes; /* in the order of execution */
    size_t n_ops;
    const jl_op_cost *ops; /* by FLOP, the largest first */
    size_t n_unknown;      /* counted nodes that are not known */
    size_t undecided;      /* If nodes whose condition is not known: the dearer branch counts */
    size_t n_notes;
    const char *const *notes; /* sentences: what is not known and why */
    struct jl_arena *arena;
} jl_cost;

typedef struct jl_cost_options {
    int64_t batch; /* 0: as bound, or 1 where the batch is free */
    /* Element type of every floating point tensor: JL_UNDEFINED for the file's own, JL_INT8 for
     * weights and activations of 8 bits. */
    jl_dtype precision;
} jl_cost_options;

/* Other free dimensions must have been bound. JL_ERR_USAGE names one without a value and the
 * remedy; JL_ERR_LIMIT the node whose numbers pass 64 bits. */
int jl_cost_new(jl_model *m, const jl_cost_options *options, jl_cost **cost, jl_error *err);
void jl_cost_free(jl_cost *c);

#endif
