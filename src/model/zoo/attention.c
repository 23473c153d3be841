#include "model/zoo/builder.h"

#include <math.h>

/* 1 / sqrt(d) as torch's exporter writes it: the last size of q, through Shape, Slice, Cast, Sqrt
 * and Div, with Casts that are no-ops in FP32 and break converters that forget them. Half of the
 * scale goes to each factor. */
static jl_str computed_scale(zoo_builder *b, const char *scope, jl_str q)
{
    jl_str size = zb_slice(b, scope, zb_unary(b, "Shape", scope, q), 0, -1, INT64_MAX, 1);
    jl_str cast = zb_unary(b, "Cast", scope, size);
    zb_attr_int(b, "to", JL_FLOAT);
    jl_str inverse = zb_binary(b, "Div", scope, zb_float(b, 1), zb_unary(b, "Sqrt", scope, cast));
    jl_str again = zb_unary(b, "Cast", scope, inverse);
    zb_attr_int(b, "to", JL_FLOAT);
    return zb_unary(b, "Sqrt", scope, again);
}

void zb_split_qkv(zoo_builder *b, const char *scope, jl_str qkv, jl_str parts[3])
{
    jl_str sizes = zb_int64s(b, 3, (int64_t[]){1, 1, 1}), axis = zb_int64s(b, 1, (int64_t[]){0});
    zb_node_outputs(b, "Split", scope, 2, (jl_str[]){qkv, sizes}, 3, parts);
    zb_attr_int(b, "axis", 0);
    for (int i = 0; i < 3; i++)
        parts[i] = zb_binary(b, "Squeeze", scope, parts[i], axis);
}

jl_str zb_attention(zoo_builder *b, const char *scope, const zoo_attention *a)
{
    int64_t swap[8];
    for (int i = 0; i < a->rank; i++)
        swap[i] = i;
    swap[a->rank - 1] = a->rank - 2;
    swap[a->rank - 2] = a->rank - 1;
    jl_str k = zb_transpose(b, scope, a->k, a->rank, swap), q;
    if (a->computed_scale) {
        jl_str half = computed_scale(b, scope, a->q);
        q = zb_binary(b, "Mul", scope, a->q, half);
        k = zb_binary(b, "Mul", scope, k, half);
    } else {
        q = zb_binary(b, "Mul", scope, a->q, zb_float(b, (float)(1 / sqrt((double)a->head_dim))));
    }
    jl_str score = zb_binary(b, "MatMul", scope, q, k);
    if (a->bias.n) score = zb_binary(b, "Add", scope, score, a->bias);
    if (a->mask.n) score = zb_binary(b, "Add", scope, score, a->mask);
    jl_str weight = zb_unary(b, "Softmax", scope, score);
    zb_attr_int(b, "axis", -1);
    return zb_binary(b, "MatMul", scope, weight, a->v);
}
