/* Operators that pick elements, and those whose result depends on values. */
#include "model/shapes_op.h"

/* Number of elements of start:end:step along an axis of that size. */
static jl_dim slice_length(op *c, jl_dim size, jl_dim start, jl_dim end, int64_t step)
{
    jl_dims *d = c->d;
    if (jl_dim_is_k(start) && start.k < 0) start = jl_dim_add(d, start, size);
    if (jl_dim_is_k(end) && end.k < 0)
        end = end.k < -INT32_MAX ? jl_dim_k(step > 0 ? 0 : -1) : jl_dim_add(d, end, size);
    jl_dim zero = jl_dim_k(0), last = jl_dim_sub(d, size, jl_dim_k(1));
    if (step > 0) {
        start = jl_dim_min(d, jl_dim_max(d, start, zero), size);
        end = jl_dim_min(d, jl_dim_max(d, end, zero), size);
        return jl_dim_max(d, jl_dim_ceil(d, jl_dim_sub(d, end, start), jl_dim_k(step)), zero);
    }
    start = jl_dim_min(d, jl_dim_max(d, start, zero), last);
    end = jl_dim_min(d, jl_dim_max(d, end, jl_dim_k(-1)), last);
    return jl_dim_max(d, jl_dim_ceil(d, jl_dim_sub(d, start, end), jl_dim_k(-step)), zero);
}

/* starts, ends, axes and steps: attributes before opset 10, inputs since. */
typedef struct slicing {
    jl_dim *starts, *ends;
    int64_t *axes, *steps;
    uint32_t n, n_axes, n_steps;
    int has_axes, has_steps;
} slicing;

static jl_dim *dims_of(op *c, const onnx_attribute *a)
{
    jl_dim *d = jl_arena_array(c->s->arena, a->ints.n, sizeof *d);
    for (size_t i = 0; d && i < a->ints.n; i++)
        d[i] = jl_dim_k(a->ints.p[i]);
    return d;
}

/* False when too little is known. */
static bool read_slicing(op *c, slicing *s)
{
    const onnx_attribute *starts = op_attribute(c, "starts"), *ends = op_attribute(c, "ends");
    uint32_t n_ends = 0;
    *s = (slicing){0};
    if (starts && ends) {
        s->starts = dims_of(c, starts);
        s->ends = dims_of(c, ends);
        s->n = (uint32_t)starts->ints.n;
        n_ends = (uint32_t)ends->ints.n;
    } else if (!op_ints(c, 1, &s->starts, &s->n) || !op_ints(c, 2, &s->ends, &n_ends)) {
        return false;
    }
    s->has_axes = op_list(c, "axes", 3, &s->axes, &s->n_axes);
    s->has_steps = op_list(c, NULL, 4, &s->steps, &s->n_steps);
    return s->starts && s->ends && n_ends == s->n && s->has_axes >= 0 && s->has_steps >= 0 &&
           (!s->has_axes || s->n_axes == s->n) && (!s->has_steps || s->n_steps == s->n);
}

int op_slice(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK];
    slicing s;
    if (!x) return 0;
    if (!read_slicing(c, &s)) return op_unknown_dims(c, 0, x->rank);
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    for (uint32_t i = 0; i < s.n; i++) {
        int axis, rc = op_axis(c, s.has_axes ? s.axes[i] : i, x->rank, &axis);
        int64_t step = s.has_steps ? s.steps[i] : 1;
        if (rc) return rc;
        if (step == 0 || step == INT64_MIN) return op_fail(c, "a step of %lld", (long long)step);
        bool unknown = jl_dim_is_unknown(c->d, s.starts[i]) || jl_dim_is_unknown(c->d, s.ends[i]);
        dims[axis] = unknown ? jl_dim_unknown(c->d)
                             : slice_length(c, x->dims[axis], s.starts[i], s.ends[i], step);
    }
    return op_shape(c, 0, x->rank, dims);
}

/* First element of start:...:step along an axis of n elements. */
static int64_t slice_start(int64_t start, int64_t n, int64_t step)
{
    if (start < 0) start += n;
    if (start < 0) return 0;
    int64_t last = step > 0 ? n : n - 1;
    return start > last ? last : start;
}

