/* Convolutions and pools. */
#include "model/shapes_op.h"

/* The window of a convolution or a pool over the spatial axes. */
typedef struct window {
    int n; /* spatial axes */
    jl_dim kernel[JL_MAX_INFERRED_RANK];
    int64_t stride[JL_MAX_INFERRED_RANK], dilation[JL_MAX_INFERRED_RANK];
    int64_t before[JL_MAX_INFERRED_RANK], after[JL_MAX_INFERRED_RANK];
    bool same_upper, same_lower, ceil_mode;
} window;

static int spatial_list(op *c, const char *name, int n, int64_t otherwise, int64_t *values)
{
    const onnx_attribute *a = op_attribute(c, name);
    for (int i = 0; i < n; i++)
        values[i] = otherwise;
    if (!a || (a->ints.n == 0 && n)) return 0;
    if (a->ints.n != (size_t)n)
        return op_fail(c, "%s has %zu numbers for %d spatial axes", name, a->ints.n, n);
    for (int i = 0; i < n; i++) {
        values[i] = a->ints.p[i];
        if (values[i] < 1) return op_fail(c, "%s holds %lld", name, (long long)values[i]);
    }
    return 0;
}

/* kernel may be NULL: kernel_shape is then required. */
static int read_window(op *c, int n, const jl_dim *kernel, window *w)
{
    int64_t sizes[JL_MAX_INFERRED_RANK];
    const onnx_attribute *shape = op_attribute(c, "kernel_shape"), *pads = op_attribute(c, "pads");
    jl_str pad_mode = onnx_attribute_s(c->o, "auto_pad", "NOTSET");
    *w = (window){.n = n};
    int rc = spatial_list(c, "strides", n, 1, w->stride);
    if (rc || (rc = spatial_list(c, "dilations", n, 1, w->dilation)) ||
        (rc = spatial_list(c, "kernel_shape", n, 0, sizes)))
        return rc;
    if (!kernel && !(shape && shape->ints.n)) return op_fail(c, "it has no kernel_shape");
    for (int i = 0; i < n; i++) {
        w->kernel[i] = shape && shape->ints.n ? jl_dim_k(sizes[i]) : kernel[i];
        if (kernel && jl_dim_is_k(kernel[i]) && jl_dim_is_k(w->kernel[i]) &&
            kernel[i].k != w->kernel[i].k)
            return op_fail(c, "kernel_shape says %lld where the weight has %lld",
                           (long long)w->kernel[i].k, (long long)kernel[i].k);
    }
    w->same_upper = jl_str_is(pad_mode, "SAME_UPPER");
    w->same_lower = jl_str_is(pad_mode, "SAME_LOWER");
    w->ceil_mode = op_i(c, "ceil_mode", 0) != 0;
    if (!pads || !pads->ints.n || jl_str_is(pad_mode, "VALID")) return 0;
    if (pads->ints.n != 2 * (size_t)n)
        return op_fail(c, "pads has %zu numbers for %d spatial axes", pads->ints.n, n);
    for (int i = 0; i < n; i++) {
        w->before[i] = pads->ints.p[i];
        w->after[i] = pads->ints.p[n + i];
    }
    return 0;
}

/* Extent of the dilated kernel. */
static jl_dim extent(op *c, const window *w, int i)
{
    jl_dim less = jl_dim_sub(c->d, w->kernel[i], jl_dim_k(1));
    return jl_dim_add(c->d, jl_dim_mul(c->d, less, jl_dim_k(w->dilation[i])), jl_dim_k(1));
}

