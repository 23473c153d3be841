#include "model/zoo/builder.h"

#include <stdarg.h>
#include <stdio.h>

/* Room for one more in a list that lives in the arena; what it outgrows stays there unused. */
static void *grown(zoo_builder *b, void *list, size_t n, size_t *room, size_t size)
{
    if (list && n < *room) return list;
    size_t wanted = *room ? *room * 2 : 64;
    void *bigger = jl_arena_array(b->arena, wanted, size);
    if (!bigger) {
        b->failed = true;
        return NULL;
    }
    if (n) memcpy(bigger, list, n * size);
    *room = wanted;
    return bigger;
}

static void *kept(zoo_builder *b, const void *data, size_t n, size_t size)
{
    void *copy = jl_arena_array(b->arena, n, size);
    if (!copy)
        b->failed = true;
    else if (n)
        memcpy(copy, data, n * size);
    return copy;
}

const char *zb_name(zoo_builder *b, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *name =
        n >= 0 && (size_t)n < sizeof text ? jl_arena_strndup(b->arena, text, (size_t)n) : NULL;
    if (!name) b->failed = true;
    return name ? name : "";
}

int64_t zb_divisible(double channels, int64_t divisor)
{
    int64_t nearest = (int64_t)(channels + (double)divisor / 2) / divisor * divisor;
    if (nearest < divisor) nearest = divisor;
    return (double)nearest < 0.9 * channels ? nearest + divisor : nearest;
}

/* Parameters and initializers ----------------------------------------------------------------- */

static zoo_param *new_param(zoo_builder *b, const char *name, int rank, const int64_t *dims)
{
    static zoo_param nowhere; /* after a failure: never read, the graph is thrown away */
    zoo_param **list = grown(b, b->params, b->n_params, &b->param_room, sizeof *b->params);
    zoo_param *p = jl_arena_alloc(b->arena, sizeof *p);
    if (!list || !p) {
        b->failed = true;
        return &nowhere;
    }
    b->params = list;
    b->params[b->n_params++] = p;
    *p = (zoo_param){.name = name, .rank = rank, .elements = 1};
    for (int i = 0; i < rank; i++) {
        p->dims[i] = dims[i];
        p->elements *= dims[i];
    }
    return p;
}

zoo_param *zb_param(zoo_builder *b, const char *name, int rank, const int64_t *dims, float center,
                    float spread)
{
    zoo_param *p = new_param(b, name, rank, dims);
    if (b->failed) return p;
    p->kind = ZOO_RANDOM;
    p->learnable = true;
    p->center = center;
    p->spread = spread;
    p->stream = zoo_stream(b->model, name);
    return p;
}

void zb_buffer(zoo_builder *b, const char *name, int rank, const int64_t *dims,
               const int64_t *values)
{
    zoo_param *p = new_param(b, name, rank, dims);
    if (b->failed) return;
    p->kind = ZOO_INTEGERS;
    p->integers = kept(b, values, (size_t)p->elements, sizeof *values);
}

zoo_param *zb_committed(zoo_builder *b, const char *name, int64_t n, float plain, bool learnable)
{
    zoo_param *p = new_param(b, name, 1, &n);
    if (b->failed) return p;
    p->learnable = learnable;
    p->kind = b->options.plain ? ZOO_RANDOM : ZOO_COMMITTED;
    p->center = plain;
    if (!b->options.plain && b->committed_used + (size_t)n <= b->committed_count)
        p->half = b->committed + b->committed_used;
    else if (!b->options.plain)
        b->failed = true;
    b->committed_used += (size_t)n;
    return p;
}

jl_str zb_initializer(zoo_builder *b, const char *name, int rank, const int64_t *dims,
                      zoo_view view)
{
    onnx_graph *g = b->graph;
    size_t n = g->initializers.n;
    void *views = grown(b, b->views, n, &b->view_room, sizeof *b->views);
    void *list = grown(b, g->initializers.p, n, &b->initializer_room, sizeof *g->initializers.p);
    if (!views || !list) return (jl_str){0};
    b->views = views;
    g->initializers.p = list;
    uint64_t elements = 1;
    for (int i = 0; i < rank; i++)
        elements *= (uint64_t)dims[i];
    b->views[n] = view;
    g->initializers.p[n] = (onnx_tensor){.name = jl_str_c(name),
                                         .data_type = JL_FLOAT,
                                         .has_raw_data = true,
                                         .raw_data = {NULL, elements * sizeof(float)}};
    g->initializers.p[n].dims.p = kept(b, dims, (size_t)rank, sizeof *dims);
    g->initializers.p[n].dims.n = (size_t)rank;
    if (!jl_map_set(&b->initializer_names, jl_str_c(name), (uint32_t)n)) b->failed = true;
    g->initializers.n++;
    return jl_str_c(name);
}

