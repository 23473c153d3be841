/* ConvNeXt: Liu et al.: A ConvNet for the 2020s (2022), table 9 and figure 4. */
#include <math.h>

#include "model/zoo/architectures.h"

static const double EPSILON = 1e-6;

/* Layer norm over the channels of a map that keeps channels first. */
static zoo_value norm2d(zoo_builder *b, zoo_value x, const char *name)
{
    x = zb_channels_last(b, x, name);
    x = zb_layer_norm(b, x, name, EPSILON);
    return zb_channels_first(b, x, name);
}

static zoo_value block(zoo_builder *b, zoo_value x, const char *name, float scale)
{
    zoo_param *layer_scale = zb_param(b, zb_name(b, "%s.layer_scale", name), 3,
                                      (int64_t[]){x.c, 1, 1}, scale, 0.2f * scale);
    zoo_value y = zb_conv(b, x, zb_name(b, "%s.block.0", name), (zoo_conv){x.c, 7, 1, x.c});
    y = zb_channels_last(b, y, name);
    y = zb_layer_norm(b, y, zb_name(b, "%s.block.2", name), EPSILON);
    y = zb_dense(b, y, zb_name(b, "%s.block.3", name), 4 * x.c, true, 1);
    y = zb_gelu(b, y, zb_name(b, "%s.block.4", name));
    y = zb_dense(b, y, zb_name(b, "%s.block.5", name), x.c, true, 1.5f);
    y = zb_channels_first(b, y, name);
    y.name = zb_binary(b, "Mul", name, zb_plain(b, layer_scale), y.name);
    return zb_add(b, y, x, name);
}

zoo_value zoo_convnext_tiny(zoo_builder *b, zoo_value x)
{
    static const int depths[4] = {3, 3, 9, 3}, widths[4] = {96, 192, 384, 768};
    const float scale = (float)(1 / sqrt(3 + 3 + 9 + 3));
    x = zb_conv(b, x, "features.0.0", (zoo_conv){widths[0], 4, 4});
    x = norm2d(b, x, "features.0.1");
    for (int stage = 0; stage < 4; stage++) {
        if (stage) {
            x = norm2d(b, x, zb_name(b, "features.%d.0", 2 * stage));
            x = zb_conv(b, x, zb_name(b, "features.%d.1", 2 * stage),
                        (zoo_conv){widths[stage], 2, 2});
        }
        for (int i = 0; i < depths[stage]; i++)
            x = block(b, x, zb_name(b, "features.%d.%d", 2 * stage + 1, i), scale);
    }
    x = norm2d(b, zb_global_pool(b, x, "avgpool"), "classifier.0");
    return zb_head(b, zb_flatten(b, x, "classifier.1"), "classifier.2");
}
