/* Operators that rearrange elements. */
#include "model/shapes_op.h"

static int reshape_unknown(op *c)
{
    const jl_info *target = op_ranked(c, 1);
    if (target && target->rank == 1 && jl_dim_is_k(target->dims[0]) &&
        target->dims[0].k <= JL_MAX_INFERRED_RANK)
        return op_unknown_dims(c, 0, (int)target->dims[0].k);
    return 0;
}

/* The dimension called -1: all elements over the product of the others. */
static int fill_rest(op *c, const jl_info *x, jl_dim *dims, int n, int rest)
{
    jl_dim others = jl_dim_k(1), total = op_product(c, x->dims, 0, x->rank);
    for (int i = 0; i < n; i++)
        if (i != rest) others = jl_dim_mul(c->d, others, dims[i]);
    if (jl_dim_is_k(others) && others.k == 0) {
        dims[rest] = jl_dim_k(0);
        return 0;
    }
    if (jl_dim_is_k(others) && jl_dim_is_k(total) && total.k % others.k)
        return op_fail(c, "%lld elements do not divide into groups of %lld", (long long)total.k,
                       (long long)others.k);
    dims[rest] = jl_dim_div(c->d, total, others);
    return 0;
}

int op_reshape(op *c)
{
    const jl_info *x = op_in(c, 0);
    const onnx_attribute *old = op_attribute(c, "shape");
    jl_dim dims[JL_MAX_INFERRED_RANK], *target = NULL;
    uint32_t n = 0;
    int rest = -1, rc;
    if (!old && !op_ints(c, 1, &target, &n)) return reshape_unknown(c);
    if (old) n = (uint32_t)old->ints.n;
    if (n > JL_MAX_INFERRED_RANK) return op_fail(c, "a target of %u dimensions", n);
    for (uint32_t i = 0; i < n; i++) {
        dims[i] = old ? jl_dim_k(old->ints.p[i]) : target[i];
        if (!jl_dim_is_k(dims[i])) continue;
        if (dims[i].k == 0 && !op_i(c, "allowzero", 0)) {
            if (x->rank >= 0 && (int)i >= x->rank)
                return op_fail(c, "its target copies axis %u of a tensor with %d", i, x->rank);
            dims[i] = x->rank < 0 ? jl_dim_unknown(c->d) : x->dims[i];
        } else if (dims[i].k == -1) {
            if (rest >= 0) return op_fail(c, "its target has two dimensions of -1");
            rest = (int)i;
        } else if (dims[i].k < 0) {
            return op_fail(c, "its target has the dimension %lld", (long long)dims[i].k);
        }
    }
    if (rest >= 0 && x->rank < 0) dims[rest] = jl_dim_unknown(c->d);
    if (rest >= 0 && x->rank >= 0 && (rc = fill_rest(c, x, dims, (int)n, rest))) return rc;
    if (rest < 0 && x->rank >= 0) {
        jl_dim a = op_product(c, x->dims, 0, x->rank), b = op_product(c, dims, 0, (int)n);
        if (jl_dim_is_k(a) && jl_dim_is_k(b) && a.k != b.k)
            return op_fail(c, "%lld elements cannot take a shape of %lld", (long long)a.k,
                           (long long)b.k);
    }
    return op_shape(c, 0, (int)n, dims);
}

int op_flatten(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    int64_t axis = op_i(c, "axis", 1);
    if (!x) return op_unknown_dims(c, 0, 2);
    if (axis < -x->rank || axis > x->rank)
        return op_fail(c, "axis %lld of a tensor with %d dimensions", (long long)axis, x->rank);
    int at = (int)(axis < 0 ? axis + x->rank : axis);
    jl_dim dims[] = {op_product(c, x->dims, 0, at), op_product(c, x->dims, at, x->rank)};
    return op_shape(c, 0, 2, dims);
}

int op_transpose(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    const onnx_attribute *perm = op_attribute(c, "perm");
    jl_dim dims[JL_MAX_INFERRED_RANK];
    bool taken[JL_MAX_INFERRED_RANK] = {false};
    if (!x) return perm ? op_unknown_dims(c, 0, (int)perm->ints.n) : 0;
    if (perm && perm->ints.n != (size_t)x->rank)
        return op_fail(c, "perm has %zu axes, the input %d", perm->ints.n, x->rank);
    for (int i = 0; i < x->rank; i++) {
        int from = x->rank - 1 - i, rc = perm ? op_axis(c, perm->ints.p[i], x->rank, &from) : 0;
        if (rc) return rc;
        if (taken[from]) return op_fail(c, "perm names axis %d twice", from);
        taken[from] = true;
        dims[i] = x->dims[from];
    }
    return op_shape(c, 0, x->rank, dims);
}

