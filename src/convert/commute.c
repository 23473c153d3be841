#include "convert/commute.h"

static bool moves_batch(const onnx_node *node)
{
    const onnx_attribute *perm = onnx_find_attribute(node, "perm");
    if (!jl_str_is(node->op_type, "Transpose") || node->domain.n || !perm || perm->ints.n < 3)
        return false;
    size_t n = perm->ints.n;
    for (size_t k = 0; k + 2 < n; k++)
        if (perm->ints.p[k] != (int64_t)k + 1) return false;
    return perm->ints.p[n - 2] == 0 && perm->ints.p[n - 1] == (int64_t)n - 1;
}

static bool constant_matrix(const jl_edit *e, const onnx_node *matmul)
{
    if (!jl_str_is(matmul->op_type, "MatMul") || matmul->domain.n || matmul->inputs.n != 2)
        return false;
    uint32_t w = jl_map_get(&e->initializers, matmul->inputs.p[1]);
    return w != JL_MAP_NONE && e->graph->initializers.p[w].data_type == JL_FLOAT &&
           e->graph->initializers.p[w].dims.n == 2;
}

/* y = MatMul(Transpose(x), w) becomes m = MatMul(x, w), y = Transpose(m). */
static int swap(jl_edit *e, const onnx_node *transpose, const onnx_node *matmul, onnx_node pair[2],
                jl_map *types, jl_error *err)
{
    jl_str product = jl_edit_unique(e, matmul->outputs.p[0], "_before_transpose");
    jl_str inputs[2] = {transpose->inputs.p[0], matmul->inputs.p[1]};
    int rc = jl_edit_node(e, &pair[0], "MatMul", matmul->name, inputs, 2, product, err);
    if (rc) return rc;
    rc = jl_edit_node(e, &pair[1], "Transpose", product, &product, 1, matmul->outputs.p[0], err);
    if (rc) return rc;
    pair[1].attributes.p = transpose->attributes.p;
    pair[1].attributes.n = transpose->attributes.n;
    return jl_map_set(types, product, JL_FLOAT)
               ? 0
               : jl_fail(err, JL_ERR_MEMORY, "out of memory while converting");
}

static bool is_read(const onnx_graph *g, jl_str name)
{
    for (size_t i = 0; i < g->outputs.n; i++)
        if (jl_str_eq(g->outputs.p[i].name, name)) return true;
    for (size_t i = 0; i < g->nodes.n; i++) {
        const onnx_node *node = &g->nodes.p[i];
        for (size_t k = 0; k < node->inputs.n; k++)
            if (jl_str_eq(node->inputs.p[k], name)) return true;
        for (size_t k = 0; k < node->attributes.n; k++) {
            const onnx_attribute *a = &node->attributes.p[k];
            if (a->g && is_read(a->g, name)) return true;
            for (size_t j = 0; j < a->graphs.n; j++)
                if (is_read(a->graphs.p[j], name)) return true;
        }
    }
    return false;
}

static void drop_unread(onnx_graph *g, const jl_map *transposes)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->nodes.n; i++) {
        const onnx_node *node = &g->nodes.p[i];
        bool candidate = node->outputs.n == 1 && moves_batch(node) &&
                         jl_map_get(transposes, node->outputs.p[0]) != JL_MAP_NONE;
        if (candidate && !is_read(g, node->outputs.p[0])) continue;
        g->nodes.p[kept++] = *node;
    }
    g->nodes.n = kept;
}

int jl_commute_transposes(jl_edit *e, jl_map *types, jl_error *err)
{
    onnx_graph *g = e->graph;
    size_t pairs = 0;
    for (size_t i = 0; i < g->nodes.n; i++)
        pairs += constant_matrix(e, &g->nodes.p[i]);
    onnx_node *nodes = jl_arena_array(e->arena, g->nodes.n + pairs, sizeof *nodes);
    if (!nodes) return jl_fail(err, JL_ERR_MEMORY, "out of memory while converting");
    jl_map transposes = {0}; /* output name to the node's index in the old list */
    size_t count = 0;
    int swapped = 0, rc = 0;
    for (size_t i = 0; !rc && i < g->nodes.n; i++) {
        const onnx_node *node = &g->nodes.p[i];
        if (moves_batch(node) && node->outputs.n == 1 &&
            !jl_map_set(&transposes, node->outputs.p[0], (uint32_t)i))
            rc = jl_fail(err, JL_ERR_MEMORY, "out of memory while converting");
        uint32_t t =
            constant_matrix(e, node) ? jl_map_get(&transposes, node->inputs.p[0]) : JL_MAP_NONE;
        if (t == JL_MAP_NONE) {
            nodes[count++] = *node;
        } else if (!rc) {
            rc = swap(e, &g->nodes.p[t], node, nodes + count, types, err);
            count += 2;
            swapped++;
        }
    }
    if (!rc && swapped) {
        g->nodes.p = nodes;
        g->nodes.n = count;
        drop_unread(g, &transposes);
    }
    jl_map_free(&transposes);
    return rc ? rc : swapped;
}
