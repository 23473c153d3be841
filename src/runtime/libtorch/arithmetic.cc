// Elementwise operators, reductions and products.
#include "machine.h"

#include <cmath>

namespace jl
{

namespace
{

using at::Tensor;

using Unary = Tensor (*)(const Tensor &);
template <Unary f> Step unary(const Node &n)
{
    return [x = n.arg(0), out = n.out()](Machine &m) { m.values[out] = f(x.get(m)); };
}

using Binary = Tensor (*)(const Tensor &, const Tensor &);
template <Binary f> Step binary(const Node &n)
{
    return [a = n.arg(0), b = n.arg(1), out = n.out()](Machine &m) {
        m.values[out] = f(a.get(m), b.get(m));
    };
}

// add, sub, mul and div, with numbers of shape arithmetic left where they are.
template <Binary f> Step arithmetic(const Node &n)
{
    return [a = n.arg(0), b = n.arg(1), out = n.out()](Machine &m) {
        int64_t left = a.rank(m), right = b.rank(m);
        // Never of two numbers: rank and type must be the device operand's.
        m.values[out] = f(left <= right && right > 0 ? a.get_number(m) : a.get(m),
                          right <= left && left > 0 ? b.get_number(m) : b.get(m));
    };
}

// Of one input or more, from left to right.
template <Binary f> Step variadic(const Node &n)
{
    std::vector<Arg> args;
    for (size_t k = 0; k < n.node.n_inputs; k++)
        args.push_back(n.arg(k));
    if (args.empty()) n.cannot("it has no input");
    return [args, out = n.out()](Machine &m) {
        Tensor t = args[0].get(m);
        for (size_t k = 1; k < args.size(); k++)
            t = f(t, args[k].get(m));
        m.values[out] = t;
    };
}

Tensor relu(const Tensor &x)
{
    return at::relu(x);
}
Tensor sigmoid(const Tensor &x)
{
    return at::sigmoid(x);
}
Tensor tanh(const Tensor &x)
{
    return at::tanh(x);
}
Tensor erf(const Tensor &x)
{
    return at::erf(x);
}
Tensor exp(const Tensor &x)
{
    return at::exp(x);
}
Tensor log(const Tensor &x)
{
    return at::log(x);
}
Tensor sqrt(const Tensor &x)
{
    return at::sqrt(x);
}
Tensor neg(const Tensor &x)
{
    return at::neg(x);
}
Tensor abs(const Tensor &x)
{
    return at::abs(x);
}
Tensor sign(const Tensor &x)
{
    return at::sign(x);
}
Tensor floor(const Tensor &x)
{
    return at::floor(x);
}
Tensor ceil(const Tensor &x)
{
    return at::ceil(x);
}
Tensor round(const Tensor &x)
{
    return at::round(x);
}
Tensor sin(const Tensor &x)
{
    return at::sin(x);
}
Tensor cos(const Tensor &x)
{
    return at::cos(x);
}
Tensor reciprocal(const Tensor &x)
{
    return at::reciprocal(x);
}
Tensor softplus(const Tensor &x)
{
    return at::softplus(x);
}
Tensor mish(const Tensor &x)
{
    return at::mish(x);
}
Tensor hard_swish(const Tensor &x)
{
    return at::hardswish(x);
}
Tensor is_nan(const Tensor &x)
{
    return at::isnan(x);
}
Tensor logical_not(const Tensor &x)
{
    return at::logical_not(x);
}

Tensor add(const Tensor &a, const Tensor &b)
{
    return at::add(a, b);
}
Tensor sub(const Tensor &a, const Tensor &b)
{
    return at::sub(a, b);
}
Tensor mul(const Tensor &a, const Tensor &b)
{
    return at::mul(a, b);
}
Tensor div(const Tensor &a, const Tensor &b)
{
    return at::isIntegralType(a.scalar_type(), true) ? at::div(a, b, "trunc") : at::div(a, b);
}
Tensor pow(const Tensor &a, const Tensor &b)
{
    return at::pow(a, b).to(a.scalar_type());
}
Tensor equal(const Tensor &a, const Tensor &b)
{
    return at::eq(a, b);
}
Tensor greater(const Tensor &a, const Tensor &b)
{
    return at::gt(a, b);
}
Tensor greater_equal(const Tensor &a, const Tensor &b)
{
    return at::ge(a, b);
}
Tensor less(const Tensor &a, const Tensor &b)
{
    return at::lt(a, b);
}
Tensor less_equal(const Tensor &a, const Tensor &b)
{
    return at::le(a, b);
}
Tensor logical_and(const Tensor &a, const Tensor &b)
{
    return at::logical_and(a, b);
}
Tensor logical_or(const Tensor &a, const Tensor &b)
{
    return at::logical_or(a, b);
}
Tensor logical_xor(const Tensor &a, const Tensor &b)
{
    return at::logical_xor(a, b);
}
Tensor minimum(const Tensor &a, const Tensor &b)
{
    return at::minimum(a, b);
}
Tensor maximum(const Tensor &a, const Tensor &b)
{
    return at::maximum(a, b);
}
Tensor matmul(const Tensor &a, const Tensor &b)
{
    return at::matmul(a, b);
}
Tensor prelu(const Tensor &x, const Tensor &slope)
{
    return at::where(at::lt(x, 0), at::mul(x, slope), x);
}

// Bounds known when the model is loaded are numbers of the call, others tensors.
Step clip(const Node &n)
{
    double low = n.f("min", -INFINITY), high = n.f("max", INFINITY); // attributes before opset 11
    Arg x = n.arg(0), least = n.arg_or_none(1), most = n.arg_or_none(2);
    uint32_t out = n.out();
    if ((least.present() && !least.constant()) || (most.present() && !most.constant()))
        return [=](Machine &m) {
            Tensor t = x.get(m);
            if (least.present()) t = at::maximum(t, least.get(m));
            m.values[out] = most.present() ? at::minimum(t, most.get(m)) : t;
        };
    n.scalar(1, &low);
    n.scalar(2, &high);
    c10::optional<at::Scalar> from, to;
    if (low > -INFINITY) from = low;
    if (high < INFINITY) to = high;
    if (!from && !to) return [=](Machine &m) { m.values[out] = x.get(m); };
    return [=](Machine &m) { m.values[out] = at::clamp(x.get(m), from, to); };
}

Step hard_sigmoid(const Node &n)
{
    double alpha = n.f("alpha", 0.2), beta = n.f("beta", 0.5);
    if (std::abs(alpha - 1.0 / 6.0) < 1e-6 && beta == 0.5)
        return [x = n.arg(0), out = n.out()](Machine &m) {
            m.values[out] = at::hardsigmoid(x.get(m));
        };
    return [x = n.arg(0), alpha, beta, out = n.out()](Machine &m) {
        m.values[out] = at::clamp(at::add(at::mul(x.get(m), alpha), beta), 0.0, 1.0);
    };
}

Step gelu(const Node &n)
{
    std::string form = n.s("approximate", "none");
    return [x = n.arg(0), form, out = n.out()](Machine &m) {
        m.values[out] = at::gelu(x.get(m), form);
    };
}

Step leaky_relu(const Node &n)
{
    return [x = n.arg(0), slope = n.f("alpha", 0.01), out = n.out()](Machine &m) {
        m.values[out] = at::leaky_relu(x.get(m), slope);
    };
}

Step elu(const Node &n)
{
    return [x = n.arg(0), alpha = n.f("alpha", 1.0), out = n.out()](Machine &m) {
        m.values[out] = at::elu(x.get(m), alpha);
    };
}

// Before opset 13 the input is seen as a matrix, split at `axis`, whose default was 1.
template <bool logarithm> Step softmax(const Node &n)
{
    bool flat = n.plan.opset < 13;
    int64_t axis = n.i("axis", flat ? 1 : -1);
    return [x = n.arg(0), axis, flat, out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Tensor rows = t;
        int64_t at_axis = axis < 0 ? axis + t.dim() : axis;
        bool reshape = flat && at_axis != t.dim() - 1;
        if (reshape) rows = t.flatten(at_axis);
        Tensor y = logarithm ? at::log_softmax(rows, reshape ? -1 : at_axis)
                             : at::softmax(rows, reshape ? -1 : at_axis);
        m.values[out] = reshape ? y.reshape(t.sizes()) : y;
    };
}

using Reduction = Tensor (*)(const Tensor &, at::IntArrayRef, bool);
Tensor mean(const Tensor &x, at::IntArrayRef axes, bool keep)
{
    return at::mean(x, axes, keep);
}
Tensor sum(const Tensor &x, at::IntArrayRef axes, bool keep)
{
    return at::sum(x, axes, keep, x.scalar_type());
}
Tensor reduce_max(const Tensor &x, at::IntArrayRef axes, bool keep)
{
    return at::amax(x, axes, keep);
}
Tensor reduce_min(const Tensor &x, at::IntArrayRef axes, bool keep)
{
    return at::amin(x, axes, keep);
}
Tensor norm2(const Tensor &x, at::IntArrayRef axes, bool keep)
{
    return at::norm(x, 2, axes, keep);
}

template <Reduction f> Step reduce(const Node &n)
{
    IntsArg axes = n.ints_attribute_or_input("axes", 1);
    bool keep = n.i("keepdims", 1) != 0, nothing = n.i("noop_with_empty_axes", 0) != 0;
    return [x = n.arg(0), axes, keep, nothing, out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        Ints over = axes.get(m);
        if (over.empty() && nothing) {
            m.values[out] = t;
            return;
        }
        if (over.empty())
            for (int64_t d = 0; d < t.dim(); d++)
                over.push_back(d);
        m.values[out] = f(t, over, keep);
    };
}

Step arg_max(const Node &n)
{
    if (n.i("select_last_index", 0)) n.cannot("select_last_index is not offered");
    return [x = n.arg(0), axis = n.i("axis", 0), keep = n.i("keepdims", 1) != 0,
            out = n.out()](Machine &m) { m.values[out] = at::argmax(x.get(m), axis, keep); };
}

// nn.Linear's own operator where the node is one, addmm otherwise.
Step gemm(const Node &n)
{
    double alpha = n.f("alpha", 1.0), beta = n.f("beta", 1.0);
    bool trans_a = n.i("transA", 0) != 0, trans_b = n.i("transB", 0) != 0;
    Arg a = n.arg(0), b = n.arg(1), c = n.arg_or_none(2);
    bool linear = !trans_a && trans_b && alpha == 1.0 && (beta == 1.0 || !c.present());
    if (linear && (!c.constant() || c.get(Machine()).dim() == 1))
        return [a, b, c, out = n.out()](Machine &m) {
            Tensor bias = c.present() ? c.get(m) : Tensor();
            m.values[out] = !bias.defined() || bias.dim() == 1
                                ? at::linear(a.get(m), b.get(m), bias)
                                : at::addmm(bias, a.get(m), b.get(m).t());
        };
    return [a, b, c, alpha, beta, trans_a, trans_b, out = n.out()](Machine &m) {
        Tensor x = trans_a ? a.get(m).t() : a.get(m);
        Tensor w = trans_b ? b.get(m).t() : b.get(m);
        m.values[out] =
            c.present() ? at::addmm(c.get(m), x, w, beta, alpha) : at::mul(at::mm(x, w), alpha);
    };
}

Step where(const Node &n)
{
    return [c = n.arg(0), a = n.arg(1), b = n.arg(2), out = n.out()](Machine &m) {
        m.values[out] = at::where(c.get(m), a.get(m), b.get(m));
    };
}

Step cast(const Node &n)
{
    at::ScalarType to = n.target.type(scalar_type(static_cast<int32_t>(n.i("to", 0))));
    return [x = n.arg(0), to, out = n.out()](Machine &m) { m.values[out] = x.get(m).to(to); };
}

Step average_of_all(const Node &n)
{
    Step total = variadic<add>(n);
    auto count = static_cast<double>(n.node.n_inputs);
    return [total, count, out = n.out()](Machine &m) {
        total(m);
        m.values[out] = at::div(m.values[out], count);
    };
}

Step cumulative_sum(const Node &n)
{
    if (n.i("exclusive", 0) || n.i("reverse", 0)) n.cannot("exclusive and reverse are not offered");
    return [x = n.arg(0), axis = n.ints_arg(1), out = n.out()](Machine &m) {
        Tensor t = x.get(m);
        m.values[out] = at::cumsum(t, axis.get(m).at(0)).to(t.scalar_type());
    };
}

} // namespace

void add_arithmetic(Makers &makers)
{
    static const Makers own = {
        {"Relu", unary<relu>},
        {"Sigmoid", unary<sigmoid>},
        {"Tanh", unary<tanh>},
        {"Erf", unary<erf>},
        {"Exp", unary<exp>},
        {"Log", unary<log>},
        {"Sqrt", unary<sqrt>},
        {"Neg", unary<neg>},
        {"Abs", unary<abs>},
        {"Sign", unary<sign>},
        {"Floor", unary<floor>},
        {"Ceil", unary<ceil>},
        {"Round", unary<round>},
        {"Sin", unary<sin>},
        {"Cos", unary<cos>},
        {"Reciprocal", unary<reciprocal>},
        {"Softplus", unary<softplus>},
        {"Mish", unary<mish>},
        {"HardSwish", unary<hard_swish>},
        {"IsNaN", unary<is_nan>},
        {"Not", unary<logical_not>},
        {"Add", arithmetic<add>},
        {"Sub", arithmetic<sub>},
        {"Mul", arithmetic<mul>},
        {"Div", arithmetic<div>},
        {"Pow", binary<pow>},
        {"Equal", binary<equal>},
        {"Greater", binary<greater>},
        {"GreaterOrEqual", binary<greater_equal>},
        {"Less", binary<less>},
        {"LessOrEqual", binary<less_equal>},
        {"And", binary<logical_and>},
        {"Or", binary<logical_or>},
        {"Xor", binary<logical_xor>},
        {"MatMul", binary<matmul>},
        {"PRelu", binary<prelu>},
        {"Min", variadic<minimum>},
        {"Max", variadic<maximum>},
        {"Sum", variadic<add>},
        {"Mean", average_of_all},
        {"Clip", clip},
        {"HardSigmoid", hard_sigmoid},
        {"Gelu", gelu},
        {"LeakyRelu", leaky_relu},
        {"Elu", elu},
        {"Softmax", softmax<false>},
        {"LogSoftmax", softmax<true>},
        {"ReduceMean", reduce<mean>},
        {"ReduceSum", reduce<sum>},
        {"ReduceMax", reduce<reduce_max>},
        {"ReduceMin", reduce<reduce_min>},
        {"ReduceL2", reduce<norm2>},
        {"ArgMax", arg_max},
        {"Gemm", gemm},
        {"Where", where},
        {"Cast", cast},
        {"CumSum", cumulative_sum},
    };
    makers.insert(own.begin(), own.end());
}

} // namespace jl
