/* What depends on no input, and what initializers hold. */
#include "model/cost_plan.h"

#include <stdlib.h>

static bool deterministic(const onnx_node *n)
{
    static const char *const random[] = {"RandomNormal",      "RandomUniform", "RandomNormalLike",
                                         "RandomUniformLike", "Bernoulli",     "Multinomial"};
    for (size_t i = 0; i < sizeof random / sizeof *random; i++)
        if (jl_str_is(n->op_type, random[i])) return false;
    return true;
}

void cost_fold(cost_plan *p)
{
    const jl_graph *g = p->g;
    for (uint32_t v = 0; v < g->n_values; v++)
        p->constant[v] = g->values[v].initializer || g->values[v].sparse;
    for (uint32_t s = 0; s < g->n_scopes; s++) {
        const jl_scope *scope = &g->scopes[s];
        const jl_node *call = scope->function ? &g->nodes[scope->owner] : NULL;
        for (uint32_t i = 0; call && i < scope->n_inputs && i < call->n_inputs; i++)
            p->constant[scope->inputs[i]] =
                call->inputs[i] != JL_NONE && p->constant[call->inputs[i]];
        for (uint32_t i = 0; i < scope->n_nodes; i++) {
            uint32_t node = g->scopes[s].order[i];
            const jl_node *n = &g->nodes[node];
            bool all = n->n_scopes == 0 && deterministic(n->onnx);
            for (uint32_t k = 0; k < n->n_inputs && all; k++)
                all = n->inputs[k] == JL_NONE || p->constant[n->inputs[k]];
            p->folded[node] = all;
            for (uint32_t k = 0; k < n->n_outputs; k++)
                if (n->outputs[k] != JL_NONE) p->constant[n->outputs[k]] = all;
        }
    }
}

/* The tensor that an initializer or a Constant node holds, or NULL. */
static const onnx_tensor *tensor_of(const cost_plan *p, uint32_t value)
{
    const jl_graph_value *v = &p->g->values[value];
    if (v->initializer) return v->initializer;
    if (v->node == JL_NONE || !jl_str_is(p->g->nodes[v->node].onnx->op_type, "Constant"))
        return NULL;
    const onnx_attribute *a = onnx_find_attribute(p->g->nodes[v->node].onnx, "value");
    return a ? a->t : NULL;
}

bool cost_first_reading(const jl_node *n, uint32_t input)
{
    for (uint32_t i = 0; i < input; i++)
        if (n->inputs[i] == n->inputs[input]) return false;
    return true;
}

typedef enum weight_kind { WEIGHT, STATISTIC, CONSTANT, QUANTISATION } weight_kind;

/* Bit i: input i is a scale or a zero point. */
static unsigned quantisation_inputs(jl_str op)
{
    if (jl_str_is(op, "QuantizeLinear") || jl_str_is(op, "DequantizeLinear"))
        return 1u << 1 | 1u << 2;
    if (jl_str_is(op, "QLinearConv") || jl_str_is(op, "QLinearMatMul"))
        return 1u << 1 | 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7;
    if (jl_str_is(op, "ConvInteger") || jl_str_is(op, "MatMulInteger")) return 1u << 2 | 1u << 3;
    return 0;
}

static weight_kind kind_of(const onnx_node *reader, uint32_t input, const onnx_tensor *t)
{
    int32_t type = t->data_type;
    jl_str op = reader ? reader->op_type : (jl_str){0};
    if (jl_str_is(op, "BatchNormalization") && input >= 3) return STATISTIC;
    if (input < 32 && quantisation_inputs(op) >> input & 1) return QUANTISATION;
    if (t->dims.n == 0) return CONSTANT;
    if (jl_dtype_is_float((jl_dtype)type)) return WEIGHT;
    bool quantised = quantisation_inputs(op) != 0 && (type != JL_INT64 && type != JL_BOOL);
    return quantised ? WEIGHT : CONSTANT;
}

static int64_t *total_of(cost_plan *p, weight_kind kind)
{
    switch (kind) {
    case WEIGHT:
        return &p->cost->total.parameters;
    case STATISTIC:
        return &p->cost->statistics;
    case CONSTANT:
        return &p->cost->constants;
    default:
        return &p->cost->quantisation;
    }
}

/* Elements go to the first node that reads them, and once into the totals. */
static void count_elements(cost_plan *p, uint32_t value, const onnx_tensor *t)
{
    const jl_graph_value *v = &p->g->values[value];
    int64_t elements = onnx_tensor_elements(t);
    const jl_use *use = v->n_uses ? &p->g->uses[v->first_use] : NULL;
    weight_kind kind = kind_of(use ? p->g->nodes[use->node].onnx : NULL, use ? use->input : 0, t);
    *total_of(p, kind) += elements;
    if (kind == WEIGHT && use) p->nodes[use->node].cost.parameters += elements;
}

static int64_t capped(int64_t bytes, int64_t cap)
{
    return bytes < cap ? bytes : cap;
}

/* Exporters merge equal weights and hand them out through Identity nodes. */
static int note_shared(cost_plan *p)
{
    int64_t shared = 0;
    for (uint32_t i = 0; i < p->g->n_nodes; i++) {
        const jl_node *n = &p->g->nodes[i];
        bool copies = jl_str_is(n->onnx->op_type, "Identity") && p->folded[i] && n->n_inputs == 1;
        const onnx_tensor *t =
            copies && n->inputs[0] != JL_NONE ? tensor_of(p, n->inputs[0]) : NULL;
        if (t && jl_dtype_is_float((jl_dtype)t->data_type) && onnx_tensor_elements(t) > 0)
            shared += onnx_tensor_elements(t);
    }
    if (!shared) return 0;
    return cost_note(p,
                     "equal weights were merged by whoever wrote the file: Identity nodes hand out "
                     "%lld elements that the parameters count once",
                     (long long)shared);
}

int cost_weights(cost_plan *p)
{
    const jl_graph *g = p->g;
    for (uint32_t v = 0; v < g->n_values; v++) {
        const onnx_tensor *t = tensor_of(p, v);
        if (t && onnx_tensor_elements(t) > 0) count_elements(p, v, t);
    }
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const jl_node *n = &g->nodes[i];
        if (p->folded[i]) continue;
        bool picks = p->rules[i] && p->rules[i]->moves == MOVES_PICK && n->n_outputs &&
                     n->outputs[0] != JL_NONE;
        if (p->rules[i] && p->rules[i]->moves == MOVES_NOTHING) continue;
        for (uint32_t k = 0; k < n->n_inputs; k++) {
            uint32_t v = n->inputs[k];
            if (v == JL_NONE || !p->constant[v] || !cost_first_reading(n, k)) continue;
            int64_t bytes =
                picks && k == 0 ? capped(p->bytes[v], p->bytes[n->outputs[0]]) : p->bytes[v];
            if (__builtin_add_overflow(p->nodes[i].cost.weight_bytes, bytes,
                                       &p->nodes[i].cost.weight_bytes))
                return cost_overflow(p, i);
        }
    }
    return note_shared(p);
}
