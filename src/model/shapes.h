/* What is known of every value of a graph without running it: kind, element type, shape with
 * symbolic dimensions, and the contents of small integer tensors (shapes computed in the graph).
 *
 * Sources: the operators' specifications of ONNX opsets 1 to 21 and later ones where they agree. */
#ifndef JL_MODEL_SHAPES_H
#define JL_MODEL_SHAPES_H

#include "model/dim.h"
#include "model/graph.h"

typedef enum jl_kind {
    JL_KIND_UNKNOWN,
    JL_KIND_TENSOR,
    JL_KIND_SPARSE,
    JL_KIND_SEQUENCE, /* of tensors; dtype and shape are those that all elements share */
    JL_KIND_OPTIONAL, /* of what `inner` says */
    JL_KIND_MAP,
} jl_kind;

/* One element of known contents: num / den, or a real constant, or not known. */
typedef enum jl_elem_kind { JL_ELEM_UNKNOWN, JL_ELEM_RATIO, JL_ELEM_REAL } jl_elem_kind;
typedef struct jl_elem {
    jl_elem_kind kind;
    jl_dim num;
    int64_t den; /* >= 1 */
    double real;
} jl_elem;

typedef struct jl_info {
    uint8_t kind, inner; /* jl_kind */
    uint8_t dtype;       /* jl_dtype; JL_UNDEFINED when not known */
    int8_t rank;         /* -1 when not known */
    bool loaded;         /* contents of an initializer were looked for */
    jl_dim *dims;
    jl_elem *elems; /* all elements, row major, or NULL */
    uint32_t n_elems;
    int32_t length; /* of a sequence, or -1 */
} jl_info;

/* A free dimension of the inputs with its value. */
typedef struct jl_known_dim {
    jl_str symbol;
    int64_t value;
} jl_known_dim;

typedef struct jl_shapes_options {
    const jl_known_dim *known; /* numbers take the place of these symbols */
    size_t n_known;
    /* Do not fall back on the file's own value_infos where an operator is not known. */
    bool ignore_declared;
    /* Types are wanted also in the branch of an If that is known not to run. */
    bool every_branch;
} jl_shapes_options;

typedef struct jl_shapes {
    const jl_graph *graph;
    onnx_file *file; /* for contents; NULL for a model that is not from a file */
    jl_arena *arena;
    jl_dims *dims;
    jl_info *values; /* by value number */
    bool *known_op;  /* by node number: the table has this operator */
    uint8_t *taken;  /* by node number: of an If whose condition is known, 1 + the scope's index */
    uint32_t n_unknown; /* nodes whose operator the table does not have */
    const jl_shapes_options *options;
    uint64_t visits, visits_allowed;
} jl_shapes;

/* Infers every value of every scope. Dimensions of inputs without a name become symbols called
 * "input.axis". JL_ERR_FORMAT or JL_ERR_LIMIT names the node that contradicts its inputs.
 * Everything lives in the arena but the pool of dimensions: jl_shapes_free. */
int jl_shapes_new(const jl_graph *graph, onnx_file *file, jl_arena *arena,
                  const jl_shapes_options *options, jl_shapes **shapes, jl_error *err);
void jl_shapes_free(jl_shapes *s);

/* "float[batch, 3, 224, 224]" */
void jl_shapes_print(const jl_shapes *s, uint32_t value, jl_buf *out);

#endif
