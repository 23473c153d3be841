// The C face of the libtorch runtime: sessions, placement, streams, and torch's words for what
// went wrong. No exception leaves this file.
#include "machine.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/api/include/torch/version.h>
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 10)
#include <c10/core/CachingDeviceAllocator.h>
#define JL_HAS_DEVICE_STATS 1
#endif

#include <cstdio>
#include <cstring>
#include <dlfcn.h>

#include "session.h"

namespace jl
{

namespace
{

using c10::impl::VirtualGuardImpl;

class Plan : public Model
{
  public:
    Plan(const jl_torch_plan &plan, const std::vector<uint32_t> &inputs, const Target &target)
        : program_(plan, inputs, target)
    {
    }
    std::vector<at::Tensor> run(const std::vector<at::Tensor> &inputs) override
    {
        return program_.run(inputs);
    }

  private:
    Program program_;
};

struct Session {
    Target target;
    bool host_io = false, trace = false;
    std::unique_ptr<Model> model;
    std::vector<at::Tensor> inputs;   // on the host with host_io, else where the target is
    std::vector<std::string> names;   // of the outputs
    std::vector<c10::Stream> streams; // one a call in flight, when there may be several
    std::vector<std::vector<at::Tensor>> results; // by slot
    std::vector<at::Tensor> copies;
    std::vector<jl_plan_tensor> views;

    at::Tensor place(const jl_plan_tensor &input) const
    {
        Target there = target;
        if (host_io) there.device = at::kCPU;
        return there.move(copy_of(input));
    }
    bool cuda() const
    {
        return target.device.is_cuda();
    }
};

// Runs f and turns what it throws into a code and torch's own words.
template <typename F> int guarded(jl_torch_message *message, F &&f)
{
    auto say = [message](int code, const char *words) {
        // TorchScript puts its traceback first: the reason is at the end.
        size_t n = std::strlen(words), room = sizeof message->text - 1;
        if (n <= room)
            std::snprintf(message->text, sizeof message->text, "%s", words);
        else
            std::snprintf(message->text, sizeof message->text, "%.200s ... %s", words,
                          words + n - (room - 205));
        return code;
    };
    try {
        f();
        return JL_TORCH_OK;
    } catch (const Failure &e) {
        return say(e.code, e.what());
    } catch (const c10::OutOfMemoryError &e) {
        return say(JL_TORCH_DEVICE_MEMORY, e.what_without_backtrace());
    } catch (const c10::Error &e) {
        std::string words = e.what_without_backtrace();
        bool full = words.find("can't allocate memory") != std::string::npos;
        return say(full ? JL_TORCH_MEMORY : JL_TORCH_UNSUPPORTED, words.c_str());
    } catch (const std::bad_alloc &) {
        return say(JL_TORCH_MEMORY, "host memory is exhausted");
    } catch (const std::exception &e) {
        return say(JL_TORCH_UNSUPPORTED, e.what());
    }
}

/* Loaded before anything asks torch about CUDA: the first question fixes its answer for the life
 * of the process (at::detail::getCUDAHooks remembers that there is none), as seen on an H200 with
 * torch 2.11. Locally, as Python does: in the global scope it brings parts of the C++ library that
 * libcufile holds before the real one, and what cuDNN loads later would take them from there. */
int open_cuda(jl_torch_message *message)
{
    return guarded(message, [] {
        if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_LOCAL))
            throw Failure(JL_TORCH_MISSING,
                          std::string("torch " TORCH_VERSION " has no CUDA part here: ") +
                              dlerror());
    });
}

int cuda_devices()
{
    jl_torch_message ignored;
    int count = 0;
    if (open_cuda(&ignored) != JL_TORCH_OK) return 0;
    guarded(&ignored, [&count] { count = VirtualGuardImpl(at::kCUDA).deviceCount(); });
    return count;
}

void apply(const jl_torch_options &o)
{
    at::Context &context = at::globalContext();
    if (o.threads > 0) at::set_num_threads(o.threads);
    if (o.tf32 >= 0) {
        context.setAllowTF32CuBLAS(o.tf32 == 1);
        context.setAllowTF32CuDNN(o.tf32 == 1);
    }
    if (o.benchmark >= 0) context.setBenchmarkCuDNN(o.benchmark == 1);
}