jl_str zb_plain(zoo_builder *b, const zoo_param *p)
{
    return zb_initializer(b, p->name, p->rank, p->dims,
                          (zoo_view){.kind = ZOO_VIEW_PLAIN, .of = p});
}

bool zb_have(const zoo_builder *b, jl_str name)
{
    return jl_map_get(&b->initializer_names, name) != JL_MAP_NONE;
}

static jl_str integers(zoo_builder *b, const char *name, int rank, int n, const int64_t *values)
{
    if (zb_have(b, jl_str_c(name))) return jl_str_c(name);
    int64_t length = n;
    zb_initializer(b, name, rank, &length, (zoo_view){0});
    if (b->failed) return jl_str_c(name);
    onnx_tensor *t = &b->graph->initializers.p[b->graph->initializers.n - 1];
    t->data_type = JL_INT64;
    t->raw_data = (jl_str){kept(b, values, (size_t)n, sizeof *values), (size_t)n * sizeof *values};
    return jl_str_c(name);
}

jl_str zb_int64s(zoo_builder *b, int n, const int64_t *values)
{
    char text[200] = "int64s";
    for (int i = 0; i < n; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, ".%lld", (long long)values[i]);
    }
    return integers(b, zb_name(b, "%s", text), 1, n, values);
}

jl_str zb_int64_scalar(zoo_builder *b, int64_t value)
{
    return integers(b, zb_name(b, "int64.%lld", (long long)value), 0, 1, &value);
}

jl_str zb_constant(zoo_builder *b, const char *name, int rank, const int64_t *dims,
                   const float *data)
{
    jl_str s = zb_initializer(b, name, rank, dims, (zoo_view){0});
    if (!b->failed)
        b->graph->initializers.p[b->graph->initializers.n - 1].raw_data.p = (const char *)data;
    return s;
}

jl_str zb_float(zoo_builder *b, float value)
{
    const char *name = zb_name(b, "float.%.9g", (double)value);
    if (zb_have(b, jl_str_c(name))) return jl_str_c(name);
    return zb_constant(b, name, 0, NULL, kept(b, &value, 1, sizeof value));
}

/* Nodes --------------------------------------------------------------------------------------- */

/* "scope/Op", with a number when the scope has several. */
static const char *node_name(zoo_builder *b, const char *op, const char *scope)
{
    const char *name = zb_name(b, "%s/%s", scope, op);
    for (int copy = 1;; copy++) {
        if (b->failed || jl_map_get(&b->node_names, jl_str_c(name)) == JL_MAP_NONE) return name;
        name = zb_name(b, "%s/%s_%d", scope, op, copy);
    }
}

void zb_node_outputs(zoo_builder *b, const char *op, const char *scope, int n_inputs,
                     const jl_str *inputs, int n, jl_str *outputs)
{
    for (int i = 0; i < n; i++)
        outputs[i] = (jl_str){0};
    onnx_graph *g = b->graph;
    void *list = grown(b, g->nodes.p, g->nodes.n, &b->node_room, sizeof *g->nodes.p);
    if (!list) return;
    g->nodes.p = list;
    const char *name = node_name(b, op, scope);
    if (!jl_map_set(&b->node_names, jl_str_c(name), (uint32_t)g->nodes.n)) b->failed = true;
    onnx_node *node = &g->nodes.p[g->nodes.n++];
    *node = (onnx_node){.name = jl_str_c(name), .op_type = jl_str_c(op)};
    node->inputs.p = kept(b, inputs, (size_t)n_inputs, sizeof *inputs);
    node->inputs.n = (size_t)n_inputs;
    for (int i = 0; i < n; i++)
        outputs[i] =
            jl_str_c(n == 1 ? zb_name(b, "%s:out", name) : zb_name(b, "%s:out%d", name, i));
    node->outputs.p = kept(b, outputs, (size_t)n, sizeof *outputs);
    node->outputs.n = (size_t)n;
}

