/* The work of one node when its sizes are numbers. Private to src/model. */
#ifndef JL_MODEL_COST_RULES_H
#define JL_MODEL_COST_RULES_H

#include "model/shapes.h"

typedef enum cost_work {
    WORK_NONE,
    WORK_OUTPUT,   /* operations for each element of output 0 */
    WORK_VARIADIC, /* for each element of output 0 and each input after the first */
    WORK_INPUT,    /* for each element of input 0 */
    WORK_WINDOW,   /* for each element of output 0 and place of the window */
    WORK_LRN,
    WORK_RESIZE,
    WORK_CONV,
    WORK_QLINEAR_CONV,
    WORK_CONV_TRANSPOSE,
    WORK_MATMUL,
    WORK_GEMM,
    WORK_EINSUM,
    WORK_RECURRENT,
    WORK_ATTENTION,
    WORK_BODY, /* counted in the nodes of its sub-graph */
} cost_work;

typedef enum cost_moves {
    MOVES_ALL,     /* reads its inputs, writes its outputs */
    MOVES_PICK,    /* reads of input 0 as much as it writes */
    MOVES_NOTHING, /* a view, or a question about the shape */
} cost_moves;

typedef struct cost_rule {
    const char *op, *domain; /* domain NULL: ai.onnx */
    uint8_t work;            /* cost_work */
    uint8_t operations;
    uint8_t moves; /* cost_moves */
    bool fuses;
} cost_rule;

const cost_rule *cost_find(jl_str domain, jl_str type);

/* Sizes of a value in numbers. */
typedef struct cost_shape {
    int rank; /* -1: not known */
    int64_t dims[32];
    int64_t elements;
} cost_shape;

typedef struct cost_sizes {
    jl_shapes *shapes;
    const jl_graph *graph;
} cost_sizes;

/* With all symbols bound. Not known sizes give rank -1; false when the product overflows. */
bool cost_shape_of(const cost_sizes *s, uint32_t value, cost_shape *shape);

/* MACs and FLOP of a node. COST_KNOWN, COST_UNKNOWN when sizes are missing, COST_OVERFLOW. */
typedef enum cost_result { COST_KNOWN, COST_UNKNOWN, COST_OVERFLOW } cost_result;
cost_result cost_work_of(const cost_sizes *s, const jl_node *n, const cost_rule *rule,
                         int64_t *macs, int64_t *flop);

#endif
