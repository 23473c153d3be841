#include "model/shapes_op.h"

#include <stdio.h>
#include <stdlib.h>

/* Declared types ------------------------------------------------------------------------------ */

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while inferring shapes");
}

static jl_dim known_or_symbol(jl_shapes *s, jl_str symbol)
{
    for (size_t i = 0; i < s->options->n_known; i++)
        if (jl_str_eq(s->options->known[i].symbol, symbol))
            return jl_dim_k(s->options->known[i].value);
    return jl_dim_symbol(s->dims, symbol);
}

/* A dimension without value or name becomes a symbol when it is an input's, since the user can
 * give it; elsewhere it is unknown. Exporters also write "?" and -1 for such dimensions. */
static int declared_dim(jl_shapes *s, const onnx_dim *dim, jl_str value, size_t axis, bool is_input,
                        jl_dim *out, jl_error *err)
{
    if (dim->has_param && dim->param.n && !jl_str_is(dim->param, "?")) {
        *out = known_or_symbol(s, dim->param);
    } else if (dim->has_value && dim->value >= 0) {
        *out = jl_dim_k(dim->value);
    } else if (!is_input) {
        *out = jl_dim_unknown(s->dims);
    } else if (dim->has_value && dim->value != -1) {
        return jl_fail(err, JL_ERR_FORMAT, "'%.*s' has the negative dimension %lld at axis %zu",
                       JL_FMT(value), (long long)dim->value, axis);
    } else {
        char *name = jl_arena_printf(s->arena, "%.*s.%zu", JL_FMT(value), axis);
        if (!name) return no_memory(err);
        *out = known_or_symbol(s, jl_str_c(name));
    }
    return 0;
}

static int set_declared_shape(jl_shapes *s, jl_info *v, const onnx_shape *shape, jl_str name,
                              bool is_input, jl_error *err)
{
    if (shape->dims.n > JL_MAX_INFERRED_RANK)
        return jl_fail(err, JL_ERR_LIMIT, "'%.*s' has %zu dimensions; at most %d are possible",
                       JL_FMT(name), shape->dims.n, JL_MAX_INFERRED_RANK);
    jl_dim *dims = jl_arena_array(s->arena, shape->dims.n, sizeof *dims);
    if (!dims) return no_memory(err);
    jl_dim product = jl_dim_k(1);
    for (size_t i = 0; i < shape->dims.n; i++) {
        int rc = declared_dim(s, &shape->dims.p[i], name, i, is_input, &dims[i], err);
        if (rc) return rc;
        if (jl_dim_is_k(dims[i]) && dims[i].k) product = jl_dim_mul(s->dims, product, dims[i]);
    }
    if (jl_dims_overflowed(s->dims))
        return jl_fail(err, JL_ERR_LIMIT, "the dimensions of '%.*s' multiply beyond 64 bits",
                       JL_FMT(name));
    v->rank = (int8_t)shape->dims.n;
    v->dims = dims;
    return 0;
}

static int set_declared(jl_shapes *s, jl_info *v, const onnx_type *t, jl_str name, bool is_input,
                        jl_error *err)
{
    const onnx_tensor_type *tensor =
        t ? t->tensor_type ? t->tensor_type : t->sparse_tensor_type : NULL;
    for (int depth = 0; t && !tensor && depth < 3; depth++) {
        const onnx_element_type *e = t->sequence_type ? t->sequence_type : t->optional_type;
        jl_kind kind = t->sequence_type   ? JL_KIND_SEQUENCE
                       : t->optional_type ? JL_KIND_OPTIONAL
                       : t->map_type      ? JL_KIND_MAP
                                          : JL_KIND_UNKNOWN;
        if (v->kind == JL_KIND_OPTIONAL)
            v->inner = (uint8_t)kind;
        else if (depth == 0)
            v->kind = (uint8_t)kind;
        t = e ? e->elem_type : NULL;
        tensor = t ? t->tensor_type : NULL;
    }
    if (!tensor) return 0;
    if (v->kind == JL_KIND_UNKNOWN)
        v->kind = t->tensor_type ? JL_KIND_TENSOR : JL_KIND_SPARSE;
    else if (v->kind == JL_KIND_OPTIONAL && v->inner == JL_KIND_UNKNOWN)
        v->inner = JL_KIND_TENSOR;
    if (tensor->elem_type > 0 && tensor->elem_type < JL_DTYPE_COUNT)
        v->dtype = (uint8_t)tensor->elem_type;
    return tensor->shape ? set_declared_shape(s, v, tensor->shape, name, is_input, err) : 0;
}

