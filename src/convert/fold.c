#include "convert/fold.h"
#include "convert/readers.h"

#include <math.h>

typedef struct uses {
    jl_map readers; /* value name to the count of its readers */
    jl_map makers;  /* value name to the index of the node that makes it */
} uses;

/* The four parameters of a batch norm, each of `channels`; false where one is no initialiser. */
static bool parameters(jl_edit *e, const onnx_node *bn, float *p[4], size_t channels)
{
    for (size_t k = 0; k < 4; k++) {
        size_t count = 0;
        p[k] = jl_edit_floats(e, bn->inputs.p[k + 1], &count);
        if (!p[k] || count != channels) return false;
    }
    return true;
}

static bool foldable(const jl_edit *e, const uses *u, const onnx_node *bn, onnx_node **conv,
                     size_t *channels)
{
    if (!jl_str_is(bn->op_type, "BatchNormalization") || bn->domain.n || bn->inputs.n < 5 ||
        onnx_attribute_i(bn, "training_mode", 0))
        return false;
    for (size_t k = 1; k < bn->outputs.n; k++)
        if (bn->outputs.p[k].n) return false;
    uint32_t maker = jl_map_get(&u->makers, bn->inputs.p[0]);
    if (maker == JL_MAP_NONE || jl_map_get(&u->readers, bn->inputs.p[0]) != 1) return false;
    onnx_node *c = *conv = &e->graph->nodes.p[maker];
    if (!jl_str_is(c->op_type, "Conv") || c->domain.n || c->inputs.n < 2) return false;
    uint32_t weight = jl_map_get(&e->initializers, c->inputs.p[1]);
    if (weight == JL_MAP_NONE || e->recipes[weight].scale) return false;
    const onnx_tensor *w = &e->graph->initializers.p[weight];
    if (w->data_type != JL_FLOAT || w->dims.n < 2 || w->dims.p[0] <= 0) return false;
    *channels = (size_t)w->dims.p[0];
    return c->inputs.n < 3 || !c->inputs.p[2].n ||
           jl_map_get(&e->initializers, c->inputs.p[2]) != JL_MAP_NONE;
}

/* A weight tensor that others read too gets a copy of its own. */
static int fold_one(jl_edit *e, const uses *u, onnx_node *conv, const onnx_node *bn, float *p[4],
                    size_t channels, jl_error *err)
{
    float epsilon = onnx_attribute_f(bn, "epsilon", 1e-5f);
    float *scale = p[0], *shift = p[1];
    size_t bias_count = 0;
    float *bias = NULL;
    if (conv->inputs.n > 2 && conv->inputs.p[2].n) {
        bias = jl_edit_floats(e, conv->inputs.p[2], &bias_count);
        if (!bias || bias_count != channels)
            return jl_fail(err, JL_ERR_FORMAT, "node %.*s: its bias does not fit its weights",
                           JL_FMT(conv->name));
    }
    for (size_t c = 0; c < channels; c++) {
        scale[c] = scale[c] / sqrtf(p[3][c] + epsilon);
        shift[c] += ((bias ? bias[c] : 0.0f) - p[2][c]) * scale[c];
    }
    jl_str *inputs = jl_arena_array(e->arena, 3, sizeof *inputs);
    if (!inputs) return jl_fail(err, JL_ERR_MEMORY, "out of memory while folding");
    int64_t weight = jl_map_get(&e->initializers, conv->inputs.p[1]);
    if (jl_map_get(&u->readers, conv->inputs.p[1]) > 1) {
        jl_str own = jl_edit_unique(e, conv->inputs.p[1], "_folded");
        weight = jl_edit_copy_initializer(e, (size_t)weight, own, err);
        if (weight < 0) return (int)weight;
    }
    int rc = jl_edit_retype(e, (size_t)weight, JL_FLOAT, err);
    if (rc) return rc;
    jl_recipe *recipe = &e->recipes[weight];
    recipe->scale = scale;
    recipe->inner = recipe->floats.n / 4 / channels;
    inputs[0] = conv->inputs.p[0];
    inputs[1] = e->graph->initializers.p[weight].name;
    inputs[2] = jl_edit_unique(e, inputs[1], "_bias");
    int64_t dims = (int64_t)channels;
    int64_t added =
        jl_edit_add_initializer(e, inputs[2], JL_FLOAT, &dims, 1, shift, channels * 4, err);
    if (added < 0) return (int)added;
    conv->inputs.p = inputs;
    conv->inputs.n = 3;
    conv->outputs.p = bn->outputs.p;
    conv->outputs.n = 1;
    return 0;
}

int jl_fold_batch_norms(jl_edit *e, jl_error *err)
{
    uses u = {0};
    onnx_graph *g = e->graph;
    int folded = 0, rc = 0;
    bool memory = jl_count_readers(&u.readers, g);
    size_t kept = 0;
    for (size_t i = 0; memory && !rc && i < g->nodes.n; i++) {
        onnx_node node = g->nodes.p[i], *conv = NULL;
        float *p[4];
        size_t channels = 0;
        if (foldable(e, &u, &node, &conv, &channels) && parameters(e, &node, p, channels)) {
            rc = fold_one(e, &u, conv, &node, p, channels, err);
            node = *conv;
            folded++;
        } else {
            conv = &g->nodes.p[kept++];
            *conv = node;
        }
        for (size_t k = 0; k < node.outputs.n; k++)
            memory &= jl_map_set(&u.makers, node.outputs.p[k], (uint32_t)(conv - g->nodes.p));
    }
    if (!rc && memory && folded) {
        g->nodes.n = kept;
        memory = jl_drop_unread(e);
    }
    jl_map_free(&u.readers);
    jl_map_free(&u.makers);
    if (!memory) return jl_fail(err, JL_ERR_MEMORY, "out of memory while folding");
    return rc ? rc : folded;
}
