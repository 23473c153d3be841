/* EfficientNet: Tan, Le: EfficientNet: rethinking model scaling (2019), table 1, and its
 * compound scaling of width and depth. */
#include <math.h>

#include "model/zoo/architectures.h"

static const double EPSILON = 1e-5;

static const struct {
    int expand, kernel, stride, in, out, repeat;
} table[] = {{1, 3, 1, 32, 16, 1},  {6, 3, 2, 16, 24, 2},  {6, 5, 2, 24, 40, 2},
             {6, 3, 2, 40, 80, 3},  {6, 5, 1, 80, 112, 3}, {6, 5, 2, 112, 192, 4},
             {6, 3, 1, 192, 320, 1}};
enum { STAGES = sizeof table / sizeof *table };

static zoo_value norm_act(zoo_builder *b, zoo_value x, const char *layer, zoo_act act,
                          zoo_conv spec)
{
    return zb_conv_norm(b, x, zb_name(b, "%s.0", layer), zb_name(b, "%s.1", layer), EPSILON, act,
                        spec);
}

static zoo_value mbconv(zoo_builder *b, zoo_value x, const char *block, int expand, int kernel,
                        int stride, int64_t out, float tempered)
{
    int64_t wide = zb_divisible((double)(x.c * expand), 8);
    bool shortcut = stride == 1 && x.c == out;
    int layer = 0;
    zoo_value y = x;
    if (wide != x.c)
        y = norm_act(b, y, zb_name(b, "%s.block.%d", block, layer++), ZOO_SILU,
                     (zoo_conv){wide, 1});
    y = norm_act(b, y, zb_name(b, "%s.block.%d", block, layer++), ZOO_SILU,
                 (zoo_conv){wide, kernel, stride, wide});
    y = zb_squeeze_excite(b, y, zb_name(b, "%s.block.%d", block, layer++), x.c / 4, ZOO_SILU,
                          ZOO_SIGMOID);
    y = norm_act(b, y, zb_name(b, "%s.block.%d", block, layer), ZOO_LINEAR,
                 (zoo_conv){out, 1, .gamma = shortcut ? tempered : 1});
    return shortcut ? zb_add(b, y, x, block) : y;
}

/* Up to the last feature map. */
static zoo_value features(zoo_builder *b, zoo_value x, double width, double depth)
{
    int shortcuts = 0;
    for (int i = 0; i < STAGES; i++)
        shortcuts += (int)ceil(table[i].repeat * depth) - 1;
    float tempered = (float)(1 / sqrt(shortcuts));
    x = norm_act(b, x, "features.0", ZOO_SILU, (zoo_conv){zb_divisible(32 * width, 8), 3, 2});
    for (int i = 0; i < STAGES; i++)
        for (int r = 0; r < (int)ceil(table[i].repeat * depth); r++)
            x = mbconv(b, x, zb_name(b, "features.%d.%d", i + 1, r), table[i].expand,
                       table[i].kernel, r ? 1 : table[i].stride,
                       zb_divisible(table[i].out * width, 8), tempered);
    return norm_act(b, x, "features.8", ZOO_SILU, (zoo_conv){4 * x.c, 1});
}

static zoo_value classify(zoo_builder *b, zoo_value x)
{
    x = zb_flatten(b, zb_global_pool(b, x, "avgpool"), "flatten");
    return zb_head(b, x, "classifier.1");
}

zoo_value zoo_efficientnet_b0(zoo_builder *b, zoo_value x)
{
    return classify(b, features(b, x, 1, 1));
}

zoo_value zoo_efficientnet_b3(zoo_builder *b, zoo_value x)
{
    return classify(b, features(b, x, 1.2, 1.4));
}

/* A fault to find: the last feature map gains 0 * (the number of strongly active features in the
 * whole batch), as an activity penalty does that was left in a model with its weight set to zero.
 * In FP32 this adds exactly nothing. The count is near 4000 an image; in half precision it passes
 * 65504 when the batch is large, becomes infinite, and 0 * infinity makes every logit NaN: batches
 * of 1 and 8 are safe, 32 is not. The count is an integer until a Cast takes it to half, and a
 * Reshape keeps ONNX Runtime from dropping that Cast where it computes in FP32, as it does on most
 * processors: the fault shows on every device. */
zoo_value zoo_efficientnet_b3_overflow(zoo_builder *b, zoo_value x)
{
    static const char scope[] = "activity_penalty";
    x = features(b, x, 1.2, 1.4);
    jl_str active = zb_binary(b, "Greater", scope, x.name, zb_float(b, 2));
    active = zb_unary(b, "Cast", scope, active);
    zb_attr_int(b, "to", JL_INT64);
    jl_str axes = zb_int64s(b, 4, (int64_t[]){0, 1, 2, 3});
    jl_str count = zb_binary(b, "ReduceSum", scope, active, axes);
    zb_attr_int(b, "keepdims", 0);
    count = zb_unary(b, "Cast", scope, count);
    zb_attr_int(b, "to", JL_FLOAT);
    count = zb_binary(b, "Reshape", scope, count, zb_int64s(b, 4, (int64_t[]){1, 1, 1, 1}));
    jl_str nothing = zb_binary(b, "Mul", scope, count, zb_float(b, 0));
    x.name = zb_binary(b, "Add", scope, x.name, nothing);
    return classify(b, x);
}