static int set_initializer(jl_shapes *s, jl_info *v, const onnx_tensor *t, jl_kind kind,
                           jl_str name, const int64_t *sizes, size_t rank, jl_error *err)
{
    if (rank > JL_MAX_INFERRED_RANK || (kind == JL_KIND_TENSOR && onnx_tensor_elements(t) < 0))
        return jl_fail(err, JL_ERR_FORMAT,
                       "initializer '%.*s' has negative or overflowing dimensions", JL_FMT(name));
    v->kind = (uint8_t)kind;
    v->dtype = (uint8_t)(t->data_type > 0 && t->data_type < JL_DTYPE_COUNT ? t->data_type : 0);
    v->rank = (int8_t)rank;
    v->dims = jl_arena_array(s->arena, rank, sizeof *v->dims);
    if (!v->dims) return no_memory(err);
    for (size_t i = 0; i < rank; i++)
        v->dims[i] = jl_dim_k(sizes[i]);
    return 0;
}

static int seed_values(jl_shapes *s, jl_error *err)
{
    const jl_graph *g = s->graph;
    int rc = 0;
    for (uint32_t i = 0; i < g->n_values && !rc; i++) {
        const jl_graph_value *value = &g->values[i];
        jl_info *v = &s->values[i];
        v->rank = -1;
        v->length = -1;
        if (value->initializer)
            rc = set_initializer(s, v, value->initializer, JL_KIND_TENSOR, value->name,
                                 value->initializer->dims.p, value->initializer->dims.n, err);
        else if (value->sparse) /* an operator sees a sparse initializer as a dense tensor */
            rc = set_initializer(s, v, value->sparse->values, JL_KIND_SPARSE, value->name,
                                 value->sparse->dims.p, value->sparse->dims.n, err);
        else if (value->is_input)
            rc = set_declared(s, v, value->declared, value->name, value->scope == 0, err);
        if (value->sparse) v->kind = JL_KIND_TENSOR;
    }
    return rc;
}

/* Nodes --------------------------------------------------------------------------------------- */

static int dtype_by_rule(op *c, uint8_t rule)
{
    const jl_info *first = op_in(c, 0);
    int like = first ? first->dtype : JL_UNDEFINED;
    switch (rule) {
    case TYPE_FLOAT:
        return JL_FLOAT;
    case TYPE_INT64:
        return JL_INT64;
    case TYPE_INT32:
        return JL_INT32;
    case TYPE_BOOL:
        return JL_BOOL;
    case TYPE_UINT8:
        return JL_UINT8;
    case TYPE_STRING:
        return JL_STRING;
    case TYPE_TO:
        return (int)op_i(c, "to", JL_UNDEFINED);
    case TYPE_DTYPE:
        return (int)op_i(c, "dtype", JL_FLOAT);
    case TYPE_DTYPE_IN0:
        return (int)op_i(c, "dtype", like);
    case TYPE_OUT_DTYPE:
        return (int)op_i(c, "output_datatype", JL_FLOAT);
    case TYPE_STASH:
        return (int)op_i(c, "stash_type", JL_FLOAT);
    default:
        break;
    }
    if (rule >= TYPE_NONE || rule >= c->n->n_inputs) return JL_UNDEFINED;
    const jl_info *in = op_in(c, rule);
    return in ? in->dtype : JL_UNDEFINED;
}

static void set_types(op *c, const op_rule *rule)
{
    enum { KINDS = sizeof rule->types };
    uint8_t type = TYPE_NONE;
    for (uint32_t i = 0; i < c->n->n_outputs; i++) {
        if (i < KINDS && (i == 0 || rule->types[i])) type = rule->types[i];
        int dtype = type == TYPE_NONE ? JL_UNDEFINED : dtype_by_rule(c, type);
        jl_info *v = op_out(c, i);
        if (!v || type == TYPE_NONE) continue;
        v->kind = JL_KIND_TENSOR;
        op_dtype(c, i, dtype);
    }
}

static int fall_back_on_declared(op *c)
{
    for (uint32_t i = 0; i < c->n->n_outputs && !c->s->options->ignore_declared; i++) {
        jl_info *v = op_out(c, i);
        if (!v || (v->rank >= 0 && v->dtype)) continue;
        const jl_graph_value *value = &c->s->graph->values[c->n->outputs[i]];
        int8_t rank = v->rank;
        jl_dim *dims = v->dims;
        uint8_t dtype = v->dtype;
        int rc = set_declared(c->s, v, value->declared, value->name, false, c->err);
        if (rc) return rc;
        if (rank >= 0) v->rank = rank, v->dims = dims;
        if (dtype) v->dtype = dtype;
    }
    return 0;
}

static int overflowed(op *c)
{
    char label[JL_LABEL];
    jl_dims_clear_overflow(c->d);
    return jl_fail(c->err, JL_ERR_LIMIT, "%s: sizes multiply beyond 64 bits, or divide by zero",
                   jl_node_label(c->s->graph, c->node, label));
}

