#include "convert/calibrate.h"
#include "convert/fold.h"
#include "convert/names.h"
#include "convert/placement.h"
#include "convert/readers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct scale {
    float step;
    uint8_t zero;
    jl_str step_name, zero_name; /* initialisers; p NULL until written */
} scale;

typedef struct quantizer {
    jl_edit *edit;
    const jl_quantize_options *options;
    jl_quantize_summary *summary;
    jl_quantized placed;
    scale *scales; /* by value, of roots */
    jl_str *names; /* by value: its dequantised name, or p NULL */
    onnx_node *nodes;
    size_t count, capacity;
} quantizer;

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while quantising");
}

static int emit(quantizer *q, const onnx_node *node, jl_error *err)
{
    if (q->count == q->capacity) {
        size_t capacity = q->capacity ? q->capacity * 2 : 512;
        onnx_node *nodes = jl_arena_array(q->edit->arena, capacity, sizeof *nodes);
        if (!nodes) return no_memory(err);
        if (q->count) memcpy(nodes, q->nodes, q->count * sizeof *nodes);
        q->nodes = nodes;
        q->capacity = capacity;
    }
    q->nodes[q->count++] = *node;
    return 0;
}

static int linear(quantizer *q, const char *op_type, const jl_str inputs[3], jl_str output,
                  int64_t axis, jl_error *err)
{
    onnx_node node;
    int rc = jl_edit_node(q->edit, &node, op_type, output, inputs, 3, output, err);
    if (!rc && axis >= 0) rc = jl_edit_set_int(q->edit, &node, "axis", axis, err);
    return rc ? rc : emit(q, &node, err);
}

/* Asymmetric 8 bits with zero inside the range and on a level of its own, so that padding and
 * rectified values are exact. */
static void set_scale(scale *s, jl_range r)
{
    float low = fminf(r.low, 0), high = fmaxf(r.high, 0);
    s->step = (high - low) / 255;
    if (!(s->step >= 1e-30f)) s->step = 1; /* only zeros: any scale writes them exactly */
    s->zero = (uint8_t)lrintf(fminf(fmaxf(-low / s->step, 0), 255));
}

static int write_scale(quantizer *q, uint32_t root, jl_error *err)
{
    scale *s = &q->scales[root];
    jl_str name = q->placed.graph->values[root].name;
    if (s->step_name.p) return 0;
    s->step_name = jl_edit_unique(q->edit, name, "_scale");
    s->zero_name = jl_edit_unique(q->edit, name, "_zero_point");
    int64_t rc = jl_edit_add_initializer(q->edit, s->step_name, JL_FLOAT, NULL, 0, &s->step,
                                         sizeof s->step, err);
    if (rc >= 0)
        rc = jl_edit_add_initializer(q->edit, s->zero_name, JL_UINT8, NULL, 0, &s->zero,
                                     sizeof s->zero, err);
    q->summary->activations++;
    return rc < 0 ? (int)rc : 0;
}

/* QuantizeLinear and DequantizeLinear of a value that stands under `from`; the result takes the
 * name `to`, or a new one where `to` is empty. */
static int quantize_value(quantizer *q, uint32_t value, jl_str from, jl_str to, jl_error *err)
{
    uint32_t root = q->placed.values[value].root;
    const scale *s = &q->scales[root];
    jl_str base = q->placed.graph->values[value].name;
    int rc = write_scale(q, root, err);
    if (rc) return rc;
    jl_str bytes = jl_edit_unique(q->edit, base, "_quantized");
    if (!to.p) to = jl_edit_unique(q->edit, base, "_dequantized");
    rc = linear(q, "QuantizeLinear", (jl_str[]){from, s->step_name, s->zero_name}, bytes, -1, err);
    if (!rc)
        rc = linear(q, "DequantizeLinear", (jl_str[]){bytes, s->step_name, s->zero_name}, to, -1,
                    err);
    q->names[value] = to;
    return rc;
}

