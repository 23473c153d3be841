/* Images, signals, text, random numbers, losses, training. */
#include <math.h>

#include "model/shapes_op.h"

/* Resize and Upsample ------------------------------------------------------------------------- */

static jl_dim scaled(op *c, jl_dim size, jl_elem scale)
{
    double s;
    if (scale.kind == JL_ELEM_RATIO)
        return jl_dim_div(c->d, jl_dim_mul(c->d, size, scale.num), jl_dim_k(scale.den));
    if (!jl_dim_is_k(size) || !elem_number(scale, &s)) return jl_dim_unknown(c->d);
    double n = floor((double)((float)size.k * (float)s));
    return n >= 0 && n < 0x1p62 ? jl_dim_k((int64_t)n) : jl_dim_unknown(c->d);
}

static int resize_axes(op *c, const jl_info *x, int *axes, uint32_t *n)
{
    const onnx_attribute *a = op_attribute(c, "axes");
    *n = a ? (uint32_t)a->ints.n : (uint32_t)x->rank;
    if (*n > JL_MAX_INFERRED_RANK) return op_fail(c, "%u axes", *n);
    for (uint32_t i = 0; i < *n; i++) {
        int rc = 0;
        if (a)
            rc = op_axis(c, a->ints.p[i], x->rank, &axes[i]);
        else
            axes[i] = (int)i;
        if (rc) return rc;
    }
    return 0;
}

/* keep_aspect_ratio_policy: one scale for all axes, the smallest or the largest. */
static void keep_aspect(op *c, const jl_info *x, const int *axes, const jl_dim *sizes, uint32_t n,
                        bool larger, jl_dim *dims)
{
    double scale = larger ? 0 : INFINITY;
    bool known = true;
    for (uint32_t i = 0; i < n; i++) {
        jl_dim from = x->dims[axes[i]];
        known = known && jl_dim_is_k(from) && jl_dim_is_k(sizes[i]) && from.k > 0;
        if (!known) break;
        double s = (double)sizes[i].k / (double)from.k;
        scale = larger ? fmax(scale, s) : fmin(scale, s);
    }
    for (uint32_t i = 0; i < n; i++) {
        jl_dim from = x->dims[axes[i]];
        dims[axes[i]] =
            known ? jl_dim_k((int64_t)floor((double)from.k * scale + 0.5)) : jl_dim_unknown(c->d);
    }
}

static int by_sizes(op *c, const jl_info *x, const int *axes, uint32_t n, jl_dim *dims)
{
    jl_dim *sizes;
    uint32_t m;
    jl_str policy = onnx_attribute_s(c->o, "keep_aspect_ratio_policy", "stretch");
    if (!op_ints(c, 3, &sizes, &m)) return op_unknown_dims(c, 0, x->rank);
    if (m != n) return op_fail(c, "%u sizes for %u axes", m, n);
    for (uint32_t i = 0; i < n; i++)
        dims[axes[i]] = sizes[i];
    if (!jl_str_is(policy, "stretch"))
        keep_aspect(c, x, axes, sizes, n, jl_str_is(policy, "not_smaller"), dims);
    return op_shape(c, 0, x->rank, dims);
}

int op_resize(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    const onnx_attribute *old = op_attribute(c, "scales");
    bool crop = jl_str_is(onnx_attribute_s(c->o, "coordinate_transformation_mode", ""),
                          "tf_crop_and_resize");
    bool upsample = jl_str_is(c->o->op_type, "Upsample") || c->opset < 11;
    jl_dim dims[JL_MAX_INFERRED_RANK];
    int axes[JL_MAX_INFERRED_RANK];
    uint32_t n, m = 0;
    if (!x) return 0;
    int rc = resize_axes(c, x, axes, &n);
    if (rc) return rc;
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    if (!upsample && op_in(c, 3)) return by_sizes(c, x, axes, n, dims);
    const jl_elem *scales = old ? NULL : op_elems(c, upsample ? 1 : 2, &m);
    if (old) m = (uint32_t)old->floats.n;
    if ((!old && !scales) || crop) return op_unknown_dims(c, 0, x->rank);
    if (m != n) return op_fail(c, "%u scales for %u axes", m, n);
    for (uint32_t i = 0; i < n; i++)
        dims[axes[i]] =
            scaled(c, x->dims[axes[i]], old ? elem_real((double)old->floats.p[i]) : scales[i]);
    return op_shape(c, 0, x->rank, dims);
}

