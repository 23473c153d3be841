/* Two passes over the scopes: first every value that anything defines, then every reading of
 * one, so that a sub-graph may read what the enclosing graph defines after it in the file. */
#include "model/graph.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "model/function.h"

/* Calls of functions are written out; beyond these, something calls itself. */
enum { MAX_CALL_DEPTH = 64, MAX_NODES = 1 << 20 };

typedef struct build {
    jl_graph *g;
    jl_arena *arena;
    jl_map names;
    function_index functions;
    uint32_t values_capacity, nodes_capacity, scopes_capacity;
    jl_graph_value *values;
    jl_node *nodes;
    jl_scope *scopes;
    jl_error *err;
} build;

static int no_memory(const build *b)
{
    return jl_fail(b->err, JL_ERR_MEMORY, "out of memory while reading the graph");
}

const char *jl_node_label(const jl_graph *g, uint32_t node, char label[JL_LABEL])
{
    const onnx_node *n = g->nodes[node].onnx;
    int width = n->name.n > 120 ? 120 : (int)n->name.n;
    int type = n->op_type.n > 40 ? 40 : (int)n->op_type.n;
    const char *op = n->op_type.p ? n->op_type.p : "";
    if (n->name.n)
        snprintf(label, JL_LABEL, "node '%.*s' (%.*s)", width, n->name.p, type, op);
    else
        snprintf(label, JL_LABEL, "node #%u (%.*s)",
                 node - g->scopes[g->nodes[node].scope].first_node, type, op);
    return label;
}

uint32_t jl_graph_find(const jl_graph *g, uint32_t scope, jl_str name)
{
    for (; scope != JL_NONE; scope = g->scopes[scope].parent)
        for (uint32_t v = 0; v < g->n_values; v++)
            if (g->values[v].scope == scope && jl_str_eq(g->values[v].name, name)) return v;
    return JL_NONE;
}

/* Makes room for `extra` more items of an array that doubles. */
static int room(build *b, void **array, size_t size, uint32_t n, size_t extra, uint32_t *capacity)
{
    if (extra > UINT32_MAX / 2 - n)
        return jl_fail(b->err, JL_ERR_LIMIT, "more than 2^31 values in a model");
    if (n + extra <= *capacity) return 0;
    uint32_t wanted = *capacity ? *capacity : 256;
    while (wanted < n + extra)
        wanted *= 2;
    void *p = reallocarray(*array, wanted, size);
    if (!p) return no_memory(b);
    *array = p;
    *capacity = wanted;
    return 0;
}

/* Values -------------------------------------------------------------------------------------- */

static int find_or_add(build *b, uint32_t scope, jl_str name, bool *is_new, uint32_t *v)
{
    *v = jl_map_get_in(&b->names, scope, name);
    *is_new = *v == JL_MAP_NONE;
    if (!*is_new) return 0;
    int rc =
        room(b, (void **)&b->values, sizeof *b->values, b->g->n_values, 1, &b->values_capacity);
    if (rc) return rc;
    *v = b->g->n_values++;
    b->values[*v] = (jl_graph_value){.name = name, .scope = scope, .node = JL_NONE};
    return jl_map_set_in(&b->names, scope, name, *v) ? 0 : no_memory(b);
}

static int define_inputs(build *b, uint32_t scope)
{
    const onnx_graph *o = b->scopes[scope].onnx;
    uint32_t *inputs = jl_arena_array(b->arena, o->inputs.n, sizeof *inputs);
    if (!inputs) return no_memory(b);
    b->scopes[scope].inputs = inputs;
    b->scopes[scope].n_inputs = (uint32_t)o->inputs.n;
    for (size_t i = 0; i < o->inputs.n; i++) {
        bool is_new;
        uint32_t v;
        int rc = find_or_add(b, scope, o->inputs.p[i].name, &is_new, &v);
        if (rc) return rc;
        if (!is_new)
            return jl_fail(b->err, JL_ERR_FORMAT, "two inputs are called '%.*s'",
                           JL_FMT(o->inputs.p[i].name));
        b->values[v].is_input = true;
        b->values[v].declared = o->inputs.p[i].type;
        inputs[i] = v;
    }
    return 0;
}

