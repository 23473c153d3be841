/* Builds a zoo model: each call appends ONNX nodes and the parameters they need, under
 * torchvision's names, and returns the value it made. Failures (memory) stick in the builder, so
 * an architecture reads as a list of layers; whoever finishes the graph asks once.
 *
 * Layers are named by their state_dict prefix ("features.3.conv.0.1"); node names follow from it.
 */
#ifndef JL_MODEL_ZOO_BUILDER_H
#define JL_MODEL_ZOO_BUILDER_H

#include "base/map.h"
#include "jouleline/zoo.h"
#include "model/onnx/onnx.h"
#include "model/zoo/params.h"

typedef struct zoo_builder {
    jl_arena *arena;
    const char *model; /* seeds the weights */
    jl_zoo_options options;
    const uint16_t
        *committed; /* statistics in the order of the batch norms, then the head's bias */
    size_t committed_count, committed_used;
    onnx_graph *graph;
    zoo_view *views; /* one an initializer */
    jl_map node_names, initializer_names;
    zoo_param **params;
    size_t n_params;
    size_t node_room, initializer_room, view_room, param_room;
    bool failed;
} zoo_builder;

/* A value with a batch in front: a feature map [B, c, h, w], an image in tokens [B, h, w, c]
 * (Swin), a sequence [B, h, c] (ViT, w = 1), or a vector [B, c] (h = w = 1). */
typedef struct zoo_value {
    jl_str name;
    int64_t c, h, w;
} zoo_value;

/* A convolution with square kernel and "same" padding (kernel - 1) / 2, or none where the kernel
 * tiles the image (kernel == stride). */
typedef struct zoo_conv {
    int64_t out;
    int kernel, stride; /* 0 means 1 */
    int64_t groups;     /* 0 means 1 */
    float gamma; /* of the batch norm after it, 0 means 1: below 1 tempers a residual branch */
    float
        gain; /* of a convolution with bias: deviation of the output over the input's, 0 means 1 */
} zoo_conv;

typedef enum zoo_act {
    ZOO_LINEAR,
    ZOO_RELU,
    ZOO_RELU6,
    ZOO_HARDSWISH,
    ZOO_HARDSIGMOID,
    ZOO_SILU,
    ZOO_SIGMOID
} zoo_act;

