/* Model-local functions: the body of a call as a graph of its own, attributes filled in. */
#ifndef JL_MODEL_FUNCTION_H
#define JL_MODEL_FUNCTION_H

#include "base/map.h"
#include "model/onnx/onnx.h"

/* The functions of a model by domain, name and overload. */
typedef struct function_index {
    const onnx_model *model;
    jl_map domains; /* domain to a space of `names` */
    jl_map names;   /* name to the index of the first function so called */
} function_index;

/* False when memory is exhausted. */
bool function_index_new(const onnx_model *model, function_index *index);
void function_index_free(function_index *index);
/* The function that a node calls, or NULL. */
const onnx_function *function_of(const function_index *index, const onnx_node *node);
/* The body for this call: the nodes with every reference to an attribute of the function replaced
 * by the call's value, or the default. NULL when memory is exhausted. */
onnx_graph *function_body(const onnx_function *f, const onnx_node *call, jl_arena *arena);

#endif