static int check_outputs(op *c)
{
    for (uint32_t i = 0; i < c->n->n_outputs; i++) {
        const jl_info *v = op_out(c, i);
        jl_dim product = jl_dim_k(1);
        for (int k = 0; v && k < v->rank; k++) {
            if (jl_dim_is_k(v->dims[k]) && v->dims[k].k < 0)
                return op_fail(c, "output %u would have %lld elements along axis %d", i,
                               (long long)v->dims[k].k, k);
            if (jl_dim_is_k(v->dims[k]) && v->dims[k].k)
                product = jl_dim_mul(c->d, product, v->dims[k]);
        }
    }
    return jl_dims_overflowed(c->d) ? overflowed(c) : 0;
}

static int infer_node(jl_shapes *s, uint32_t node, jl_error *err)
{
    const jl_node *n = &s->graph->nodes[node];
    op c = {.s = s, .d = s->dims, .n = n, .o = n->onnx, .node = node, .err = err};
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        jl_info *v = op_out(&c, i);
        if (v) *v = (jl_info){.rank = -1, .length = -1};
    }
    s->visits++;
    static const op_rule call = {.types = {TYPE_NONE}, .shape = op_call};
    const op_rule *rule =
        jl_node_is_call(s->graph, n) ? &call : op_find(n->onnx->domain, n->onnx->op_type);
    s->known_op[node] = rule != NULL;
    if (!rule) return fall_back_on_declared(&c);
    c.opset = jl_graph_opset(s->graph, n->scope, rule->domain ? rule->domain : "");
    set_types(&c, rule);
    int rc = rule->shape ? rule->shape(&c) : 0;
    if (!rc && jl_dims_overflowed(s->dims)) rc = overflowed(&c);
    if (!rc) rc = check_outputs(&c);
    if (!rc && rule->contents) rc = rule->contents(&c);
    if (!rc && jl_dims_overflowed(s->dims)) {
        /* contents may overflow where nobody uses them as a size */
        jl_dims_clear_overflow(s->dims);
        for (uint32_t i = 0; i < n->n_outputs; i++)
            if (op_out(&c, i)) op_out(&c, i)->elems = NULL;
    }
    return rc ? rc : fall_back_on_declared(&c);
}

int op_infer_scope(jl_shapes *s, uint32_t scope, jl_error *err)
{
    const jl_scope *sc = &s->graph->scopes[scope];
    int rc = 0;
    for (uint32_t i = 0; i < sc->n_nodes && !rc; i++)
        rc = infer_node(s, sc->order[i], err);
    return rc;
}

int jl_shapes_new(const jl_graph *graph, onnx_file *file, jl_arena *arena,
                  const jl_shapes_options *options, jl_shapes **shapes, jl_error *err)
{
    static const jl_shapes_options none;
    jl_shapes *s = jl_arena_alloc(arena, sizeof *s);
    if (!s) return no_memory(err);
    *s = (jl_shapes){.graph = graph,
                     .file = file,
                     .arena = arena,
                     .dims = jl_dims_new(),
                     .values = jl_arena_array(arena, graph->n_values, sizeof *s->values),
                     .known_op = jl_arena_array(arena, graph->n_nodes, sizeof *s->known_op),
                     .taken = jl_arena_array(arena, graph->n_nodes, sizeof *s->taken),
                     .visits_allowed = 16 * (uint64_t)graph->n_nodes,
                     .options = options ? options : &none};
    if (!s->dims || !s->values || !s->known_op || !s->taken) {
        jl_shapes_free(s);
        return no_memory(err);
    }
    int rc = seed_values(s, err);
    if (!rc) rc = op_infer_scope(s, 0, err);
    if (rc) {
        jl_shapes_free(s);
        return rc;
    }
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        s->n_unknown += !s->known_op[i];
    *shapes = s;
    return 0;
}

void jl_shapes_free(jl_shapes *s)
{
    if (s) jl_dims_free(s->dims);
}

void jl_shapes_print(const jl_shapes *s, uint32_t value, jl_buf *out)
{
    static const char *const kinds[] = {
        [JL_KIND_UNKNOWN] = "?",          [JL_KIND_TENSOR] = "",
        [JL_KIND_SPARSE] = "sparse ",     [JL_KIND_SEQUENCE] = "sequence of ",
        [JL_KIND_OPTIONAL] = "optional ", [JL_KIND_MAP] = "map"};
    const jl_info *v = &s->values[value];
    jl_buf_puts(out, kinds[v->kind]);
    if (v->kind == JL_KIND_UNKNOWN || v->kind == JL_KIND_MAP) return;
    jl_buf_puts(out, v->dtype ? jl_dtype_name((jl_dtype)v->dtype) : "?");
    if (v->rank < 0) {
        jl_buf_puts(out, "[...]");
        return;
    }
    jl_buf_puts(out, "[");
    for (int i = 0; i < v->rank; i++) {
        if (i) jl_buf_puts(out, ", ");
        jl_dim_print(s->dims, v->dims[i], out);
    }
    jl_buf_puts(out, "]");
}
