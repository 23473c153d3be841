#include "model/shapes_op.h"

#include <stdio.h>

int op_fail(const op *c, const char *format, ...)
{
    char text[600], label[JL_LABEL];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return jl_fail(c->err, JL_ERR_FORMAT, "%s: %s", jl_node_label(c->s->graph, c->node, label),
                   text);
}

int op_no_memory(const op *c)
{
    return jl_fail(c->err, JL_ERR_MEMORY, "out of memory while inferring shapes");
}

const jl_info *op_in(const op *c, uint32_t i)
{
    if (i >= c->n->n_inputs || c->n->inputs[i] == JL_NONE) return NULL;
    return &c->s->values[c->n->inputs[i]];
}

jl_info *op_out(const op *c, uint32_t i)
{
    if (i >= c->n->n_outputs || c->n->outputs[i] == JL_NONE) return NULL;
    return &c->s->values[c->n->outputs[i]];
}

const jl_info *op_ranked(const op *c, uint32_t i)
{
    const jl_info *v = op_in(c, i);
    return v && v->rank >= 0 ? v : NULL;
}

int op_shape(op *c, uint32_t i, int rank, const jl_dim *dims)
{
    jl_info *v = op_out(c, i);
    if (!v) return 0;
    if (rank > JL_MAX_INFERRED_RANK)
        return op_fail(c, "output %u would have %d dimensions; at most %d are possible", i, rank,
                       JL_MAX_INFERRED_RANK);
    jl_dim *copy = jl_arena_array(c->s->arena, (size_t)rank, sizeof *copy);
    if (!copy) return op_no_memory(c);
    if (rank) memcpy(copy, dims, (size_t)rank * sizeof *copy);
    v->kind = JL_KIND_TENSOR;
    v->rank = (int8_t)rank;
    v->dims = copy;
    return 0;
}

int op_same_shape(op *c, uint32_t i, const jl_info *as)
{
    jl_info *v = op_out(c, i);
    if (!v || !as) return 0;
    v->kind = as->kind == JL_KIND_UNKNOWN ? JL_KIND_TENSOR : as->kind;
    v->rank = as->rank;
    v->dims = as->dims;
    return 0;
}

int op_shape_1d(op *c, uint32_t i, jl_dim n)
{
    return op_shape(c, i, 1, &n);
}

int op_scalar(op *c, uint32_t i)
{
    return op_shape(c, i, 0, NULL);
}

int op_unknown_dims(op *c, uint32_t i, int rank)
{
    jl_dim dims[JL_MAX_INFERRED_RANK];
    for (int k = 0; k < rank && k < JL_MAX_INFERRED_RANK; k++)
        dims[k] = jl_dim_unknown(c->d);
    return op_shape(c, i, rank, dims);
}

void op_dtype(op *c, uint32_t i, int dtype)
{
    jl_info *v = op_out(c, i);
    if (v && dtype > 0 && dtype < JL_DTYPE_COUNT) v->dtype = (uint8_t)dtype;
}

const onnx_attribute *op_attribute(const op *c, const char *name)
{
    return onnx_find_attribute(c->o, name);
}

int64_t op_i(const op *c, const char *name, int64_t otherwise)
{
    return onnx_attribute_i(c->o, name, otherwise);
}

