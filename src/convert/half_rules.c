#include "convert/half_rules.h"

#include "convert/names.h"

enum { NEVER = 1000, BF16_DEFAULT = 13 };

/* First opset whose schema lists the type; operators not named have float16 always and bfloat16
 * from 13. */
static const struct {
    const char *op;
    int half, bf16;
} since[] = {
    {"NonMaxSuppression", NEVER, NEVER},
    {"Range", NEVER, NEVER},
    {"DynamicQuantizeLinear", NEVER, NEVER},
    {"QuantizeLinear", 19, 19},
    {"DequantizeLinear", 19, 19},
    {"QLinearConv", NEVER, NEVER},
    {"QLinearMatMul", 21, 21},
    {"ConvInteger", NEVER, NEVER},
    {"MatMulInteger", NEVER, NEVER},
    {"TfIdfVectorizer", NEVER, NEVER},
    {"ImageDecoder", NEVER, NEVER},
    {"CumSum", 14, 14},
    {"Where", 1, 16},
    {"PRelu", 1, 16},
    {"LeakyRelu", 1, 16},
    {"BatchNormalization", 1, 14},
    {"ConstantOfShape", 1, 20},
    {"IsInf", 20, 20},
    {"TopK", 1, 24},
    {"Einsum", 1, NEVER},
    {"Compress", 1, NEVER},
    {"OneHot", 1, NEVER},
    {"Unique", 1, NEVER},
    {"Conv", 1, 22},
    {"ConvTranspose", 1, 22},
    {"AveragePool", 1, 22},
    {"MaxPool", 1, 22},
    {"GlobalAveragePool", 1, 22},
    {"GlobalMaxPool", 1, 22},
    {"LpPool", 1, 22},
    {"GlobalLpPool", 1, 22},
    {"MaxUnpool", 1, 22},
    {"MaxRoiPool", 1, 22},
    {"RoiAlign", 1, 22},
    {"InstanceNormalization", 1, 22},
    {"HardSigmoid", 1, 22},
    {"HardSwish", 1, 22},
    {"Mish", 1, 22},
    {"Elu", 1, 22},
    {"Selu", 1, 22},
    {"Celu", NEVER, NEVER},
    {"Softplus", 1, 22},
    {"Softsign", 1, 22},
    {"ThresholdedRelu", 1, 22},
    {"Round", 1, 22},
    {"Acos", 1, 22},
    {"Acosh", 1, 22},
    {"Asin", 1, 22},
    {"Asinh", 1, 22},
    {"Atan", 1, 22},
    {"Atanh", 1, 22},
    {"Cos", 1, 22},
    {"Cosh", 1, 22},
    {"Sin", 1, 22},
    {"Sinh", 1, 22},
    {"Tan", 1, 22},
    {"LSTM", 1, 22},
    {"GRU", 1, 22},
    {"RNN", 1, 22},
    {"GridSample", 1, 22},
    {"Det", 1, 22},
    {"EyeLike", 1, 22},
    {"Bernoulli", 1, 22},
    {"Multinomial", 1, 22},
    {"RandomNormal", 1, 22},
    {"RandomNormalLike", 1, 22},
    {"RandomUniform", 1, 22},
    {"RandomUniformLike", 1, 22},
    {"ReverseSequence", 1, NEVER},
    {"CenterCropPad", 1, 18},
};

bool jl_half_defined(jl_str op_type, jl_dtype type, int64_t opset)
{
    for (size_t i = 0; i < sizeof since / sizeof *since; i++)
        if (jl_str_is(op_type, since[i].op))
            return opset >= (type == JL_FLOAT16 ? since[i].half : since[i].bf16);
    return type == JL_FLOAT16 || opset >= BF16_DEFAULT;
}

bool jl_half_microsoft(jl_str op_type)
{
    static const char *const names[] = {"FusedMatMul",
                                        "Gelu",
                                        "FastGelu",
                                        "QuickGelu",
                                        "BiasGelu",
                                        "SkipLayerNormalization",
                                        "SimplifiedLayerNormalization",
                                        "SkipSimplifiedLayerNormalization",
                                        "EmbedLayerNormalization",
                                        "Attention",
                                        "MultiHeadAttention",
                                        "RotaryEmbedding",
                                        "GroupNorm",
                                        NULL};
    return jl_among(op_type, names);
}

bool jl_half_fixed_input(jl_str op_type, size_t input)
{
    if (jl_str_is(op_type, "Resize")) return input == 1 || input == 2;
    return jl_str_is(op_type, "Upsample") && input == 1;
}

bool jl_half_follows_first(jl_str op_type)
{
    static const char *const names[] = {"Expand",    "Reshape",         "Tile",    "Slice",
                                        "Gather",    "Unsqueeze",       "Squeeze", "Pad",
                                        "Transpose", "ConstantOfShape", NULL};
    return jl_among(op_type, names);
}

bool jl_half_any_type(jl_str op_type)
{
    return jl_str_is(op_type, "Shape") || jl_str_is(op_type, "Size");
}

const char *jl_half_type_attribute(jl_str op_type)
{
    static const char *const dtype[] = {
        "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike",
        "EyeLike",      "Bernoulli",     "SequenceEmpty",    NULL};
    static const char *const window[] = {"MelWeightMatrix", "HannWindow", "HammingWindow",
                                         "BlackmanWindow", NULL};
    if (jl_str_is(op_type, "Cast")) return "to";
    if (jl_among(op_type, dtype)) return "dtype";
    return jl_among(op_type, window) ? "output_datatype" : NULL;
}
