#include "convert/placement.h"

#include "convert/names.h"

enum { LIGHT = 32 };

static bool constant(const jl_graph *g, uint32_t value)
{
    return value != JL_NONE && g->values[value].initializer != NULL;
}

static bool float_matrix(const jl_graph *g, uint32_t value, size_t rank)
{
    const onnx_tensor *t = value == JL_NONE ? NULL : g->values[value].initializer;
    return t && t->data_type == JL_FLOAT && (rank ? t->dims.n == rank : t->dims.n >= 3);
}

static bool bias_constant(const jl_graph *g, const jl_node *n)
{
    return n->n_inputs < 3 || n->inputs[2] == JL_NONE || float_matrix(g, n->inputs[2], 1);
}

static jl_role anchor_role(const jl_graph *g, const jl_node *n)
{
    const onnx_node *o = n->onnx;
    if (n->n_inputs < 2 || n->inputs[0] == JL_NONE || n->inputs[1] == JL_NONE ||
        constant(g, n->inputs[0]))
        return JL_ROLE_FLOAT;
    bool ok;
    if (jl_str_is(o->op_type, "Conv"))
        ok = float_matrix(g, n->inputs[1], 0) && bias_constant(g, n);
    else if (jl_str_is(o->op_type, "Gemm"))
        ok = float_matrix(g, n->inputs[1], 2) && bias_constant(g, n) &&
             !onnx_attribute_i(o, "transA", 0) && onnx_attribute_f(o, "alpha", 1) == 1 &&
             onnx_attribute_f(o, "beta", 1) == 1;
    else
        ok = !constant(g, n->inputs[1]) || float_matrix(g, n->inputs[1], 2);
    return ok ? JL_ROLE_ANCHOR : JL_ROLE_FLOAT;
}

static jl_role role_of(const jl_graph *g, const jl_node *n)
{
    static const char *const anchors[] = {"Conv", "Gemm", "MatMul", NULL};
    static const char *const elements[] = {
        "Add", "Mul", "Sigmoid", "Concat", "AveragePool", "GlobalAveragePool", NULL};
    static const char *const passing[] = {"MaxPool",   "Transpose", "Reshape", "Flatten", "Squeeze",
                                          "Unsqueeze", "Slice",     "Split",   NULL};
    static const char *const clamps[] = {"Relu", "Clip", NULL};
    jl_str op = n->onnx->op_type;
    if (n->onnx->domain.n || n->n_inputs < 1 || n->n_outputs < 1 || n->n_scopes)
        return JL_ROLE_FLOAT;
    if (jl_among(op, anchors)) return anchor_role(g, n);
    if (jl_among(op, passing)) {
        bool indices = jl_str_is(op, "MaxPool") && n->n_outputs > 1;
        return indices ? JL_ROLE_FLOAT : JL_ROLE_PASS;
    }
    if (jl_among(op, clamps)) return JL_ROLE_CLAMP;
    if (!jl_among(op, elements)) return JL_ROLE_FLOAT;
    for (uint32_t k = 0; k < n->n_inputs; k++)
        if (n->inputs[k] == JL_NONE || constant(g, n->inputs[k])) return JL_ROLE_FLOAT;
    return JL_ROLE_ELEMENT;
}

/* Few multiplications an output, as a 3 x 3 kernel has on three colours or on one channel. */
static bool light_convolution(const jl_graph *g, const jl_node *n)
{
    const onnx_tensor *t = g->values[n->inputs[1]].initializer;
    int64_t products = 1;
    for (size_t k = 1; t && k < t->dims.n && products < LIGHT; k++)
        products *= t->dims.p[k];
    return t && jl_str_is(n->onnx->op_type, "Conv") && products < LIGHT;
}

/* An input of the model, or what light convolutions and clamps make of it. */
static bool begins_in_float(const jl_quantized *q, const bool *light, uint32_t value)
{
    const jl_graph_value *v = &q->graph->values[value];
    if (v->node != JL_NONE && q->roles[v->node] == JL_ROLE_CLAMP)
        v = &q->graph->values[q->graph->nodes[v->node].inputs[0]];
    return v->node == JL_NONE ? !v->initializer : light[v->node];
}

static bool kept(jl_map *keep, const onnx_node *n)
{
    bool yes = jl_name_met(keep, n->op_type);
    yes |= jl_name_met(keep, n->name);
    for (size_t k = 0; k < n->outputs.n; k++)
        yes |= jl_name_met(keep, n->outputs.p[k]);
    return yes;
}

