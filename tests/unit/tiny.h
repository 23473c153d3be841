/* Tiny ONNX models for tests, made node by node in an arena. */
#ifndef TINY_H
#define TINY_H

#include <stdarg.h>

#include "model/onnx/onnx.h"

enum { TINY_ROOM = 64 };

typedef struct tiny {
    jl_arena *arena;
    onnx_model *model;
    onnx_graph *graph;
} tiny;

static inline onnx_graph *tiny_graph(jl_arena *arena, size_t room)
{
    onnx_graph *g = jl_arena_alloc(arena, sizeof *g);
    g->name = JL_STR("tiny");
    g->nodes.p = jl_arena_array(arena, room, sizeof *g->nodes.p);
    g->initializers.p = jl_arena_array(arena, TINY_ROOM, sizeof *g->initializers.p);
    g->inputs.p = jl_arena_array(arena, TINY_ROOM, sizeof *g->inputs.p);
    g->outputs.p = jl_arena_array(arena, TINY_ROOM, sizeof *g->outputs.p);
    return g;
}

static inline tiny tiny_model(int64_t opset, size_t room)
{
    tiny t = {.arena = jl_arena_new()};
    t.model = jl_arena_alloc(t.arena, sizeof *t.model);
    t.graph = t.model->graph = tiny_graph(t.arena, room);
    t.model->ir_version = 8;
    t.model->opset_imports.p = jl_arena_alloc(t.arena, sizeof(onnx_opset));
    t.model->opset_imports.n = 1;
    t.model->opset_imports.p[0] = (onnx_opset){.domain = {"", 0}, .version = opset};
    return t;
}

/* "a b c" as a list of names; "-" is one left out. */
static inline jl_str *tiny_words(jl_arena *arena, const char *words, size_t *n)
{
    jl_str *list = jl_arena_array(arena, TINY_ROOM, sizeof *list);
    *n = 0;
    while (*words) {
        size_t length = strcspn(words, " ");
        bool none = length == 1 && *words == '-';
        list[(*n)++] = (jl_str){jl_arena_strndup(arena, words, length), none ? 0 : length};
        words += length + (words[length] == ' ');
    }
    return list;
}

static inline onnx_node *tiny_node_in(tiny *t, onnx_graph *g, const char *type, const char *inputs,
                                      const char *outputs)
{
    onnx_node *n = &g->nodes.p[g->nodes.n++];
    n->op_type = jl_str_c(type);
    n->inputs.p = tiny_words(t->arena, inputs, &n->inputs.n);
    n->outputs.p = tiny_words(t->arena, outputs, &n->outputs.n);
    n->attributes.p = jl_arena_array(t->arena, 8, sizeof *n->attributes.p);
    return n;
}

static inline onnx_node *tiny_node(tiny *t, const char *type, const char *inputs,
                                   const char *outputs)
{
    return tiny_node_in(t, t->graph, type, inputs, outputs);
}

static inline onnx_attribute *tiny_attribute(onnx_node *n, const char *name, int type)
{
    onnx_attribute *a = &n->attributes.p[n->attributes.n++];
    a->name = jl_str_c(name);
    a->type = type;
    return a;
}

static inline void tiny_i(onnx_node *n, const char *name, int64_t i)
{
    onnx_attribute *a = tiny_attribute(n, name, ONNX_ATTR_INT);
    a->i = i;
    a->has |= 1u << 3;
}

static inline int64_t *tiny_numbers(jl_arena *arena, size_t n, va_list args)
{
    int64_t *p = jl_arena_array(arena, n, sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = va_arg(args, int);
    return p;
}

/* Numbers are ints: tiny_ints(t, node, "pads", 2, 1, 1). */
static inline void tiny_ints(tiny *t, onnx_node *node, const char *name, size_t n, ...)
{
    va_list args;
    va_start(args, n);
    onnx_attribute *a = tiny_attribute(node, name, ONNX_ATTR_INTS);
    a->ints.p = tiny_numbers(t->arena, n, args);
    a->ints.n = n;
    va_end(args);
}

/* An initializer of int64 values. */
static inline void tiny_shape(tiny *t, const char *name, size_t n, ...)
{
    va_list args;
    va_start(args, n);
    onnx_tensor *x = &t->graph->initializers.p[t->graph->initializers.n++];
    x->name = jl_str_c(name);
    x->data_type = JL_INT64;
    x->dims.p = jl_arena_alloc(t->arena, sizeof *x->dims.p);
    x->dims.p[0] = (int64_t)n;
    x->dims.n = 1;
    x->int64_data.p = tiny_numbers(t->arena, n, args);
    x->int64_data.n = n;
    va_end(args);
}

/* An initializer of floats whose bytes nobody will ask for. */
static inline void tiny_weight(tiny *t, const char *name, size_t rank, ...)
{
    va_list args;
    va_start(args, rank);
    onnx_tensor *x = &t->graph->initializers.p[t->graph->initializers.n++];
    x->name = jl_str_c(name);
    x->data_type = JL_FLOAT;
    x->dims.p = tiny_numbers(t->arena, rank, args);
    x->dims.n = rank;
    x->raw_data.n = 4 * (size_t)onnx_tensor_elements(x);
    va_end(args);
}

/* "float N 3 224" makes float[N, 3, 224]; "?" is a size without name or value. */
static inline onnx_value_info *tiny_info(tiny *t, const char *name, const char *type)
{
    onnx_value_info *v = jl_arena_alloc(t->arena, sizeof *v);
    size_t n;
    jl_str *words = tiny_words(t->arena, type, &n);
    v->name = jl_str_c(name);
    v->type = jl_arena_alloc(t->arena, sizeof *v->type);
    onnx_tensor_type *tt = v->type->tensor_type = jl_arena_alloc(t->arena, sizeof *tt);
    tt->elem_type = (int32_t)jl_dtype_parse(words[0].p);
    tt->shape = jl_arena_alloc(t->arena, sizeof *tt->shape);
    tt->shape->dims.p = jl_arena_array(t->arena, n, sizeof *tt->shape->dims.p);
    tt->shape->dims.n = n - 1;
    for (size_t i = 1; i < n; i++) {
        onnx_dim *d = &tt->shape->dims.p[i - 1];
        char *end;
        d->value = strtoll(words[i].p, &end, 10);
        d->has_value = !*end;
        d->has_param = !d->has_value && words[i].p[0] != '?';
        if (d->has_param) d->param = words[i];
    }
    return v;
}

static inline void tiny_input(tiny *t, const char *name, const char *type)
{
    t->graph->inputs.p[t->graph->inputs.n++] = *tiny_info(t, name, type);
}

static inline void tiny_output(tiny *t, const char *name)
{
    t->graph->outputs.p[t->graph->outputs.n++] = (onnx_value_info){.name = jl_str_c(name)};
}

static inline void tiny_free(tiny *t)
{
    jl_arena_free(t->arena);
}

#endif
