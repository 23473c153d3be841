#include "convert/readers.h"

static bool count_reader(jl_map *readers, jl_str name)
{
    uint32_t n = jl_map_get(readers, name);
    return jl_map_set(readers, name, n == JL_MAP_NONE ? 1 : n + 1);
}

bool jl_count_readers(jl_map *readers, const onnx_graph *g)
{
    bool ok = true;
    for (size_t i = 0; i < g->outputs.n; i++)
        ok &= count_reader(readers, g->outputs.p[i].name);
    for (size_t i = 0; i < g->nodes.n; i++) {
        const onnx_node *node = &g->nodes.p[i];
        for (size_t k = 0; k < node->inputs.n; k++)
            ok &= count_reader(readers, node->inputs.p[k]);
        for (size_t k = 0; k < node->attributes.n; k++) {
            const onnx_attribute *a = &node->attributes.p[k];
            if (a->g) ok &= jl_count_readers(readers, a->g);
            for (size_t j = 0; j < a->graphs.n; j++)
                ok &= jl_count_readers(readers, a->graphs.p[j]);
        }
    }
    return ok;
}

bool jl_drop_unread(jl_edit *e)
{
    onnx_graph *g = e->graph;
    jl_map readers = {0};
    bool ok = jl_count_readers(&readers, g);
    size_t kept = 0;
    jl_map_free(&e->initializers);
    for (size_t i = 0; ok && i < g->initializers.n; i++) {
        if (jl_map_get(&readers, g->initializers.p[i].name) == JL_MAP_NONE) continue;
        g->initializers.p[kept] = g->initializers.p[i];
        e->recipes[kept] = e->recipes[i];
        ok &= jl_map_set(&e->initializers, g->initializers.p[kept].name, (uint32_t)kept);
        kept++;
    }
    g->initializers.n = kept;
    jl_map_free(&readers);
    return ok;
}
