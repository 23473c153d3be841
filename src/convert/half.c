#include "convert/half.h"
#include "convert/half_rules.h"

#include <string.h>

/* The nodes of one graph while they are rewritten. */
typedef struct scope {
    const struct scope *outer;
    onnx_graph *graph;
    onnx_node *nodes;
    size_t count, capacity;
    jl_dtype io;        /* type of the float outputs of this graph */
    struct inner_cast { /* made in this inner graph, not visible outside of it */
        uint32_t value;
        jl_dtype type;
    } * casts;
    size_t cast_count, cast_capacity;
} scope;

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while converting");
}

static int emit(jl_half *h, scope *s, const onnx_node *node, jl_error *err)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : 256;
        onnx_node *nodes = jl_arena_array(h->edit->arena, capacity, sizeof *nodes);
        if (!nodes) return no_memory(err);
        if (s->count) memcpy(nodes, s->nodes, s->count * sizeof *nodes);
        s->nodes = nodes;
        s->capacity = capacity;
    }
    s->nodes[s->count++] = *node;
    h->summary->nodes++;
    return 0;
}

static jl_half_value *add_value(jl_half *h, jl_str name, jl_error *err)
{
    if (h->value_count == h->value_capacity) {
        size_t capacity = h->value_capacity ? h->value_capacity * 2 : 1024;
        jl_half_value *values = jl_arena_array(h->edit->arena, capacity, sizeof *values);
        if (!values) {
            no_memory(err);
            return NULL;
        }
        if (h->value_count) memcpy(values, h->values, h->value_count * sizeof *values);
        h->values = values;
        h->value_capacity = capacity;
    }
    if (!jl_map_set(&h->now, name, (uint32_t)h->value_count)) {
        no_memory(err);
        return NULL;
    }
    jl_half_value *v = &h->values[h->value_count++];
    *v = (jl_half_value){.initializer = -1};
    return v;
}

static jl_str *slot(jl_half_value *v, jl_dtype type)
{
    return type == JL_FLOAT ? &v->as32 : &v->as16;
}

static int cast(jl_half *h, scope *s, jl_str from, jl_str to_name, jl_dtype type, jl_error *err)
{
    onnx_node node;
    int rc = jl_edit_node(h->edit, &node, "Cast", to_name, &from, 1, to_name, err);
    if (!rc) rc = jl_edit_set_int(h->edit, &node, "to", type, err);
    if (!rc) rc = emit(h, s, &node, err);
    if (!rc) h->summary->casts++;
    return rc;
}

static int note_inner_cast(jl_half *h, scope *s, const jl_half_value *v, jl_dtype type,
                           jl_error *err)
{
    if (s->cast_count == s->cast_capacity) {
        size_t capacity = s->cast_capacity ? s->cast_capacity * 2 : 64;
        struct inner_cast *casts = jl_arena_array(h->edit->arena, capacity, sizeof *casts);
        if (!casts) return no_memory(err);
        if (s->cast_count) memcpy(casts, s->casts, s->cast_count * sizeof *casts);
        s->casts = casts;
        s->cast_capacity = capacity;
    }
    s->casts[s->cast_count++] = (struct inner_cast){(uint32_t)(v - h->values), type};
    return 0;
}

/* The name under which the value can be read in this type; makes a copy or a Cast when new. */
static int want(jl_half *h, scope *s, jl_str old, jl_dtype type, jl_str *name, jl_error *err)
{
    jl_half_value *v = jl_half_value_of(h, old);
    *name = old;
    if (!v) return 0;
    jl_str *place = slot(v, type);
    int rc = 0;
    if (!place->p && v->initializer >= 0 && !v->pinned) {
        rc = jl_edit_retype(h->edit, (size_t)v->initializer, type, err);
        v->pinned = true;
        *place = old;
    } else if (!place->p && v->initializer >= 0) {
        *place = jl_edit_unique(h->edit, old, type == JL_FLOAT ? "_fp32" : "_half");
        int64_t i = jl_edit_copy_initializer(h->edit, (size_t)v->initializer, *place, err);
        rc = i < 0 ? (int)i : jl_edit_retype(h->edit, (size_t)i, type, err);
    } else if (!place->p) {
        jl_str from = *slot(v, type == JL_FLOAT ? h->options->to : JL_FLOAT);
        *place = jl_edit_unique(h->edit, old, type == JL_FLOAT ? "_fp32" : "_half");
        rc = cast(h, s, from, *place, type, err);
        if (!rc && s->outer) rc = note_inner_cast(h, s, v, type, err);
    }
    *name = *place;
    return rc;
}

