/* Vision transformer: Dosovitskiy et al.: An image is worth 16x16 words (2020), table 1, ViT-B/16.
 */
#include <math.h>

#include "model/zoo/architectures.h"

static const double EPSILON = 1e-6;
enum { WIDTH = 768, HEADS = 12, HEAD_DIM = WIDTH / HEADS, MLP = 3072, LAYERS = 12, PATCH = 16 };

/* Queries and keys of this gain give scores with a deviation near 6: attention that looks
 * somewhere, as in a trained net, instead of a plain mean over all tokens. */
static const float QKV_GAIN = 2.55f;

/* torch.nn.MultiheadAttention: rows of in_proj are q, k, v. */
static zoo_value self_attention(zoo_builder *b, zoo_value x, const char *name, float gain)
{
    const int64_t tokens = x.h, three = 3 * WIDTH;
    zoo_param *weight = zb_param(b, zb_name(b, "%s.in_proj_weight", name), 2,
                                 (int64_t[]){three, WIDTH}, 0, QKV_GAIN / sqrtf(WIDTH));
    zoo_param *bias = zb_param(b, zb_name(b, "%s.in_proj_bias", name), 1, &three, 0, 0.1f);
    jl_str w =
        zb_initializer(b, zb_name(b, "%s.transposed", weight->name), 2, (int64_t[]){WIDTH, three},
                       (zoo_view){.kind = ZOO_VIEW_TRANSPOSED, .of = weight});
    jl_str qkv = zb_binary(b, "MatMul", name, x.name, w);
    qkv = zb_binary(b, "Add", name, qkv, zb_plain(b, bias));
    qkv = zb_reshape(b, name, qkv, 4, (int64_t[]){tokens, 3, HEADS, HEAD_DIM});
    jl_str parts[3];
    zb_split_qkv(b, name, zb_transpose(b, name, qkv, 5, (int64_t[]){2, 0, 3, 1, 4}), parts);
    jl_str y =
        zb_attention(b, name,
                     &(zoo_attention){.q = parts[0],
                                      .k = parts[1],
                                      .v = parts[2],
                                      .rank = 4,
                                      .head_dim = HEAD_DIM,
                                      .computed_scale = b->options.style == JL_ZOO_TORCHSCRIPT});
    y = zb_transpose(b, name, y, 4, (int64_t[]){0, 2, 1, 3});
    x.name = zb_reshape(b, name, y, 2, (int64_t[]){tokens, WIDTH});
    return zb_dense(b, x, zb_name(b, "%s.out_proj", name), WIDTH, true, gain);
}

static zoo_value encoder_layer(zoo_builder *b, zoo_value x, const char *name, float gain)
{
    zoo_value y = zb_layer_norm(b, x, zb_name(b, "%s.ln_1", name), EPSILON);
    y = self_attention(b, y, zb_name(b, "%s.self_attention", name), gain);
    x = zb_add(b, y, x, name);
    y = zb_layer_norm(b, x, zb_name(b, "%s.ln_2", name), EPSILON);
    y = zb_dense(b, y, zb_name(b, "%s.mlp.0", name), MLP, true, 1);
    y = zb_gelu(b, y, zb_name(b, "%s.mlp.1", name));
    y = zb_dense(b, y, zb_name(b, "%s.mlp.3", name), WIDTH, true, 2 * gain);
    return zb_add(b, x, y, name);
}

/* The class token in front of the patches of every image. */
static zoo_value with_class_token(zoo_builder *b, zoo_value x)
{
    const int64_t dims[] = {1, 1, WIDTH};
    jl_str token = zb_plain(b, zb_param(b, "class_token", 3, dims, 0, 1));
    jl_str shape = zb_batch(b, "class_token", x.name);
    shape = zb_binary(b, "Concat", "class_token", shape, zb_int64s(b, 2, dims + 1));
    zb_attr_int(b, "axis", 0);
    token = zb_binary(b, "Expand", "class_token", token, shape);
    x.name = zb_binary(b, "Concat", "class_token", token, x.name);
    zb_attr_int(b, "axis", 1);
    x.h++;
    return x;
}

zoo_value zoo_vit_b_16(zoo_builder *b, zoo_value x)
{
    const float gain = (float)(1 / sqrt(2 * LAYERS)); /* tempers the residual branches */
    x = zb_conv(b, x, "conv_proj", (zoo_conv){WIDTH, PATCH, PATCH});
    const int64_t patches = x.h * x.w;
    x.name = zb_reshape(b, "patches", x.name, 2, (int64_t[]){WIDTH, patches});
    x.name = zb_transpose(b, "patches", x.name, 3, (int64_t[]){0, 2, 1});
    x = with_class_token(b, (zoo_value){x.name, WIDTH, patches, 1});
    zoo_param *position =
        zb_param(b, "encoder.pos_embedding", 3, (int64_t[]){1, x.h, WIDTH}, 0, 0.5f);
    x.name = zb_binary(b, "Add", "encoder", x.name, zb_plain(b, position));
    for (int i = 0; i < LAYERS; i++)
        x = encoder_layer(b, x, zb_name(b, "encoder.layers.encoder_layer_%d", i), gain);
    x = zb_layer_norm(b, x, "encoder.ln", EPSILON);
    jl_str index = zb_int64_scalar(b, 0);
    x.name = zb_binary(b, "Gather", "class_token", x.name, index);
    zb_attr_int(b, "axis", 1);
    x.h = 1;
    return zb_head(b, x, "heads.head");
}
