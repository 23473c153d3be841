/* A graph view over the messages of a model: values and nodes by number, who produces and who
 * reads what, sub-graphs, an order of execution. Made in one pass, linear in the model.
 *
 * Numbers are over the whole model: sub-graphs have values and nodes of their own in the same
 * arrays, grouped by scope. Scope 0 is the main graph. */
#ifndef JL_MODEL_GRAPH_H
#define JL_MODEL_GRAPH_H

#include "model/onnx/onnx.h"

#define JL_NONE UINT32_MAX

/* A place where a value is read. */
typedef struct jl_use {
    uint32_t node, input;
} jl_use;

typedef struct jl_graph_value {
    jl_str name;
    uint32_t scope;
    uint32_t node;   /* that produces it, or JL_NONE: an input or an initializer */
    uint32_t output; /* which output of that node */
    const onnx_tensor *initializer;
    const onnx_sparse_tensor *sparse;
    const onnx_type *declared;  /* by an input, output or value_info, or NULL */
    uint32_t first_use, n_uses; /* into jl_graph.uses; reads from sub-graphs included */
    bool is_input, is_output;   /* of its scope's graph */
} jl_graph_value;

typedef struct jl_node {
    const onnx_node *onnx;
    uint32_t scope;
    uint32_t n_inputs, n_outputs;
    uint32_t *inputs, *outputs;     /* value numbers; JL_NONE where one is left out */
    uint32_t first_scope, n_scopes; /* its sub-graphs, in the order of its attributes */
} jl_node;

typedef struct jl_scope {
    const onnx_graph *onnx;
    /* Set for the body of a call of a model-local function: it sees nothing of the graph around
     * it; its inputs and outputs are the calling node's, one by one. */
    const onnx_function *function;
    uint32_t parent, owner; /* scope and node that hold it; JL_NONE for the main graph */
    uint32_t first_node, n_nodes;
    uint32_t *order; /* node numbers so that producers come first; file order where that does */
    uint32_t n_inputs, n_outputs;
    uint32_t *inputs, *outputs;
} jl_scope;

typedef struct jl_graph {
    const onnx_model *model;
    uint32_t n_scopes, n_nodes, n_values;
    jl_scope *scopes;
    jl_node *nodes;
    jl_graph_value *values;
    jl_use *uses;
} jl_graph;

/* Everything lives in the arena. JL_ERR_FORMAT names the node or value: a value made twice, read
 * but never made, a cycle. */
int jl_graph_new(const onnx_model *model, jl_arena *arena, jl_graph **graph, jl_error *err);
/* Fills in the order of every scope, as the last step of jl_graph_new; a cycle is named. */
int jl_graph_order(jl_graph *g, jl_arena *arena, jl_error *err);

/* Version of a domain ("" for ai.onnx) for the nodes of a scope; 0 when not imported. */
int64_t jl_graph_opset(const jl_graph *g, uint32_t scope, const char *domain);
/* Is the node a call of a model-local function? Its body is its only scope. */
bool jl_node_is_call(const jl_graph *g, const jl_node *n);

/* "node 'name' (Conv)", or "node #12 (Conv)" for one without a name. */
enum { JL_LABEL = 192 };
const char *jl_node_label(const jl_graph *g, uint32_t node, char label[JL_LABEL]);
/* The value of that name as scope sees it (enclosing scopes included), or JL_NONE. Linear. */
uint32_t jl_graph_find(const jl_graph *g, uint32_t scope, jl_str name);

#endif