int contents_slice(op *c)
{
    const jl_info *x = op_ranked(c, 0), *y = op_out(c, 0);
    int64_t from[JL_MAX_INFERRED_RANK] = {0}, step[JL_MAX_INFERRED_RANK];
    uint32_t n, m;
    slicing s;
    const jl_elem *e = op_elems(c, 0, &n);
    if (!e || op_small_count(x) < 0 || !read_slicing(c, &s)) return 0;
    for (int i = 0; i < x->rank; i++)
        step[i] = 1;
    for (uint32_t i = 0; i < s.n; i++) {
        int axis, rc = op_axis(c, s.has_axes ? s.axes[i] : i, x->rank, &axis);
        if (rc) return rc;
        if (!jl_dim_is_k(s.starts[i])) return 0;
        step[axis] = s.has_steps ? s.steps[i] : 1;
        from[axis] = slice_start(s.starts[i].k, x->dims[axis].k, step[axis]);
    }
    jl_elem *out = op_new_elems(c, 0, &m);
    for (uint32_t i = 0; out && i < m; i++) {
        int64_t rest = i, at = 0, stride = 1;
        for (int k = x->rank - 1; k >= 0; k--) {
            at += (from[k] + rest % y->dims[k].k * step[k]) * stride;
            rest /= y->dims[k].k;
            stride *= x->dims[k].k;
        }
        if (at >= 0 && at < (int64_t)n) out[i] = e[at];
    }
    return 0;
}

int op_gather(op *c)
{
    const jl_info *x = op_ranked(c, 0), *index = op_ranked(c, 1);
    jl_dim dims[2 * JL_MAX_INFERRED_RANK];
    int axis, rank = 0;
    if (!x || !index) return 0;
    int rc = op_axis(c, op_i(c, "axis", 0), x->rank, &axis);
    if (rc) return rc;
    for (int i = 0; i < axis; i++)
        dims[rank++] = x->dims[i];
    for (int i = 0; i < index->rank; i++)
        dims[rank++] = index->dims[i];
    for (int i = axis + 1; i < x->rank; i++)
        dims[rank++] = x->dims[i];
    return op_shape(c, 0, rank, dims);
}

int contents_gather(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    uint32_t n, m, k;
    int64_t *index, inner = 1;
    int axis;
    const jl_elem *e = op_elems(c, 0, &n);
    if (!e || op_small_count(x) < 0 || !op_constants(c, 1, &index, &k) || !k) return 0;
    int rc = op_axis(c, op_i(c, "axis", 0), x->rank, &axis);
    if (rc) return rc;
    int64_t size = x->dims[axis].k;
    for (int i = axis + 1; i < x->rank; i++)
        inner *= x->dims[i].k;
    jl_elem *out = op_new_elems(c, 0, &m);
    for (uint32_t i = 0; out && i < m; i++) {
        int64_t block = i / inner, picked = index[block % k],
                at = picked < 0 ? picked + size : picked;
        if (at < 0 || at >= size)
            return op_fail(c, "index %lld of %lld elements", (long long)picked, (long long)size);
        out[i] = e[(block / k * size + at) * inner + i % inner];
    }
    return 0;
}

int op_gather_elements(op *c)
{
    return op_same_shape(c, 0, op_in(c, 1));
}

int op_gather_nd(op *c)
{
    const jl_info *x = op_ranked(c, 0), *index = op_ranked(c, 1);
    jl_dim dims[2 * JL_MAX_INFERRED_RANK];
    int64_t batch = op_i(c, "batch_dims", 0);
    if (!x || !index || index->rank < 1) return 0;
    jl_dim last = index->dims[index->rank - 1];
    if (!jl_dim_is_k(last)) return 0;
    if (batch < 0 || last.k < 0 || last.k > x->rank || batch + last.k > x->rank)
        return op_fail(c, "indices of %lld axes into a tensor with %d", (long long)last.k, x->rank);
    int rank = 0;
    for (int i = 0; i < index->rank - 1; i++)
        dims[rank++] = index->dims[i];
    for (int i = (int)(batch + last.k); i < x->rank; i++)
        dims[rank++] = x->dims[i];
    return op_shape(c, 0, rank, dims);
}

int op_one_hot(op *c)
{
    const jl_info *index = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK + 1], *depth;
    uint32_t n;
    int axis, rank = 0;
    if (!index) return 0;
    int rc = op_axis(c, op_i(c, "axis", -1), index->rank + 1, &axis);
    if (rc) return rc;
    bool known = op_ints(c, 1, &depth, &n) && n == 1;
    for (int i = 0; i <= index->rank; i++)
        dims[i] = i == axis ? known ? depth[0] : jl_dim_unknown(c->d) : index->dims[rank++];
    return op_shape(c, 0, index->rank + 1, dims);
}

