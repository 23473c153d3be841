/* MobileNetV2: Sandler et al.: Inverted residuals and linear bottlenecks (2018), table 2. */
#include <math.h>

#include "model/zoo/architectures.h"

static const double EPSILON = 1e-5;

static zoo_value norm_act(zoo_builder *b, zoo_value x, const char *layer, zoo_conv spec)
{
    return zb_conv_norm(b, x, zb_name(b, "%s.0", layer), zb_name(b, "%s.1", layer), EPSILON,
                        ZOO_RELU6, spec);
}

static zoo_value inverted_residual(zoo_builder *b, zoo_value x, const char *block, int64_t expand,
                                   int64_t out, int stride, float tempered)
{
    int64_t wide = x.c * expand;
    bool shortcut = stride == 1 && x.c == out;
    int layer = 0;
    zoo_value y = x;
    if (expand != 1)
        y = norm_act(b, y, zb_name(b, "%s.conv.%d", block, layer++), (zoo_conv){wide, 1});
    y = norm_act(b, y, zb_name(b, "%s.conv.%d", block, layer++), (zoo_conv){wide, 3, stride, wide});
    y = zb_conv_norm(b, y, zb_name(b, "%s.conv.%d", block, layer),
                     zb_name(b, "%s.conv.%d", block, layer + 1), EPSILON, ZOO_LINEAR,
                     (zoo_conv){out, 1, .gamma = shortcut ? tempered : 1});
    return shortcut ? zb_add(b, x, y, block) : y;
}

zoo_value zoo_mobilenet_v2(zoo_builder *b, zoo_value x)
{
    static const struct {
        int expand, out, repeat, stride;
    } table[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    const float tempered = (float)(1 / sqrt(10)); /* blocks with a shortcut */
    int layer = 0;
    x = norm_act(b, x, zb_name(b, "features.%d", layer++), (zoo_conv){32, 3, 2});
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int r = 0; r < table[i].repeat; r++)
            x = inverted_residual(b, x, zb_name(b, "features.%d", layer++), table[i].expand,
                                  table[i].out, r ? 1 : table[i].stride, tempered);
    x = norm_act(b, x, zb_name(b, "features.%d", layer), (zoo_conv){1280, 1});
    x = zb_flatten(b, zb_global_pool(b, x, "avgpool"), "flatten");
    return zb_head(b, x, "classifier.1");
}
