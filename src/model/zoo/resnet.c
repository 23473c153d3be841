/* ResNet: He, Zhang, Ren, Sun: Deep residual learning for image recognition (2015), table 1;
 * torchvision's variant 1.5, which strides in the 3 x 3 convolution. */
#include <math.h>

#include "model/zoo/architectures.h"

static const double EPSILON = 1e-5;

typedef struct resnet {
    bool bottleneck; /* 1x1, 3x3, 1x1 to four times the width; else two 3x3 */
    int depths[4];
} resnet;

static zoo_value conv(zoo_builder *b, zoo_value x, const char *block, int i, zoo_act act,
                      zoo_conv spec)
{
    return zb_conv_norm(b, x, zb_name(b, "%s.conv%d", block, i), zb_name(b, "%s.bn%d", block, i),
                        EPSILON, act, spec);
}

static zoo_value residual(zoo_builder *b, zoo_value x, const char *block, bool bottleneck,
                          int64_t width, int stride, float tempered)
{
    int64_t out = bottleneck ? 4 * width : width;
    zoo_value y;
    if (bottleneck) {
        y = conv(b, x, block, 1, ZOO_RELU, (zoo_conv){width, 1});
        y = conv(b, y, block, 2, ZOO_RELU, (zoo_conv){width, 3, stride});
        y = conv(b, y, block, 3, ZOO_LINEAR, (zoo_conv){out, 1, .gamma = tempered});
    } else {
        y = conv(b, x, block, 1, ZOO_RELU, (zoo_conv){width, 3, stride});
        y = conv(b, y, block, 2, ZOO_LINEAR, (zoo_conv){out, 3, .gamma = tempered});
    }
    if (stride != 1 || x.c != out)
        x = zb_conv_norm(b, x, zb_name(b, "%s.downsample.0", block),
                         zb_name(b, "%s.downsample.1", block), EPSILON, ZOO_LINEAR,
                         (zoo_conv){out, 1, stride});
    return zb_act(b, zb_add(b, y, x, block), block, ZOO_RELU);
}

static zoo_value build(zoo_builder *b, zoo_value x, const resnet *net)
{
    int blocks = net->depths[0] + net->depths[1] + net->depths[2] + net->depths[3];
    float tempered = (float)(1 / sqrt(blocks));
    x = zb_conv_norm(b, x, "conv1", "bn1", EPSILON, ZOO_RELU, (zoo_conv){64, 7, 2});
    x = zb_max_pool(b, x, "maxpool", 3, 2, 1);
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < net->depths[stage]; i++)
            x = residual(b, x, zb_name(b, "layer%d.%d", stage + 1, i), net->bottleneck, 64 << stage,
                         stage && !i ? 2 : 1, tempered);
    x = zb_flatten(b, zb_global_pool(b, x, "avgpool"), "flatten");
    return zb_head(b, x, "fc");
}

zoo_value zoo_resnet18(zoo_builder *b, zoo_value x)
{
    return build(b, x, &(resnet){false, {2, 2, 2, 2}});
}

zoo_value zoo_resnet50(zoo_builder *b, zoo_value x)
{
    return build(b, x, &(resnet){true, {3, 4, 6, 3}});
}

zoo_value zoo_resnet101(zoo_builder *b, zoo_value x)
{
    return build(b, x, &(resnet){true, {3, 4, 23, 3}});
}