/* Signed 8-bit weights with one scale for each index of `axis`. */
typedef struct weights {
    int8_t *bytes;
    float *steps;
    size_t elements, channels;
} weights;

static int round_weights(quantizer *q, jl_str name, size_t axis, weights *w, jl_error *err)
{
    uint32_t at = jl_map_get(&q->edit->initializers, name);
    const onnx_tensor *t = &q->edit->graph->initializers.p[at];
    size_t inner = 1, outer = 1, largest = q->options->reduce_range ? 63 : 127;
    for (size_t i = 0; i < t->dims.n; i++)
        *(i < axis ? &outer : &inner) *= i == axis ? 1 : (size_t)t->dims.p[i];
    w->channels = (size_t)t->dims.p[axis];
    float *x = jl_edit_floats(q->edit, name, &w->elements);
    if (!x || w->elements != outer * inner * w->channels)
        return jl_fail(err, JL_ERR_FORMAT, "the weights '%.*s' do not fit their shape",
                       JL_FMT(name));
    w->bytes = jl_arena_array(q->edit->arena, w->elements + 1, 1);
    w->steps = jl_arena_array(q->edit->arena, w->channels + 1, sizeof *w->steps);
    if (!w->bytes || !w->steps) return no_memory(err);
    for (size_t i = 0; i < w->elements; i += inner) {
        float *most = &w->steps[i / inner % w->channels];
        for (size_t k = i; k < i + inner; k++)
            *most = fabsf(x[k]) > *most ? fabsf(x[k]) : *most;
    }
    for (size_t c = 0; c < w->channels; c++) {
        if (!isfinite(w->steps[c]))
            return jl_fail(err, JL_ERR_FORMAT, "the weights '%.*s' hold an infinity", JL_FMT(name));
        w->steps[c] = w->steps[c] > 0 ? w->steps[c] / (float)largest : 1;
    }
    for (size_t i = 0; i < w->elements; i += inner) {
        float inverse = 1 / w->steps[i / inner % w->channels];
        for (size_t k = i; k < i + inner; k++) {
            float v = x[k] * inverse;
            w->bytes[k] = (int8_t)(v + (v < 0 ? -0.5f : 0.5f));
        }
    }
    q->summary->weights += w->elements;
    return 0;
}

/* An integer initialiser, its scales and zero points, and the node that dequantises it. */
static int write_constant(quantizer *q, jl_str name, jl_dtype type, const int64_t *dims,
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
    return rc < 0 ? (int)rc : linear(q, "DequantizeLinear", inputs, *output, axis, err);
}

/* Bias in units of the product of both scales: the accumulator's own. */
static int write_bias(quantizer *q, const jl_node *n, const weights *w, jl_str *output,
                      jl_error *err)
{
    jl_str name = n->onnx->inputs.p[2];
    size_t count;
    const float *bias = jl_edit_floats(q->edit, name, &count);
    if (!bias || count != w->channels)
        return jl_fail(err, JL_ERR_FORMAT, "the bias '%.*s' does not fit its weights",
                       JL_FMT(name));
    int32_t *bytes = jl_arena_array(q->edit->arena, count, sizeof *bytes);
    float *steps = jl_arena_array(q->edit->arena, count, sizeof *steps);
    if (!bytes || !steps) return no_memory(err);
    float input_step = q->scales[q->placed.values[n->inputs[0]].root].step;
    for (size_t c = 0; c < count; c++) {
        steps[c] = input_step * w->steps[c];
        bytes[c] = (int32_t)lrint(fmin(fmax((double)bias[c] / steps[c], INT32_MIN), INT32_MAX));
    }
    int64_t dims = (int64_t)count;
    return write_constant(q, name, JL_INT32, &dims, 1, bytes, steps, count, 0, output, err);
}