int op_top_k(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK], *k;
    uint32_t n;
    int axis;
    if (!x) return 0;
    int rc = op_axis(c, op_i(c, "axis", -1), x->rank, &axis);
    if (rc) return rc;
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    if (op_attribute(c, "k"))
        dims[axis] = jl_dim_k(op_i(c, "k", 0));
    else
        dims[axis] = op_ints(c, 1, &k, &n) && n == 1 ? k[0] : jl_dim_unknown(c->d);
    rc = op_shape(c, 0, x->rank, dims);
    return rc ? rc : op_shape(c, 1, x->rank, dims);
}

int op_non_zero(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    if (!x) return op_unknown_dims(c, 0, 2);
    jl_dim count = jl_dim_unknown(c->d);
    uint32_t n;
    double v;
    const jl_elem *e = op_elems(c, 0, &n);
    int64_t found = 0;
    for (uint32_t i = 0; e && i < n; i++) {
        if (!elem_number(e[i], &v)) e = NULL;
        found += e && v != 0;
    }
    if (e) count = jl_dim_k(found);
    jl_dim dims[] = {jl_dim_k(x->rank ? x->rank : 1), count};
    return op_shape(c, 0, 2, dims);
}

int contents_non_zero(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    uint32_t n, m;
    double v;
    const jl_elem *e = op_elems(c, 0, &n);
    if (!e || x->rank != 1) return 0;
    jl_elem *out = op_new_elems(c, 0, &m);
    uint32_t at = 0;
    for (uint32_t i = 0; out && i < n && at < m; i++)
        if (elem_number(e[i], &v) && v != 0) out[at++] = elem_int(jl_dim_k(i));
    return 0;
}

int op_compress(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK];
    int axis;
    if (!op_attribute(c, "axis")) return op_unknown_dims(c, 0, 1);
    if (!x) return 0;
    int rc = op_axis(c, op_i(c, "axis", 0), x->rank, &axis);
    if (rc) return rc;
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    dims[axis] = jl_dim_unknown(c->d);
    return op_shape(c, 0, x->rank, dims);
}

int op_unique(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK], count = jl_dim_unknown(c->d);
    int axis, rank = 1, rc;
    jl_dim all = x ? op_product(c, x->dims, 0, x->rank) : jl_dim_unknown(c->d);
    dims[0] = count;
    if (op_attribute(c, "axis")) {
        if (!x) return 0;
        if ((rc = op_axis(c, op_i(c, "axis", 0), x->rank, &axis))) return rc;
        rank = x->rank;
        memcpy(dims, x->dims, (size_t)rank * sizeof *dims);
        all = x->dims[axis];
        dims[axis] = count;
    }
    if ((rc = op_shape(c, 0, rank, dims)) || (rc = op_shape_1d(c, 1, count)) ||
        (rc = op_shape_1d(c, 2, all)))
        return rc;
    return op_shape_1d(c, 3, count);
}

/* Shapes as values ---------------------------------------------------------------------------- */

int op_shape_of(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    if (!x) return op_unknown_dims(c, 0, 1);
    int64_t start = op_i(c, "start", 0), end = op_i(c, "end", x->rank);
    if (start < 0) start += x->rank;
    if (end < 0) end += x->rank;
    start = start < 0 ? 0 : start > x->rank ? x->rank : start;
    end = end < start ? start : end > x->rank ? x->rank : end;
    int rc = op_shape_1d(c, 0, jl_dim_k(end - start));
    uint32_t n;
    jl_elem *out = rc ? NULL : op_new_elems(c, 0, &n);
    for (uint32_t i = 0; out && i < n; i++)
        out[i] = elem_int(x->dims[start + i]);
    return rc;
}

int op_size_of(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    int rc = op_scalar(c, 0);
    uint32_t n;
    jl_elem *out = rc || !x ? NULL : op_new_elems(c, 0, &n);
    if (out) out[0] = elem_int(op_product(c, x->dims, 0, x->rank));
    return rc;
}

static int constant_list(op *c, const onnx_attribute *a, bool floats, bool scalar)
{
    size_t count = scalar ? 1 : floats ? a->floats.n : a->ints.n;
    uint32_t n;
    op_dtype(c, 0, floats ? JL_FLOAT : JL_INT64);
    int rc = scalar ? op_scalar(c, 0) : op_shape_1d(c, 0, jl_dim_k((int64_t)count));
    jl_elem *out = rc ? NULL : op_new_elems(c, 0, &n);
    for (uint32_t i = 0; out && i < n; i++) {
        double f = (double)(scalar ? a->f : floats ? a->floats.p[i] : 0);
        out[i] = floats ? elem_real(f) : elem_int(jl_dim_k(scalar ? a->i : a->ints.p[i]));
    }
    return rc;
}

