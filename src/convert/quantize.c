#include "convert/fold.h"
#include "convert/names.h"
#include "convert/quantize_parts.h"
#include "convert/readers.h"
#include "convert/recentre.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while quantising");
}

static int emit(jl_quantizer *q, const onnx_node *node, jl_error *err)
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

int jl_quantize_linear(jl_quantizer *q, const char *op_type, const jl_str inputs[3], jl_str output,
                       int64_t axis, jl_error *err)
{
    onnx_node node;
    int rc = jl_edit_node(q->edit, &node, op_type, output, inputs, 3, output, err);
    if (!rc && axis >= 0) rc = jl_edit_set_int(q->edit, &node, "axis", axis, err);
    return rc ? rc : emit(q, &node, err);
}

/* Asymmetric 8 bits with zero inside the range and on a level of its own, so that padding and
 * rectified values are exact. */
static void set_scale(jl_scale *s, jl_range r)
{
    float low = fminf(r.low, 0), high = fmaxf(r.high, 0);
    s->step = (high - low) / 255;
    if (!(s->step >= 1e-30f)) s->step = 1; /* only zeros: any scale writes them exactly */
    s->zero = (uint8_t)lrintf(fminf(fmaxf(-low / s->step, 0), 255));
}

static int write_scale(jl_quantizer *q, uint32_t root, jl_error *err)
{
    jl_scale *s = &q->scales[root];
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
static int quantize_value(jl_quantizer *q, uint32_t value, jl_str from, jl_str to, jl_error *err)
{
    uint32_t root = q->placed.values[value].root;
    const jl_scale *s = &q->scales[root];
    jl_str base = q->placed.graph->values[value].name;
    int rc = write_scale(q, root, err);
    if (rc) return rc;
    jl_str bytes = jl_edit_unique(q->edit, base, "_quantized");
    if (!to.p) to = jl_edit_unique(q->edit, base, "_dequantized");
    rc = jl_quantize_linear(q, "QuantizeLinear", (jl_str[]){from, s->step_name, s->zero_name},
                            bytes, -1, err);
    if (!rc)
        rc = jl_quantize_linear(q, "DequantizeLinear",
                                (jl_str[]){bytes, s->step_name, s->zero_name}, to, -1, err);
    q->names[value] = to;
    return rc;
}

/* The name under which the node reads a value. */
static jl_str read_name(const jl_quantizer *q, uint32_t number, uint32_t k)
{
    const jl_node *n = &q->placed.graph->nodes[number];
    jl_role role = q->placed.roles[number];
    uint32_t v = n->inputs[k];
    if (v == JL_NONE) return n->onnx->inputs.p[k];
    if (q->shifted[number].p && q->placed.graph->values[v].initializer) return q->shifted[number];
    if (!q->names[v].p) return n->onnx->inputs.p[k];
    bool anchor = role == JL_ROLE_ANCHOR && k < 2;
    return anchor || q->placed.values[v].produced ? q->names[v] : n->onnx->inputs.p[k];
}

static int rewrite_node(jl_quantizer *q, uint32_t number, jl_error *err)
{
    const jl_graph *g = q->placed.graph;
    const jl_node *n = &g->nodes[number];
    jl_role role = q->placed.roles[number];
    onnx_node copy = *n->onnx;
    copy.inputs.p = jl_arena_array(q->edit->arena, n->n_inputs + 3, sizeof *copy.inputs.p);
    copy.outputs.p = jl_arena_array(q->edit->arena, n->n_outputs + 1, sizeof *copy.outputs.p);
    if (!copy.inputs.p || !copy.outputs.p) return no_memory(err);
    for (uint32_t k = 0; k < n->n_inputs; k++)
        copy.inputs.p[k] = read_name(q, number, k);
    int rc = role == JL_ROLE_ANCHOR ? jl_quantize_weights(q, n, &copy, err) : 0;
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

/* The axis along which an anchor that reads the value wants its means. */
static int means_axis(const jl_quantizer *q, uint32_t value)
{
    const jl_graph *g = q->placed.graph;
    const jl_graph_value *v = &g->values[value];
    for (uint32_t k = 0; k < v->n_uses; k++) {
        uint32_t node = g->uses[v->first_use + k].node;
        const jl_node *n = &g->nodes[node];
        if (q->placed.roles[node] == JL_ROLE_ANCHOR && n->inputs[0] == value &&
            g->values[n->inputs[1]].initializer)
            return jl_str_is(n->onnx->op_type, "Conv") ? 1 : -1;
    }
    return JL_NO_MEANS;
}

/* The axis along which a bias moves an output of the model. */
static bool output_axis(const jl_quantizer *q, uint32_t value, int *axis)
{
    const jl_graph *g = q->placed.graph;
    const jl_graph_value *v = &g->values[value];
    if (!v->is_output || v->node == JL_NONE) return false;
    jl_str op = g->nodes[v->node].onnx->op_type;
    bool convolution = jl_str_is(op, "Conv");
    if (!convolution && !jl_str_is(op, "Gemm") && !jl_str_is(op, "Add")) return false;
    *axis = convolution ? 1 : -1;
    return true;
}

static int remember(jl_known *k, const jl_observed *list, size_t count, size_t samples,
                    jl_error *err)
{
    k->list = jl_arena_array(k->arena, count + 1, sizeof *k->list);
    if (!k->list) return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        const jl_observed *from = &list[i];
        jl_observed *to = &k->list[i];
        size_t n = from->channels;
        *to = *from;
        to->name.p = jl_arena_strndup(k->arena, from->name.p, from->name.n);
        if (from->means) to->means = jl_arena_array(k->arena, n + 1, sizeof *to->means);
        if (from->each) to->each = jl_arena_array(k->arena, n * samples + 1, sizeof *to->each);
        if (!to->name.p || (from->means && !to->means) || (from->each && !to->each) ||
            !jl_map_set(&k->places, to->name, (uint32_t)i))
            return no_memory(err);
        if (from->means) memcpy(to->means, from->means, n * sizeof *to->means);
        if (from->each) memcpy(to->each, from->each, n * samples * sizeof *to->each);
    }
    k->count = count;
    return 0;
}

/* Calibrates, or recalls what another model's calibration found. */
static int observe(jl_quantizer *q, jl_observed *list, size_t count, const jl_samples *samples,
                   const char *scratch, jl_error *err)
{
    jl_known *k = q->mode->known;
    if (!k || !k->count) {
        int rc = jl_calibrate(q->edit, list, count, scratch, samples, q->options, err);
        return rc || !k ? rc : remember(k, list, count, samples->count, err);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t at = jl_map_get(&k->places, list[i].name);
        if (at == JL_MAP_NONE)
            return jl_fail(err, JL_ERR, "'%.*s' was not calibrated", JL_FMT(list[i].name));
        list[i] = k->list[at];
    }
    return 0;
}

/* Finds the ranges of values that have one of their own, and the means of those that meet constant
 * weights. Models that share what is known may cut a chain of passing nodes: their values are
 * observed, too. */
static int find_ranges(jl_quantizer *q, const jl_samples *samples, const char *scratch,
                       jl_error *err)
{
    const jl_graph *g = q->placed.graph;
    jl_observed *list = jl_arena_array(q->edit->arena, g->n_values + 1, sizeof *list);
    if (!list) return no_memory(err);
    size_t count = 0;
    for (uint32_t v = 0; v < g->n_values; v++) {
        const jl_placement_of_value *p = &q->placed.values[v];
        int axis = means_axis(q, v);
        bool ranged = (p->produced || p->needed) && (p->root == v || q->mode->known);
        bool output = output_axis(q, v, &axis);
        if (!ranged && axis == JL_NO_MEANS) continue;
        q->observed[v] = &list[count];
        list[count++] = (jl_observed){.name = g->values[v].name, .axis = axis, .keep_each = output};
    }
    int rc = observe(q, list, count, samples, scratch, err);
    for (uint32_t v = 0; !rc && v < g->n_values; v++) {
        if (!q->observed[v] || q->placed.values[v].root != v) continue;
        set_scale(&q->scales[v], q->observed[v]->range);
        q->summary->constant += q->observed[v]->range.low == q->observed[v]->range.high;
    }
    return rc;
}

static int rewrite_graph(jl_quantizer *q, jl_error *err)
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

/* The bias of an output gains what the mean of the output lacks. */
static int recentre(jl_quantizer *q, const jl_samples *samples, const char *scratch, jl_error *err)
{
    jl_edit *e = q->edit;
    const jl_observed *wanted = q->output.name.p ? q->observed[q->output.value] : NULL;
    if (q->mode->plain || !wanted || !wanted->each || samples->count < JL_RECENTRE_LEAST) return 0;
    double *shift = jl_arena_array(e->arena, wanted->channels + 1, sizeof *shift);
    if (!shift) return no_memory(err);
    int rc = jl_mean_error(e, scratch, samples, wanted, shift, err);
    uint32_t at = jl_map_get(&e->initializers, q->output.name);
    uint32_t steps_at = q->output.steps.p ? jl_map_get(&e->initializers, q->output.steps) : at;
    if (rc || at == JL_MAP_NONE || steps_at == JL_MAP_NONE) return rc;
    onnx_tensor *t = &e->graph->initializers.p[at];
    const char *steps = e->graph->initializers.p[steps_at].raw_data.p;
    char *bytes = jl_arena_alloc(e->arena, t->raw_data.n);
    if (!bytes || t->raw_data.n != wanted->channels * 4) return bytes ? 0 : no_memory(err);
    for (size_t c = 0; c < wanted->channels; c++) {
        int32_t whole;
        float number;
        memcpy(&whole, t->raw_data.p + 4 * c, 4);
        memcpy(&number, (q->output.steps.p ? steps : t->raw_data.p) + 4 * c, 4);
        whole = (int32_t)lrint(fmin(fmax(whole + shift[c] / number, INT32_MIN), INT32_MAX));
        number += (float)shift[c];
        memcpy(bytes + 4 * c, q->output.steps.p ? (void *)&whole : (void *)&number, 4);
    }
    t->raw_data.p = bytes;
    return 0;
}

/* Folds, numbers the graph, and decides what is quantised. */
static int place(jl_quantizer *q, jl_error *err)
{
    jl_edit *e = q->edit;
    const jl_quantize_options *o = q->options;
    jl_map keep = {0};
    jl_graph *graph;
    for (size_t i = 0; q->mode->name_nodes && i < e->graph->nodes.n; i++)
        if (!e->graph->nodes.p[i].name.n)
            e->graph->nodes.p[i].name = jl_str_c(jl_arena_printf(e->arena, "#%zu", i));
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
    return 0;
}

static int quantize(jl_quantizer *q, const jl_samples *samples, jl_error *err)
{
    jl_edit *e = q->edit;
    const jl_graph *graph = q->placed.graph;
    q->scales = jl_arena_array(e->arena, graph->n_values + 1, sizeof *q->scales);
    q->names = jl_arena_array(e->arena, graph->n_values + 1, sizeof *q->names);
    q->observed = jl_arena_array(e->arena, graph->n_values + 1, sizeof *q->observed);
    q->shifted = jl_arena_array(e->arena, graph->n_nodes + 1, sizeof *q->shifted);
    char *scratch =
        jl_arena_printf(e->arena, "%s/calibrate-%d.onnx", q->options->scratch, (int)getpid());
    if (!q->scales || !q->names || !q->observed || !q->shifted || !scratch) return no_memory(err);
    int rc = find_ranges(q, samples, scratch, err);
    if (!rc) rc = rewrite_graph(q, err);
    return rc ? rc : recentre(q, samples, scratch, err);
}

static int open_model(const char *from, jl_quantizer *q, onnx_file **file, jl_error *err)
{
    int rc = onnx_open(from, file, err);
    if (rc) return rc;
    int64_t opset = onnx_opset_version((*file)->model, "");
    if (opset < 13)
        rc =
            jl_fail(err, JL_ERR_UNSUPPORTED,
                    "opset %lld has no scales per channel; export the model with opset 13 or later",
                    (long long)opset);
    if (!rc) rc = jl_edit_begin(q->edit, *file, err);
    return rc ? rc : place(q, err);
}

int jl_quantize_as(const char *from, const char *to, const jl_samples *samples,
                   const jl_quantize_options *options, const jl_quantize_mode *mode,
                   jl_quantize_summary *summary, jl_error *err)
{
    *summary = (jl_quantize_summary){0};
    if (!samples->count)
        return jl_fail(err, JL_ERR_USAGE, "quantisation needs at least one sample to calibrate on");
    onnx_file *file = NULL;
    jl_edit edit = {0};
    jl_quantizer q = {.edit = &edit, .options = options, .mode = mode, .summary = summary};
    int rc = open_model(from, &q, &file, err);
    if (!rc) rc = quantize(&q, samples, err);
    if (!rc) rc = jl_edit_save(&edit, to, err);
    jl_edit_end(&edit);
    free(q.floats);
    onnx_close(file);
    return rc ? jl_prefix(err, "%s", from) : 0;
}

int jl_quantize(const char *from, const char *to, const jl_samples *samples,
                const jl_quantize_options *options, jl_quantize_summary *summary, jl_error *err)
{
    return jl_quantize_as(from, to, samples, options, &(jl_quantize_mode){0}, summary, err);
}

int jl_quantize_anchors(const char *from, const jl_quantize_options *options, jl_arena *arena,
                        const char ***names, size_t *count, jl_error *err)
{
    onnx_file *file = NULL;
    jl_edit edit = {0};
    jl_map seen = {0};
    jl_quantize_summary summary;
    jl_quantizer q = {.edit = &edit,
                      .options = options,
                      .mode = &(jl_quantize_mode){.name_nodes = true},
                      .summary = &summary};
    int rc = open_model(from, &q, &file, err);
    *count = 0;
    *names = rc ? NULL : jl_arena_array(arena, q.placed.anchors + 1, sizeof **names);
    if (!rc && !*names) rc = no_memory(err);
    for (uint32_t i = 0; !rc && i < q.placed.graph->scopes[0].n_nodes; i++) {
        uint32_t node = q.placed.graph->scopes[0].order[i];
        jl_str name = q.placed.graph->nodes[node].onnx->name;
        if (q.placed.roles[node] != JL_ROLE_ANCHOR || jl_map_get(&seen, name) != JL_MAP_NONE)
            continue;
        const char *own = jl_arena_strndup(arena, name.p, name.n);
        if (!own || !jl_map_set(&seen, name, 0)) rc = no_memory(err);
        (*names)[(*count)++] = own;
    }
    jl_map_free(&seen);
    jl_edit_end(&edit);
    onnx_close(file);
    return rc ? jl_prefix(err, "%s", from) : 0;
}
