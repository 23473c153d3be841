// Operators that move, select or shape elements.
#include "machine.h"

#include <algorithm>
#include <numeric>

namespace jl
{

namespace
{

using at::Tensor;

int64_t wrapped(int64_t axis, int64_t rank)
{
    return axis < 0 ? axis + rank : axis;
}

Step identity(const Node &n)
{
    return [x = n.arg(0), out = n.out()](Machine &m) { m.values[out] = x.get(m); };
}

Step dropout(const Node &n)
{
    n.only_first_output();
    return identity(n);
}

Step reshape(const Node &n)
{
    bool keep_zero = n.i("allowzero", 0) != 0;
    return [x = n.arg(0), shape = n.ints_attribute_or_input("shape", 1), keep_zero,
            out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints to = shape.get(m);
        for (size_t k = 0; k < to.size() && !keep_zero; k++)
            if (to[k] == 0) to[k] = t.size(static_cast<int64_t>(k));
        m.values[out] = at::reshape(t, to);
    };
}

Step flatten(const Node &n)
{
    return [x = n.arg(0), axis = n.i("axis", 1), out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        int64_t split = wrapped(axis, t.dim());
        if (split == 1 && t.dim() > 1) {
            m.values[out] = at::flatten(t, 1);
            return;
        }
        int64_t rows = 1;
        for (int64_t d = 0; d < split; d++)
            rows *= t.size(d);
        m.values[out] = at::reshape(t, {rows, rows ? t.numel() / rows : 0});
    };
}

Step transpose(const Node &n)
{
    return [x = n.arg(0), order = n.ints("perm"), out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints to = order;
        if (to.empty())
            for (int64_t d = t.dim(); d-- > 0;)
                to.push_back(d);
        m.values[out] = t.permute(to);
    };
}

Step concat(const Node &n)
{
    std::vector<Arg> args;
    for (size_t k = 0; k < n.node.n_inputs; k++)
        args.push_back(n.arg(k));
    return [args, axis = n.i("axis", 0), out = n.out()](Machine &m) {
        std::vector<Tensor> parts;
        parts.reserve(args.size());
        for (const Arg &a : args)
            parts.push_back(a.get(m));
        m.values[out] = at::cat(parts, axis);
    };
}

Step split(const Node &n)
{
    IntsArg sizes = n.ints_attribute_or_input("split", 1);
    std::vector<uint32_t> outs(n.node.outputs, n.node.outputs + n.node.n_outputs);
    return [x = n.arg(0), sizes, axis = n.i("axis", 0), outs](Machine &m) {
        Tensor t = x.get(m);
        Ints parts = sizes.get(m);
        auto count = static_cast<int64_t>(outs.size());
        int64_t whole = t.size(axis), each = (whole + count - 1) / count;
        for (int64_t k = 0; k < count && !sizes.present(); k++)
            parts.push_back(std::max<int64_t>(0, std::min(each, whole - k * each)));
        std::vector<Tensor> pieces = at::split_with_sizes(t, parts, axis);
        for (size_t k = 0; k < outs.size() && k < pieces.size(); k++)
            if (outs[k] != JL_PLAN_NONE) m.values[outs[k]] = pieces[k];
    };
}

Tensor slice_axis(const Tensor &t, int64_t axis, int64_t start, int64_t end, int64_t step)
{
    int64_t size = t.size(axis);
    if (start < 0) start += size;
    if (end < 0) end += size;
    if (step > 0) {
        start = std::clamp<int64_t>(start, 0, size);
        end = std::clamp<int64_t>(end, start, size);
        return at::slice(t, axis, start, end, step);
    }
    // Backwards: the same elements forwards, then turned round.
    start = std::clamp<int64_t>(start, -1, size - 1);
    end = std::clamp<int64_t>(end, -1, start);
    int64_t count = (start - end - step - 1) / -step;
    int64_t first = start + (count - 1) * step;
    if (count <= 0) return at::slice(t, axis, 0, 0);
    return at::flip(at::slice(t, axis, first, start + 1, -step), {axis});
}

Step slice(const Node &n)
{
    IntsArg starts = n.ints_attribute_or_input("starts", 1);
    IntsArg ends = n.ints_attribute_or_input("ends", 2);
    IntsArg axes = n.ints_attribute_or_input("axes", 3);
    IntsArg steps = n.ints_arg(4);
    return [x = n.arg(0), starts, ends, axes, steps, out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints from = starts.get(m), to = ends.get(m), over = axes.get(m), by = steps.get(m);
        if (over.empty()) {
            over.resize(from.size());
            std::iota(over.begin(), over.end(), 0);
        }
        by.resize(from.size(), 1);
        for (size_t k = 0; k < from.size(); k++)
            t = slice_axis(t, wrapped(over.at(k), t.dim()), from[k], to.at(k), by[k]);
        m.values[out] = t;
    };
}

Step gather(const Node &n)
{
    Arg x = n.arg(0), where = n.arg(1);
    int64_t axis = n.i("axis", 0);
    uint32_t out = n.out();
    Tensor index = where.constant() ? where.get(Machine()) : Tensor();
    if (index.defined() && index.numel() == 1) {
        // One constant index selects a slice, without a copy.
        int64_t at_index = index.item().toLong();
        bool scalar = index.dim() == 0;
        return [=](Machine &m) {
            Tensor t = x.get(m);
            Tensor one = at::select(t, axis, at_index);
            m.values[out] = scalar ? one : at::unsqueeze(one, wrapped(axis, t.dim()));
        };
    }
    bool from_start = index.defined() && index.numel() && index.min().item().toLong() >= 0;
    return [=](Machine &m) {
        Tensor t = x.get(m), wanted = where.get(m).to(at::kLong);
        int64_t along = wrapped(axis, t.dim());
        Tensor flat = wanted.reshape({-1});
        if (!from_start) flat = at::where(at::lt(flat, 0), at::add(flat, t.size(along)), flat);
        Ints shape(t.sizes().begin(), t.sizes().begin() + along);
        shape.insert(shape.end(), wanted.sizes().begin(), wanted.sizes().end());
        shape.insert(shape.end(), t.sizes().begin() + along + 1, t.sizes().end());
        m.values[out] = at::reshape(at::index_select(t, along, flat), shape);
    };
}

Step gather_elements(const Node &n)
{
    return [x = n.arg(0), where = n.arg(1), axis = n.i("axis", 0), out = n.out()](Machine &m) {
        Tensor t = x.get(m), index = where.get(m).to(at::kLong);
        index = at::where(at::lt(index, 0), at::add(index, t.size(axis)), index);
        m.values[out] = at::gather(t, axis, index);
    };
}

Step squeeze(const Node &n)
{
    return [x = n.arg(0), axes = n.ints_attribute_or_input("axes", 1), out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints over = axes.get(m), shape;
        for (int64_t &axis : over)
            axis = wrapped(axis, t.dim());
        for (int64_t d = 0; d < t.dim(); d++) {
            bool listed = std::find(over.begin(), over.end(), d) != over.end();
            if (listed ? t.size(d) != 1 : !(over.empty() && t.size(d) == 1))
                shape.push_back(t.size(d));
        }
        m.values[out] = at::reshape(t, shape);
    };
}

Step unsqueeze(const Node &n)
{
    return [x = n.arg(0), axes = n.ints_attribute_or_input("axes", 1), out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints over = axes.get(m);
        for (int64_t &axis : over)
            axis = wrapped(axis, t.dim() + static_cast<int64_t>(over.size()));
        std::sort(over.begin(), over.end());
        for (int64_t axis : over)
            t = at::unsqueeze(t, axis);
        m.values[out] = t;
    };
}

Step pad(const Node &n)
{
    std::string mode = n.s("mode", "constant");
    double fixed = n.f("value", 0.0);
    if (mode != "constant" && mode != "reflect" && mode != "edge") n.cannot("mode " + mode);
    return [x = n.arg(0), pads = n.ints_attribute_or_input("pads", 1), axes = n.ints_arg(3), mode,
            fixed, value = n.has(2) ? n.where_it_is(2) : Arg(), out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints given = pads.get(m), over = axes.get(m);
        double with = value.present() ? value.get(m).item().toDouble() : fixed;
        Ints both(2 * static_cast<size_t>(t.dim()), 0);
        if (over.empty())
            for (int64_t d = 0; d < t.dim(); d++)
                over.push_back(d);
        for (size_t k = 0; k < over.size(); k++) {
            auto axis = static_cast<size_t>(t.dim() - 1 - wrapped(over[k], t.dim()));
            both[2 * axis] = given.at(k);
            both[2 * axis + 1] = given.at(k + over.size());
        }
        while (both.size() > 2 && both.back() == 0 && both[both.size() - 2] == 0)
            both.resize(both.size() - 2); // torch's other modes pad the last axes only
        m.values[out] = mode == "constant"
                            ? at::constant_pad_nd(t, both, with)
                            : at::pad(t, both, mode == "edge" ? "replicate" : "reflect");
    };
}

Step expand(const Node &n)
{
    return [x = n.arg(0), shape = n.ints_arg(1), out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints to = shape.get(m);
        if (static_cast<int64_t>(to.size()) < t.dim())
            to.insert(to.begin(), static_cast<size_t>(t.dim()) - to.size(), 1);
        for (int64_t d = 0; d < t.dim(); d++) { // ONNX lets a 1 keep the input's size
            size_t k = to.size() - static_cast<size_t>(t.dim()) + static_cast<size_t>(d);
            if (to[k] == 1) to[k] = t.size(d);
        }
        m.values[out] = t.expand(to);
    };
}

Step tile(const Node &n)
{
    return [x = n.arg(0), repeats = n.ints_arg(1), out = n.out()](Machine &m) {
        m.values[out] = x.get(m).repeat(repeats.get(m));
    };
}

Step shape(const Node &n)
{
    return [x = n.where_it_is(0), start = n.i("start", 0), end = n.i("end", INT64_MAX),
            out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        at::IntArrayRef sizes = t.sizes();
        auto rank = static_cast<int64_t>(sizes.size());
        int64_t first = std::clamp<int64_t>(wrapped(start, rank), 0, rank);
        int64_t last =
            std::clamp<int64_t>(end == INT64_MAX ? rank : wrapped(end, rank), first, rank);
        m.values[out] =
            at::tensor(sizes.slice(static_cast<size_t>(first), static_cast<size_t>(last - first)),
                       at::TensorOptions().dtype(at::kLong));
    };
}

Step size(const Node &n)
{
    return [x = n.where_it_is(0), out = n.out()](Machine &m) {
        m.values[out] = at::scalar_tensor(x.get(m).numel(), at::TensorOptions().dtype(at::kLong));
    };
}

Step constant_of_shape(const Node &n)
{
    const jl_plan_attribute *value = n.find("value");
    Tensor fill = at::zeros({1});
    if (value && value->kind == JL_PLAN_VALUE) fill = n.constants[static_cast<size_t>(value->i)];
    fill = n.target.move(fill.reshape({}));
    return [sizes = n.ints_arg(0), fill, out = n.out()](Machine &m) {
        m.values[out] = fill.expand(sizes.get(m)).clone();
    };
}

Step range(const Node &n)
{
    return [a = n.arg(0), b = n.arg(1), by = n.arg(2), out = n.out()](Machine &m) {
        Tensor from = a.get(m);
        m.values[out] = at::arange(from.item(), b.get(m).item(), by.get(m).item(), from.options());
    };
}

Step depth_to_space(const Node &n)
{
    int64_t block = n.i("blocksize", 1);
    if (n.s("mode", "DCR") == "CRD")
        return [x = n.arg(0), block, out = n.out()](Machine &m) {
            m.values[out] = at::pixel_shuffle(x.get(m), block);
        };
    return [x = n.arg(0), block, out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        int64_t b = t.size(0), c = t.size(1) / (block * block), h = t.size(2), w = t.size(3);
        m.values[out] = t.reshape({b, block, block, c, h, w})
                            .permute({0, 3, 4, 1, 5, 2})
                            .reshape({b, c, h * block, w * block});
    };
}

Step resize(const Node &n)
{
    std::string mode = n.s("mode", "nearest"),
                how = n.s("coordinate_transformation_mode", "half_pixel");
    bool nearest = mode == "nearest" && how == "asymmetric" &&
                   n.s("nearest_mode", "round_prefer_floor") == "floor";
    bool linear = mode == "linear" &&
                  (how == "half_pixel" || how == "pytorch_half_pixel" || how == "align_corners");
    if (!nearest && !linear) n.cannot("only mode linear, and nearest as torch means it");
    IntsArg sizes = n.ints_arg(3);
    if (how == "align_corners" && !sizes.present()) n.cannot("align_corners with scales");
    return [x = n.arg(0), scales = n.has(2) ? n.where_it_is(2) : Arg(), sizes, nearest, how,
            out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints to = sizes.get(m);
        std::vector<c10::optional<double>> by(4);
        for (int64_t d = 0; d < t.dim() && !sizes.present(); d++) {
            by.at(static_cast<size_t>(d)) = scales.get(m)[d].item().toDouble();
            to.push_back(
                static_cast<int64_t>(static_cast<double>(t.size(d)) * *by[static_cast<size_t>(d)]));
        }
        if (to.size() != 4 || to[0] != t.size(0) || to[1] != t.size(1))
            throw Failure(JL_TORCH_UNSUPPORTED, "Resize over other axes than H and W of NCHW");
        if (how == "pytorch_half_pixel" && (to[2] == 1 || to[3] == 1))
            throw Failure(JL_TORCH_UNSUPPORTED, "Resize to one pixel with pytorch_half_pixel");
        Ints spatial{to[2], to[3]};
        m.values[out] =
            nearest ? at::upsample_nearest2d(t, spatial, by[2], by[3])
                    : at::upsample_bilinear2d(t, spatial, how == "align_corners", by[2], by[3]);
    };
}

} // namespace

void add_shapes(Makers &makers)
{
    static const Makers own = {
        {"Identity", identity},
        {"Dropout", dropout},
        {"Reshape", reshape},
        {"Flatten", flatten},
        {"Transpose", transpose},
        {"Concat", concat},
        {"Split", split},
        {"Slice", slice},
        {"Gather", gather},
        {"GatherElements", gather_elements},
        {"Squeeze", squeeze},
        {"Unsqueeze", unsqueeze},
        {"Pad", pad},
        {"Expand", expand},
        {"Tile", tile},
        {"Shape", shape},
        {"Size", size},
        {"ConstantOfShape", constant_of_shape},
        {"Range", range},
        {"DepthToSpace", depth_to_space},
        {"Resize", resize},
    };
    makers.insert(own.begin(), own.end());
}

} // namespace jl
