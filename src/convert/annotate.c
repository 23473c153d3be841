#include "convert/annotate.h"

static onnx_type *type_of(const jl_half *h, const jl_shapes *shapes, const jl_info *info,
                          jl_dtype dtype)
{
    jl_arena *a = h->edit->arena;
    onnx_type *type = jl_arena_alloc(a, sizeof *type);
    onnx_tensor_type *tensor = jl_arena_alloc(a, sizeof *tensor);
    onnx_shape *shape = jl_arena_alloc(a, sizeof *shape);
    onnx_dim *dims = jl_arena_array(a, (size_t)info->rank + 1, sizeof *dims);
    if (!type || !tensor || !shape || !dims) return NULL;
    for (int i = 0; i < info->rank; i++) {
        jl_dim d = info->dims[i];
        if (jl_dim_is_k(d)) {
            dims[i] = (onnx_dim){.value = d.k, .has_value = true};
        } else if (!jl_dim_is_unknown(shapes->dims, d)) {
            JL_CLEANUP(jl_buf_free) jl_buf text = {0};
            jl_dim_print(shapes->dims, d, &text);
            char *name = text.failed ? NULL : jl_arena_strndup(a, text.p, text.n);
            if (!name) return NULL;
            dims[i] = (onnx_dim){.param = jl_str_c(name), .has_param = true};
        }
    }
    shape->dims.p = dims;
    shape->dims.n = (size_t)info->rank;
    *tensor = (onnx_tensor_type){.elem_type = (int32_t)dtype, .shape = shape};
    type->tensor_type = tensor;
    return type;
}

int jl_annotate(const jl_half *h, const jl_shapes *shapes, jl_error *err)
{
    const jl_graph *graph = shapes->graph;
    onnx_graph *g = h->edit->graph;
    onnx_value_info *list =
        jl_arena_array(h->edit->arena, g->value_infos.n + graph->n_values, sizeof *list);
    jl_map done = {0};
    bool memory = list != NULL;
    size_t n = 0;
    for (uint32_t i = 0; memory && i < graph->n_values; i++) {
        const jl_graph_value *v = &graph->values[i];
        const jl_info *info = &shapes->values[i];
        jl_dtype dtype = jl_half_type_now(h, v->name, (jl_dtype)info->dtype);
        if (v->scope != 0 || v->node == JL_NONE || v->is_output || !v->name.n || info->rank < 0 ||
            info->kind != JL_KIND_TENSOR || dtype == JL_UNDEFINED)
            continue;
        list[n] = (onnx_value_info){.name = v->name, .type = type_of(h, shapes, info, dtype)};
        memory = list[n].type && jl_map_set(&done, v->name, 0);
        n++;
    }
    for (size_t i = 0; memory && i < g->value_infos.n; i++)
        if (jl_map_get(&done, g->value_infos.p[i].name) == JL_MAP_NONE)
            list[n++] = g->value_infos.p[i];
    jl_map_free(&done);
    if (!memory) return jl_fail(err, JL_ERR_MEMORY, "out of memory while annotating");
    g->value_infos.p = list;
    g->value_infos.n = n;
    return 0;
}
