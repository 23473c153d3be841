/* One function an architecture: from the input image to the logits. */
#ifndef JL_MODEL_ZOO_ARCHITECTURES_H
#define JL_MODEL_ZOO_ARCHITECTURES_H

#include "model/zoo/builder.h"

/* The tables of the architectures leave out the fields of a zoo_conv that stay at their default. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

zoo_value zoo_mobilenet_v2(zoo_builder *b, zoo_value x);
zoo_value zoo_mobilenet_v3_small(zoo_builder *b, zoo_value x);
zoo_value zoo_mobilenet_v3_large(zoo_builder *b, zoo_value x);
zoo_value zoo_efficientnet_b0(zoo_builder *b, zoo_value x);
zoo_value zoo_efficientnet_b3(zoo_builder *b, zoo_value x);
zoo_value zoo_efficientnet_b3_overflow(zoo_builder *b, zoo_value x);
zoo_value zoo_mnasnet1_0(zoo_builder *b, zoo_value x);
zoo_value zoo_shufflenet_v2_x1_0(zoo_builder *b, zoo_value x);
zoo_value zoo_resnet18(zoo_builder *b, zoo_value x);
zoo_value zoo_resnet50(zoo_builder *b, zoo_value x);
zoo_value zoo_resnet101(zoo_builder *b, zoo_value x);
zoo_value zoo_vgg16(zoo_builder *b, zoo_value x);
zoo_value zoo_densenet121(zoo_builder *b, zoo_value x);
zoo_value zoo_convnext_tiny(zoo_builder *b, zoo_value x);
zoo_value zoo_vit_b_16(zoo_builder *b, zoo_value x);
zoo_value zoo_swin_t(zoo_builder *b, zoo_value x);

#endif
