/* The layers of builder.h, each a few nodes and the parameters that torchvision gives it. */
#include "model/zoo/builder.h"

#include <math.h>

/* Seeded affine parameters of every norm: unlike freshly initialised ones they differ by channel,
 * as trained ones do, so that channel means (what squeeze and excitation sees) differ too. */
static const float GAMMA_SPREAD = 0.2f, BETA_SPREAD = 0.3f;
/* Of the logits over the features: the image's own share of pooled features is small. */
static const float HEAD_GAIN = 8.0f;

static float over_fan_in(float gain, int64_t fan_in)
{
    return (float)((double)(gain != 0 ? gain : 1) / sqrt((double)fan_in));
}

/* Convolutions and batch norm ----------------------------------------------------------------- */

static zoo_param *conv_weight(zoo_builder *b, zoo_value x, const char *name, const zoo_conv *spec)
{
    int64_t groups = spec->groups ? spec->groups : 1, k = spec->kernel;
    int64_t dims[] = {spec->out, x.c / groups, k, k};
    return zb_param(b, zb_name(b, "%s.weight", name), 4, dims, 0,
                    over_fan_in(spec->gain, dims[1] * k * k));
}

static zoo_value conv_node(zoo_builder *b, zoo_value x, const char *name, const zoo_conv *spec,
                           jl_str weight, jl_str bias)
{
    int64_t k = spec->kernel, stride = spec->stride ? spec->stride : 1;
    int64_t pad = stride == k ? 0 : (k - 1) / 2;
    jl_str y = zb_node(b, "Conv", name, bias.n ? 3 : 2, (jl_str[]){x.name, weight, bias});
    zb_attr_ints(b, "dilations", 2, (int64_t[]){1, 1});
    zb_attr_int(b, "group", spec->groups ? spec->groups : 1);
    zb_attr_ints(b, "kernel_shape", 2, (int64_t[]){k, k});
    zb_attr_ints(b, "pads", 4, (int64_t[]){pad, pad, pad, pad});
    zb_attr_ints(b, "strides", 2, (int64_t[]){stride, stride});
    return (zoo_value){y, spec->out, (x.h + 2 * pad - k) / stride + 1,
                       (x.w + 2 * pad - k) / stride + 1};
}

zoo_value zb_conv(zoo_builder *b, zoo_value x, const char *name, zoo_conv spec)
{
    zoo_param *weight = conv_weight(b, x, name, &spec);
    zoo_param *bias = zb_param(b, zb_name(b, "%s.bias", name), 1, &spec.out, 0, 0.1f);
    jl_str w = zb_plain(b, weight);
    return conv_node(b, x, name, &spec, w, zb_plain(b, bias));
}

zoo_value zb_conv_bare(zoo_builder *b, zoo_value x, const char *name, zoo_conv spec)
{
    return conv_node(b, x, name, &spec, zb_plain(b, conv_weight(b, x, name, &spec)), (jl_str){0});
}

static zoo_norm norm_params(zoo_builder *b, const char *name, int64_t channels, double epsilon,
                            float gamma)
{
    zoo_norm n = {.epsilon = epsilon};
    float scale = gamma != 0 ? gamma : 1;
    n.gamma = zb_param(b, zb_name(b, "%s.weight", name), 1, &channels, scale, scale * GAMMA_SPREAD);
    n.beta = zb_param(b, zb_name(b, "%s.bias", name), 1, &channels, 0, scale * BETA_SPREAD);
    n.mean = zb_committed(b, zb_name(b, "%s.running_mean", name), channels, 0, false);
    n.variance = zb_committed(b, zb_name(b, "%s.running_var", name), channels, 1, false);
    zb_buffer(b, zb_name(b, "%s.num_batches_tracked", name), 0, NULL, (int64_t[]){1});
    return n;
}

static zoo_value norm_node(zoo_builder *b, zoo_value x, const char *name, const zoo_norm *n)
{
    const zoo_param *params[] = {n->gamma, n->beta, n->mean, n->variance};
    jl_str inputs[5] = {x.name};
    for (int i = 0; i < 4; i++)
        inputs[i + 1] = zb_plain(b, params[i]);
    x.name = zb_node(b, "BatchNormalization", name, 5, inputs);
    zb_attr_float(b, "epsilon", (float)n->epsilon);
    return x;
}

zoo_value zb_batch_norm(zoo_builder *b, zoo_value x, const char *name, double epsilon)
{
    zoo_norm norm = norm_params(b, name, x.c, epsilon, 1);
    return norm_node(b, x, name, &norm);
}

zoo_value zb_conv_norm(zoo_builder *b, zoo_value x, const char *conv, const char *norm,
                       double epsilon, zoo_act act, zoo_conv spec)
{
    zoo_param *weight = conv_weight(b, x, conv, &spec);
    zoo_norm params = norm_params(b, norm, spec.out, epsilon, spec.gamma);
    if (b->options.fold_batch_norm) {
        jl_str w = zb_initializer(
            b, weight->name, weight->rank, weight->dims,
            (zoo_view){.kind = ZOO_VIEW_FOLDED_WEIGHT, .of = weight, .norm = params});
        jl_str bias =
            zb_initializer(b, zb_name(b, "%s.bias", conv), 1, &spec.out,
                           (zoo_view){.kind = ZOO_VIEW_FOLDED_BIAS, .of = weight, .norm = params});
        x = conv_node(b, x, conv, &spec, w, bias);
    } else {
        x = conv_node(b, x, conv, &spec, zb_plain(b, weight), (jl_str){0});
        x = norm_node(b, x, norm, &params);
    }
    return zb_act(b, x, norm, act);
}