void pick_device(const jl_torch_options &o, Session *s)
{
    if (o.cuda_device < 0) return;
    int count = cuda_devices();
    if (o.cuda_device >= count)
        throw Failure(JL_TORCH_MISSING, "CUDA device " + std::to_string(o.cuda_device) +
                                            " is not here: torch sees " + std::to_string(count));
    s->target.device = at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(o.cuda_device));
    VirtualGuardImpl(at::kCUDA).setDevice(s->target.device);
}

void synchronize(const Session &s)
{
    if (!s.cuda()) return;
    VirtualGuardImpl guard(at::kCUDA);
    guard.synchronizeStream(guard.getStream(s.target.device));
}

int load(const jl_torch_options *o, const jl_torch_plan *plan, const jl_plan_tensor *inputs,
         size_t n_inputs, void **session, jl_torch_message *message)
{
    *session = nullptr;
    return guarded(message, [&] {
        c10::InferenceMode inference;
        auto s = std::make_unique<Session>();
        if (o->in_flight > 1 && o->cuda_device < 0)
            throw Failure(JL_TORCH_UNSUPPORTED, "libtorch keeps several calls in flight on CUDA "
                                                "streams only; on the CPU its calls are "
                                                "synchronous");
        pick_device(*o, s.get());
        apply(*o);
        if (o->float_dtype) s->target.floats = scalar_type(o->float_dtype);
        s->target.channels_last = o->channels_last != 0;
        s->host_io = o->host_io != 0;
        s->trace = o->trace != nullptr;
        std::vector<uint32_t> values;
        for (size_t k = 0; k < n_inputs; k++) {
            values.push_back(inputs[k].value);
            s->inputs.push_back(s->place(inputs[k]));
        }
        if (o->trace)
            s->model = load_trace(o->trace, s->target);
        else
            s->model = std::make_unique<Plan>(*plan, values, s->target);
        for (size_t k = 0; !o->trace && k < plan->n_outputs; k++)
            s->names.push_back(plan->output_names[k]);
        s->results.resize(static_cast<size_t>(o->in_flight > 1 ? o->in_flight : 1));
        for (int k = 0; o->in_flight > 1 && k < o->in_flight; k++)
            s->streams.push_back(
                VirtualGuardImpl(at::kCUDA).getStreamFromGlobalPool(s->target.device, false));
        synchronize(*s);
        *session = s.release();
    });
}

int refresh(void *session, const jl_plan_tensor *inputs, jl_torch_message *message)
{
    auto *s = static_cast<Session *>(session);
    return guarded(message, [s, inputs] {
        c10::InferenceMode inference;
        for (size_t k = 0; k < s->inputs.size(); k++)
            s->inputs[k] = s->place(inputs[k]);
        synchronize(*s);
    });
}

std::vector<at::Tensor> run_once(Session *s)
{
    if (!s->host_io) return s->model->run(s->inputs);
    std::vector<at::Tensor> there;
    for (const at::Tensor &t : s->inputs)
        there.push_back(t.to(s->target.device));
    return s->model->run(there);
}

void to_host(std::vector<at::Tensor> *results)
{
    for (at::Tensor &t : *results)
        t = t.cpu();
}

int infer(void *session, jl_torch_message *message)
{
    auto *s = static_cast<Session *>(session);
    return guarded(message, [s] {
        c10::InferenceMode inference;
        s->results[0] = run_once(s);
        if (s->host_io)
            to_host(&s->results[0]); // a copy waits for what it copies
        else
            synchronize(*s);
    });
}

int submit(void *session, int slot, jl_torch_message *message)
{
    auto *s = static_cast<Session *>(session);
    return guarded(message, [s, slot] {
        c10::InferenceMode inference;
        auto k = static_cast<size_t>(slot);
        VirtualGuardImpl guard(at::kCUDA);
        c10::Stream before = guard.exchangeStream(s->streams.at(k));
        try {
            s->results[k] = run_once(s);
        } catch (...) {
            guard.exchangeStream(before);
            throw;
        }
        guard.exchangeStream(before);
    });
}

