/* MobileNetV3: Howard et al.: Searching for MobileNetV3 (2019), tables 1 and 2. */
#include <math.h>

#include "model/zoo/architectures.h"

static const double EPSILON = 1e-3;

typedef struct block_row {
    int kernel, expand, out;
    bool squeeze;
    zoo_act act;
    int stride;
} block_row;

static zoo_value norm_act(zoo_builder *b, zoo_value x, const char *layer, zoo_act act,
                          zoo_conv spec)
{
    return zb_conv_norm(b, x, zb_name(b, "%s.0", layer), zb_name(b, "%s.1", layer), EPSILON, act,
                        spec);
}

static zoo_value inverted_residual(zoo_builder *b, zoo_value x, const char *block,
                                   const block_row *r, float tempered)
{
    bool shortcut = r->stride == 1 && x.c == r->out;
    int layer = 0;
    zoo_value y = x;
    if (r->expand != x.c)
        y = norm_act(b, y, zb_name(b, "%s.block.%d", block, layer++), r->act,
                     (zoo_conv){r->expand, 1});
    y = norm_act(b, y, zb_name(b, "%s.block.%d", block, layer++), r->act,
                 (zoo_conv){r->expand, r->kernel, r->stride, r->expand});
    if (r->squeeze)
        y = zb_squeeze_excite(b, y, zb_name(b, "%s.block.%d", block, layer++),
                              zb_divisible(r->expand / 4, 8), ZOO_RELU, ZOO_HARDSIGMOID);
    y = norm_act(b, y, zb_name(b, "%s.block.%d", block, layer), ZOO_LINEAR,
                 (zoo_conv){r->out, 1, .gamma = shortcut ? tempered : 1});
    return shortcut ? zb_add(b, y, x, block) : y;
}

static zoo_value build(zoo_builder *b, zoo_value x, const block_row *rows, int n, int64_t hidden)
{
    int layer = 0, shortcuts = 0;
    int64_t channels = 16;
    for (int i = 0; i < n; channels = rows[i++].out)
        shortcuts += rows[i].stride == 1 && channels == rows[i].out;
    float tempered = (float)(1 / sqrt(shortcuts));
    x = norm_act(b, x, zb_name(b, "features.%d", layer++), ZOO_HARDSWISH, (zoo_conv){16, 3, 2});
    for (int i = 0; i < n; i++)
        x = inverted_residual(b, x, zb_name(b, "features.%d", layer++), &rows[i], tempered);
    x = norm_act(b, x, zb_name(b, "features.%d", layer), ZOO_HARDSWISH, (zoo_conv){6 * x.c, 1});
    x = zb_flatten(b, zb_global_pool(b, x, "avgpool"), "flatten");
    x = zb_linear(b, x, "classifier.0", hidden, 2);
    x = zb_act(b, x, "classifier.1", ZOO_HARDSWISH);
    return zb_head(b, x, "classifier.3");
}

#define RE ZOO_RELU
#define HS ZOO_HARDSWISH

zoo_value zoo_mobilenet_v3_small(zoo_builder *b, zoo_value x)
{
    static const block_row rows[] = {
        {3, 16, 16, true, RE, 2},  {3, 72, 24, false, RE, 2}, {3, 88, 24, false, RE, 1},
        {5, 96, 40, true, HS, 2},  {5, 240, 40, true, HS, 1}, {5, 240, 40, true, HS, 1},
        {5, 120, 48, true, HS, 1}, {5, 144, 48, true, HS, 1}, {5, 288, 96, true, HS, 2},
        {5, 576, 96, true, HS, 1}, {5, 576, 96, true, HS, 1},
    };
    return build(b, x, rows, sizeof rows / sizeof *rows, 1024);
}

zoo_value zoo_mobilenet_v3_large(zoo_builder *b, zoo_value x)
{
    static const block_row rows[] = {
        {3, 16, 16, false, RE, 1},  {3, 64, 24, false, RE, 2},  {3, 72, 24, false, RE, 1},
        {5, 72, 40, true, RE, 2},   {5, 120, 40, true, RE, 1},  {5, 120, 40, true, RE, 1},
        {3, 240, 80, false, HS, 2}, {3, 200, 80, false, HS, 1}, {3, 184, 80, false, HS, 1},
        {3, 184, 80, false, HS, 1}, {3, 480, 112, true, HS, 1}, {3, 672, 112, true, HS, 1},
        {5, 672, 160, true, HS, 2}, {5, 960, 160, true, HS, 1}, {5, 960, 160, true, HS, 1},
    };
    return build(b, x, rows, sizeof rows / sizeof *rows, 1280);
}