zoo_value zb_act(zoo_builder *b, zoo_value x, const char *scope, zoo_act act)
{
    jl_str y = x.name;
    switch (act) {
    case ZOO_LINEAR:
        break;
    case ZOO_RELU:
        y = zb_unary(b, "Relu", scope, x.name);
        break;
    case ZOO_RELU6:
        y = zb_float(b, 0);
        y = zb_node(b, "Clip", scope, 3, (jl_str[]){x.name, y, zb_float(b, 6)});
        break;
    case ZOO_HARDSIGMOID:
        y = zb_unary(b, "HardSigmoid", scope, x.name);
        zb_attr_float(b, "alpha", 1.0f / 6);
        zb_attr_float(b, "beta", 0.5f);
        break;
    case ZOO_HARDSWISH:
        if (b->options.opset >= 14)
            y = zb_unary(b, "HardSwish", scope, x.name);
        else
            y = zb_binary(b, "Mul", scope, x.name, zb_act(b, x, scope, ZOO_HARDSIGMOID).name);
        break;
    case ZOO_SIGMOID:
        y = zb_unary(b, "Sigmoid", scope, x.name);
        break;
    case ZOO_SILU:
        y = zb_binary(b, "Mul", scope, x.name, zb_unary(b, "Sigmoid", scope, x.name));
        break;
    }
    x.name = y;
    return x;
}

zoo_value zb_squeeze_excite(zoo_builder *b, zoo_value x, const char *name, int64_t squeeze,
                            zoo_act act, zoo_act gate)
{
    const char *fc1 = zb_name(b, "%s.fc1", name), *fc2 = zb_name(b, "%s.fc2", name);
    zoo_value s = zb_global_pool(b, x, zb_name(b, "%s.avgpool", name));
    s = zb_conv(b, s, fc1, (zoo_conv){.out = squeeze, .kernel = 1, .gain = 2});
    s = zb_act(b, s, fc1, act);
    s = zb_conv(b, s, fc2, (zoo_conv){.out = x.c, .kernel = 1, .gain = 2});
    s = zb_act(b, s, fc2, gate);
    x.name = zb_binary(b, "Mul", name, s.name, x.name);
    return x;
}

/* Pooling and shapes -------------------------------------------------------------------------- */

static zoo_value pool(zoo_builder *b, zoo_value x, const char *op, const char *scope,
                      int64_t kernel, int64_t stride, int64_t pad)
{
    x.name = zb_unary(b, op, scope, x.name);
    zb_attr_ints(b, "kernel_shape", 2, (int64_t[]){kernel, kernel});
    zb_attr_ints(b, "pads", 4, (int64_t[]){pad, pad, pad, pad});
    zb_attr_ints(b, "strides", 2, (int64_t[]){stride, stride});
    x.h = (x.h + 2 * pad - kernel) / stride + 1;
    x.w = (x.w + 2 * pad - kernel) / stride + 1;
    return x;
}

zoo_value zb_max_pool(zoo_builder *b, zoo_value x, const char *scope, int kernel, int stride,
                      int pad)
{
    return pool(b, x, "MaxPool", scope, kernel, stride, pad);
}

zoo_value zb_average_pool(zoo_builder *b, zoo_value x, const char *scope, int kernel, int stride)
{
    return pool(b, x, "AveragePool", scope, kernel, stride, 0);
}

zoo_value zb_global_pool(zoo_builder *b, zoo_value x, const char *scope)
{
    return (zoo_value){zb_unary(b, "GlobalAveragePool", scope, x.name), x.c, 1, 1};
}

zoo_value zb_flatten(zoo_builder *b, zoo_value x, const char *scope)
{
    zoo_value y = {zb_unary(b, "Flatten", scope, x.name), x.c * x.h * x.w, 1, 1};
    zb_attr_int(b, "axis", 1);
    return y;
}

zoo_value zb_add(zoo_builder *b, zoo_value x, zoo_value y, const char *scope)
{
    x.name = zb_binary(b, "Add", scope, x.name, y.name);
    return x;
}

zoo_value zb_concat(zoo_builder *b, const zoo_value *parts, int n, const char *scope)
{
    zoo_value y = parts[0];
    jl_str *names = jl_arena_array(b->arena, (size_t)n, sizeof *names);
    if (!names) {
        b->failed = true;
        return y;
    }
    y.c = 0;
    for (int i = 0; i < n; i++) {
        names[i] = parts[i].name;
        y.c += parts[i].c;
    }
    y.name = zb_node(b, "Concat", scope, n, names);
    zb_attr_int(b, "axis", 1);
    return y;
}

