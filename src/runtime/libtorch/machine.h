// The interpreter of a plan: a value table, and one closure a node that reads and writes it.
// All work on tensors goes through at:: functions, that is through the dispatcher, so that the
// same code serves every device that the loaded torch knows.
#pragma once

#include <ATen/ATen.h>
#include <functional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "plan.h"

namespace jl
{

using Ints = std::vector<int64_t>;

// A reason that is not torch's own; `code` is a jl_torch_code.
struct Failure : std::runtime_error {
    Failure(int code, const std::string &words) : std::runtime_error(words), code(code) {}
    int code;
};

struct Machine {
    std::vector<at::Tensor> values; // by number; empty while not computed
};
using Step = std::function<void(Machine &)>;

// Where the tensors of a value live. Arithmetic on shapes stays on the host, as it does in eager
// PyTorch, where shapes are integers of the interpreter.
enum class Place { Unknown, Constant, Host, Device };

// How constants and casts are changed for the device and the precision asked for.
struct Target {
    at::Device device = at::kCPU;
    at::ScalarType floats = at::ScalarType::Undefined; // Undefined: every type as it is
    bool channels_last = false;

    at::ScalarType type(at::ScalarType t) const;
    at::Tensor move_type(const at::Tensor &t) const
    {
        return t.to(type(t.scalar_type()));
    }
    at::Tensor move(const at::Tensor &t) const;
};

// An operand: a constant, or a value of the table, brought where the node works.
class Arg
{
  public:
    Arg() = default;
    explicit Arg(at::Tensor constant) : fixed_(std::move(constant)) {}
    explicit Arg(uint32_t value) : value_(value) {}
    Arg(uint32_t value, Target move) : value_(value), moves_(true), target_(move) {}
    bool present() const
    {
        return fixed_.defined() || value_ != JL_PLAN_NONE;
    }
    bool constant() const
    {
        return fixed_.defined();
    }
    at::Tensor get(const Machine &m) const
    {
        if (value_ == JL_PLAN_NONE) return fixed_; // empty when the operand was left out
        const at::Tensor &t = m.values[value_];
        return moves_ ? target_.move(t) : t;
    }
    // The same, but one number on the host stays there: add, sub, mul and div of a device take it
    // as an argument of the kernel. Its rank becomes 0.
    at::Tensor get_number(const Machine &m) const
    {
        bool number = moves_ && m.values[value_].numel() == 1;
        return number ? m.values[value_].reshape({}) : get(m);
    }
    int64_t rank(const Machine &m) const
    {
        return value_ == JL_PLAN_NONE ? fixed_.dim() : m.values[value_].dim();
    }

  private:
    at::Tensor fixed_;
    uint32_t value_ = JL_PLAN_NONE;
    bool moves_ = false;
    Target target_;
};

// An operand that is a list of integers: known when the model is loaded, or read from the host.
class IntsArg
{
  public:
    IntsArg() = default;
    explicit IntsArg(Ints fixed) : fixed_(std::move(fixed)), present_(true) {}
    explicit IntsArg(uint32_t value) : value_(value), present_(true) {}
    bool present() const
    {
        return present_;
    }
    bool constant() const
    {
        return value_ == JL_PLAN_NONE;
    }
    Ints get(const Machine &m) const;

  private:
    Ints fixed_;
    uint32_t value_ = JL_PLAN_NONE;
    bool present_ = false;
};

// What a maker of steps sees of its node.
struct Node {
    const jl_torch_plan &plan;
    const jl_plan_node &node;
    const std::vector<at::Tensor> &constants; // on the host, by value number
    std::vector<at::Tensor> &moved;           // constants where the device needs them, made once
    const std::vector<Place> &places;
    const Target &target; // of this node: the host for arithmetic on shapes

    bool has(size_t input) const
    {
        return input < node.n_inputs && node.inputs[input] != JL_PLAN_NONE;
    }
    Arg arg(size_t input) const;         // fails when it is left out
    Arg arg_or_none(size_t input) const; // present() is false then
    Arg where_it_is(size_t input) const; // not moved: for sizes and single numbers
    IntsArg ints_arg(size_t input) const;
    // The attribute `name` where the operator has one, else the input (later opsets).
    IntsArg ints_attribute_or_input(const char *name, size_t input) const;
    // A number that must be known when the model is loaded, from an input.
    bool scalar(size_t input, double *number) const;

    const jl_plan_attribute *find(const char *name) const;
    int64_t i(const char *name, int64_t otherwise) const;
    double f(const char *name, double otherwise) const;
    std::string s(const char *name, const char *otherwise) const;
    Ints ints(const char *name, Ints otherwise = {}) const;

    uint32_t out(size_t output = 0) const
    {
        return node.outputs[output];
    }
    bool on_device() const
    {
        return places[node.outputs[0]] == Place::Device;
    }
    bool makes(size_t output) const
    {
        return output < node.n_outputs && node.outputs[output] != JL_PLAN_NONE;
    }
    // Refuses what this operator's implementation here does not do.
    [[noreturn]] void cannot(const std::string &what) const;
    void only_first_output() const;
};

using Maker = Step (*)(const Node &);
using Makers = std::unordered_map<std::string, Maker>;
void add_arithmetic(Makers &makers);
void add_layers(Makers &makers);
void add_shapes(Makers &makers);
const Makers &makers();

at::ScalarType scalar_type(int32_t onnx);
int32_t onnx_type(at::ScalarType t);
// A tensor of its own with the bytes of a plan's tensor.
at::Tensor copy_of(const jl_plan_tensor &t);

// The steps of a plan with the values that each frees behind it.
class Program
{
  public:
    Program(const jl_torch_plan &plan, const std::vector<uint32_t> &inputs, const Target &target);
    // Runs on inputs that are where the target is.
    std::vector<at::Tensor> run(const std::vector<at::Tensor> &inputs);
    size_t steps() const
    {
        return steps_.size();
    }

  private:
    struct Entry {
        Step step;
        std::vector<uint32_t> dead;
    };
    void place(const jl_torch_plan &plan);
    void make(const jl_torch_plan &plan, const Target &target);
    void free_early(const jl_torch_plan &plan, const std::vector<size_t> &kept);

    std::vector<uint32_t> inputs_, outputs_;
    std::vector<at::Tensor> constants_, moved_;
    std::vector<Place> places_;
    std::vector<Entry> steps_;
    std::vector<Arg> results_;
    Machine machine_;
};

} // namespace jl
