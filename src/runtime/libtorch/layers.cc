// Convolutions, pooling and normalisation: the layers of torch.nn.
#include "machine.h"

#include <algorithm>
#include <cmath>

namespace jl
{

namespace
{

using at::Tensor;

// Windows that slide over the spatial axes: convolution and pooling share their attributes.
struct Window {
    Ints kernel, strides, dilations, begins, ends;
    std::string auto_pad;

    Window(const Node &n, Ints of) : kernel(std::move(of))
    {
        size_t rank = kernel.size();
        strides = n.ints("strides", Ints(rank, 1));
        dilations = n.ints("dilations", Ints(rank, 1));
        Ints pads = n.ints("pads", Ints(2 * rank, 0));
        auto_pad = n.s("auto_pad", "NOTSET");
        if (strides.size() != rank || dilations.size() != rank || pads.size() != 2 * rank)
            n.cannot("strides, dilations or pads do not fit the kernel's rank");
        begins.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(rank));
        ends.assign(pads.begin() + static_cast<std::ptrdiff_t>(rank), pads.end());
        if (auto_pad == "VALID") begins = ends = Ints(rank, 0);
    }
    bool same() const
    {
        return auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
    }
    bool symmetric() const
    {
        return !same() && begins == ends;
    }
    // torch's pooling pads by half a kernel at most, and evenly.
    bool fits() const
    {
        bool small = symmetric();
        for (size_t k = 0; k < kernel.size(); k++)
            if (2 * begins[k] > kernel[k]) small = false;
        return small;
    }
    // Padding at the end of an axis of `size` so that its output is size / stride, rounded up.
    Window sized(const Tensor &x) const
    {
        Window w = *this;
        if (!same()) return w;
        for (size_t k = 0; k < kernel.size(); k++) {
            int64_t size = x.size(static_cast<int64_t>(k) + 2);
            int64_t full = (kernel[k] - 1) * dilations[k] + 1;
            int64_t out = (size + strides[k] - 1) / strides[k];
            int64_t pad = std::max<int64_t>(0, (out - 1) * strides[k] + full - size);
            w.begins[k] = auto_pad == "SAME_LOWER" ? (pad + 1) / 2 : pad / 2;
            w.ends[k] = pad - w.begins[k];
        }
        w.auto_pad = "NOTSET";
        return w;
    }
    // torch pads the last axis first.
    Tensor pad(const Tensor &x, double with) const
    {
        Ints both;
        for (size_t k = kernel.size(); k-- > 0;) {
            both.push_back(begins[k]);
            both.push_back(ends[k]);
        }
        return at::constant_pad_nd(x, both, with);
    }
};

Step convolution(const Node &n)
{
    Arg w = n.arg(1);
    Ints kernel = n.ints("kernel_shape");
    if (kernel.empty()) {
        if (!w.constant()) n.cannot("kernel_shape is not given and the weights are computed");
        at::IntArrayRef sizes = w.get(Machine()).sizes();
        kernel.assign(sizes.begin() + 2, sizes.end());
    }
    Window window(n, kernel);
    int64_t group = n.i("group", 1);
    Arg x = n.arg(0), bias = n.arg_or_none(2);
    uint32_t out = n.out();
    if (window.symmetric() && kernel.size() == 2)
        return [=](Machine &m) {
            m.values[out] = at::conv2d(x.get(m), w.get(m), bias.get(m), window.strides,
                                       window.begins, window.dilations, group);
        };
    return [=](Machine &m) {
        Tensor t = x.get(m);
        Window here = window.sized(t);
        Ints padding = here.begins;
        if (here.begins != here.ends) {
            t = here.pad(t, 0.0);
            padding.assign(padding.size(), 0);
        }
        m.values[out] = at::convolution(t, w.get(m), bias.get(m), here.strides, padding,
                                        here.dilations, false, Ints(padding.size(), 0), group);
    };
}

Step transposed_convolution(const Node &n)
{
    Arg x = n.arg(0), w = n.arg(1), bias = n.arg_or_none(2);
    Ints kernel = n.ints("kernel_shape");
    if (kernel.empty() && w.constant()) {
        at::IntArrayRef sizes = w.get(Machine()).sizes();
        kernel.assign(sizes.begin() + 2, sizes.end());
    }
    Window window(n, kernel);
    if (kernel.empty() || !window.symmetric() || n.find("output_shape"))
        n.cannot("unequal padding, auto_pad and output_shape are not offered");
    Ints extra = n.ints("output_padding", Ints(kernel.size(), 0));
    return [=, group = n.i("group", 1), out = n.out()](Machine &m) {
        m.values[out] = at::convolution(x.get(m), w.get(m), bias.get(m), window.strides,
                                        window.begins, window.dilations, true, extra, group);
    };
}

Step max_pool(const Node &n)
{
    n.only_first_output();
    Window window(n, n.ints("kernel_shape"));
    bool ceil = n.i("ceil_mode", 0) != 0;
    if (window.kernel.size() < 1 || window.kernel.size() > 3) n.cannot("only ranks 1 to 3");
    return [x = n.arg(0), window, ceil, small = window.fits(), out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Window here = window.sized(t);
        if (!small) {
            t = here.pad(t, -INFINITY);
            here.begins.assign(here.begins.size(), 0);
        }
        switch (here.kernel.size()) {
        case 1:
            t = at::max_pool1d(t, here.kernel, here.strides, here.begins, here.dilations, ceil);
            break;
        case 2:
            t = at::max_pool2d(t, here.kernel, here.strides, here.begins, here.dilations, ceil);
            break;
        default:
            t = at::max_pool3d(t, here.kernel, here.strides, here.begins, here.dilations, ceil);
        }
        m.values[out] = t;
    };
}

Tensor average(const Tensor &t, const Window &w, bool ceil, bool count)
{
    switch (w.kernel.size()) {
    case 1:
        return at::avg_pool1d(t, w.kernel, w.strides, w.begins, ceil, count);
    case 2:
        return at::avg_pool2d(t, w.kernel, w.strides, w.begins, ceil, count);
    default:
        return at::avg_pool3d(t, w.kernel, w.strides, w.begins, ceil, count);
    }
}

Step average_pool(const Node &n)
{
    Window window(n, n.ints("kernel_shape"));
    bool ceil = n.i("ceil_mode", 0) != 0, count = n.i("count_include_pad", 0) != 0;
    size_t rank = window.kernel.size();
    if (rank < 1 || rank > 3) n.cannot("only over one to three axes");
    if (window.dilations != Ints(rank, 1)) n.cannot("dilations are not offered");
    bool simple = window.fits();
    if (!simple && ceil) n.cannot("ceil_mode with this padding is not offered");
    return [x = n.arg(0), window, ceil, count, simple, rank, out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        if (simple) {
            m.values[out] = average(t, window, ceil, count);
            return;
        }
        // Padded beforehand; what is not to be counted is divided out again.
        Window here = window.sized(t), bare = here;
        bare.begins.assign(rank, 0);
        Tensor sum = average(here.pad(t, 0.0), bare, false, true);
        Tensor share = average(here.pad(at::ones_like(t), 0.0), bare, false, true);
        m.values[out] = count ? sum : at::div(sum, share);
    };
}

Step global_average_pool(const Node &n)
{
    return [x = n.arg(0), out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints spatial;
        for (int64_t d = 2; d < t.dim(); d++)
            spatial.push_back(d);
        m.values[out] =
            t.dim() == 4 ? at::adaptive_avg_pool2d(t, {1, 1}) : at::mean(t, spatial, true);
    };
}

Step global_max_pool(const Node &n)
{
    return [x = n.arg(0), out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints spatial;
        for (int64_t d = 2; d < t.dim(); d++)
            spatial.push_back(d);
        m.values[out] = at::amax(t, spatial, true);
    };
}

Step batch_normalization(const Node &n)
{
    if (n.i("training_mode", 0)) n.cannot("training_mode is for training");
    n.only_first_output();
    double epsilon = n.f("epsilon", 1e-5);
    return [x = n.arg(0), w = n.arg(1), b = n.arg(2), mean = n.arg(3), var = n.arg(4), epsilon,
            out = n.out()](Machine &m) {
        m.values[out] = at::batch_norm(x.get(m), w.get(m), b.get(m), mean.get(m), var.get(m), false,
                                       0.1, epsilon, true);
    };
}

Step layer_normalization(const Node &n)
{
    double epsilon = n.f("epsilon", 1e-5);
    int64_t axis = n.i("axis", -1);
    Arg x = n.arg(0), w = n.arg(1), b = n.arg_or_none(2);
    uint32_t out = n.out();
    auto normalised = [axis](const Tensor &t) {
        return t.sizes().slice(static_cast<size_t>(axis < 0 ? axis + t.dim() : axis));
    };
    if (!n.makes(1) && !n.makes(2))
        return [=](Machine &m) {
            Tensor t = x.get(m);
            m.values[out] = at::layer_norm(t, normalised(t), w.get(m), b.get(m), epsilon);
        };
    uint32_t mean = n.makes(1) ? n.out(1) : JL_PLAN_NONE,
             deviation = n.makes(2) ? n.out(2) : JL_PLAN_NONE;
    return [=](Machine &m) {
        Tensor t = x.get(m);
        auto all = at::native_layer_norm(t, normalised(t), w.get(m), b.get(m), epsilon);
        m.values[out] = std::get<0>(all);
        if (mean != JL_PLAN_NONE) m.values[mean] = std::get<1>(all);
        if (deviation != JL_PLAN_NONE) m.values[deviation] = std::get<2>(all);
    };
}

Step instance_normalization(const Node &n)
{
    double epsilon = n.f("epsilon", 1e-5);
    return [x = n.arg(0), w = n.arg(1), b = n.arg(2), epsilon, out = n.out()](Machine &m) {
        m.values[out] = at::instance_norm(x.get(m), w.get(m), b.get(m), Tensor(), Tensor(), true,
                                          0.1, epsilon, true);
    };
}

} // namespace

void add_layers(Makers &makers)
{
    static const Makers own = {
        {"Conv", convolution},
        {"ConvTranspose", transposed_convolution},
        {"MaxPool", max_pool},
        {"AveragePool", average_pool},
        {"GlobalAveragePool", global_average_pool},
        {"GlobalMaxPool", global_max_pool},
        {"BatchNormalization", batch_normalization},
        {"LayerNormalization", layer_normalization},
        {"InstanceNormalization", instance_normalization},
    };
    makers.insert(own.begin(), own.end());
}

} // namespace jl
