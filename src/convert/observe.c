#include "convert/observe.h"

#include <string.h>

static onnx_type *plain_type(jl_arena *a, jl_dtype dtype)
{
    onnx_type *type = jl_arena_alloc(a, sizeof *type);
    onnx_tensor_type *tensor = jl_arena_alloc(a, sizeof *tensor);
    if (!type || !tensor) return NULL;
    tensor->elem_type = (int32_t)dtype;
    type->tensor_type = tensor;
    return type;
}

int jl_observe(jl_edit *e, const jl_str *names, const jl_dtype *types, size_t count,
               const char *path, jl_error *err)
{
    onnx_graph *g = e->graph;
    onnx_graph before = *g;
    onnx_value_info *outputs = jl_arena_array(e->arena, g->outputs.n + count, sizeof *outputs);
    jl_map there = {0};
    bool memory = outputs != NULL;
    for (size_t i = 0; memory && i < g->inputs.n; i++)
        memory = jl_map_set(&there, g->inputs.p[i].name, 0);
    for (size_t i = 0; memory && i < g->outputs.n; i++)
        memory = jl_map_set(&there, g->outputs.p[i].name, 0);
    size_t n = g->outputs.n;
    if (memory) memcpy(outputs, g->outputs.p, n * sizeof *outputs);
    for (size_t i = 0; memory && i < count; i++) {
        if (jl_map_get(&there, names[i]) != JL_MAP_NONE) continue;
        outputs[n] = (onnx_value_info){.name = names[i],
                                       .type = plain_type(e->arena, types ? types[i] : JL_FLOAT)};
        memory = outputs[n++].type != NULL;
    }
    jl_map_free(&there);
    if (!memory) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    g->outputs.p = outputs;
    g->outputs.n = n;
    int rc = jl_edit_save(e, path, err);
    g->outputs = before.outputs;
    return rc;
}