static int define_initializer(build *b, uint32_t scope, jl_str name, const onnx_tensor *dense,
                              const onnx_sparse_tensor *sparse)
{
    bool is_new;
    uint32_t v;
    int rc = find_or_add(b, scope, name, &is_new, &v);
    if (rc) return rc;
    if (b->values[v].initializer || b->values[v].sparse)
        return jl_fail(b->err, JL_ERR_FORMAT, "two initializers are called '%.*s'", JL_FMT(name));
    b->values[v].initializer = dense;
    b->values[v].sparse = sparse;
    return 0;
}

static int define_initializers(build *b, uint32_t scope)
{
    const onnx_graph *o = b->scopes[scope].onnx;
    int rc = 0;
    for (size_t i = 0; i < o->initializers.n && !rc; i++)
        rc = define_initializer(b, scope, o->initializers.p[i].name, &o->initializers.p[i], NULL);
    for (size_t i = 0; i < o->sparse_initializers.n && !rc; i++) {
        const onnx_sparse_tensor *s = &o->sparse_initializers.p[i];
        if (s->values) rc = define_initializer(b, scope, s->values->name, NULL, s);
    }
    return rc;
}

static int define_outputs(build *b, uint32_t node)
{
    jl_node *n = &b->nodes[node];
    char label[JL_LABEL], other[JL_LABEL];
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        jl_str name = n->onnx->outputs.p[i];
        n->outputs[i] = JL_NONE;
        if (!name.n) continue;
        bool is_new;
        uint32_t v;
        int rc = find_or_add(b, n->scope, name, &is_new, &v);
        if (rc) return rc;
        if (!is_new) {
            const jl_graph_value *value = &b->values[v];
            return jl_fail(b->err, JL_ERR_FORMAT, "%s makes '%.*s', which %s already",
                           jl_node_label(b->g, node, label), JL_FMT(name),
                           value->node == JL_NONE ? "is an input or an initializer"
                                                  : jl_node_label(b->g, value->node, other));
        }
        b->values[v].node = node;
        b->values[v].output = i;
        n->outputs[i] = v;
    }
    return 0;
}

/* Scopes -------------------------------------------------------------------------------------- */

static int add_scope(build *b, const onnx_graph *onnx, uint32_t parent, uint32_t owner)
{
    int rc =
        room(b, (void **)&b->scopes, sizeof *b->scopes, b->g->n_scopes, 1, &b->scopes_capacity);
    if (rc) return rc;
    b->scopes[b->g->n_scopes++] = (jl_scope){.onnx = onnx, .parent = parent, .owner = owner};
    b->g->scopes = b->scopes;
    return 0;
}

static int add_call(build *b, uint32_t node, const onnx_function *f)
{
    const jl_node *n = &b->nodes[node];
    char label[JL_LABEL];
    unsigned depth = 0;
    for (uint32_t s = n->scope; s != JL_NONE; s = b->scopes[s].parent)
        depth++;
    if (depth > MAX_CALL_DEPTH || b->g->n_nodes > MAX_NODES)
        return jl_fail(b->err, JL_ERR_LIMIT,
                       "%s: functions that call each other in a circle, or too deep",
                       jl_node_label(b->g, node, label));
    if (n->n_inputs > f->inputs.n || n->n_outputs > f->outputs.n)
        return jl_fail(b->err, JL_ERR_FORMAT, "%s: the function takes %zu inputs and gives %zu",
                       jl_node_label(b->g, node, label), f->inputs.n, f->outputs.n);
    onnx_graph *body = function_body(f, n->onnx, b->arena);
    if (!body) return no_memory(b);
    int rc = add_scope(b, body, n->scope, node);
    if (!rc) b->scopes[b->g->n_scopes - 1].function = f;
    return rc;
}

