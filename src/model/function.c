#include "model/function.h"

bool function_index_new(const onnx_model *model, function_index *index)
{
    *index = (function_index){.model = model};
    for (size_t i = 0; i < model->functions.n; i++) {
        const onnx_function *f = &model->functions.p[i];
        uint32_t space = jl_map_get(&index->domains, f->domain);
        if (space == JL_MAP_NONE) {
            space = (uint32_t)i;
            if (!jl_map_set(&index->domains, f->domain, space)) return false;
        }
        if (jl_map_get_in(&index->names, space, f->name) == JL_MAP_NONE &&
            !jl_map_set_in(&index->names, space, f->name, (uint32_t)i))
            return false;
    }
    return true;
}

void function_index_free(function_index *index)
{
    jl_map_free(&index->domains);
    jl_map_free(&index->names);
}

const onnx_function *function_of(const function_index *index, const onnx_node *node)
{
    uint32_t space = jl_map_get(&index->domains, node->domain);
    if (space == JL_MAP_NONE) return NULL;
    uint32_t first = jl_map_get_in(&index->names, space, node->op_type);
    if (first == JL_MAP_NONE) return NULL;
    if (!node->overload.n) return &index->model->functions.p[first];
    for (size_t i = first; i < index->model->functions.n; i++) {
        const onnx_function *f = &index->model->functions.p[i];
        if (jl_str_eq(f->overload, node->overload) && jl_str_eq(f->name, node->op_type) &&
            jl_str_eq(f->domain, node->domain))
            return f;
    }
    return NULL;
}

/* What a call gives for an attribute of the function, or the function's default, or NULL. */
static const onnx_attribute *given(const onnx_function *f, const onnx_node *call, jl_str name)
{
    for (size_t i = 0; i < call->attributes.n; i++)
        if (jl_str_eq(call->attributes.p[i].name, name)) return &call->attributes.p[i];
    for (size_t i = 0; i < f->attribute_protos.n; i++)
        if (jl_str_eq(f->attribute_protos.p[i].name, name)) return &f->attribute_protos.p[i];
    return NULL;
}

static bool fill_nodes(const onnx_function *f, const onnx_node *call, jl_arena *arena,
                       const onnx_node *from, size_t n, onnx_node **to);

static bool fill_graph(const onnx_function *f, const onnx_node *call, jl_arena *arena,
                       onnx_graph **graph)
{
    onnx_graph *copy = jl_arena_alloc(arena, sizeof *copy);
    if (!copy) return false;
    *copy = **graph;
    *graph = copy;
    return fill_nodes(f, call, arena, copy->nodes.p, copy->nodes.n, &copy->nodes.p);
}

static bool fill_attributes(const onnx_function *f, const onnx_node *call, jl_arena *arena,
                            onnx_node *node)
{
    const onnx_attribute *from = node->attributes.p;
    size_t n = node->attributes.n, kept = 0;
    onnx_attribute *to = jl_arena_array(arena, n, sizeof *to);
    if (!to) return false;
    for (size_t i = 0; i < n; i++) {
        to[kept] = from[i];
        if (from[i].ref_attr_name.n) {
            const onnx_attribute *value = given(f, call, from[i].ref_attr_name);
            if (!value) continue; /* not given: the operator's own default */
            to[kept] = *value;
            to[kept].name = from[i].name;
        } else if (from[i].g && !fill_graph(f, call, arena, &to[kept].g)) {
            return false;
        }
        kept++;
    }
    node->attributes.p = to;
    node->attributes.n = kept;
    return true;
}

static bool fill_nodes(const onnx_function *f, const onnx_node *call, jl_arena *arena,
                       const onnx_node *from, size_t n, onnx_node **to)
{
    onnx_node *nodes = jl_arena_array(arena, n, sizeof *nodes);
    if (!nodes) return false;
    for (size_t i = 0; i < n; i++) {
        nodes[i] = from[i];
        if (nodes[i].attributes.n && !fill_attributes(f, call, arena, &nodes[i])) return false;
    }
    *to = nodes;
    return true;
}

static onnx_value_info *ports(jl_arena *arena, const jl_str *names, size_t n)
{
    onnx_value_info *infos = jl_arena_array(arena, n, sizeof *infos);
    for (size_t i = 0; infos && i < n; i++)
        infos[i].name = names[i];
    return infos;
}

onnx_graph *function_body(const onnx_function *f, const onnx_node *call, jl_arena *arena)
{
    onnx_graph *g = jl_arena_alloc(arena, sizeof *g);
    if (!g) return NULL;
    g->name = f->name;
    g->nodes.n = f->nodes.n;
    g->nodes.p = f->nodes.p;
    g->inputs.n = f->inputs.n;
    g->inputs.p = ports(arena, f->inputs.p, f->inputs.n);
    g->outputs.n = f->outputs.n;
    g->outputs.p = ports(arena, f->outputs.p, f->outputs.n);
    g->value_infos.n = f->value_infos.n;
    g->value_infos.p = f->value_infos.p;
    if (!g->inputs.p || !g->outputs.p) return NULL;
    bool has_attributes = f->attributes.n || f->attribute_protos.n;
    if (has_attributes && !fill_nodes(f, call, arena, f->nodes.p, f->nodes.n, &g->nodes.p))
        return NULL;
    return g;
}
