/* DenseNet: Huang et al.: Densely connected convolutional networks (2016), table 1; norm and
 * activation come before the convolution. */
#include "model/zoo/architectures.h"

static const double EPSILON = 1e-5;
enum { GROWTH = 32, BOTTLENECK = 4 * GROWTH, MOST_PARTS = 64 };

static zoo_value norm_relu(zoo_builder *b, zoo_value x, const char *name)
{
    return zb_act(b, zb_batch_norm(b, x, name, EPSILON), name, ZOO_RELU);
}

static zoo_value dense_layer(zoo_builder *b, zoo_value x, const char *name)
{
    x = norm_relu(b, x, zb_name(b, "%s.norm1", name));
    x = zb_conv_norm(b, x, zb_name(b, "%s.conv1", name), zb_name(b, "%s.norm2", name), EPSILON,
                     ZOO_RELU, (zoo_conv){BOTTLENECK, 1});
    return zb_conv_bare(b, x, zb_name(b, "%s.conv2", name),
                        (zoo_conv){GROWTH, 3, .gain = 1.41421356f});
}

zoo_value zoo_densenet121(zoo_builder *b, zoo_value x)
{
    static const int depths[4] = {6, 12, 24, 16};
    x = zb_conv_norm(b, x, "features.conv0", "features.norm0", EPSILON, ZOO_RELU,
                     (zoo_conv){64, 7, 2});
    x = zb_max_pool(b, x, "features.pool0", 3, 2, 1);
    for (int stage = 0; stage < 4; stage++) {
        zoo_value parts[MOST_PARTS] = {x};
        const char *block = zb_name(b, "features.denseblock%d", stage + 1);
        for (int i = 0; i < depths[stage]; i++) {
            const char *name = zb_name(b, "%s.denselayer%d", block, i + 1);
            parts[i + 1] = dense_layer(b, i ? zb_concat(b, parts, i + 1, name) : x, name);
        }
        x = zb_concat(b, parts, depths[stage] + 1, block);
        if (stage == 3) break;
        const char *transition = zb_name(b, "features.transition%d", stage + 1);
        x = norm_relu(b, x, zb_name(b, "%s.norm", transition));
        x = zb_conv_bare(b, x, zb_name(b, "%s.conv", transition),
                         (zoo_conv){x.c / 2, 1, .gain = 1.41421356f});
        x = zb_average_pool(b, x, zb_name(b, "%s.pool", transition), 2, 2);
    }
    x = norm_relu(b, x, "features.norm5");
    x = zb_flatten(b, zb_global_pool(b, x, "avgpool"), "flatten");
    return zb_head(b, x, "classifier");
}