/* Number of places of the window along an axis of that size. */
static jl_dim places(op *c, const window *w, int i, jl_dim size)
{
    jl_dims *d = c->d;
    jl_dim stride = jl_dim_k(w->stride[i]);
    if (w->same_upper || w->same_lower) return jl_dim_ceil(d, size, stride);
    int64_t pads = w->before[i] + w->after[i];
    jl_dim room = jl_dim_sub(d, jl_dim_add(d, size, jl_dim_k(pads)), extent(c, w, i));
    if (!w->ceil_mode) return jl_dim_add(d, jl_dim_div(d, room, stride), jl_dim_k(1));
    jl_dim n = jl_dim_add(d, jl_dim_ceil(d, room, stride), jl_dim_k(1));
    /* The last window must begin inside the input or its leading padding. */
    jl_dim last = jl_dim_mul(d, jl_dim_sub(d, n, jl_dim_k(1)), stride);
    jl_dim end = jl_dim_add(d, size, jl_dim_k(w->before[i]));
    if (jl_dim_is_k(last) && jl_dim_is_k(end))
        return last.k >= end.k ? jl_dim_sub(d, n, jl_dim_k(1)) : n;
    bool never = w->after[i] < 1 && jl_dim_is_k(w->kernel[i]) && extent(c, w, i).k >= w->stride[i];
    return never ? n : jl_dim_unknown(d);
}

static int check_channels(op *c, const jl_info *x, const jl_info *w, int64_t group)
{
    if (group < 1) return op_fail(c, "group is %lld", (long long)group);
    jl_dim have = x->dims[1], want = jl_dim_mul(c->d, w->dims[1], jl_dim_k(group));
    if (jl_dim_is_k(have) && jl_dim_is_k(want) && have.k != want.k)
        return op_fail(c, "the input has %lld channels, but the weight takes %lld in %lld groups",
                       (long long)have.k, (long long)want.k, (long long)group);
    if (jl_dim_is_k(w->dims[0]) && w->dims[0].k % group)
        return op_fail(c, "%lld output channels in %lld groups", (long long)w->dims[0].k,
                       (long long)group);
    return 0;
}

static int conv_shape(op *c, const jl_info *x, const jl_info *weight)
{
    jl_dim dims[JL_MAX_INFERRED_RANK];
    window w;
    if (x->rank < 3 || weight->rank != x->rank)
        return op_fail(c, "input with %d dimensions, weight with %d", x->rank, weight->rank);
    int rc = read_window(c, x->rank - 2, weight->dims + 2, &w);
    if (rc || (rc = check_channels(c, x, weight, op_i(c, "group", 1)))) return rc;
    dims[0] = x->dims[0];
    dims[1] = weight->dims[0];
    for (int i = 0; i < w.n; i++)
        dims[2 + i] = places(c, &w, i, x->dims[2 + i]);
    return op_shape(c, 0, x->rank, dims);
}

int op_conv(op *c)
{
    const jl_info *x = op_ranked(c, 0), *w = op_ranked(c, 1);
    const jl_info *a = op_in(c, 0), *b = op_in(c, 1);
    if (jl_str_is(c->o->op_type, "Conv") && a && b && a->dtype && b->dtype && a->dtype != b->dtype)
        return op_fail(c, "the input is %s and the weight %s", jl_dtype_name((jl_dtype)a->dtype),
                       jl_dtype_name((jl_dtype)b->dtype));
    return x && w ? conv_shape(c, x, w) : 0;
}

int op_qlinear_conv(op *c)
{
    const jl_info *x = op_ranked(c, 0), *w = op_ranked(c, 3);
    return x && w ? conv_shape(c, x, w) : 0;
}

int op_deform_conv(op *c)
{
    const jl_info *x = op_ranked(c, 0), *w = op_ranked(c, 1);
    return x && w ? conv_shape(c, x, w) : 0;
}

int op_conv_transpose(op *c)
{
    const jl_info *x = op_ranked(c, 0), *weight = op_ranked(c, 1);
    const onnx_attribute *fixed = op_attribute(c, "output_shape");
    const onnx_attribute *more = op_attribute(c, "output_padding");
    jl_dim dims[JL_MAX_INFERRED_RANK];
    window w;
    if (!x || !weight) return 0;
    if (x->rank < 3 || weight->rank != x->rank)
        return op_fail(c, "input with %d dimensions, weight with %d", x->rank, weight->rank);
    int rc = read_window(c, x->rank - 2, weight->dims + 2, &w);
    if (rc) return rc;
    size_t n = (size_t)w.n;
    dims[0] = x->dims[0];
    dims[1] = jl_dim_mul(c->d, weight->dims[1], jl_dim_k(op_i(c, "group", 1)));
    for (int i = 0; i < w.n; i++) {
        jl_dim size = x->dims[2 + i], stride = jl_dim_k(w.stride[i]);
        if (fixed && fixed->ints.n >= n) {
            dims[2 + i] = jl_dim_k(fixed->ints.p[fixed->ints.n - n + (size_t)i]);
            continue;
        }
        int64_t extra = more && more->ints.n == n ? more->ints.p[i] : 0;
        extra -= w.before[i] + w.after[i];
        dims[2 + i] = jl_dim_mul(c->d, size, stride);
        if (w.same_upper || w.same_lower) continue;
        dims[2 + i] = jl_dim_mul(c->d, jl_dim_sub(c->d, size, jl_dim_k(1)), stride);
        dims[2 + i] = jl_dim_add(c->d, dims[2 + i], extent(c, &w, i));
        dims[2 + i] = jl_dim_add(c->d, dims[2 + i], jl_dim_k(extra));
    }
    return op_shape(c, 0, x->rank, dims);
}