jl_str zb_node(zoo_builder *b, const char *op, const char *scope, int n_inputs,
               const jl_str *inputs)
{
    jl_str out;
    zb_node_outputs(b, op, scope, n_inputs, inputs, 1, &out);
    return out;
}

static onnx_attribute *new_attribute(zoo_builder *b, const char *name, onnx_attribute_type type)
{
    static onnx_attribute nowhere;
    if (b->failed || !b->graph->nodes.n) return &nowhere;
    onnx_node *node = &b->graph->nodes.p[b->graph->nodes.n - 1];
    enum { MOST = 8 };
    if (!node->attributes.p)
        node->attributes.p = jl_arena_array(b->arena, MOST, sizeof *node->attributes.p);
    if (!node->attributes.p || node->attributes.n == MOST) {
        b->failed = true;
        return &nowhere;
    }
    onnx_attribute *a = &node->attributes.p[node->attributes.n++];
    *a = (onnx_attribute){.name = jl_str_c(name), .type = (int32_t)type};
    if (type == ONNX_ATTR_INT) a->has = 1u << 3; /* written even when zero */
    if (type == ONNX_ATTR_FLOAT) a->has = 1u << 2;
    return a;
}

void zb_attr_int(zoo_builder *b, const char *name, int64_t value)
{
    new_attribute(b, name, ONNX_ATTR_INT)->i = value;
}

void zb_attr_float(zoo_builder *b, const char *name, float value)
{
    new_attribute(b, name, ONNX_ATTR_FLOAT)->f = value;
}

void zb_attr_ints(zoo_builder *b, const char *name, int n, const int64_t *values)
{
    onnx_attribute *a = new_attribute(b, name, ONNX_ATTR_INTS);
    a->ints.p = kept(b, values, (size_t)n, sizeof *values);
    a->ints.n = (size_t)n;
}

jl_str zb_unary(zoo_builder *b, const char *op, const char *scope, jl_str x)
{
    return zb_node(b, op, scope, 1, &x);
}

jl_str zb_binary(zoo_builder *b, const char *op, const char *scope, jl_str x, jl_str y)
{
    return zb_node(b, op, scope, 2, (jl_str[]){x, y});
}

jl_str zb_transpose(zoo_builder *b, const char *scope, jl_str x, int n, const int64_t *permutation)
{
    jl_str y = zb_unary(b, "Transpose", scope, x);
    zb_attr_ints(b, "perm", n, permutation);
    return y;
}

jl_str zb_slice(zoo_builder *b, const char *scope, jl_str x, int64_t axis, int64_t start,
                int64_t end, int64_t step)
{
    /* One a statement: C leaves the order within a list open, and the file depends on it. */
    jl_str inputs[] = {x, {0}, {0}, {0}, {0}};
    inputs[1] = zb_int64s(b, 1, &start);
    inputs[2] = zb_int64s(b, 1, &end);
    inputs[3] = zb_int64s(b, 1, &axis);
    inputs[4] = zb_int64s(b, 1, &step);
    return zb_node(b, "Slice", scope, 5, inputs);
}

jl_str zb_batch(zoo_builder *b, const char *scope, jl_str x)
{
    if (b->options.batch) return zb_int64s(b, 1, &b->options.batch);
    return zb_slice(b, scope, zb_unary(b, "Shape", scope, x), 0, 0, 1, 1);
}

jl_str zb_reshape(zoo_builder *b, const char *scope, jl_str x, int n, const int64_t *dims)
{
    int64_t all[8] = {0}; /* 0 copies the batch */
    for (int i = 0; i < n && i < 7; i++)
        all[i + 1] = dims[i];
    jl_str shape;
    if (b->options.style == JL_ZOO_TORCHSCRIPT && !b->options.batch) {
        jl_str batch = zb_batch(b, scope, x);
        shape = zb_binary(b, "Concat", scope, batch, zb_int64s(b, n, dims));
        zb_attr_int(b, "axis", 0);
    } else {
        all[0] = b->options.batch;
        shape = zb_int64s(b, n + 1, all);
    }
    return zb_binary(b, "Reshape", scope, x, shape);
}
