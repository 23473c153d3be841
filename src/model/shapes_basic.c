/* Elementwise operators, normalisations, reductions. */
#include "model/shapes_op.h"

int op_same(op *c)
{
    for (uint32_t i = 0; i < c->n->n_outputs; i++)
        op_same_shape(c, i, op_in(c, 0));
    return 0;
}

int op_first_same(op *c)
{
    return op_same_shape(c, 0, op_in(c, 0));
}

int op_scalar_out(op *c)
{
    return op_scalar(c, 0);
}

static bool typed_apart(const jl_info *a, const jl_info *b)
{
    return a->dtype && b->dtype && a->dtype != b->dtype;
}

/* Operators whose inputs have one type variable: all alike but Pow's exponent. */
static int check_same_types(op *c)
{
    const jl_info *first = op_in(c, 0);
    bool pow = jl_str_is(c->o->op_type, "Pow") && c->opset >= 12;
    for (uint32_t i = 1; i < c->n->n_inputs && first && !pow; i++) {
        const jl_info *v = op_in(c, i);
        if (v && typed_apart(first, v))
            return op_fail(c, "its inputs have the types %s and %s; insert a Cast",
                           jl_dtype_name((jl_dtype)first->dtype),
                           jl_dtype_name((jl_dtype)v->dtype));
    }
    return 0;
}

/* Before opset 7 the second input aligns at `axis`, not at the end. */
static int legacy_broadcast(op *c)
{
    return op_same_shape(c, 0, op_in(c, 0));
}

int op_broadcast_all(op *c)
{
    jl_dim dims[JL_MAX_INFERRED_RANK];
    int rank = 0, rc = check_same_types(c);
    if (rc) return rc;
    if (c->opset < 7 && op_i(c, "broadcast", 0)) return legacy_broadcast(c);
    for (uint32_t i = 0; i < c->n->n_inputs; i++) {
        const jl_info *v = op_ranked(c, i);
        if (!v) return 0;
        jl_dim so_far[JL_MAX_INFERRED_RANK];
        memcpy(so_far, dims, (size_t)rank * sizeof *dims);
        if ((rank = op_broadcast(c, so_far, rank, v->dims, v->rank, dims)) < 0) return rank;
    }
    return c->n->n_inputs ? op_shape(c, 0, rank, dims) : 0;
}

int op_where(op *c)
{
    const jl_info *x = op_in(c, 1), *y = op_in(c, 2), *cond = op_in(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK], some[JL_MAX_INFERRED_RANK];
    if (!x || !y || !cond) return op_fail(c, "it needs three inputs");
    if (typed_apart(x, y))
        return op_fail(c, "its inputs have the types %s and %s; insert a Cast",
                       jl_dtype_name((jl_dtype)x->dtype), jl_dtype_name((jl_dtype)y->dtype));
    if (x->rank < 0 || y->rank < 0 || cond->rank < 0) return 0;
    int rank = op_broadcast(c, x->dims, x->rank, y->dims, y->rank, some);
    if (rank >= 0) rank = op_broadcast(c, some, rank, cond->dims, cond->rank, dims);
    return rank < 0 ? rank : op_shape(c, 0, rank, dims);
}

int op_batch_norm(op *c)
{
    const jl_info *x = op_ranked(c, 0), *scale = op_ranked(c, 1);
    op_same_shape(c, 0, op_in(c, 0));
    for (uint32_t i = 1; i < c->n->n_outputs; i++)
        op_same_shape(c, i, op_in(c, 1));
    if (x && scale && x->rank >= 2 && scale->rank == 1) {
        jl_dim a = x->dims[1], b = scale->dims[0];
        if (jl_dim_is_k(a) && jl_dim_is_k(b) && a.k != b.k)
            return op_fail(c, "%lld channels, but statistics of %lld", (long long)a.k,
                           (long long)b.k);
    }
    return 0;
}

/* Mean and inverse deviation: the normalised axes become 1. */
int op_layer_norm(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    op_same_shape(c, 0, op_in(c, 0));
    if (!x) return 0;
    int axis, rc = op_axis(c, op_i(c, "axis", -1), x->rank, &axis);
    if (rc) return rc;
    jl_dim dims[JL_MAX_INFERRED_RANK];
    for (int i = 0; i < x->rank; i++)
        dims[i] = i < axis ? x->dims[i] : jl_dim_k(1);
    for (uint32_t i = 1; i < c->n->n_outputs && !rc; i++)
        rc = op_shape(c, i, x->rank, dims);
    return rc;
}

int op_dropout(op *c)
{
    if (c->opset < 10) op_dtype(c, 1, op_in(c, 0) ? op_in(c, 0)->dtype : 0);
    return op_same(c);
}

int op_dynamic_quantize(op *c)
{
    op_same_shape(c, 0, op_in(c, 0));
    int rc = op_scalar(c, 1);
    return rc ? rc : op_scalar(c, 2);
}

int op_quantize(op *c)
{
    const jl_info *zero = op_in(c, 2);
    int64_t dtype = op_i(c, "output_dtype", 0);
    op_dtype(c, 0, zero && zero->dtype ? zero->dtype : dtype ? (int)dtype : JL_UINT8);
    return op_same(c);
}

/* Reductions ---------------------------------------------------------------------------------- */

static int reduced_shape(op *c, const jl_info *x, const int64_t *axes, uint32_t n, bool keep)
{
    jl_dim dims[JL_MAX_INFERRED_RANK];
    bool gone[JL_MAX_INFERRED_RANK] = {false};
    int rank = 0;
    for (uint32_t i = 0; i < n; i++) {
        int axis, rc = op_axis(c, axes[i], x->rank, &axis);
        if (rc) return rc;
        gone[axis] = true;
    }
    for (int i = 0; i < x->rank; i++) {
        if (!gone[i] || keep) dims[rank++] = gone[i] ? jl_dim_k(1) : x->dims[i];
    }
    return op_shape(c, 0, rank, dims);
}

int op_reduce(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    bool keep = op_i(c, "keepdims", 1) != 0;
    int64_t *axes = NULL;
    uint32_t n = 0;
    if (!x) return 0;
    int found = op_list(c, "axes", 1, &axes, &n);
    if (found < 0) {
        const jl_info *list = op_ranked(c, 1);
        if (keep) return op_unknown_dims(c, 0, x->rank);
        if (list && list->rank == 1 && jl_dim_is_k(list->dims[0]) && list->dims[0].k > 0 &&
            list->dims[0].k <= x->rank)
            return op_unknown_dims(c, 0, x->rank - (int)list->dims[0].k);
        return 0;
    }
    if (n == 0 && op_i(c, "noop_with_empty_axes", 0)) return op_same(c);
    if (n == 0) {
        jl_dim ones[JL_MAX_INFERRED_RANK];
        for (int i = 0; i < x->rank; i++)
            ones[i] = jl_dim_k(1);
        return op_shape(c, 0, keep ? x->rank : 0, ones);
    }
    return reduced_shape(c, x, axes, n, keep);
}

int op_arg_reduce(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    int64_t axis = op_i(c, "axis", 0);
    return x ? reduced_shape(c, x, &axis, 1, op_i(c, "keepdims", 1) != 0) : 0;
}