int op_pool(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK];
    window w;
    if (!x) return 0;
    if (x->rank < 3) return op_fail(c, "input with %d dimensions", x->rank);
    int rc = read_window(c, x->rank - 2, NULL, &w);
    if (rc) return rc;
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    for (int i = 0; i < w.n; i++)
        dims[2 + i] = places(c, &w, i, x->dims[2 + i]);
    rc = op_shape(c, 0, x->rank, dims);
    return rc ? rc : op_shape(c, 1, x->rank, dims);
}

int op_global_pool(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK];
    if (!x) return 0;
    for (int i = 0; i < x->rank; i++)
        dims[i] = i < 2 ? x->dims[i] : jl_dim_k(1);
    return op_shape(c, 0, x->rank, dims);
}

int op_roi_align(op *c)
{
    const jl_info *x = op_ranked(c, 0), *rois = op_ranked(c, 1);
    if (!x || !rois || x->rank != 4 || rois->rank < 1) return 0;
    jl_dim dims[] = {rois->dims[0], x->dims[1], jl_dim_k(op_i(c, "output_height", 1)),
                     jl_dim_k(op_i(c, "output_width", 1))};
    return op_shape(c, 0, 4, dims);
}

int op_max_roi_pool(op *c)
{
    const jl_info *x = op_ranked(c, 0), *rois = op_ranked(c, 1);
    const onnx_attribute *a = op_attribute(c, "pooled_shape");
    if (!x || !rois || x->rank != 4 || rois->rank < 1 || !a || a->ints.n != 2) return 0;
    jl_dim dims[] = {rois->dims[0], x->dims[1], jl_dim_k(a->ints.p[0]), jl_dim_k(a->ints.p[1])};
    return op_shape(c, 0, 4, dims);
}

int op_max_unpool(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK], *sizes;
    uint32_t n;
    window w;
    if (op_in(c, 2)) {
        if (!op_ints(c, 2, &sizes, &n)) return 0;
        return op_shape(c, 0, (int)n, sizes);
    }
    if (!x || x->rank < 3) return 0;
    int rc = read_window(c, x->rank - 2, NULL, &w);
    if (rc) return rc;
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    for (int i = 0; i < w.n; i++) {
        jl_dim whole =
            jl_dim_mul(c->d, jl_dim_sub(c->d, x->dims[2 + i], jl_dim_k(1)), jl_dim_k(w.stride[i]));
        dims[2 + i] = jl_dim_add(c->d, jl_dim_add(c->d, whole, w.kernel[i]),
                                 jl_dim_k(-w.before[i] - w.after[i]));
    }
    return op_shape(c, 0, x->rank, dims);
}

int op_col2im(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK], *image, *block;
    uint32_t n, m;
    if (!x || x->rank != 3 || !op_ints(c, 1, &image, &n) || !op_ints(c, 2, &block, &m)) return 0;
    if (n + 2 > JL_MAX_INFERRED_RANK) return op_fail(c, "an image with %u axes", n);
    dims[0] = x->dims[0];
    dims[1] = jl_dim_div(c->d, x->dims[1], op_product(c, block, 0, (int)m));
    for (uint32_t i = 0; i < n; i++)
        dims[2 + i] = image[i];
    return op_shape(c, 0, 2 + (int)n, dims);
}