static int add_child_scopes(build *b, uint32_t node)
{
    const onnx_node *o = b->nodes[node].onnx;
    uint32_t scope = b->nodes[node].scope;
    b->nodes[node].first_scope = b->g->n_scopes;
    const onnx_function *f = function_of(&b->functions, o);
    int rc = f ? add_call(b, node, f) : 0;
    for (size_t i = 0; i < o->attributes.n && !f && !rc; i++) {
        const onnx_attribute *a = &o->attributes.p[i];
        rc = a->g ? add_scope(b, a->g, scope, node) : 0;
        for (size_t k = 0; k < a->graphs.n && !rc; k++)
            rc = add_scope(b, a->graphs.p[k], scope, node);
    }
    b->nodes[node].n_scopes = b->g->n_scopes - b->nodes[node].first_scope;
    return rc;
}

bool jl_node_is_call(const jl_graph *g, const jl_node *n)
{
    return n->n_scopes == 1 && g->scopes[n->first_scope].function;
}

int64_t jl_graph_opset(const jl_graph *g, uint32_t scope, const char *domain)
{
    while (scope != JL_NONE && !g->scopes[scope].function)
        scope = g->scopes[scope].parent;
    if (scope == JL_NONE) return onnx_opset_version(g->model, domain);
    const onnx_model as_model = {.opset_imports = {g->scopes[scope].function->opset_imports.p,
                                                   g->scopes[scope].function->opset_imports.n}};
    return onnx_opset_version(&as_model, domain);
}

static int define_nodes(build *b, uint32_t scope)
{
    const onnx_graph *o = b->scopes[scope].onnx;
    int rc = room(b, (void **)&b->nodes, sizeof *b->nodes, b->g->n_nodes, o->nodes.n,
                  &b->nodes_capacity);
    if (rc) return rc;
    b->g->nodes = b->nodes;
    b->scopes[scope].first_node = b->g->n_nodes;
    b->scopes[scope].n_nodes = (uint32_t)o->nodes.n;
    for (size_t i = 0; i < o->nodes.n; i++) {
        const onnx_node *n = &o->nodes.p[i];
        uint32_t id = b->g->n_nodes++;
        uint32_t *ports = jl_arena_array(b->arena, n->inputs.n + n->outputs.n, sizeof *ports);
        if (!ports) return no_memory(b);
        b->nodes[id] = (jl_node){.onnx = n,
                                 .scope = scope,
                                 .n_inputs = (uint32_t)n->inputs.n,
                                 .n_outputs = (uint32_t)n->outputs.n,
                                 .inputs = ports,
                                 .outputs = ports + n->inputs.n};
        if ((rc = define_outputs(b, id)) || (rc = add_child_scopes(b, id))) return rc;
    }
    return 0;
}

/* Readings ------------------------------------------------------------------------------------ */

static bool resolve(const build *b, uint32_t scope, jl_str name, uint32_t *v)
{
    for (; scope != JL_NONE; scope = b->scopes[scope].parent) {
        if ((*v = jl_map_get_in(&b->names, scope, name)) != JL_MAP_NONE) return true;
        if (b->scopes[scope].function) return false;
    }
    return false;
}

static int resolve_inputs(build *b, uint32_t node)
{
    jl_node *n = &b->nodes[node];
    char label[JL_LABEL];
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        jl_str name = n->onnx->inputs.p[i];
        n->inputs[i] = JL_NONE;
        if (!name.n) continue;
        if (!resolve(b, n->scope, name, &n->inputs[i]))
            return jl_fail(b->err, JL_ERR_FORMAT, "%s reads '%.*s', which nothing makes",
                           jl_node_label(b->g, node, label), JL_FMT(name));
        b->values[n->inputs[i]].n_uses++;
    }
    return 0;
}