int op_squeeze(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK];
    bool gone[JL_MAX_INFERRED_RANK] = {false};
    int64_t *axes;
    uint32_t n = 0;
    int rank = 0, found = op_list(c, "axes", 1, &axes, &n);
    if (!x) return 0;
    if (found < 0) {
        const jl_info *list = op_ranked(c, 1);
        if (list && list->rank == 1 && jl_dim_is_k(list->dims[0]) && list->dims[0].k <= x->rank)
            return op_unknown_dims(c, 0, x->rank - (int)list->dims[0].k);
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        int axis, rc = op_axis(c, axes[i], x->rank, &axis);
        if (rc) return rc;
        if (jl_dim_is_k(x->dims[axis]) && x->dims[axis].k != 1)
            return op_fail(c, "axis %d has %lld elements, not 1", axis, (long long)x->dims[axis].k);
        gone[axis] = true;
    }
    for (int i = 0; i < x->rank; i++) {
        if (!found && !jl_dim_is_k(x->dims[i])) return 0; /* who knows whether it is 1 */
        if (!found) gone[i] = x->dims[i].k == 1;
        if (!gone[i]) dims[rank++] = x->dims[i];
    }
    return op_shape(c, 0, rank, dims);
}

int op_unsqueeze(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK];
    bool added[JL_MAX_INFERRED_RANK] = {false};
    int64_t *axes;
    uint32_t n = 0;
    int found = op_list(c, "axes", 1, &axes, &n);
    if (!x) return 0;
    if (found <= 0) {
        const jl_info *list = op_ranked(c, 1);
        if (list && list->rank == 1 && jl_dim_is_k(list->dims[0]) && list->dims[0].k >= 0 &&
            list->dims[0].k + x->rank <= JL_MAX_INFERRED_RANK)
            return op_unknown_dims(c, 0, x->rank + (int)list->dims[0].k);
        return 0;
    }
    int rank = x->rank + (int)n, from = 0;
    if (n > JL_MAX_INFERRED_RANK || rank > JL_MAX_INFERRED_RANK)
        return op_fail(c, "a result of %d dimensions", rank);
    for (uint32_t i = 0; i < n; i++) {
        int axis, rc = op_axis(c, axes[i], rank, &axis);
        if (rc) return rc;
        if (added[axis]) return op_fail(c, "axes names %d twice", axis);
        added[axis] = true;
    }
    for (int i = 0; i < rank; i++)
        dims[i] = added[i] ? jl_dim_k(1) : x->dims[from++];
    return op_shape(c, 0, rank, dims);
}

int op_expand(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK], *target;
    uint32_t n;
    if (!x || !op_ints(c, 1, &target, &n)) return 0;
    if (n > JL_MAX_INFERRED_RANK) return op_fail(c, "a target of %u dimensions", n);
    int rank = op_broadcast(c, x->dims, x->rank, target, (int)n, dims);
    return rank < 0 ? rank : op_shape(c, 0, rank, dims);
}

int op_tile(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK], *repeats;
    uint32_t n;
    if (!x) return 0;
    if (c->opset < 6 || !op_ints(c, 1, &repeats, &n)) return op_unknown_dims(c, 0, x->rank);
    if ((int)n != x->rank) return op_fail(c, "%u repeats for %d axes", n, x->rank);
    for (int i = 0; i < x->rank; i++)
        dims[i] = jl_dim_mul(c->d, x->dims[i], repeats[i]);
    return op_shape(c, 0, x->rank, dims);
}

int op_pad(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    const onnx_attribute *old = op_attribute(c, c->opset < 2 ? "paddings" : "pads");
    jl_dim dims[JL_MAX_INFERRED_RANK], *pads = NULL;
    int64_t *axes = NULL;
    uint32_t n = 0, n_axes = 0;
    if (!x) return 0;
    if (!old && !op_ints(c, 1, &pads, &n)) return op_unknown_dims(c, 0, x->rank);
    if (old) n = (uint32_t)old->ints.n;
    int listed = op_list(c, NULL, 3, &axes, &n_axes);
    if (listed < 0) return op_unknown_dims(c, 0, x->rank);
    if (!listed) n_axes = (uint32_t)x->rank;
    if (n != 2 * n_axes) return op_fail(c, "%u pads for %u axes", n, n_axes);
    for (int i = 0; i < x->rank; i++)
        dims[i] = x->dims[i];
    for (uint32_t i = 0; i < n_axes; i++) {
        int axis = (int)i, rc = listed ? op_axis(c, axes[i], x->rank, &axis) : 0;
        if (rc) return rc;
        for (uint32_t k = i; k < n; k += n_axes)
            dims[axis] = jl_dim_add(c->d, dims[axis], old ? jl_dim_k(old->ints.p[k]) : pads[k]);
    }
    return op_shape(c, 0, x->rank, dims);
}