static bool touches_floats(const jl_half *h, const onnx_node *node)
{
    for (size_t k = 0; k < node->inputs.n; k++)
        if (jl_half_value_of(h, node->inputs.p[k])) return true;
    for (size_t k = 0; k < node->outputs.n; k++)
        if (node->outputs.p[k].n && jl_map_get(h->types, node->outputs.p[k]) == JL_FLOAT)
            return true;
    return jl_half_has_subgraph(node);
}

/* A one-element (or n-element) float attribute becomes an initialiser of the main graph. */
static int lift_tensor(jl_half *h, jl_str name, const onnx_tensor *t, jl_error *err)
{
    jl_str bytes;
    int rc = onnx_tensor_bytes(h->edit->file, t, &bytes, err);
    if (rc) return rc;
    int64_t i = jl_edit_add_initializer(h->edit, name, JL_FLOAT, t->dims.p, t->dims.n, bytes.p,
                                        bytes.n, err);
    jl_half_value *v = i < 0 ? NULL : add_value(h, name, err);
    if (!v) return i < 0 ? (int)i : JL_ERR_MEMORY;
    v->initializer = i;
    return 0;
}

/* Constants become initialisers, so that each type that is wanted of them is rounded from FP32. */
static int lift_constant(jl_half *h, const onnx_node *node, jl_error *err)
{
    const onnx_attribute *a = &node->attributes.p[0];
    onnx_tensor t = {.data_type = JL_FLOAT, .has_raw_data = true};
    int64_t n = (int64_t)a->floats.n;
    if (a->t) {
        t = *a->t;
    } else if (jl_str_is(a->name, "value_float")) {
        t.raw_data = (jl_str){(const char *)&a->f, sizeof a->f};
    } else {
        t.dims.p = &n;
        t.dims.n = 1;
        t.raw_data = (jl_str){(const char *)a->floats.p, a->floats.n * sizeof(float)};
    }
    return lift_tensor(h, node->outputs.p[0], &t, err);
}

static void set_element_type(onnx_type *type, jl_dtype to)
{
    if (!type) return;
    if (type->tensor_type && type->tensor_type->elem_type == JL_FLOAT)
        type->tensor_type->elem_type = (int32_t)to;
    if (type->sequence_type) set_element_type(type->sequence_type->elem_type, to);
    if (type->optional_type) set_element_type(type->optional_type->elem_type, to);
}

static bool is_output(const onnx_graph *g, jl_str name)
{
    for (size_t i = 0; i < g->outputs.n; i++)
        if (jl_str_eq(g->outputs.p[i].name, name)) return true;
    return false;
}

static int convert_graph(jl_half *h, onnx_graph *g, const scope *outer, jl_error *err);

static int convert_subgraphs(jl_half *h, const scope *s, onnx_node *node, jl_error *err)
{
    int rc = 0;
    for (size_t k = 0; !rc && k < node->attributes.n; k++) {
        onnx_attribute *a = &node->attributes.p[k];
        if (a->g) rc = convert_graph(h, a->g, s, err);
        for (size_t j = 0; !rc && j < a->graphs.n; j++)
            rc = convert_graph(h, a->graphs.p[j], s, err);
    }
    return rc;
}

/* The type of a float input or output of a graph: one of the model that half has no room for stays
 * as it is. */
static jl_dtype io_type(jl_half *h, const scope *s, jl_str name)
{
    bool roomless = !s->outer && h->ranges && jl_ranges_most(h->ranges, name) > JL_HEADROOM_LIMIT;
    return roomless ? JL_FLOAT : s->io;
}

