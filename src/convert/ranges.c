#include "convert/ranges.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "convert/session.h"

typedef struct finder {
    jl_edit *edit;
    const jl_map *types;
    jl_map ignored; /* names of sequences, and of tensors without elements */
    jl_ranges *ranges;
    jl_map outputs; /* names of the added outputs: index of the value */
    onnx_node *nodes;
    onnx_value_info *infos;
    size_t node_count, info_count;
} finder;

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while looking for ranges");
}

static bool is_empty(const jl_info *info)
{
    for (int k = 0; k < info->rank; k++)
        if (jl_dim_is_k(info->dims[k]) && info->dims[k].k == 0) return true;
    return false;
}

static bool note_ignored(finder *f, const jl_shapes *shapes)
{
    const jl_graph *g = shapes->graph;
    bool memory = true;
    for (uint32_t i = 0; memory && i < g->n_values; i++) {
        const jl_info *info = &shapes->values[i];
        bool plain = info->kind == JL_KIND_TENSOR && !is_empty(info);
        if (!plain && g->values[i].name.n) memory = jl_map_set(&f->ignored, g->values[i].name, 0);
    }
    return memory;
}

static int add_reduction(finder *f, const char *op, jl_str value, const char *suffix,
                         uint32_t index, jl_error *err)
{
    jl_edit *e = f->edit;
    jl_str out = jl_edit_unique(e, value, suffix);
    onnx_node *node = &f->nodes[f->node_count];
    onnx_type *type = jl_arena_alloc(e->arena, sizeof *type);
    onnx_tensor_type *tensor = jl_arena_alloc(e->arena, sizeof *tensor);
    onnx_shape *scalar = jl_arena_alloc(e->arena, sizeof *scalar);
    int rc = jl_edit_node(e, node, op, out, &value, 1, out, err);
    if (!rc) rc = jl_edit_set_int(e, node, "keepdims", 0, err);
    if (rc) return rc;
    if (!type || !tensor || !scalar || !jl_map_set(&f->outputs, out, index)) return no_memory(err);
    *tensor = (onnx_tensor_type){.elem_type = JL_FLOAT, .shape = scalar};
    type->tensor_type = tensor;
    f->infos[f->info_count++] = (onnx_value_info){.name = out, .type = type};
    f->node_count++;
    return 0;
}

static int observe(finder *f, jl_str name, jl_error *err)
{
    jl_ranges *r = f->ranges;
    if (!name.n || jl_map_get(f->types, name) != JL_FLOAT ||
        jl_map_get(&f->ignored, name) != JL_MAP_NONE)
        return 0;
    uint32_t index = (uint32_t)r->count++;
    if (!jl_map_set(&r->places, name, index)) return no_memory(err);
    int rc = add_reduction(f, "ReduceMax", name, "_most", index, err);
    return rc ? rc : add_reduction(f, "ReduceMin", name, "_least", index, err);
}

/* The nodes and outputs of the model that is run; those of the edit stay as they are. */
static int add_observers(finder *f, jl_error *err)
{
    const onnx_graph *g = f->edit->graph;
    jl_arena *a = f->edit->arena;
    size_t values = g->inputs.n;
    for (size_t i = 0; i < g->nodes.n; i++)
        values += g->nodes.p[i].outputs.n;
    f->nodes = jl_arena_array(a, g->nodes.n + 2 * values + 1, sizeof *f->nodes);
    f->infos = jl_arena_array(a, g->outputs.n + 2 * values + 1, sizeof *f->infos);
    f->ranges->most = jl_arena_array(a, values + 1, sizeof *f->ranges->most);
    if (!f->nodes || !f->infos || !f->ranges->most) return no_memory(err);
    for (size_t i = 0; i < g->outputs.n; i++)
        f->infos[f->info_count++] = g->outputs.p[i];
    int rc = 0;
    for (size_t i = 0; !rc && i < g->inputs.n; i++)
        rc = observe(f, g->inputs.p[i].name, err);
    for (size_t i = 0; !rc && i < g->nodes.n; i++) {
        f->nodes[f->node_count++] = g->nodes.p[i];
        for (size_t k = 0; !rc && k < g->nodes.p[i].outputs.n; k++)
            rc = observe(f, g->nodes.p[i].outputs.p[k], err);
    }
    return rc;
}

static int save_observed(finder *f, const char *path, jl_error *err)
{
    onnx_graph *g = f->edit->graph;
    onnx_graph before = *g;
    g->nodes.p = f->nodes;
    g->nodes.n = f->node_count;
    g->outputs.p = f->infos;
    g->outputs.n = f->info_count;
    int rc = jl_edit_save(f->edit, path, err);
    g->nodes = before.nodes;
    g->outputs = before.outputs;
    return rc;
}

static int take(finder *f, const jl_tensor *t, jl_error *err)
{
    uint32_t index = jl_map_get(&f->outputs, jl_str_c(t->name));
    if (index == JL_MAP_NONE || t->dtype != JL_FLOAT || t->size_bytes != sizeof(float)) return 0;
    float x = *(const float *)t->data;
    const char *end = strrchr(t->name, '_'); /* where add_reduction() begins what it adds */
    if (isnan(x))
        return jl_fail(err, JL_ERR_FORMAT,
                       "'%.*s' of the samples is NaN, already in FP32: no precision can be chosen "
                       "by them",
                       (int)(end ? end - t->name : 0), t->name);
    f->ranges->most[index] = fmaxf(f->ranges->most[index], fabsf(x));
    return 0;
}

static int run_samples(finder *f, const char *path, const jl_samples *samples, jl_error *err)
{
    jl_session *session = NULL;
    const jl_tensor *outputs;
    size_t count = 0;
    JL_OWNED jl_tensor *inputs = calloc(samples->inputs + 1, sizeof *inputs);
    if (!inputs) return no_memory(err);
    int rc = samples->get(samples->ctx, 0, inputs, err);
    if (!rc) rc = jl_session_open("ort-cpu/fp32", path, inputs, samples->inputs, &session, err);
    for (size_t i = 0; !rc && i < samples->count; i++) {
        if (i) rc = samples->get(samples->ctx, i, inputs, err);
        if (!rc) rc = jl_session_run(session, inputs, &outputs, &count, err);
        for (size_t k = 0; !rc && k < count; k++)
            rc = take(f, &outputs[k], err);
    }
    jl_session_close(session);
    return rc;
}

int jl_ranges_find(jl_edit *e, const jl_shapes *shapes, const jl_map *types,
                   const jl_samples *samples, const char *scratch, jl_ranges *ranges, jl_error *err)
{
    *ranges = (jl_ranges){0};
    if (!samples->count)
        return jl_fail(err, JL_ERR_USAGE, "ranges need at least one sample to run the model on");
    finder f = {.edit = e, .types = types, .ranges = ranges};
    int rc = note_ignored(&f, shapes) ? 0 : no_memory(err);
    if (!rc) rc = add_observers(&f, err);
    if (!rc) rc = save_observed(&f, scratch, err);
    if (!rc) {
        rc = run_samples(&f, scratch, samples, err);
        unlink(scratch);
    }
    jl_map_free(&f.ignored);
    jl_map_free(&f.outputs);
    return rc ? jl_prefix(err, "running the model to see its ranges") : 0;
}

float jl_ranges_most(const jl_ranges *r, jl_str name)
{
    uint32_t index = jl_map_get(&r->places, name);
    return index == JL_MAP_NONE ? 0 : r->most[index];
}

void jl_ranges_free(jl_ranges *ranges)
{
    jl_map_free(&ranges->places);
}