static int resolve_outputs(build *b, uint32_t scope)
{
    const onnx_graph *o = b->scopes[scope].onnx;
    uint32_t *outputs = jl_arena_array(b->arena, o->outputs.n, sizeof *outputs);
    if (!outputs) return no_memory(b);
    b->scopes[scope].outputs = outputs;
    b->scopes[scope].n_outputs = (uint32_t)o->outputs.n;
    for (size_t i = 0; i < o->outputs.n; i++) {
        const onnx_value_info *info = &o->outputs.p[i];
        if (!resolve(b, scope, info->name, &outputs[i]))
            return jl_fail(b->err, JL_ERR_FORMAT, "output '%.*s' is made by no node",
                           JL_FMT(info->name));
        jl_graph_value *v = &b->values[outputs[i]];
        v->is_output = true;
        if (!v->declared) v->declared = info->type;
    }
    for (size_t i = 0; i < o->value_infos.n; i++) {
        uint32_t v = jl_map_get_in(&b->names, scope, o->value_infos.p[i].name);
        if (v != JL_MAP_NONE && !b->values[v].declared)
            b->values[v].declared = o->value_infos.p[i].type;
    }
    return 0;
}

static int list_uses(build *b)
{
    uint32_t total = 0;
    for (uint32_t v = 0; v < b->g->n_values; v++) {
        b->values[v].first_use = total;
        total += b->values[v].n_uses;
        b->values[v].n_uses = 0;
    }
    b->g->uses = jl_arena_array(b->arena, total, sizeof *b->g->uses);
    if (!b->g->uses) return no_memory(b);
    for (uint32_t n = 0; n < b->g->n_nodes; n++)
        for (uint32_t i = 0; i < b->nodes[n].n_inputs; i++) {
            uint32_t v = b->nodes[n].inputs[i];
            if (v == JL_NONE) continue;
            jl_graph_value *value = &b->values[v];
            b->g->uses[value->first_use + value->n_uses++] = (jl_use){n, i};
        }
    return 0;
}

static int build_all(build *b)
{
    int rc = add_scope(b, b->g->model->graph, JL_NONE, JL_NONE);
    for (uint32_t i = 0; i < b->g->n_scopes && !rc; i++) {
        if ((rc = define_inputs(b, i)) || (rc = define_initializers(b, i))) break;
        rc = define_nodes(b, i);
    }
    for (uint32_t i = 0; i < b->g->n_nodes && !rc; i++)
        rc = resolve_inputs(b, i);
    for (uint32_t i = 0; i < b->g->n_scopes && !rc; i++)
        rc = resolve_outputs(b, i);
    return rc;
}

static void *keep(jl_arena *arena, const void *items, size_t n, size_t size)
{
    void *p = jl_arena_array(arena, n, size);
    if (p && n) memcpy(p, items, n * size);
    return p;
}

int jl_graph_new(const onnx_model *model, jl_arena *arena, jl_graph **graph, jl_error *err)
{
    build b = {.g = jl_arena_alloc(arena, sizeof *b.g), .arena = arena, .err = err};
    if (!b.g) return no_memory(&b);
    jl_graph *g = b.g;
    g->model = model;
    int rc = function_index_new(model, &b.functions) ? build_all(&b) : no_memory(&b);
    if (!rc) {
        g->values = keep(arena, b.values, g->n_values, sizeof *g->values);
        g->nodes = keep(arena, b.nodes, g->n_nodes, sizeof *g->nodes);
        g->scopes = keep(arena, b.scopes, g->n_scopes, sizeof *g->scopes);
        if (!g->values || !g->nodes || !g->scopes) rc = no_memory(&b);
    }
    free(b.values);
    free(b.nodes);
    free(b.scopes);
    jl_map_free(&b.names);
    function_index_free(&b.functions);
    b.values = g->values;
    b.nodes = g->nodes;
    b.scopes = g->scopes;
    if (!rc && !(rc = list_uses(&b))) rc = jl_graph_order(g, arena, err);
    if (!rc) *graph = g;
    return rc;
}