zoo_value zb_channels_last(zoo_builder *b, zoo_value x, const char *scope)
{
    x.name = zb_transpose(b, scope, x.name, 4, (int64_t[]){0, 2, 3, 1});
    return x;
}

zoo_value zb_channels_first(zoo_builder *b, zoo_value x, const char *scope)
{
    x.name = zb_transpose(b, scope, x.name, 4, (int64_t[]){0, 3, 1, 2});
    return x;
}

/* Fully connected ----------------------------------------------------------------------------- */

static zoo_value gemm(zoo_builder *b, zoo_value x, const char *name, int64_t out, float gain,
                      const zoo_param *bias)
{
    zoo_param *weight = zb_param(b, zb_name(b, "%s.weight", name), 2, (int64_t[]){out, x.c}, 0,
                                 over_fan_in(gain, x.c));
    jl_str w = zb_plain(b, weight);
    zoo_value y = {zb_node(b, "Gemm", name, 3, (jl_str[]){x.name, w, zb_plain(b, bias)}), out, 1,
                   1};
    zb_attr_int(b, "transB", 1);
    return y;
}

zoo_value zb_linear(zoo_builder *b, zoo_value x, const char *name, int64_t out, float gain)
{
    return gemm(b, x, name, out, gain, zb_param(b, zb_name(b, "%s.bias", name), 1, &out, 0, 0.1f));
}

zoo_value zb_head(zoo_builder *b, zoo_value x, const char *name)
{
    enum { CLASSES = 1000 };
    return gemm(b, x, name, CLASSES, HEAD_GAIN,
                zb_committed(b, zb_name(b, "%s.bias", name), CLASSES, 0, true));
}

zoo_value zb_dense(zoo_builder *b, zoo_value x, const char *name, int64_t out, bool bias,
                   float gain)
{
    zoo_param *weight = zb_param(b, zb_name(b, "%s.weight", name), 2, (int64_t[]){out, x.c}, 0,
                                 over_fan_in(gain, x.c));
    jl_str w = zb_initializer(b, zb_name(b, "%s.weight.transposed", name), 2, (int64_t[]){x.c, out},
                              (zoo_view){.kind = ZOO_VIEW_TRANSPOSED, .of = weight});
    x.name = zb_binary(b, "MatMul", name, x.name, w);
    x.c = out;
    if (bias) {
        zoo_param *p = zb_param(b, zb_name(b, "%s.bias", name), 1, &out, 0, 0.1f);
        x.name = zb_binary(b, "Add", name, x.name, zb_plain(b, p));
    }
    return x;
}

/* Layer norm and GELU ------------------------------------------------------------------------- */

static jl_str mean_of_last_axis(zoo_builder *b, const char *scope, jl_str x)
{
    int64_t last = -1;
    if (b->options.opset >= 18) return zb_binary(b, "ReduceMean", scope, x, zb_int64s(b, 1, &last));
    jl_str y = zb_unary(b, "ReduceMean", scope, x);
    zb_attr_ints(b, "axes", 1, &last);
    return y;
}

zoo_value zb_layer_norm(zoo_builder *b, zoo_value x, const char *name, double epsilon)
{
    zoo_param *gamma = zb_param(b, zb_name(b, "%s.weight", name), 1, &x.c, 1, GAMMA_SPREAD);
    zoo_param *beta = zb_param(b, zb_name(b, "%s.bias", name), 1, &x.c, 0, BETA_SPREAD);
    jl_str scale = zb_plain(b, gamma), shift = zb_plain(b, beta);
    if (b->options.opset >= 17 && !b->options.decompose) {
        x.name = zb_node(b, "LayerNormalization", name, 3, (jl_str[]){x.name, scale, shift});
        zb_attr_int(b, "axis", -1);
        zb_attr_float(b, "epsilon", (float)epsilon);
        return x;
    }
    jl_str d = zb_binary(b, "Sub", name, x.name, mean_of_last_axis(b, name, x.name));
    jl_str square = zb_binary(b, "Pow", name, d, zb_float(b, 2));
    jl_str variance = mean_of_last_axis(b, name, square);
    variance = zb_binary(b, "Add", name, variance, zb_float(b, (float)epsilon));
    jl_str normal = zb_binary(b, "Div", name, d, zb_unary(b, "Sqrt", name, variance));
    x.name = zb_binary(b, "Add", name, zb_binary(b, "Mul", name, normal, scale), shift);
    return x;
}

zoo_value zb_gelu(zoo_builder *b, zoo_value x, const char *scope)
{
    if (b->options.opset >= 20 && !b->options.decompose) {
        x.name = zb_unary(b, "Gelu", scope, x.name);
        return x;
    }
    jl_str scaled = zb_binary(b, "Div", scope, x.name, zb_float(b, 1.41421356f));
    jl_str cdf = zb_binary(b, "Add", scope, zb_unary(b, "Erf", scope, scaled), zb_float(b, 1));
    x.name = zb_binary(b, "Mul", scope, zb_binary(b, "Mul", scope, x.name, cdf), zb_float(b, 0.5f));
    return x;
}
