/* ShuffleNetV2: Ma et al.: ShuffleNet V2: practical guidelines (2018), table 5 and figure 3. */
#include "model/zoo/architectures.h"

static const double EPSILON = 1e-5;

static zoo_value layer(zoo_builder *b, zoo_value x, const char *list, int index, zoo_act act,
                       zoo_conv spec)
{
    return zb_conv_norm(b, x, zb_name(b, "%s.%d", list, index),
                        zb_name(b, "%s.%d", list, index + 1), EPSILON, act, spec);
}

/* Interleaves the channels of the two halves. */
static zoo_value shuffle(zoo_builder *b, zoo_value x, const char *scope)
{
    jl_str y = zb_reshape(b, scope, x.name, 4, (int64_t[]){2, x.c / 2, x.h, x.w});
    y = zb_transpose(b, scope, y, 5, (int64_t[]){0, 2, 1, 3, 4});
    x.name = zb_reshape(b, scope, y, 3, (int64_t[]){x.c, x.h, x.w});
    return x;
}

static zoo_value unit(zoo_builder *b, zoo_value x, const char *name, int stride, int64_t out)
{
    int64_t half = out / 2;
    const char *branch1 = zb_name(b, "%s.branch1", name), *branch2 = zb_name(b, "%s.branch2", name);
    zoo_value parts[2] = {x, x};
    if (stride == 1) { /* the first half passes by */
        jl_str halves[2];
        jl_str inputs[] = {x.name, zb_int64s(b, 2, (int64_t[]){half, half})};
        zb_node_outputs(b, "Split", name, 2, inputs, 2, halves);
        zb_attr_int(b, "axis", 1);
        for (int i = 0; i < 2; i++)
            parts[i] = (zoo_value){halves[i], half, x.h, x.w};
    } else {
        parts[0] = layer(b, x, branch1, 0, ZOO_LINEAR, (zoo_conv){x.c, 3, stride, x.c});
        parts[0] = layer(b, parts[0], branch1, 2, ZOO_RELU, (zoo_conv){half, 1});
    }
    parts[1] = layer(b, parts[1], branch2, 0, ZOO_RELU, (zoo_conv){half, 1});
    parts[1] = layer(b, parts[1], branch2, 3, ZOO_LINEAR, (zoo_conv){half, 3, stride, half});
    /* Tempered where the other half passes by, as the branches of residual nets are. */
    const float gamma = stride == 1 ? 0.25f : 1;
    parts[1] = layer(b, parts[1], branch2, 5, ZOO_RELU, (zoo_conv){half, 1, .gamma = gamma});
    return shuffle(b, zb_concat(b, parts, 2, name), name);
}

zoo_value zoo_shufflenet_v2_x1_0(zoo_builder *b, zoo_value x)
{
    static const struct {
        int repeat, out;
    } table[] = {{4, 116}, {8, 232}, {4, 464}};
    x = layer(b, x, "conv1", 0, ZOO_RELU, (zoo_conv){24, 3, 2});
    x = zb_max_pool(b, x, "maxpool", 3, 2, 1);
    for (int i = 0; i < 3; i++)
        for (int r = 0; r < table[i].repeat; r++)
            x = unit(b, x, zb_name(b, "stage%d.%d", i + 2, r), r ? 1 : 2, table[i].out);
    x = layer(b, x, "conv5", 0, ZOO_RELU, (zoo_conv){1024, 1});
    x = zb_flatten(b, zb_global_pool(b, x, "mean"), "mean");
    return zb_head(b, x, "fc");
}
