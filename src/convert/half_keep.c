/* Which nodes stay in FP32, and why. */
#include <stdio.h>

#include "convert/half.h"
#include "convert/half_rules.h"
#include "convert/names.h"

jl_half_value *jl_half_value_of(const jl_half *h, jl_str name)
{
    uint32_t i = name.n ? jl_map_get(&h->now, name) : JL_MAP_NONE;
    return i == JL_MAP_NONE ? NULL : &h->values[i];
}

bool jl_half_has_subgraph(const onnx_node *node)
{
    for (size_t k = 0; k < node->attributes.n; k++)
        if (node->attributes.p[k].g || node->attributes.p[k].graphs.n) return true;
    return false;
}

/* A value of the node that half has no room for: its name and max|x|. */
static bool lacks_headroom(const jl_half *h, const onnx_node *node, jl_keep_reason *reason,
                           jl_str *name, float *most)
{
    if (!h->ranges) return false;
    for (size_t k = 0; k < node->inputs.n + node->outputs.n; k++) {
        bool input = k < node->inputs.n;
        *name = input ? node->inputs.p[k] : node->outputs.p[k - node->inputs.n];
        const jl_half_value *v = input ? jl_half_value_of(h, *name) : NULL;
        bool weight = v && v->initializer >= 0;
        *reason = weight ? JL_KEEP_WEIGHT : JL_KEEP_RANGE;
        *most = weight ? jl_edit_most(h->edit, (size_t)v->initializer)
                       : jl_ranges_most(h->ranges, *name);
        if (*most > (weight ? JL_HALF_LARGEST : JL_HEADROOM_LIMIT)) return true;
    }
    *name = (jl_str){0};
    return false;
}

static bool asked_for(jl_half *h, const onnx_node *node)
{
    bool yes = jl_name_met(&h->keep, node->op_type);
    yes |= jl_name_met(&h->keep, node->name);
    for (size_t k = 0; k < node->outputs.n; k++)
        yes |= jl_name_met(&h->keep, node->outputs.p[k]);
    return yes;
}

/* Why the node stays in FP32; false when it does not. */
static bool reason_to_keep(jl_half *h, const onnx_node *node, bool shape, jl_kept_node *why)
{
    bool known = !node->domain.n || jl_str_is(node->domain, "ai.onnx");
    bool ours = jl_str_is(node->domain, "com.microsoft") && jl_half_microsoft(node->op_type);
    jl_str at_fault = {0},
           name = node->name.n || !node->outputs.n ? node->name : node->outputs.p[0];
    if (asked_for(h, node))
        why->reason = JL_KEEP_USER;
    else if (!known && !ours)
        why->reason = JL_KEEP_DOMAIN;
    else if (known && !jl_half_defined(node->op_type, h->options->to, h->opset))
        why->reason = JL_KEEP_OPERATOR;
    else if (shape && !jl_half_has_subgraph(node))
        why->reason = JL_KEEP_SHAPE;
    else if (!lacks_headroom(h, node, &why->reason, &at_fault, &why->most))
        return false;
    snprintf(why->op_type, sizeof why->op_type, "%.*s", JL_FMT(node->op_type));
    snprintf(why->name, sizeof why->name, "%.*s", JL_FMT(name));
    snprintf(why->value, sizeof why->value, "%.*s", JL_FMT(at_fault));
    return true;
}

bool jl_half_keeps(jl_half *h, const onnx_node *node, bool shape)
{
    jl_kept_node why = {0};
    if (!reason_to_keep(h, node, shape, &why)) return false;
    jl_convert_summary *s = h->summary;
    if (s->kept_count < sizeof s->kept / sizeof *s->kept) s->kept[s->kept_count] = why;
    s->kept_count++;
    return true;
}

/* What the outputs are made of: constants only, or shapes and constants only. */
enum { MADE_OF_CONSTANTS = 1, MADE_OF_SHAPES = 2 };
static void nature(const jl_half *h, const onnx_node *node, bool *constant, bool *shape)
{
    size_t read = jl_half_follows_first(node->op_type) ? 1 : node->inputs.n;
    bool all = true, any_shape = false;
    if (jl_str_is(node->op_type, "ConstantOfShape")) read = 0;
    if (jl_half_any_type(node->op_type)) {
        *constant = false;
        *shape = true;
        return;
    }
    for (size_t k = 0; k < read && k < node->inputs.n; k++) {
        jl_str in = node->inputs.p[k];
        if (!in.n) continue;
        uint32_t n = jl_map_get(&h->natures, in);
        bool initializer = jl_map_get(&h->edit->initializers, in) != JL_MAP_NONE;
        if (n == MADE_OF_SHAPES)
            any_shape = true;
        else if (n != MADE_OF_CONSTANTS && !initializer)
            all = false;
    }
    *constant = all && !any_shape && !jl_half_has_subgraph(node);
    *shape = all && any_shape;
}

int jl_half_note_nature(jl_half *h, const onnx_node *node, bool *shape, jl_error *err)
{
    bool constant;
    nature(h, node, &constant, shape);
    for (size_t k = 0; k < node->outputs.n; k++)
        if (node->outputs.p[k].n && (constant || *shape) &&
            !jl_map_set(&h->natures, node->outputs.p[k],
                        constant ? MADE_OF_CONSTANTS : MADE_OF_SHAPES))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory while converting");
    return 0;
}