/* A name in the arena. */
const char *zb_name(zoo_builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The nearest multiple of `divisor`, at most a tenth below `channels` (the rule of the MobileNet
 * papers' code). */
int64_t zb_divisible(double channels, int64_t divisor);

/* Layers -------------------------------------------------------------------------------------- */

/* Convolution with bias. */
zoo_value zb_conv(zoo_builder *b, zoo_value x, const char *name, zoo_conv spec);
/* Convolution without bias, then batch norm (folded when the options say so), then activation. */
zoo_value zb_conv_norm(zoo_builder *b, zoo_value x, const char *conv, const char *norm,
                       double epsilon, zoo_act act, zoo_conv spec);
/* The same where nothing is normalised: no bias, no batch norm. */
zoo_value zb_conv_bare(zoo_builder *b, zoo_value x, const char *name, zoo_conv spec);
zoo_value zb_batch_norm(zoo_builder *b, zoo_value x, const char *name, double epsilon);
zoo_value zb_act(zoo_builder *b, zoo_value x, const char *scope, zoo_act act);
/* x * gate(fc2(act(fc1(mean(x))))), a squeeze and excitation block with fc1 and fc2 under `name`.
 */
zoo_value zb_squeeze_excite(zoo_builder *b, zoo_value x, const char *name, int64_t squeeze,
                            zoo_act act, zoo_act gate);
zoo_value zb_max_pool(zoo_builder *b, zoo_value x, const char *scope, int kernel, int stride,
                      int pad);
zoo_value zb_average_pool(zoo_builder *b, zoo_value x, const char *scope, int kernel, int stride);
/* [B, C, H, W] to [B, C, 1, 1] */
zoo_value zb_global_pool(zoo_builder *b, zoo_value x, const char *scope);
/* [B, C, H, W] to [B, C * H * W] */
zoo_value zb_flatten(zoo_builder *b, zoo_value x, const char *scope);
/* A vector through a fully connected layer; gain as in zoo_conv. */
zoo_value zb_linear(zoo_builder *b, zoo_value x, const char *name, int64_t out, float gain);
/* The classifier: 1000 logits, the bias is committed data that centres them. */
zoo_value zb_head(zoo_builder *b, zoo_value x, const char *name);
/* The last axis through a fully connected layer, whatever the axes before it. */
zoo_value zb_dense(zoo_builder *b, zoo_value x, const char *name, int64_t out, bool bias,
                   float gain);
/* Layer norm over the last axis. */
zoo_value zb_layer_norm(zoo_builder *b, zoo_value x, const char *name, double epsilon);
zoo_value zb_gelu(zoo_builder *b, zoo_value x, const char *scope);
zoo_value zb_add(zoo_builder *b, zoo_value x, zoo_value y, const char *scope);
/* Along channels of maps; the result has the channels of all. */
zoo_value zb_concat(zoo_builder *b, const zoo_value *parts, int n, const char *scope);
/* Swaps [B, c, h, w] and [B, h, w, c]. */
zoo_value zb_channels_last(zoo_builder *b, zoo_value x, const char *scope);
zoo_value zb_channels_first(zoo_builder *b, zoo_value x, const char *scope);

/* Parts from which layers are made ------------------------------------------------------------ */

/* A learnable parameter: center + spread * z. */
zoo_param *zb_param(zoo_builder *b, const char *name, int rank, const int64_t *dims, float center,
                    float spread);
/* The next n values of the committed data, or `plain` where the options ask for that. */
zoo_param *zb_committed(zoo_builder *b, const char *name, int64_t n, float plain, bool learnable);
/* An int64 buffer of the state_dict that the graph does not use. */
void zb_buffer(zoo_builder *b, const char *name, int rank, const int64_t *dims,
               const int64_t *values);
/* The name of a new initializer that shows `view` with these dimensions. */
jl_str zb_initializer(zoo_builder *b, const char *name, int rank, const int64_t *dims,
                      zoo_view view);
jl_str zb_plain(zoo_builder *b, const zoo_param *p);
/* Whether there is an initializer of that name. */
bool zb_have(const zoo_builder *b, jl_str name);
/* Constants, shared between equal uses. */
jl_str zb_int64s(zoo_builder *b, int n, const int64_t *values);
jl_str zb_int64_scalar(zoo_builder *b, int64_t value);
jl_str zb_float(zoo_builder *b, float value);
/* A float constant of any shape; data stays where it is. */
jl_str zb_constant(zoo_builder *b, const char *name, int rank, const int64_t *dims,
                   const float *data);

/* A node with one output; returns the output's name. The attribute calls that follow belong to it.
 */
jl_str zb_node(zoo_builder *b, const char *op, const char *scope, int n_inputs,
               const jl_str *inputs);
/* A node with `n` outputs. */
void zb_node_outputs(zoo_builder *b, const char *op, const char *scope, int n_inputs,
                     const jl_str *inputs, int n, jl_str *outputs);
void zb_attr_int(zoo_builder *b, const char *name, int64_t value);
void zb_attr_float(zoo_builder *b, const char *name, float value);
void zb_attr_ints(zoo_builder *b, const char *name, int n, const int64_t *values);

/* Short forms of zb_node. */
jl_str zb_unary(zoo_builder *b, const char *op, const char *scope, jl_str x);
jl_str zb_binary(zoo_builder *b, const char *op, const char *scope, jl_str x, jl_str y);
jl_str zb_transpose(zoo_builder *b, const char *scope, jl_str x, int n, const int64_t *permutation);
/* x[axis] from start to end (exclusive) by step. */
jl_str zb_slice(zoo_builder *b, const char *scope, jl_str x, int64_t axis, int64_t start,
                int64_t end, int64_t step);
/* To [B, dims...]; the batch is copied, or computed in the graph in torchscript style. */
jl_str zb_reshape(zoo_builder *b, const char *scope, jl_str x, int n, const int64_t *dims);
/* The batch of x as an int64 [1]: a constant where it is fixed. */
jl_str zb_batch(zoo_builder *b, const char *scope, jl_str x);

/* Attention (attention.c): softmax(q k^T / sqrt(d) + bias + mask) v over [B, ..., heads, T, d];
 * bias and mask may be empty names. */
typedef struct zoo_attention {
    jl_str q, k, v, bias, mask;
    int64_t head_dim;
    int rank;            /* of q, k, v */
    bool computed_scale; /* torchscript style computes the scale in the graph, as torch's
                          * scaled_dot_product_attention does (ViT); Swin's code has a constant */
} zoo_attention;
/* [3, ...] to three values without the first axis. */
void zb_split_qkv(zoo_builder *b, const char *scope, jl_str qkv, jl_str parts[3]);
jl_str zb_attention(zoo_builder *b, const char *scope, const zoo_attention *a);

#endif