/* Float outputs take the node's type; one that the graph promises in the other type gets a Cast
 * that carries the promised name. */
static int name_outputs(jl_half *h, scope *s, onnx_node *node, jl_dtype type, jl_error *err)
{
    jl_str *outputs = jl_arena_array(h->edit->arena, node->outputs.n, sizeof *outputs);
    if (!outputs && node->outputs.n) return no_memory(err);
    const jl_str *old = node->outputs.p;
    for (size_t k = 0; k < node->outputs.n; k++) {
        outputs[k] = old[k];
        if (!old[k].n || jl_map_get(h->types, old[k]) != JL_FLOAT) continue;
        jl_half_value *v = add_value(h, old[k], err);
        if (!v) return JL_ERR_MEMORY;
        jl_dtype io = io_type(h, s, old[k]);
        if (type != io && is_output(s->graph, old[k])) {
            outputs[k] = jl_edit_unique(h->edit, old[k], type == JL_FLOAT ? "_fp32" : "_half");
            *slot(v, io) = old[k];
        }
        *slot(v, type) = outputs[k];
    }
    node->outputs.p = outputs;
    int rc = emit(h, s, node, err);
    for (size_t k = 0; !rc && k < node->outputs.n; k++)
        if (outputs[k].p != old[k].p)
            rc = cast(h, s, outputs[k], old[k], io_type(h, s, old[k]), err);
    return rc;
}

/* Shape and Size say the same of either type: they read the one that is there. */
static int read_any(jl_half *h, scope *s, onnx_node *node, jl_error *err)
{
    jl_str *input = jl_arena_alloc(h->edit->arena, sizeof *input);
    if (!input) return no_memory(err);
    const jl_half_value *v = jl_half_value_of(h, node->inputs.p[0]);
    jl_dtype type = v && !v->as16.p && v->as32.p ? JL_FLOAT : h->options->to;
    int rc = want(h, s, node->inputs.p[0], type, input, err);
    node->inputs.p = input;
    h->summary->unchanged++;
    return rc ? rc : emit(h, s, node, err);
}

static int convert_node(jl_half *h, scope *s, onnx_node node, jl_error *err)
{
    if (jl_str_is(node.op_type, "Constant") && !node.domain.n && node.attributes.n == 1 &&
        node.outputs.n == 1 && jl_map_get(h->types, node.outputs.p[0]) == JL_FLOAT)
        return lift_constant(h, &node, err);
    bool shape;
    int rc = jl_half_note_nature(h, &node, &shape, err);
    if (rc) return rc;
    if (!touches_floats(h, &node)) {
        h->summary->unchanged++;
        return emit(h, s, &node, err);
    }
    if (jl_half_any_type(node.op_type)) return read_any(h, s, &node, err);
    if (s->outer && h->ranges) h->summary->unobserved++;
    jl_dtype type = jl_half_keeps(h, &node, shape) ? JL_FLOAT : h->options->to;
    if (type != JL_FLOAT) h->summary->converted++;
    jl_str *inputs = jl_arena_array(h->edit->arena, node.inputs.n, sizeof *inputs);
    if (!inputs && node.inputs.n) return no_memory(err);
    for (size_t k = 0; !rc && k < node.inputs.n; k++)
        rc = want(h, s, node.inputs.p[k], jl_half_fixed_input(node.op_type, k) ? JL_FLOAT : type,
                  &inputs[k], err);
    node.inputs.p = inputs;
    if (!rc && type != JL_FLOAT) rc = jl_half_attributes(h, &node, err);
    if (!rc) rc = convert_subgraphs(h, s, &node, err);
    return rc ? rc : name_outputs(h, s, &node, type, err);
}

