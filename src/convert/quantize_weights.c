#include "convert/quantize_parts.h"
#include "convert/rounding.h"

#include <math.h>

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while quantising");
}

/* The weights of one node, rounded. */
typedef struct weights {
    jl_weight_layout layout;
    int64_t axis; /* of the tensor, along which channels lie */
    int8_t *bytes;
    float *steps;
    double *shift; /* what the bias must gain; NULL: unknown */
} weights;

static jl_weight_layout layout_of(const jl_node *n, const onnx_tensor *t, int64_t *axis)
{
    jl_weight_layout w = {.outer = 1, .channels = 1, .inner = 1, .groups = 1, .positions = 1};
    bool convolution = jl_str_is(n->onnx->op_type, "Conv");
    *axis = !convolution && !onnx_attribute_i(n->onnx, "transB", 0);
    if (*axis) {
        w.outer = (size_t)t->dims.p[0];
        w.channels = (size_t)t->dims.p[1];
        return w;
    }
    w.channels = (size_t)t->dims.p[0];
    for (size_t k = 1; k < t->dims.n; k++)
        *(k > 1 ? &w.positions : &w.inner) *= (size_t)t->dims.p[k];
    w.inner *= w.positions;
    if (convolution) w.groups = (size_t)onnx_attribute_i(n->onnx, "group", 1);
    return w;
}

/* Steps below which the bias would not fit 32 bits. */
static int bound_steps(jl_quantizer *q, const jl_node *n, const weights *w, jl_error *err)
{
    size_t count;
    if (n->n_inputs < 3 || n->inputs[2] == JL_NONE) return 0;
    jl_str name = n->onnx->inputs.p[2];
    const float *bias = jl_edit_floats(q->edit, name, &count);
    if (!bias || count != w->layout.channels)
        return jl_fail(err, JL_ERR_FORMAT, "the bias '%.*s' does not fit its weights",
                       JL_FMT(name));
    float step = q->scales[q->placed.values[n->inputs[0]].root].step;
    for (size_t c = 0; c < count; c++)
        w->steps[c] = fabsf(bias[c]) / step / 0x1p30f;
    return 0;
}

static int round_weights(jl_quantizer *q, const jl_node *n, weights *w, jl_error *err)
{
    jl_str name = n->onnx->inputs.p[1];
    const onnx_tensor *t =
        &q->edit->graph->initializers.p[jl_map_get(&q->edit->initializers, name)];
    jl_weight_layout *l = &w->layout;
    size_t elements = 0;
    *l = layout_of(n, t, &w->axis);
    if (!jl_edit_floats_into(q->edit, name, &q->floats, &q->float_capacity, &elements) ||
        elements != l->outer * l->channels * l->inner || !l->positions || !l->groups ||
        l->channels % l->groups)
        return jl_fail(err, JL_ERR_FORMAT, "the weights '%.*s' do not fit their shape",
                       JL_FMT(name));
    w->bytes = jl_arena_array(q->edit->arena, elements + 1, 1);
    w->steps = jl_arena_array(q->edit->arena, l->channels + 1, sizeof *w->steps);
    w->shift = jl_arena_array(q->edit->arena, l->channels + 1, sizeof *w->shift);
    if (!w->bytes || !w->steps || !w->shift) return no_memory(err);
    int rc = bound_steps(q, n, w, err);
    if (rc) return rc;
    if (jl_round_weights(l, q->floats, q->options->reduce_range ? 63 : 127, w->bytes, w->steps))
        return jl_fail(err, JL_ERR_FORMAT, "the weights '%.*s' hold an infinity or NaN",
                       JL_FMT(name));
    const jl_observed *input = q->observed[n->inputs[0]];
    if (input && input->means && input->channels == jl_weight_inputs(l))
        jl_rounding_shift(l, q->floats, w->bytes, w->steps, input->means, w->shift);
    else
        w->shift = NULL;
    q->summary->weights += elements;
    return 0;
}

