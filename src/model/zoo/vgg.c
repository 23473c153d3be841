/* VGG: Simonyan, Zisserman: Very deep convolutional networks (2014), table 1, column D. */
#include "model/zoo/architectures.h"

zoo_value zoo_vgg16(zoo_builder *b, zoo_value x)
{
    static const int table[5][2] = {
        {64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}}; /* width, convolutions */
    const float he = 1.41421356f;                         /* keeps the scale through a ReLU */
    int layer = 0;
    for (int stage = 0; stage < 5; stage++) {
        for (int i = 0; i < table[stage][1]; i++, layer += 2) {
            const char *name = zb_name(b, "features.%d", layer);
            x = zb_conv(b, x, name, (zoo_conv){table[stage][0], 3, .gain = he});
            x = zb_act(b, x, name, ZOO_RELU);
        }
        x = zb_max_pool(b, x, zb_name(b, "features.%d", layer++), 2, 2, 0);
    }
    x = zb_flatten(b, x, "flatten");
    x = zb_act(b, zb_linear(b, x, "classifier.0", 4096, he), "classifier.0", ZOO_RELU);
    x = zb_act(b, zb_linear(b, x, "classifier.3", 4096, he), "classifier.3", ZOO_RELU);
    return zb_head(b, x, "classifier.6");
}
