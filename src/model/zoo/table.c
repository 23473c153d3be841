#include "model/zoo/table.h"

#include "model/zoo/architectures.h"

/* share/jouleline/zoo/NAME.f16, taken into the binary: export then depends on no path. The
 * build names the folder. */
#define EMBED(name)                                                                                \
    __asm__(".pushsection .rodata\n"                                                               \
            ".balign 2\n"                                                                          \
            ".hidden zoo_data_" #name "\n"                                                         \
            ".globl zoo_data_" #name "\n"                                                          \
            "zoo_data_" #name ":\n"                                                                \
            ".incbin \"" JL_ZOO_DATA "/" #name ".f16\"\n"                                          \
            ".hidden zoo_data_end_" #name "\n"                                                     \
            ".globl zoo_data_end_" #name "\n"                                                      \
            "zoo_data_end_" #name ":\n"                                                            \
            ".popsection");                                                                        \
    extern const uint16_t zoo_data_##name[], zoo_data_end_##name[]

EMBED(mobilenet_v2);
EMBED(mobilenet_v3_small);
EMBED(mobilenet_v3_large);
EMBED(efficientnet_b0);
EMBED(efficientnet_b3);
EMBED(mnasnet1_0);
EMBED(shufflenet_v2_x1_0);
EMBED(resnet18);
EMBED(resnet50);
EMBED(resnet101);
EMBED(vgg16);
EMBED(densenet121);
EMBED(convnext_tiny);
EMBED(vit_b_16);
EMBED(swin_t);

/* id, family, input side in pixels, about */
#define MODELS(M)                                                                                  \
    M(mobilenet_v2, "lightweight", 224, "inverted residuals, ReLU6")                               \
    M(mobilenet_v3_small, "lightweight", 224, "inverted residuals, squeeze-excite, hard swish")    \
    M(mobilenet_v3_large, "lightweight", 224, "inverted residuals, squeeze-excite, hard swish")    \
    M(efficientnet_b0, "lightweight", 224, "inverted residuals, squeeze-excite, SiLU")             \
    M(efficientnet_b3, "lightweight", 300, "efficientnet_b0 wider, deeper, at 300 x 300")          \
    M(mnasnet1_0, "lightweight", 224, "inverted residuals found by search, ReLU")                  \
    M(shufflenet_v2_x1_0, "lightweight", 224, "split, depthwise, concatenate, shuffle")            \
    M(resnet18, "standard", 224, "residual blocks of two 3 x 3 convolutions")                      \
    M(resnet50, "standard", 224, "residual bottlenecks")                                           \
    M(resnet101, "standard", 224, "residual bottlenecks, 33 blocks")                               \
    M(vgg16, "standard", 224, "plain 3 x 3 convolutions, no batch norm")                           \
    M(densenet121, "standard", 224, "each layer sees all before it")                               \
    M(convnext_tiny, "layernorm", 224, "depthwise 7 x 7, layer norm, GELU")                        \
    M(vit_b_16, "layernorm", 224, "transformer encoder over 16 x 16 patches")                      \
    M(swin_t, "layernorm", 224, "attention in shifted windows")

#define ENTRY(id, suffix, group, px, words, how)                                                   \
    {.model = {.name = #id suffix, .family = group, .torch = #id, .image_px = px, .about = words}, \
     .build = zoo_##id,                                                                            \
     .weights_of = #id,                                                                            \
     .style = how,                                                                                 \
     .committed = zoo_data_##id,                                                                   \
     .committed_end = zoo_data_end_##id},
#define PLAIN(id, group, px, words) ENTRY(id, "", group, px, words, JL_ZOO_PLAIN)
#define TORCHSCRIPT(id, group, px, words)                                                          \
    ENTRY(id, "+torchscript", group, px, words, JL_ZOO_TORCHSCRIPT)

static const zoo_entry table[] = {
    MODELS(PLAIN){.model = {.name = "efficientnet_b3+overflow",
                            .family = "lightweight",
                            .torch = "efficientnet_b3",
                            .image_px = 300,
                            .about = "efficientnet_b3 that overflows in half precision from batch "
                                     "32"},
                  .build = zoo_efficientnet_b3_overflow,
                  .weights_of = "efficientnet_b3",
                  .committed = zoo_data_efficientnet_b3,
                  .committed_end = zoo_data_end_efficientnet_b3},
};

static const zoo_entry styled[] = {MODELS(TORCHSCRIPT)};

const zoo_entry *zoo_table(size_t *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}

const zoo_entry *zoo_styled(size_t *count)
{
    *count = sizeof styled / sizeof *styled;
    return styled;
}