int op_grid_sample(op *c)
{
    const jl_info *x = op_ranked(c, 0), *grid = op_ranked(c, 1);
    jl_dim dims[JL_MAX_INFERRED_RANK];
    if (!x || !grid) return 0;
    if (x->rank < 3 || grid->rank != x->rank)
        return op_fail(c, "image with %d dimensions, grid with %d", x->rank, grid->rank);
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    for (int i = 2; i < x->rank; i++)
        dims[i] = grid->dims[i - 1];
    return op_shape(c, 0, x->rank, dims);
}

int op_affine_grid(op *c)
{
    jl_dim *size, dims[8];
    uint32_t n;
    if (!op_ints(c, 1, &size, &n) || n < 3 || n > 6) return 0;
    dims[0] = size[0];
    for (uint32_t i = 2; i < n; i++)
        dims[i - 1] = size[i];
    dims[n - 1] = jl_dim_k(n - 2);
    return op_shape(c, 0, (int)n, dims);
}

int op_nms(op *c)
{
    jl_dim dims[] = {jl_dim_unknown(c->d), jl_dim_k(3)};
    return op_shape(c, 0, 2, dims);
}

int op_image_decoder(op *c)
{
    bool gray = jl_str_is(onnx_attribute_s(c->o, "pixel_format", "RGB"), "Grayscale");
    jl_dim dims[] = {jl_dim_unknown(c->d), jl_dim_unknown(c->d), jl_dim_k(gray ? 1 : 3)};
    return op_shape(c, 0, 3, dims);
}

/* Signals ------------------------------------------------------------------------------------- */

/* One integer input, or an unknown. */
static jl_dim one_int(op *c, uint32_t i)
{
    jl_dim *v;
    uint32_t n;
    return op_ints(c, i, &v, &n) && n == 1 ? v[0] : jl_dim_unknown(c->d);
}

static jl_dim bins(op *c, jl_dim length, bool one_sided)
{
    if (!one_sided) return length;
    return jl_dim_add(c->d, jl_dim_div(c->d, length, jl_dim_k(2)), jl_dim_k(1));
}

int op_dft(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK];
    int64_t given = c->opset < 20 ? op_i(c, "axis", 1) : -2, *values;
    uint32_t n;
    int axis;
    if (!x || x->rank < 2) return 0;
    if (op_in(c, 2) && c->opset >= 20) {
        if (!op_constants(c, 2, &values, &n) || n != 1) return op_unknown_dims(c, 0, x->rank);
        given = values[0];
    }
    int rc = op_axis(c, given, x->rank, &axis);
    if (rc) return rc;
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    jl_dim length = op_in(c, 1) ? one_int(c, 1) : x->dims[axis];
    bool one_sided = op_i(c, "onesided", 0) != 0, inverse = op_i(c, "inverse", 0) != 0;
    dims[axis] = bins(c, length, one_sided && !inverse);
    dims[x->rank - 1] = jl_dim_k(one_sided && inverse ? 1 : 2);
    return op_shape(c, 0, x->rank, dims);
}

int op_stft(op *c)
{
    const jl_info *x = op_ranked(c, 0), *window = op_ranked(c, 2);
    if (!x || x->rank < 2) return 0;
    jl_dim length = op_in(c, 3)                   ? one_int(c, 3)
                    : window && window->rank == 1 ? window->dims[0]
                                                  : jl_dim_unknown(c->d);
    jl_dim step = one_int(c, 1), frames = jl_dim_unknown(c->d);
    if (!jl_dim_is_unknown(c->d, length) && !jl_dim_is_unknown(c->d, step)) {
        jl_dim room = jl_dim_sub(c->d, x->dims[1], length);
        frames = jl_dim_add(c->d, jl_dim_div(c->d, room, step), jl_dim_k(1));
    }
    jl_dim dims[] = {x->dims[0], frames, bins(c, length, op_i(c, "onesided", 1) != 0), jl_dim_k(2)};
    return op_shape(c, 0, 4, dims);
}