static int quantize_weights(quantizer *q, const jl_node *n, onnx_node *copy, jl_error *err)
{
    jl_str name = n->onnx->inputs.p[1];
    uint32_t at = jl_map_get(&q->edit->initializers, name);
    if (at == JL_MAP_NONE) return 0; /* a product of two activations */
    const onnx_tensor *t = &q->edit->graph->initializers.p[at];
    bool rows = jl_str_is(n->onnx->op_type, "Conv") || onnx_attribute_i(n->onnx, "transB", 0);
    size_t axis = rows ? 0 : t->dims.n - 1, rank = t->dims.n;
    const int64_t *dims = t->dims.p;
    weights w = {0};
    int rc = round_weights(q, name, axis, &w, err);
    if (!rc)
        rc = write_constant(q, name, JL_INT8, dims, rank, w.bytes, w.steps, w.channels,
                            (int64_t)axis, &copy->inputs.p[1], err);
    if (!rc && n->n_inputs > 2 && n->inputs[2] != JL_NONE)
        rc = write_bias(q, n, &w, &copy->inputs.p[2], err);
    return rc;
}

/* The name under which the node reads a value. */
static jl_str read_name(const quantizer *q, const jl_node *n, jl_role role, uint32_t k)
{
    uint32_t v = n->inputs[k];
    if (v == JL_NONE || !q->names[v].p) return n->onnx->inputs.p[k];
    bool anchor = role == JL_ROLE_ANCHOR && k < 2;
    return anchor || q->placed.values[v].produced ? q->names[v] : n->onnx->inputs.p[k];
}

static int rewrite_node(quantizer *q, uint32_t number, jl_error *err)
{
    const jl_graph *g = q->placed.graph;
    const jl_node *n = &g->nodes[number];
    jl_role role = q->placed.roles[number];
    onnx_node copy = *n->onnx;
    copy.inputs.p = jl_arena_array(q->edit->arena, n->n_inputs + 1, sizeof *copy.inputs.p);
    copy.outputs.p = jl_arena_array(q->edit->arena, n->n_outputs + 1, sizeof *copy.outputs.p);
    if (!copy.inputs.p || !copy.outputs.p) return no_memory(err);
    for (uint32_t k = 0; k < n->n_inputs; k++)
        copy.inputs.p[k] = read_name(q, n, role, k);
    int rc = role == JL_ROLE_ANCHOR ? quantize_weights(q, n, &copy, err) : 0;
    for (uint32_t k = 0; k < n->n_outputs; k++) {
        uint32_t v = n->outputs[k];
        copy.outputs.p[k] = n->onnx->outputs.p[k];
        if (v != JL_NONE && q->placed.values[v].produced && g->values[v].is_output)
            copy.outputs.p[k] = jl_edit_unique(q->edit, copy.outputs.p[k], "_float");
    }
    if (!rc) rc = emit(q, &copy, err);
    for (uint32_t k = 0; !rc && k < n->n_outputs; k++) {
        uint32_t v = n->outputs[k];
        if (v == JL_NONE) continue;
        const jl_placement_of_value *p = &q->placed.values[v];
        if (p->produced)
            rc = quantize_value(q, v, copy.outputs.p[k],
                                g->values[v].is_output ? g->values[v].name : (jl_str){0}, err);
        else if (p->needed)
            rc = quantize_value(q, v, copy.outputs.p[k], (jl_str){0}, err);
    }
    q->summary->quantized += role != JL_ROLE_FLOAT;
    return rc;
}

/* The values with a range of their own, by number. */
static int find_ranges(quantizer *q, const jl_samples *samples, const char *scratch, jl_error *err)
{
    const jl_graph *g = q->placed.graph;
    jl_arena *a = q->edit->arena;
    jl_str *names = jl_arena_array(a, g->n_values + 1, sizeof *names);
    uint32_t *numbers = jl_arena_array(a, g->n_values + 1, sizeof *numbers);
    jl_range *ranges = jl_arena_array(a, g->n_values + 1, sizeof *ranges);
    if (!names || !numbers || !ranges) return no_memory(err);
    size_t count = 0;
    for (uint32_t v = 0; v < g->n_values; v++) {
        const jl_placement_of_value *p = &q->placed.values[v];
        if ((!p->produced && !p->needed) || p->root != v) continue;
        names[count] = g->values[v].name;
        numbers[count++] = v;
    }
    int rc = jl_calibrate(q->edit, names, count, scratch, samples, q->options, ranges, err);
    for (size_t i = 0; !rc && i < count; i++) {
        set_scale(&q->scales[numbers[i]], ranges[i]);
        q->summary->constant += ranges[i].low == ranges[i].high;
    }
    return rc;
}

