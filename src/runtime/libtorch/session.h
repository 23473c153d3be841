// What is run: a plan, or a TorchScript program.
#pragma once

#include "machine.h"

#include <memory>

namespace jl
{

struct Model {
    virtual ~Model() = default;
    virtual std::vector<at::Tensor> run(const std::vector<at::Tensor> &inputs) = 0;
    // What torchscript_model.py left in the file about its operators, JSON; else empty.
    virtual std::string verdict() const
    {
        return {};
    }
};

// A TorchScript file moved to the target. What it returns is flattened in its own order.
std::unique_ptr<Model> load_trace(const std::string &path, const Target &target);

} // namespace jl
