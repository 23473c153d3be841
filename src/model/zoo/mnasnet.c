/* MnasNet-B1: Tan et al.: MnasNet: platform-aware neural architecture search (2018), figure 7. */
#include <math.h>

#include "model/zoo/architectures.h"

static const double EPSILON = 1e-5;

/* torchvision counts convolution, norm and activation as three layers of one list. */
static zoo_value layer(zoo_builder *b, zoo_value x, const char *list, int index, zoo_act act,
                       zoo_conv spec)
{
    return zb_conv_norm(b, x, zb_name(b, "%s.%d", list, index),
                        zb_name(b, "%s.%d", list, index + 1), EPSILON, act, spec);
}

static zoo_value inverted_residual(zoo_builder *b, zoo_value x, const char *block, int expand,
                                   int kernel, int stride, int64_t out, float tempered)
{
    bool shortcut = stride == 1 && x.c == out;
    const char *list = zb_name(b, "%s.layers", block);
    int64_t wide = x.c * expand;
    zoo_value y = layer(b, x, list, 0, ZOO_RELU, (zoo_conv){wide, 1});
    y = layer(b, y, list, 3, ZOO_RELU, (zoo_conv){wide, kernel, stride, wide});
    y = layer(b, y, list, 6, ZOO_LINEAR, (zoo_conv){out, 1, .gamma = shortcut ? tempered : 1});
    return shortcut ? zb_add(b, y, x, block) : y;
}

zoo_value zoo_mnasnet1_0(zoo_builder *b, zoo_value x)
{
    static const struct {
        int out, kernel, stride, expand, repeat;
    } table[] = {{24, 3, 2, 3, 3}, {40, 5, 2, 3, 3},  {80, 5, 2, 6, 3},
                 {96, 3, 1, 6, 2}, {192, 5, 2, 6, 4}, {320, 3, 1, 6, 1}};
    const float tempered = (float)(1 / sqrt(10)); /* blocks with a shortcut */
    x = layer(b, x, "layers", 0, ZOO_RELU, (zoo_conv){32, 3, 2});
    x = layer(b, x, "layers", 3, ZOO_RELU, (zoo_conv){32, 3, 1, 32});
    x = layer(b, x, "layers", 6, ZOO_LINEAR, (zoo_conv){16, 1});
    for (int i = 0; i < (int)(sizeof table / sizeof *table); i++)
        for (int r = 0; r < table[i].repeat; r++)
            x = inverted_residual(b, x, zb_name(b, "layers.%d.%d", 8 + i, r), table[i].expand,
                                  table[i].kernel, r ? 1 : table[i].stride, table[i].out, tempered);
    x = layer(b, x, "layers", 14, ZOO_RELU, (zoo_conv){1280, 1});
    x = zb_flatten(b, zb_global_pool(b, x, "avgpool"), "flatten");
    return zb_head(b, x, "classifier.1");
}