/* An integer initialiser, its scales and zero points, and the node that dequantises it. */
static int write_constant(jl_quantizer *q, jl_str name, jl_dtype type, const int64_t *dims,
                          size_t rank, const void *bytes, const float *steps, size_t channels,
                          int64_t axis, jl_str *output, jl_error *err)
{
    jl_edit *e = q->edit;
    size_t width = jl_dtype_bits(type) / 8, n = width;
    for (size_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    void *zeros = jl_arena_array(e->arena, channels, width);
    if (!zeros) return no_memory(err);
    int64_t count = (int64_t)channels, rc;
    jl_str inputs[3] = {jl_edit_unique(e, name, "_quantized"), jl_edit_unique(e, name, "_scale"),
                        jl_edit_unique(e, name, "_zero_point")};
    *output = jl_edit_unique(e, name, "_dequantized");
    rc = jl_edit_add_initializer(e, inputs[0], type, dims, rank, bytes, n, err);
    if (rc >= 0)
        rc = jl_edit_add_initializer(e, inputs[1], JL_FLOAT, &count, 1, steps,
                                     channels * sizeof *steps, err);
    if (rc >= 0)
        rc = jl_edit_add_initializer(e, inputs[2], type, &count, 1, zeros, channels * width, err);
    return rc < 0 ? (int)rc : jl_quantize_linear(q, "DequantizeLinear", inputs, *output, axis, err);
}

/* Bias in units of the product of both scales: the accumulator's own. A convolution or Gemm
 * without one gains one when rounding shifted it. */
static int write_bias(jl_quantizer *q, const jl_node *n, const weights *w, onnx_node *copy,
                      jl_error *err)
{
    bool has = n->n_inputs > 2 && n->inputs[2] != JL_NONE;
    jl_str name = has ? n->onnx->inputs.p[2] : n->onnx->inputs.p[1];
    size_t channels = w->layout.channels, count = channels;
    if (!has && !w->shift) return 0;
    const float *bias = has ? jl_edit_floats(q->edit, name, &count) : NULL;
    int32_t *bytes = jl_arena_array(q->edit->arena, channels, sizeof *bytes);
    float *steps = jl_arena_array(q->edit->arena, channels, sizeof *steps);
    if ((has && !bias) || !bytes || !steps) return no_memory(err);
    float input_step = q->scales[q->placed.values[n->inputs[0]].root].step;
    for (size_t c = 0; c < channels; c++) {
        steps[c] = input_step * w->steps[c];
        double value = (bias ? (double)bias[c] : 0) + (w->shift ? w->shift[c] : 0);
        bytes[c] = (int32_t)lrint(fmin(fmax(value / steps[c], INT32_MIN), INT32_MAX));
    }
    int64_t dims = (int64_t)channels;
    if (!has) name = jl_edit_unique(q->edit, name, "_bias");
    if (!name.p) return no_memory(err);
    copy->inputs.n = 3;
    int rc = write_constant(q, name, JL_INT32, &dims, 1, bytes, steps, channels, 0,
                            &copy->inputs.p[2], err);
    const onnx_node *made = &q->nodes[q->count - 1];
    if (q->placed.graph->values[n->outputs[0]].is_output)
        q->output = (jl_output_bias){n->outputs[0], made->inputs.p[0], made->inputs.p[1]};
    return rc;
}

/* A product of matrices has no bias, but often an Add of a constant vector alone after it. */
static int shift_add(jl_quantizer *q, const jl_node *n, const weights *w, jl_error *err)
{
    const jl_graph *g = q->placed.graph;
    const jl_graph_value *v = &g->values[n->outputs[0]];
    size_t channels = w->layout.channels, count;
    if (!w->shift || v->n_uses != 1 || v->is_output) return 0;
    uint32_t node = g->uses[v->first_use].node;
    const jl_node *add = &g->nodes[node];
    if (!jl_str_is(add->onnx->op_type, "Add") || add->scope != 0) return 0;
    uint32_t other = add->inputs[add->inputs[0] == n->outputs[0]];
    const onnx_tensor *t = other == JL_NONE ? NULL : g->values[other].initializer;
    if (!t || t->data_type != JL_FLOAT || t->dims.n != 1 || (size_t)t->dims.p[0] != channels)
        return 0;
    float *sum = jl_edit_floats(q->edit, t->name, &count);
    if (!sum || count != channels) return no_memory(err);
    for (size_t c = 0; c < channels; c++)
        sum[c] = (float)((double)sum[c] + w->shift[c]);
    q->shifted[node] = jl_edit_unique(q->edit, t->name, "_shifted");
    int64_t dims = (int64_t)channels;
    int64_t rc = jl_edit_add_initializer(q->edit, q->shifted[node], JL_FLOAT, &dims, 1, sum,
                                         channels * sizeof *sum, err);
    if (g->values[add->outputs[0]].is_output)
        q->output = (jl_output_bias){add->outputs[0], q->shifted[node], {0}};
    return rc < 0 ? (int)rc : 0;
}

int jl_quantize_weights(jl_quantizer *q, const jl_node *n, onnx_node *copy, jl_error *err)
{
    jl_str name = n->onnx->inputs.p[1];
    uint32_t at = jl_map_get(&q->edit->initializers, name);
    if (at == JL_MAP_NONE) return 0; /* a product of two activations */
    const onnx_tensor *t = &q->edit->graph->initializers.p[at];
    size_t rank = t->dims.n;
    const int64_t *dims = t->dims.p;
    weights w = {0};
    int rc = round_weights(q, n, &w, err);
    if (!rc)
        rc = write_constant(q, name, JL_INT8, dims, rank, w.bytes, w.steps, w.layout.channels,
                            w.axis, &copy->inputs.p[1], err);
    if (rc) return rc;
    return jl_str_is(n->onnx->op_type, "MatMul") ? shift_add(q, n, &w, err)
                                                 : write_bias(q, n, &w, copy, err);
}