int op_constant(op *c)
{
    static const struct {
        const char *name;
        bool floats, scalar;
    } lists[] = {{"value_float", true, true},
                 {"value_floats", true, false},
                 {"value_int", false, true},
                 {"value_ints", false, false}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const onnx_attribute *a = op_attribute(c, lists[i].name);
        if (a) return constant_list(c, a, lists[i].floats, lists[i].scalar);
    }
    const onnx_attribute *a = op_attribute(c, "value"), *s = op_attribute(c, "value_strings");
    const onnx_attribute *sparse = op_attribute(c, "sparse_value");
    const onnx_tensor *t = a ? a->t : NULL;
    if (op_attribute(c, "value_string") || s) {
        op_dtype(c, 0, JL_STRING);
        return s ? op_shape_1d(c, 0, jl_dim_k((int64_t)s->strings.n)) : op_scalar(c, 0);
    }
    size_t rank = t                                 ? t->dims.n
                  : sparse && sparse->sparse_tensor ? sparse->sparse_tensor->dims.n
                                                    : 0;
    const int64_t *sizes = t ? t->dims.p : rank ? sparse->sparse_tensor->dims.p : NULL;
    jl_dim dims[JL_MAX_INFERRED_RANK];
    if (!t && !(sparse && sparse->sparse_tensor && sparse->sparse_tensor->values))
        return op_fail(c, "it has no value");
    if (rank > JL_MAX_INFERRED_RANK) return op_fail(c, "a value with %zu dimensions", rank);
    for (size_t i = 0; i < rank; i++)
        dims[i] = jl_dim_k(sizes[i]);
    op_dtype(c, 0, t ? t->data_type : sparse->sparse_tensor->values->data_type);
    int rc = op_shape(c, 0, (int)rank, dims);
    jl_info *out = op_out(c, 0);
    if (!rc && t && out) out->elems = op_tensor_elems(c, t, &out->n_elems);
    return rc;
}

int op_constant_of_shape(op *c)
{
    const onnx_attribute *a = op_attribute(c, "value");
    jl_dim *dims;
    uint32_t n, one;
    op_dtype(c, 0, a && a->t ? a->t->data_type : JL_FLOAT);
    if (!op_ints(c, 0, &dims, &n)) return 0;
    if (n > JL_MAX_INFERRED_RANK) return op_fail(c, "a shape with %u dimensions", n);
    int rc = op_shape(c, 0, (int)n, dims);
    const jl_elem *value = a && a->t ? op_tensor_elems(c, a->t, &one) : NULL;
    jl_elem *out = rc ? NULL : op_new_elems(c, 0, &n);
    for (uint32_t i = 0; out && i < n; i++)
        if (!a || value) out[i] = value ? value[0] : elem_int(jl_dim_k(0));
    return rc;
}

int op_range(op *c)
{
    uint32_t n[3];
    const jl_elem *e[3];
    jl_dim d[3];
    double x[3];
    bool dims = true, numbers = true;
    for (uint32_t i = 0; i < 3; i++) {
        e[i] = op_elems(c, i, &n[i]);
        if (!e[i] || n[i] != 1) return op_unknown_dims(c, 0, 1);
        dims = dims && elem_dim(e[i][0], &d[i]);
        numbers = numbers && elem_number(e[i][0], &x[i]);
    }
    if (dims && jl_dim_is_k(d[2]) && d[2].k == 0) return op_fail(c, "a step of 0");
    if (dims) {
        jl_dim span = jl_dim_sub(c->d, d[1], d[0]);
        jl_dim length = jl_dim_ceil(c->d, span, d[2]);
        return op_shape_1d(c, 0, jl_dim_max(c->d, length, jl_dim_k(0)));
    }
    if (!numbers || x[2] == 0) return op_unknown_dims(c, 0, 1);
    double length = (x[1] - x[0]) / x[2];
    if (!(length < 0x1p53)) return op_unknown_dims(c, 0, 1);
    int64_t whole = length > 0 ? (int64_t)length : 0;
    return op_shape_1d(c, 0, jl_dim_k(whole + (length > (double)whole)));
}

int contents_range(op *c)
{
    uint32_t n, m;
    const jl_elem *start = op_elems(c, 0, &n), *step = op_elems(c, 2, &n);
    jl_dim a, b;
    if (!start || !step || !elem_dim(start[0], &a) || !elem_dim(step[0], &b)) return 0;
    jl_elem *out = op_new_elems(c, 0, &m);
    for (uint32_t i = 0; out && i < m; i++) {
        out[i] = elem_int(a);
        a = jl_dim_add(c->d, a, b);
    }
    return 0;
}
