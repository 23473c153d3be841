// TorchScript programs: torch's own interpreter over the same dispatcher calls that the module
// makes in Python.
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/python/update_graph_executor_opt.h>
#include <torch/csrc/jit/serialization/import.h>

#include "session.h"

namespace jl
{

namespace
{

void flatten(const c10::IValue &value, std::vector<at::Tensor> *to)
{
    if (value.isTensor()) {
        to->push_back(value.toTensor());
    } else if (value.isTuple()) {
        for (const c10::IValue &part : value.toTupleRef().elements())
            flatten(part, to);
    } else if (value.isList()) {
        for (const c10::IValue &part : value.toListRef())
            flatten(part, to);
    } else if (value.isGenericDict()) {
        for (const auto &entry : value.toGenericDict())
            flatten(entry.value(), to);
    } else {
        throw Failure(JL_TORCH_UNSUPPORTED, "the trace returns " + value.tagKind());
    }
}

class Trace : public Model
{
  public:
    Trace(const std::string &path, const Target &target)
    {
        torch::jit::ExtraFilesMap extra{{"jouleline.json", ""}};
        module_ = torch::jit::load(path, at::Device(at::kCPU), extra);
        verdict_ = extra["jouleline.json"];
        // Run as recorded: the executor would fuse operators that eager PyTorch dispatches.
        torch::jit::setGraphExecutorOptimize(false);
        module_.eval();
        // Module::to(type) would turn tables of indices into floats as well.
        for (at::Tensor t : module_.parameters())
            t.set_data(target.move_type(t));
        for (at::Tensor t : module_.buffers())
            t.set_data(target.move_type(t));
        module_.to(target.device);
    }
    std::string verdict() const override
    {
        return verdict_;
    }
    std::vector<at::Tensor> run(const std::vector<at::Tensor> &inputs) override
    {
        std::vector<at::Tensor> out;
        flatten(module_.forward({inputs.begin(), inputs.end()}), &out);
        return out;
    }

  private:
    torch::jit::Module module_;
    std::string verdict_;
};

} // namespace

std::unique_ptr<Model> load_trace(const std::string &path, const Target &target)
{
    return std::make_unique<Trace>(path, target);
}

} // namespace jl