/* The clamp that alone reads the value, or JL_NONE. */
static uint32_t only_clamp(const jl_quantized *q, uint32_t value)
{
    const jl_graph_value *v = &q->graph->values[value];
    if (v->n_uses != 1 || v->is_output) return JL_NONE;
    uint32_t node = q->graph->uses[v->first_use].node;
    bool clamp = q->roles[node] == JL_ROLE_CLAMP && q->graph->nodes[node].inputs[0] == value;
    return clamp ? node : JL_NONE;
}

static bool all_inputs_produced(const jl_quantized *q, const jl_node *n)
{
    for (uint32_t k = 0; k < n->n_inputs; k++)
        if (!q->values[n->inputs[k]].produced) return false;
    return true;
}

/* A node that computes on 8-bit values: its output is quantised, after the clamp if there is one.
 */
static void produce(jl_quantized *q, uint32_t value, bool wanted)
{
    uint32_t clamp = only_clamp(q, value);
    if (clamp != JL_NONE) {
        uint32_t after = q->graph->nodes[clamp].outputs[0];
        q->values[after].produced = wanted || q->values[after].needed;
        if (!q->values[after].produced) q->roles[clamp] = JL_ROLE_FLOAT;
        return;
    }
    q->values[value].produced = wanted || q->values[value].needed;
}

static void place_node(jl_quantized *q, uint32_t node)
{
    const jl_node *n = &q->graph->nodes[node];
    bool convolution = jl_str_is(n->onnx->op_type, "Conv");
    switch (q->roles[node]) {
    case JL_ROLE_ANCHOR:
        /* A convolution has no integer kernel with a float output; products have. */
        produce(q, n->outputs[0], convolution);
        break;
    case JL_ROLE_ELEMENT:
        if (all_inputs_produced(q, n))
            produce(q, n->outputs[0], true);
        else
            q->roles[node] = JL_ROLE_FLOAT;
        break;
    case JL_ROLE_PASS:
        if (!q->values[n->inputs[0]].produced) {
            q->roles[node] = JL_ROLE_FLOAT;
            break;
        }
        for (uint32_t k = 0; k < n->n_outputs; k++) {
            if (n->outputs[k] == JL_NONE) continue;
            q->values[n->outputs[k]].produced = true;
            q->values[n->outputs[k]].root = q->values[n->inputs[0]].root;
        }
        break;
    case JL_ROLE_CLAMP:
        if (q->values[n->outputs[0]].produced) break; /* part of the node before */
        if (q->values[n->inputs[0]].produced)
            q->values[n->outputs[0]].produced = true;
        else
            q->roles[node] = JL_ROLE_FLOAT;
        break;
    case JL_ROLE_FLOAT:
        break;
    }
}

int jl_place_quantization(jl_edit *e, const jl_graph *g, jl_map *keep, jl_quantized *q,
                          jl_error *err)
{
    *q = (jl_quantized){.graph = g};
    q->roles = jl_arena_array(e->arena, g->n_nodes + 1, sizeof *q->roles);
    q->values = jl_arena_array(e->arena, g->n_values + 1, sizeof *q->values);
    bool *light = jl_arena_array(e->arena, g->n_nodes + 1, sizeof *light);
    if (!q->roles || !q->values || !light)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory while quantising");
    for (uint32_t v = 0; v < g->n_values; v++)
        q->values[v].root = v;
    for (uint32_t k = 0; k < g->scopes[0].n_nodes; k++) {
        uint32_t i = g->scopes[0].order[k];
        const jl_node *n = &g->nodes[i];
        jl_role role = role_of(g, n);
        bool keep_it = kept(keep, n->onnx);
        light[i] = role == JL_ROLE_ANCHOR && light_convolution(g, n) &&
                   begins_in_float(q, light, n->inputs[0]);
        keep_it |= light[i];
        if (role == JL_ROLE_ANCHOR) *(keep_it ? &q->kept : &q->anchors) += 1;
        q->roles[i] = keep_it ? JL_ROLE_FLOAT : role;
        for (uint32_t j = 0; q->roles[i] == JL_ROLE_ANCHOR && j < 2; j++)
            if (!constant(g, n->inputs[j])) q->values[n->inputs[j]].needed = true;
    }
    for (uint32_t i = 0; i < g->scopes[0].n_nodes; i++)
        place_node(q, g->scopes[0].order[i]);
    return 0;
}