static int name_inputs(jl_half *h, const scope *s, jl_error *err)
{
    onnx_graph *g = s->graph;
    for (size_t i = 0; i < g->inputs.n; i++) {
        onnx_value_info *in = &g->inputs.p[i];
        if (jl_map_get(h->types, in->name) != JL_FLOAT) continue;
        jl_dtype io = io_type(h, s, in->name);
        h->summary->io_kept += io != s->io;
        jl_half_value *v = add_value(h, in->name, err);
        if (!v) return JL_ERR_MEMORY;
        *slot(v, io) = in->name;
        set_element_type(in->type, io);
    }
    return 0;
}

static int take_initializers(jl_half *h, onnx_graph *g, bool inner, jl_error *err)
{
    int rc = 0;
    size_t count = g->initializers.n;
    for (size_t i = 0; !rc && i < count; i++) {
        const onnx_tensor *t = &g->initializers.p[i];
        if (t->data_type != JL_FLOAT) continue;
        if (inner) {
            rc = lift_tensor(h, t->name, t, err);
            continue;
        }
        jl_half_value *v = add_value(h, t->name, err);
        if (!v) return JL_ERR_MEMORY;
        v->initializer = (int64_t)i;
    }
    if (rc || !inner) return rc;
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (g->initializers.p[i].data_type != JL_FLOAT)
            g->initializers.p[left++] = g->initializers.p[i];
    g->initializers.n = left;
    return 0;
}

jl_dtype jl_half_type_now(const jl_half *h, jl_str name, jl_dtype before)
{
    const jl_half_value *v = jl_half_value_of(h, name);
    if (!v) return before;
    if (v->initializer >= 0) return JL_UNDEFINED; /* a Constant that was lifted: no annotation */
    if (jl_str_eq(v->as16, name)) return h->options->to;
    return jl_str_eq(v->as32, name) ? JL_FLOAT : JL_UNDEFINED;
}

/* Annotations of values follow the name's new type; those of names that are gone are dropped. */
static void retype_annotations(jl_half *h, const scope *s)
{
    onnx_graph *g = s->graph;
    size_t left = 0;
    for (size_t i = 0; i < g->value_infos.n; i++) {
        onnx_value_info *info = &g->value_infos.p[i];
        jl_dtype now = jl_half_type_now(h, info->name, JL_FLOAT);
        if (now == JL_UNDEFINED) continue;
        if (jl_half_value_of(h, info->name)) set_element_type(info->type, now);
        g->value_infos.p[left++] = *info;
    }
    g->value_infos.n = left;
    for (size_t i = 0; i < g->outputs.n; i++) {
        jl_dtype io = io_type(h, s, g->outputs.p[i].name);
        set_element_type(g->outputs.p[i].type, io);
        h->summary->io_kept += io != s->io;
    }
}

static int convert_graph(jl_half *h, onnx_graph *g, const scope *outer, jl_error *err)
{
    jl_dtype io = !outer && h->options->keep_io ? JL_FLOAT : h->options->to;
    scope s = {.outer = outer, .graph = g, .io = io};
    int rc = name_inputs(h, &s, err);
    if (!rc) rc = take_initializers(h, g, outer != NULL, err);
    for (size_t i = 0; !rc && !outer && i < g->outputs.n; i++) {
        jl_half_value *v = jl_half_value_of(h, g->outputs.p[i].name);
        jl_str name;
        if (v && v->initializer >= 0) rc = want(h, &s, g->outputs.p[i].name, io, &name, err);
    }
    for (size_t i = 0; !rc && i < g->nodes.n; i++)
        rc = convert_node(h, &s, g->nodes.p[i], err);
    for (size_t i = 0; !rc && outer && i < g->outputs.n; i++)
        rc = want(h, &s, g->outputs.p[i].name, io, &g->outputs.p[i].name, err);
    if (rc) return rc;
    g->nodes.p = s.nodes;
    g->nodes.n = s.count;
    retype_annotations(h, &s);
    for (size_t i = 0; i < s.cast_count; i++)
        *slot(&h->values[s.casts[i].value], s.casts[i].type) = (jl_str){0};
    return 0;
}

int jl_half_model(jl_half *h, jl_error *err)
{
    int rc = convert_graph(h, h->edit->graph, NULL, err);
    jl_map_free(&h->natures);
    return rc;
}
