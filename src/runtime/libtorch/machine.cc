#include "machine.h"

#include <cstring>
#include <set>

namespace jl
{

namespace
{

const struct {
    int32_t onnx;
    at::ScalarType torch;
} types[] = {
    {1, at::kFloat}, {2, at::kByte}, {3, at::kChar},  {5, at::kShort},   {6, at::kInt},
    {7, at::kLong},  {9, at::kBool}, {10, at::kHalf}, {11, at::kDouble}, {16, at::kBFloat16},
};

bool is_float(at::ScalarType t)
{
    return t == at::kFloat || t == at::kHalf || t == at::kBFloat16;
}

bool is_data(const at::Tensor &t)
{
    return t.defined() && is_float(t.scalar_type()) && t.numel() > 1;
}

Ints to_ints(const at::Tensor &t)
{
    at::Tensor list = t.to(at::kCPU, at::kLong).reshape({-1}).contiguous();
    const int64_t *p = list.data_ptr<int64_t>();
    return Ints(p, p + list.numel());
}

} // namespace

at::ScalarType scalar_type(int32_t onnx)
{
    for (const auto &t : types)
        if (t.onnx == onnx) return t.torch;
    throw Failure(JL_TORCH_UNSUPPORTED,
                  "torch has no element type for ONNX's number " + std::to_string(onnx));
}

int32_t onnx_type(at::ScalarType t)
{
    for (const auto &pair : types)
        if (pair.torch == t) return pair.onnx;
    throw Failure(JL_TORCH_UNSUPPORTED, std::string("an output has the type ") + at::toString(t));
}

at::Tensor copy_of(const jl_plan_tensor &t)
{
    at::Tensor to = at::empty(at::IntArrayRef(t.dims, static_cast<size_t>(t.rank)),
                              at::TensorOptions().dtype(scalar_type(t.dtype)));
    if (to.nbytes() != t.size_bytes)
        throw Failure(JL_TORCH_INVALID, std::string("tensor ") + t.name + " has " +
                                            std::to_string(t.size_bytes) + " bytes, its shape " +
                                            std::to_string(to.nbytes()));
    if (t.size_bytes) std::memcpy(to.data_ptr(), t.data, t.size_bytes);
    return to;
}

at::ScalarType Target::type(at::ScalarType t) const
{
    return floats != at::ScalarType::Undefined && is_float(t) ? floats : t;
}

at::Tensor Target::move(const at::Tensor &t) const
{
    at::Tensor moved = t.to(device, type(t.scalar_type()));
    if (channels_last && moved.dim() == 4) moved = moved.contiguous(at::MemoryFormat::ChannelsLast);
    return moved;
}

Ints IntsArg::get(const Machine &m) const
{
    return value_ == JL_PLAN_NONE ? fixed_ : to_ints(m.values[value_]);
}

Arg Node::arg_or_none(size_t input) const
{
    if (!has(input)) return Arg();
    uint32_t value = node.inputs[input];
    if (constants[value].defined()) {
        if (!on_device()) return Arg(constants[value]);
        if (!moved[value].defined()) moved[value] = target.move(constants[value]);
        return Arg(moved[value]);
    }
    bool here = places[value] == places[node.outputs[0]];
    return here ? Arg(value) : Arg(value, target);
}

Arg Node::arg(size_t input) const
{
    if (!has(input)) cannot("input " + std::to_string(input) + " is left out");
    return arg_or_none(input);
}

Arg Node::where_it_is(size_t input) const
{
    if (!has(input)) cannot("input " + std::to_string(input) + " is left out");
    const at::Tensor &constant = constants[node.inputs[input]];
    return constant.defined() ? Arg(constant) : Arg(node.inputs[input]);
}

IntsArg Node::ints_arg(size_t input) const
{
    if (!has(input)) return IntsArg();
    uint32_t value = node.inputs[input];
    if (constants[value].defined()) return IntsArg(to_ints(constants[value]));
    return IntsArg(value);
}

IntsArg Node::ints_attribute_or_input(const char *name, size_t input) const
{
    const jl_plan_attribute *a = find(name);
    return a ? IntsArg(Ints(a->ints, a->ints + a->n)) : ints_arg(input);
}

bool Node::scalar(size_t input, double *number) const
{
    if (!has(input)) return false;
    const at::Tensor &t = constants[node.inputs[input]];
    if (!t.defined() || t.numel() != 1)
        cannot("input " + std::to_string(input) + " is computed, here it must be a constant");
    *number = t.item().toDouble();
    return true;
}

const jl_plan_attribute *Node::find(const char *name) const
{
    for (size_t k = 0; k < node.n_attributes; k++)
        if (!std::strcmp(node.attributes[k].name, name)) return &node.attributes[k];
    return nullptr;
}

int64_t Node::i(const char *name, int64_t otherwise) const
{
    const jl_plan_attribute *a = find(name);
    return a && a->kind == JL_PLAN_INT ? a->i : otherwise;
}

double Node::f(const char *name, double otherwise) const
{
    const jl_plan_attribute *a = find(name);
    return a && a->kind == JL_PLAN_FLOAT ? static_cast<double>(a->f) : otherwise;
}

std::string Node::s(const char *name, const char *otherwise) const
{
    const jl_plan_attribute *a = find(name);
    return a && a->kind == JL_PLAN_STRING ? a->s : otherwise;
}

Ints Node::ints(const char *name, Ints otherwise) const
{
    const jl_plan_attribute *a = find(name);
    return a && a->kind == JL_PLAN_INTS ? Ints(a->ints, a->ints + a->n) : otherwise;
}

void Node::cannot(const std::string &what) const
{
    throw Failure(JL_TORCH_UNSUPPORTED, std::string(node.label) + ": " + what);
}

void Node::only_first_output() const
{
    for (size_t k = 1; k < node.n_outputs; k++)
        if (makes(k)) cannot("output " + std::to_string(k) + " is not computed by this runtime");
}

const Makers &makers()
{
    static const Makers all = [] {
        Makers m;
        add_arithmetic(m);
        add_layers(m);
        add_shapes(m);
        return m;
    }();
    return all;
}

namespace
{

// Every operator that is missing, so that one look tells what a model would need.
void require_known(const jl_torch_plan &plan)
{
    std::set<std::string> missing;
    for (size_t k = 0; k < plan.n_nodes; k++)
        if (!makers().count(plan.nodes[k].op)) missing.insert(plan.nodes[k].op);
    if (missing.empty()) return;
    std::string names;
    for (const std::string &name : missing)
        names += (names.empty() ? "" : ", ") + name;
    throw Failure(JL_TORCH_UNSUPPORTED, "the libtorch runtime has no operator " + names);
}

} // namespace

Program::Program(const jl_torch_plan &plan, const std::vector<uint32_t> &inputs,
                 const Target &target)
    : inputs_(inputs), outputs_(plan.outputs, plan.outputs + plan.n_outputs)
{
    require_known(plan);
    constants_.resize(plan.n_values);
    moved_.resize(plan.n_values);
    for (size_t k = 0; k < plan.n_constants; k++)
        constants_[plan.constants[k].value] = copy_of(plan.constants[k]);
    machine_.values.resize(plan.n_values);
    place(plan);
    make(plan, target);
}

void Program::place(const jl_torch_plan &plan)
{
    places_.assign(plan.n_values, Place::Unknown);
    for (uint32_t v = 0; v < plan.n_values; v++)
        if (constants_[v].defined()) places_[v] = Place::Constant;
    for (uint32_t v : inputs_)
        places_[v] = Place::Device;
    for (size_t k = 0; k < plan.n_nodes; k++) {
        const jl_plan_node &n = plan.nodes[k];
        bool measures = !std::strcmp(n.op, "Shape") || !std::strcmp(n.op, "Size");
        Place p = Place::Constant;
        for (size_t i = 0; i < n.n_inputs && !measures; i++) {
            if (n.inputs[i] == JL_PLAN_NONE || places_[n.inputs[i]] == Place::Constant) continue;
            if (p != Place::Device) p = places_[n.inputs[i]];
        }
        // A parameter that a computed shape expands is data, not arithmetic on shapes.
        for (size_t i = 0; i < n.n_inputs && p == Place::Host; i++)
            if (n.inputs[i] != JL_PLAN_NONE && is_data(constants_[n.inputs[i]])) p = Place::Device;
        if (measures) p = places_[n.inputs[0]] == Place::Constant ? Place::Constant : Place::Host;
        for (size_t o = 0; o < n.n_outputs; o++)
            if (n.outputs[o] != JL_PLAN_NONE) places_[n.outputs[o]] = p;
    }
}

void Program::make(const jl_torch_plan &plan, const Target &target)
{
    Target host;
    std::vector<size_t> kept; // the plan's node behind each step
    for (size_t k = 0; k < plan.n_nodes; k++) {
        const jl_plan_node &n = plan.nodes[k];
        Place p = places_[n.outputs[0]];
        Node node{plan, n, constants_, moved_, places_, p == Place::Device ? target : host};
        Step step = makers().at(n.op)(node);
        if (p != Place::Constant) {
            steps_.push_back({std::move(step), {}});
            kept.push_back(k);
            continue;
        }
        // All inputs are constants: computed once, on the host, in the file's own precision.
        step(machine_);
        for (size_t o = 0; o < n.n_outputs; o++) {
            if (n.outputs[o] == JL_PLAN_NONE) continue;
            constants_[n.outputs[o]] = machine_.values[n.outputs[o]].clone();
            machine_.values[n.outputs[o]] = at::Tensor();
        }
    }
    for (uint32_t v : outputs_)
        results_.push_back(constants_[v].defined() ? Arg(target.move(constants_[v])) : Arg(v));
    free_early(plan, kept);
    constants_.clear(); // the steps hold the ones that they use
    moved_.clear();
}

void Program::free_early(const jl_torch_plan &plan, const std::vector<size_t> &kept)
{
    constexpr size_t never = SIZE_MAX;
    std::vector<size_t> last(plan.n_values, never);
    for (size_t s = 0; s < kept.size(); s++) {
        const jl_plan_node &n = plan.nodes[kept[s]];
        for (size_t o = 0; o < n.n_outputs; o++)
            if (n.outputs[o] != JL_PLAN_NONE) last[n.outputs[o]] = s;
        for (size_t i = 0; i < n.n_inputs; i++)
            if (n.inputs[i] != JL_PLAN_NONE) last[n.inputs[i]] = s;
    }
    for (uint32_t v : outputs_)
        last[v] = never;
    for (uint32_t v = 0; v < plan.n_values; v++)
        if (last[v] != never && places_[v] != Place::Constant) steps_[last[v]].dead.push_back(v);
}

std::vector<at::Tensor> Program::run(const std::vector<at::Tensor> &inputs)
{
    for (size_t k = 0; k < inputs_.size(); k++)
        machine_.values[inputs_[k]] = inputs[k];
    for (const Entry &e : steps_) {
        e.step(machine_);
        for (uint32_t v : e.dead)
            machine_.values[v] = at::Tensor();
    }
    std::vector<at::Tensor> out;
    for (const Arg &result : results_)
        out.push_back(result.get(machine_));
    for (uint32_t v : outputs_)
        machine_.values[v] = at::Tensor();
    return out;
}

} // namespace jl