int op_axis(const op *c, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return op_fail(c, "axis %lld of a tensor with %d dimensions", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return 0;
}

jl_dim op_product(op *c, const jl_dim *dims, int from, int to)
{
    jl_dim p = jl_dim_k(1);
    for (int i = from; i < to; i++)
        p = jl_dim_mul(c->d, p, dims[i]);
    return p;
}

/* A size of 1 gives way; of two sizes that cannot be told equal the number wins, since the model
 * runs only where they agree or the other is 1. */
static int broadcast_dim(op *c, jl_dim a, jl_dim b, jl_dim *out)
{
    bool ka = jl_dim_is_k(a), kb = jl_dim_is_k(b);
    if (jl_dim_same(a, b) || (kb && b.k == 1))
        *out = a;
    else if (ka && a.k == 1)
        *out = b;
    else if (ka && kb)
        return op_fail(c, "shapes with %lld and %lld elements along one axis do not broadcast",
                       (long long)a.k, (long long)b.k);
    else if (ka || kb)
        *out = ka ? a : b;
    else if (jl_dim_is_unknown(c->d, a) || jl_dim_is_unknown(c->d, b))
        *out = jl_dim_unknown(c->d);
    else
        *out = jl_dim_max(c->d, a, b);
    return 0;
}

int op_broadcast(op *c, const jl_dim *a, int rank_a, const jl_dim *b, int rank_b, jl_dim *dims)
{
    int rank = rank_a > rank_b ? rank_a : rank_b;
    for (int i = 1; i <= rank; i++) {
        if (i > rank_a || i > rank_b) {
            dims[rank - i] = i > rank_a ? b[rank_b - i] : a[rank_a - i];
            continue;
        }
        int rc = broadcast_dim(c, a[rank_a - i], b[rank_b - i], &dims[rank - i]);
        if (rc) return rc;
    }
    return rank;
}

/* Contents ------------------------------------------------------------------------------------ */

jl_elem elem_int(jl_dim k)
{
    return (jl_elem){.kind = JL_ELEM_RATIO, .num = k, .den = 1};
}

jl_elem elem_real(double x)
{
    double scaled = x;
    int64_t den = 1;
    for (; den < INT64_C(1) << 30; den *= 2, scaled *= 2) {
        if (scaled > 0x1p52 || scaled < -0x1p52 || scaled != scaled) break;
        if (scaled == (double)(int64_t)scaled)
            return (jl_elem){.kind = JL_ELEM_RATIO, .num = jl_dim_k((int64_t)scaled), .den = den};
    }
    return (jl_elem){.kind = JL_ELEM_REAL, .real = x, .den = 1};
}

bool elem_number(jl_elem e, double *x)
{
    if (e.kind == JL_ELEM_REAL) *x = e.real;
    if (e.kind == JL_ELEM_RATIO && jl_dim_is_k(e.num)) *x = (double)e.num.k / (double)e.den;
    return e.kind == JL_ELEM_REAL || (e.kind == JL_ELEM_RATIO && jl_dim_is_k(e.num));
}

bool elem_dim(jl_elem e, jl_dim *k)
{
    *k = e.num;
    return e.kind == JL_ELEM_RATIO && e.den == 1;
}

static jl_elem read_elem(jl_dtype type, const char *p)
{
    union {
        float f;
        double d;
        int8_t i8;
        uint8_t u8;
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
    } v;
    memcpy(&v, p, jl_dtype_bits(type) / 8);
    switch (type) {
    case JL_FLOAT:
        return elem_real((double)v.f);
    case JL_DOUBLE:
        return elem_real(v.d);
    case JL_FLOAT16:
        return elem_real((double)jl_float_from_half(v.u16));
    case JL_BFLOAT16:
        return elem_real((double)jl_float_from_bf16(v.u16));
    case JL_INT8:
        return elem_int(jl_dim_k(v.i8));
    case JL_BOOL:
    case JL_UINT8:
        return elem_int(jl_dim_k(v.u8));
    case JL_INT16:
        return elem_int(jl_dim_k(v.i16));
    case JL_UINT16:
        return elem_int(jl_dim_k(v.u16));
    case JL_INT32:
        return elem_int(jl_dim_k(v.i32));
    case JL_UINT32:
        return elem_int(jl_dim_k(v.u32));
    case JL_INT64:
        return elem_int(jl_dim_k(v.i64));
    case JL_UINT64:
        return elem_int(jl_dim_k(v.u64 > INT64_MAX ? INT64_MAX : (int64_t)v.u64));
    default:
        return (jl_elem){0};
    }
}

jl_elem *op_tensor_elems(op *c, const onnx_tensor *t, uint32_t *n)
{
    onnx_file in_memory = {.arena = c->s->arena};
    int64_t count = onnx_tensor_elements(t);
    jl_dtype type = (jl_dtype)t->data_type;
    jl_str bytes;
    if (count < 0 || count > JL_MAX_CONTENTS || jl_dtype_bits(type) < 8 || jl_dtype_bits(type) > 64)
        return NULL;
    if (onnx_tensor_bytes(c->s->file ? c->s->file : &in_memory, t, &bytes, NULL)) return NULL;
    jl_elem *e = jl_arena_array(c->s->arena, (size_t)count, sizeof *e);
    for (int64_t i = 0; e && i < count; i++)
        e[i] = read_elem(type, bytes.p + (size_t)i * (jl_dtype_bits(type) / 8));
    *n = (uint32_t)count;
    return e;
}

const jl_elem *op_elems(op *c, uint32_t i, uint32_t *n)
{
    if (!op_in(c, i)) return NULL;
    jl_info *v = &c->s->values[c->n->inputs[i]];
    const onnx_tensor *t = c->s->graph->values[c->n->inputs[i]].initializer;
    if (!v->elems && !v->loaded && t) {
        v->loaded = true;
        v->elems = op_tensor_elems(c, t, &v->n_elems);
    }
    if (!v->elems && op_small_count(v) == 0)
        v->elems = jl_arena_alloc(c->s->arena, sizeof(jl_elem));
    *n = v->n_elems;
    return v->elems;
}

bool op_ints(op *c, uint32_t i, jl_dim **ints, uint32_t *n)
{
    const jl_elem *e = op_elems(c, i, n);
    if (!e) {
        const jl_info *v = op_ranked(c, i);
        int64_t count = v ? op_small_count(v) : -1;
        if (count < 0) return false;
        *n = (uint32_t)count;
    }
    if (!(*ints = jl_arena_array(c->s->arena, *n, sizeof **ints))) return false;
    for (uint32_t k = 0; k < *n; k++)
        if (!e || !elem_dim(e[k], &(*ints)[k])) (*ints)[k] = jl_dim_unknown(c->d);
    return true;
}

bool op_constants(op *c, uint32_t i, int64_t **values, uint32_t *n)
{
    const jl_elem *e = op_elems(c, i, n);
    if (!e || !(*values = jl_arena_array(c->s->arena, *n, sizeof **values))) return false;
    for (uint32_t k = 0; k < *n; k++) {
        jl_dim d;
        if (!elem_dim(e[k], &d) || !jl_dim_is_k(d)) return false;
        (*values)[k] = d.k;
    }
    return true;
}

int op_list(op *c, const char *attribute, uint32_t input, int64_t **values, uint32_t *n)
{
    const onnx_attribute *a = attribute ? op_attribute(c, attribute) : NULL;
    if (a) {
        *values = a->ints.p;
        *n = (uint32_t)a->ints.n;
        return 1;
    }
    if (!op_in(c, input)) return 0;
    return op_constants(c, input, values, n) ? 1 : -1;
}

int64_t op_small_count(const jl_info *v)
{
    int64_t n = 1;
    for (int i = 0; i < v->rank; i++) {
        if (!jl_dim_is_k(v->dims[i]) || v->dims[i].k < 0) return -1;
        if (__builtin_mul_overflow(n, v->dims[i].k, &n) || n > JL_MAX_CONTENTS) return -1;
    }
    return v->rank < 0 ? -1 : n;
}

jl_elem *op_new_elems(op *c, uint32_t i, uint32_t *n)
{
    jl_info *v = op_out(c, i);
    int64_t count = v ? op_small_count(v) : -1;
    if (count < 0) return NULL;
    v->elems = jl_arena_array(c->s->arena, (size_t)count, sizeof *v->elems);
    v->n_elems = *n = (uint32_t)count;
    return v->elems;
}
