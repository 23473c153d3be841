/* Swin transformer: Liu et al.: Swin transformer: hierarchical vision transformer using shifted
 * windows (2021), table 7, Swin-T. Values are [B, h, w, c] after the stem. */
#include <math.h>

#include "model/zoo/architectures.h"

static const double EPSILON = 1e-5;
enum {
    WINDOW = 7,
    TOKENS = WINDOW * WINDOW,
    SHIFT = WINDOW / 2,
    HEAD_DIM = 32,
    SPAN = 2 * WINDOW - 1
};

static const float QKV_GAIN = 1.65f; /* as in vit.c: attention that looks somewhere */

/* torch.roll by -shift over h and w: the first `shift` rows and columns go to the end. */
static jl_str roll(zoo_builder *b, const char *scope, jl_str x, int64_t size, int64_t shift)
{
    for (int64_t axis = 1; axis <= 2; axis++) {
        jl_str tail = zb_slice(b, scope, x, axis, shift, size, 1);
        jl_str head = zb_slice(b, scope, x, axis, 0, shift, 1);
        x = zb_binary(b, "Concat", scope, tail, head);
        zb_attr_int(b, "axis", axis);
    }
    return x;
}

/* The region of a row (or column) of the rolled image: neighbours only within one region. */
static int region(int64_t at, int64_t size)
{
    return at < size - WINDOW ? 0 : at < size - SHIFT ? 1 : 2;
}

/* [windows, 1, 49, 49]: region numbers of the query minus those of the key, or -100 where they
 * differ. */
static jl_str mask(zoo_builder *b, const char *scope, int64_t size)
{
    const bool torchscript = b->options.style == JL_ZOO_TORCHSCRIPT;
    const char *name = zb_name(b, "%s.%lld", torchscript ? "region_difference" : "attention_mask",
                               (long long)size);
    const int64_t side = size / WINDOW, dims[] = {side * side, 1, TOKENS, TOKENS};
    jl_str constant = jl_str_c(name);
    if (!zb_have(b, constant)) {
        float *data =
            jl_arena_array(b->arena, (size_t)(side * side * TOKENS * TOKENS), sizeof *data);
        if (!data) {
            b->failed = true;
            return constant;
        }
        for (int64_t window = 0, i = 0; window < side * side; window++)
            for (int64_t q = 0; q < TOKENS; q++)
                for (int64_t k = 0; k < TOKENS; k++, i++) {
                    int64_t top = window / side * WINDOW, left = window % side * WINDOW;
                    int of_q = 3 * region(top + q / WINDOW, size) + region(left + q % WINDOW, size);
                    int of_k = 3 * region(top + k / WINDOW, size) + region(left + k % WINDOW, size);
                    data[i] = torchscript ? (float)(of_k - of_q) : of_q == of_k ? 0.0f : -100.0f;
                }
        constant = zb_constant(b, name, 4, dims, data);
    }
    if (!torchscript) return constant;
    /* masked_fill as the exporter writes it: compare, Cast to bool, Where. */
    jl_str other =
        zb_unary(b, "Not", scope, zb_binary(b, "Equal", scope, constant, zb_float(b, 0)));
    other = zb_unary(b, "Cast", scope, other);
    zb_attr_int(b, "to", JL_BOOL);
    jl_str filled = zb_node(b, "Where", scope, 3, (jl_str[]){other, zb_float(b, -100), constant});
    jl_str same = zb_unary(b, "Cast", scope, zb_binary(b, "Equal", scope, filled, zb_float(b, 0)));
    zb_attr_int(b, "to", JL_BOOL);
    return zb_node(b, "Where", scope, 3, (jl_str[]){same, zb_float(b, 0), filled});
}

/* The table of position biases, and its index: a buffer in torch, baked into the graph here. */
static jl_str position_bias(zoo_builder *b, const char *name, int64_t heads)
{
    int64_t index[TOKENS * TOKENS], count = TOKENS * TOKENS;
    for (int q = 0, i = 0; q < TOKENS; q++)
        for (int k = 0; k < TOKENS; k++)
            index[i++] = (q / WINDOW - k / WINDOW + WINDOW - 1) * SPAN + q % WINDOW - k % WINDOW +
                         WINDOW - 1;
    zoo_param *table = zb_param(b, zb_name(b, "%s.relative_position_bias_table", name), 2,
                                (int64_t[]){SPAN * SPAN, heads}, 0, 0.5f);
    zb_buffer(b, zb_name(b, "%s.relative_position_index", name), 1, &count, index);
    return zb_initializer(
        b, zb_name(b, "%s.relative_position_bias", name), 4, (int64_t[]){1, heads, TOKENS, TOKENS},
        (zoo_view){.kind = ZOO_VIEW_POSITION_BIAS, .of = table, .window = WINDOW});
}