int op_concat(op *c)
{
    jl_dim dims[JL_MAX_INFERRED_RANK], along = jl_dim_k(0);
    int rank = -1, axis = 0;
    for (uint32_t i = 0; i < c->n->n_inputs; i++) {
        const jl_info *v = op_ranked(c, i), *first = op_in(c, 0);
        if (!v) return 0;
        if (first && first->dtype && v->dtype && first->dtype != v->dtype)
            return op_fail(c, "its inputs have the types %s and %s; insert a Cast",
                           jl_dtype_name((jl_dtype)first->dtype),
                           jl_dtype_name((jl_dtype)v->dtype));
        int rc = op_axis(c, op_i(c, "axis", 1), v->rank, &axis);
        if (rc) return rc;
        if (rank >= 0 && v->rank != rank)
            return op_fail(c, "inputs with %d and %d dimensions", rank, v->rank);
        rank = v->rank;
        along = jl_dim_add(c->d, along, v->dims[axis]);
        for (int k = 0; k < rank; k++) {
            bool fresh = i == 0 || (!jl_dim_is_k(dims[k]) && jl_dim_is_k(v->dims[k]));
            if (k != axis && !fresh && jl_dim_is_k(dims[k]) && jl_dim_is_k(v->dims[k]) &&
                dims[k].k != v->dims[k].k)
                return op_fail(c, "inputs with %lld and %lld elements along axis %d",
                               (long long)dims[k].k, (long long)v->dims[k].k, k);
            if (fresh) dims[k] = v->dims[k];
        }
    }
    if (rank < 0) return 0;
    dims[axis] = along;
    return op_shape(c, 0, rank, dims);
}

int op_split(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK], *sizes = NULL;
    const onnx_attribute *old = op_attribute(c, "split");
    uint32_t n = 0, outputs = c->n->n_outputs;
    int axis, rc;
    if (!x || !outputs) return 0;
    if ((rc = op_axis(c, op_i(c, "axis", 0), x->rank, &axis))) return rc;
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    bool given = old || op_in(c, 1);
    if (!old && op_in(c, 1) && !op_ints(c, 1, &sizes, &n)) n = outputs;
    if (old) n = (uint32_t)old->ints.n;
    if (given && n != outputs) return op_fail(c, "%u sizes for %u outputs", n, outputs);
    jl_dim whole = x->dims[axis], each = jl_dim_ceil(c->d, whole, jl_dim_k(outputs));
    for (uint32_t i = 0; i < outputs && !rc; i++) {
        dims[axis] = old ? jl_dim_k(old->ints.p[i]) : sizes ? sizes[i] : jl_dim_unknown(c->d);
        if (!given) /* equal parts, the last one smaller where they do not divide */
            dims[axis] =
                i + 1 < outputs
                    ? each
                    : jl_dim_sub(c->d, whole, jl_dim_mul(c->d, each, jl_dim_k(outputs - 1)));
        rc = op_shape(c, i, x->rank, dims);
    }
    return rc;
}

int op_depth_to_space(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim b = jl_dim_k(op_i(c, "blocksize", 1));
    if (!x || x->rank != 4) return 0;
    jl_dim dims[] = {x->dims[0], jl_dim_div(c->d, x->dims[1], jl_dim_mul(c->d, b, b)),
                     jl_dim_mul(c->d, x->dims[2], b), jl_dim_mul(c->d, x->dims[3], b)};
    return op_shape(c, 0, 4, dims);
}

int op_space_to_depth(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim b = jl_dim_k(op_i(c, "blocksize", 1));
    if (!x || x->rank != 4) return 0;
    jl_dim dims[] = {x->dims[0], jl_dim_mul(c->d, x->dims[1], jl_dim_mul(c->d, b, b)),
                     jl_dim_div(c->d, x->dims[2], b), jl_dim_div(c->d, x->dims[3], b)};
    return op_shape(c, 0, 4, dims);
}

int op_center_crop_pad(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    const onnx_attribute *axes = op_attribute(c, "axes");
    jl_dim dims[JL_MAX_INFERRED_RANK], *sizes;
    uint32_t n;
    if (!x) return 0;
    if (!op_ints(c, 1, &sizes, &n)) return op_unknown_dims(c, 0, x->rank);
    if (n != (axes ? axes->ints.n : (size_t)x->rank)) return op_fail(c, "%u sizes", n);
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    for (uint32_t i = 0; i < n; i++) {
        int axis = (int)i, rc = axes ? op_axis(c, axes->ints.p[i], x->rank, &axis) : 0;
        if (rc) return rc;
        dims[axis] = sizes[i];
    }
    return op_shape(c, 0, x->rank, dims);
}