int op_window(op *c)
{
    op_dtype(c, 0, (int)op_i(c, "output_datatype", JL_FLOAT));
    return op_shape_1d(c, 0, one_int(c, 0));
}

int op_mel(op *c)
{
    jl_dim dims[] = {bins(c, one_int(c, 1), true), one_int(c, 0)};
    return op_shape(c, 0, 2, dims);
}

/* Random numbers ------------------------------------------------------------------------------ */

int op_random(op *c)
{
    const onnx_attribute *a = op_attribute(c, "shape");
    jl_dim dims[JL_MAX_INFERRED_RANK];
    if (!a || a->ints.n > JL_MAX_INFERRED_RANK) return op_fail(c, "it has no usable shape");
    for (size_t i = 0; i < a->ints.n; i++)
        dims[i] = jl_dim_k(a->ints.p[i]);
    return op_shape(c, 0, (int)a->ints.n, dims);
}

int op_multinomial(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    op_dtype(c, 0, (int)op_i(c, "dtype", JL_INT32));
    jl_dim dims[] = {x && x->rank == 2 ? x->dims[0] : jl_dim_unknown(c->d),
                     jl_dim_k(op_i(c, "sample_size", 1))};
    return op_shape(c, 0, 2, dims);
}

/* Losses and training ------------------------------------------------------------------------- */

int op_loss(op *c)
{
    bool none = jl_str_is(onnx_attribute_s(c->o, "reduction", "mean"), "none");
    int rc = op_same_shape(c, 1, op_in(c, 0));
    if (rc) return rc;
    return none ? op_same_shape(c, 0, op_in(c, 1)) : op_scalar(c, 0);
}

/* Inputs: rate, step, then groups of tensors of which the first one or more come back updated. */
int op_optimizer(op *c)
{
    for (uint32_t i = 0; i < c->n->n_outputs; i++) {
        uint32_t outputs = c->n->n_outputs, rest = c->n->n_inputs - 2;
        /* per tensor there is one input more than outputs: its gradient, in second place */
        uint32_t count = rest > outputs ? rest - outputs : 0,
                 from = i < count ? 2 + i : 2 + i + count;
        const jl_info *v = count ? op_in(c, from) : NULL;
        if (v) op_dtype(c, i, v->dtype);
        op_same_shape(c, i, v);
    }
    return 0;
}

int op_gradient(op *c)
{
    const onnx_attribute *xs = op_attribute(c, "xs");
    for (uint32_t i = 0; i < c->n->n_outputs && xs && i < xs->strings.n; i++) {
        uint32_t v = jl_graph_find(c->s->graph, c->n->scope, xs->strings.p[i]);
        if (v == JL_NONE)
            return op_fail(c, "xs names '%.*s', which nothing makes", JL_FMT(xs->strings.p[i]));
        op_dtype(c, i, c->s->values[v].dtype);
        op_same_shape(c, i, &c->s->values[v]);
    }
    return 0;
}

/* Text ---------------------------------------------------------------------------------------- */

int op_string_normalizer(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    if (!x) return 0;
    if (!op_attribute(c, "stopwords")) return op_same(c);
    return x->rank == 1 ? op_unknown_dims(c, 0, 1) : op_unknown_dims(c, 0, 2);
}

int op_string_split(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    jl_dim dims[JL_MAX_INFERRED_RANK + 1];
    if (!x) return 0;
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    dims[x->rank] = jl_dim_unknown(c->d);
    int rc = op_shape(c, 0, x->rank + 1, dims);
    return rc ? rc : op_shape(c, 1, x->rank, dims);
}

int op_tfidf(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    const onnx_attribute *index = op_attribute(c, "ngram_indexes");
    int64_t largest = -1;
    if (!x || !index || x->rank < 1 || x->rank > 2) return 0;
    for (size_t i = 0; i < index->ints.n; i++)
        if (index->ints.p[i] > largest) largest = index->ints.p[i];
    if (largest == INT64_MAX) return op_fail(c, "an index beyond 64 bits");
    jl_dim dims[2];
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    dims[x->rank - 1] = jl_dim_k(largest + 1);
    return op_shape(c, 0, x->rank, dims);
}