static zoo_value window_attention(zoo_builder *b, zoo_value x, const char *name, bool shifted,
                                  float gain)
{
    const int64_t side = x.h / WINDOW, windows = side * side, heads = x.c / HEAD_DIM, size = x.h;
    if (side == 1) shifted = false;
    zoo_attention a = {
        .rank = 5, .head_dim = HEAD_DIM, .computed_scale = b->options.style == JL_ZOO_TORCHSCRIPT};
    a.bias = position_bias(b, name, heads);
    if (shifted) {
        a.mask = mask(b, name, size);
        x.name = roll(b, name, x.name, size, SHIFT);
    }
    x.name = zb_reshape(b, name, x.name, 5, (int64_t[]){side, WINDOW, side, WINDOW, x.c});
    x.name = zb_transpose(b, name, x.name, 6, (int64_t[]){0, 1, 3, 2, 4, 5});
    x.name = zb_reshape(b, name, x.name, 3, (int64_t[]){windows, TOKENS, x.c});
    zoo_value qkv = zb_dense(b, x, zb_name(b, "%s.qkv", name), 3 * x.c, true, QKV_GAIN);
    qkv.name = zb_reshape(b, name, qkv.name, 5, (int64_t[]){windows, TOKENS, 3, heads, HEAD_DIM});
    jl_str parts[3];
    zb_split_qkv(b, name, zb_transpose(b, name, qkv.name, 6, (int64_t[]){3, 0, 1, 4, 2, 5}), parts);
    a.q = parts[0];
    a.k = parts[1];
    a.v = parts[2];
    jl_str y = zb_transpose(b, name, zb_attention(b, name, &a), 5, (int64_t[]){0, 1, 3, 2, 4});
    x.name = zb_reshape(b, name, y, 3, (int64_t[]){windows, TOKENS, x.c});
    x = zb_dense(b, x, zb_name(b, "%s.proj", name), x.c, true, gain);
    x.name = zb_reshape(b, name, x.name, 5, (int64_t[]){side, side, WINDOW, WINDOW, x.c});
    x.name = zb_transpose(b, name, x.name, 6, (int64_t[]){0, 1, 3, 2, 4, 5});
    x.name = zb_reshape(b, name, x.name, 3, (int64_t[]){size, size, x.c});
    if (shifted) x.name = roll(b, name, x.name, size, size - SHIFT);
    return x;
}

static zoo_value block(zoo_builder *b, zoo_value x, const char *name, bool shifted, float gain)
{
    zoo_value y = zb_layer_norm(b, x, zb_name(b, "%s.norm1", name), EPSILON);
    y = window_attention(b, y, zb_name(b, "%s.attn", name), shifted, gain);
    x = zb_add(b, x, y, name);
    y = zb_layer_norm(b, x, zb_name(b, "%s.norm2", name), EPSILON);
    y = zb_dense(b, y, zb_name(b, "%s.mlp.0", name), 4 * x.c, true, 1);
    y = zb_gelu(b, y, zb_name(b, "%s.mlp.1", name));
    y = zb_dense(b, y, zb_name(b, "%s.mlp.3", name), x.c, true, 2 * gain);
    return zb_add(b, x, y, name);
}

/* Every 2 x 2 neighbourhood becomes one token of twice the width. */
static zoo_value merge_patches(zoo_builder *b, zoo_value x, const char *name)
{
    static const int order[4][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
    jl_str parts[4];
    for (int i = 0; i < 4; i++) {
        parts[i] = zb_slice(b, name, x.name, 1, order[i][0], x.h, 2);
        parts[i] = zb_slice(b, name, parts[i], 2, order[i][1], x.w, 2);
    }
    zoo_value y = {zb_node(b, "Concat", name, 4, parts), 4 * x.c, x.h / 2, x.w / 2};
    zb_attr_int(b, "axis", -1);
    y = zb_layer_norm(b, y, zb_name(b, "%s.norm", name), EPSILON);
    return zb_dense(b, y, zb_name(b, "%s.reduction", name), 2 * x.c, false, 1);
}

zoo_value zoo_swin_t(zoo_builder *b, zoo_value x)
{
    static const int depths[4] = {2, 2, 6, 2};
    const float gain = (float)(1 / sqrt(2 * (2 + 2 + 6 + 2))); /* tempers the residual branches */
    x = zb_conv(b, x, "features.0.0", (zoo_conv){96, 4, 4});
    x = zb_layer_norm(b, zb_channels_last(b, x, "features.0.1"), "features.0.2", EPSILON);
    for (int stage = 0; stage < 4; stage++) {
        if (stage) x = merge_patches(b, x, zb_name(b, "features.%d", 2 * stage));
        for (int i = 0; i < depths[stage]; i++)
            x = block(b, x, zb_name(b, "features.%d.%d", 2 * stage + 1, i), i % 2 == 1, gain);
    }
    x = zb_layer_norm(b, x, "norm", EPSILON);
    x = zb_global_pool(b, zb_channels_first(b, x, "permute"), "avgpool");
    return zb_head(b, zb_flatten(b, x, "flatten"), "head");
}