static int rewrite_graph(quantizer *q, jl_error *err)
{
    const jl_graph *g = q->placed.graph;
    int rc = 0;
    for (uint32_t k = 0; !rc && k < g->scopes[0].n_inputs; k++) {
        uint32_t v = g->scopes[0].inputs[k];
        if (q->placed.values[v].needed)
            rc = quantize_value(q, v, g->values[v].name, (jl_str){0}, err);
    }
    for (uint32_t i = 0; !rc && i < g->scopes[0].n_nodes; i++)
        rc = rewrite_node(q, g->scopes[0].order[i], err);
    if (rc) return rc;
    q->edit->graph->nodes.p = q->nodes;
    q->edit->graph->nodes.n = q->summary->nodes = q->count;
    return jl_drop_unread(q->edit) ? 0 : no_memory(err);
}

static int quantize(quantizer *q, const jl_samples *samples, jl_error *err)
{
    jl_edit *e = q->edit;
    const jl_quantize_options *o = q->options;
    jl_map keep = {0};
    jl_graph *graph;
    int rc = jl_fold_batch_norms(e, err);
    if (rc < 0) return rc;
    q->summary->folded = (size_t)rc;
    rc = jl_graph_new(e->file->model, e->arena, &graph, err);
    if (!rc) rc = jl_name_set(&keep, o->keep, o->keep_count, err);
    if (!rc) rc = jl_place_quantization(e, graph, &keep, &q->placed, err);
    if (!rc) rc = jl_name_unmet(&keep, o->keep, o->keep_count, err);
    jl_map_free(&keep);
    if (rc) return rc;
    q->summary->anchors = q->placed.anchors;
    q->summary->kept = q->placed.kept;
    if (!q->placed.anchors)
        return jl_fail(
            err, JL_ERR_UNSUPPORTED,
            "there is no convolution or matrix product with constant weights to quantise");
    q->scales = jl_arena_array(e->arena, graph->n_values + 1, sizeof *q->scales);
    q->names = jl_arena_array(e->arena, graph->n_values + 1, sizeof *q->names);
    char *scratch = jl_arena_printf(e->arena, "%s/calibrate-%p.onnx", o->scratch, (void *)e);
    if (!q->scales || !q->names || !scratch) return no_memory(err);
    rc = find_ranges(q, samples, scratch, err);
    return rc ? rc : rewrite_graph(q, err);
}

int jl_quantize(const char *from, const char *to, const jl_samples *samples,
                const jl_quantize_options *options, jl_quantize_summary *summary, jl_error *err)
{
    *summary = (jl_quantize_summary){0};
    if (!samples->count)
        return jl_fail(err, JL_ERR_USAGE, "quantisation needs at least one sample to calibrate on");
    onnx_file *file;
    jl_edit edit = {0};
    quantizer q = {.edit = &edit, .options = options, .summary = summary};
    int rc = onnx_open(from, &file, err);
    if (rc) return rc;
    int64_t opset = onnx_opset_version(file->model, "");
    if (opset < 13)
        rc =
            jl_fail(err, JL_ERR_UNSUPPORTED,
                    "opset %lld has no scales per channel; export the model with opset 13 or later",
                    (long long)opset);
    if (!rc) rc = jl_edit_begin(&edit, file, err);
    if (!rc) rc = quantize(&q, samples, err);
    if (!rc) rc = jl_edit_save(&edit, to, err);
    jl_edit_end(&edit);
    onnx_close(file);
    return rc ? jl_prefix(err, "%s", from) : 0;
}