int wait(void *session, int slot, jl_torch_message *message)
{
    auto *s = static_cast<Session *>(session);
    return guarded(message, [s, slot] {
        auto k = static_cast<size_t>(slot);
        VirtualGuardImpl(at::kCUDA).synchronizeStream(s->streams.at(k));
        if (s->host_io) to_host(&s->results[k]);
    });
}

int outputs(void *session, const jl_plan_tensor **views, size_t *n, jl_torch_message *message)
{
    auto *s = static_cast<Session *>(session);
    *n = 0;
    return guarded(message, [&] {
        c10::InferenceMode inference;
        s->copies.clear();
        s->views.clear();
        while (s->names.size() < s->results[0].size())
            s->names.push_back("output_" + std::to_string(s->names.size()));
        for (size_t k = 0; k < s->results[0].size(); k++) {
            s->copies.push_back(s->results[0][k].cpu().contiguous());
            const at::Tensor &t = s->copies.back();
            s->views.push_back({s->names[k].c_str(), 0, onnx_type(t.scalar_type()),
                                static_cast<int32_t>(t.dim()), t.sizes().data(), t.data_ptr(),
                                t.nbytes()});
        }
        *views = s->views.data();
        *n = s->views.size();
    });
}

void describe(void *session, void (*add)(void *, const char *, const char *), void *ctx)
{
    auto *s = static_cast<Session *>(session);
    auto say = [add, ctx](const char *key, const std::string &value) {
        add(ctx, key, value.c_str());
    };
    say("dispatch", s->trace ? "trace" : "graph");
    // Said by another torch, or of another kind of device, the verdict says nothing about this run.
    std::string verdict = s->model->verdict();
    std::string device = s->cuda() ? "\"device\": \"cuda\"" : "\"device\": \"cpu\"";
    if (verdict.find("\"torch\": \"" TORCH_VERSION) != std::string::npos &&
        verdict.find(device) != std::string::npos)
        say("same_operators", verdict.find("\"same\": true") != std::string::npos ? "1" : "0");
    say("threads", std::to_string(at::get_num_threads()));
    say("layout", s->target.channels_last ? "nhwc" : "nchw");
    if (!s->cuda()) return;
    jl_torch_message ignored;
    guarded(&ignored, [&] {
        const at::Context &context = at::globalContext();
        bool matmul = context.allowTF32CuBLAS(), convolution = context.allowTF32CuDNN();
        say("tf32", matmul == convolution ? (matmul ? "1" : "0")
                    : convolution         ? "convolutions only"
                                          : "matmuls only");
        say("conv_search", context.benchmarkCuDNN() ? "exhaustive" : "heuristic");
        say("cudnn", std::to_string(at::detail::getCUDAHooks().versionCuDNN()));
        say("cuda", std::to_string(at::detail::getCUDAHooks().versionCUDART()));
    });
}

int64_t device_memory_bytes(void *session)
{
#ifdef JL_HAS_DEVICE_STATS
    auto *s = static_cast<Session *>(session);
    int64_t peak = -1;
    jl_torch_message ignored;
    if (s->cuda())
        guarded(&ignored, [&] {
            auto stats =
                at::getDeviceAllocator(at::kCUDA)->getDeviceStats(s->target.device.index());
            peak = stats.allocated_bytes[0].peak;
        });
    return peak;
#else
    (void)session;
    return -1;
#endif
}

void close_session(void *session)
{
    delete static_cast<Session *>(session);
}

const jl_torch_api api = {
    JL_TORCH_ABI,  TORCH_VERSION, open_cuda, cuda_devices, load,     refresh,
    infer,         submit,        wait,      outputs,      describe, device_memory_bytes,
    close_session,
};

} // namespace

} // namespace jl

extern "C" __attribute__((visibility("default"))) const jl_torch_api *jouleline_torch(void)
{
    return &jl::api;
}
