// A libtorch_cuda.so whose devices are host memory, for the tests of the libtorch runtime without
// a GPU. Operators are computed by the CPU's kernels on the same storage, whose addresses are such
// that everybody else faults there. Like CUDA it refuses operands that lie elsewhere. It counts
// what a test must see: device, streams, synchronisation, copies to and from the host. Loaded in
// place of torch's own by LD_LIBRARY_PATH.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/EmptyTensor.h>
#include <ATen/NativeFunctions.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <cstdint>
#include <cstdlib>
#include <torch/csrc/api/include/torch/version.h>
#include <torch/library.h>

#include "fake_torch_cuda.h"

namespace
{

using at::Device;
using c10::Stream;

fake_torch state{};
thread_local int current = 0;
thread_local c10::StreamId streams[8] = {};

int devices()
{
    const char *said = std::getenv("FAKE_TORCH_GPUS");
    return said ? std::atoi(said) : 3;
}

// What every kernel of CUDA does first.
void launch(int64_t stream)
{
    state.launched++;
    state.pending++;
    state.last_stream = stream;
    state.device = current;
}

struct Guard final : c10::impl::DeviceGuardImplInterface {
    Guard() = default;
    explicit Guard(c10::DeviceType) {}
    c10::DeviceType type() const override
    {
        return at::kCUDA;
    }
    Device exchangeDevice(Device d) const override
    {
        Device before = getDevice();
        setDevice(d);
        return before;
    }
    Device getDevice() const override
    {
        return Device(at::kCUDA, static_cast<c10::DeviceIndex>(current));
    }
    void setDevice(Device d) const override
    {
        TORCH_CHECK(d.index() < devices(), "invalid device ordinal");
        if (d.index() >= 0) current = d.index();
    }
    void uncheckedSetDevice(Device d) const noexcept override
    {
        if (d.index() >= 0) current = d.index();
    }
    Stream getStream(Device d) const noexcept override
    {
        return Stream(Stream::UNSAFE, d, streams[d.index() < 0 ? current : d.index()]);
    }
    Stream getStreamFromGlobalPool(Device d, bool) const override
    {
        return Stream(Stream::UNSAFE, d, ++state.streams);
    }
    Stream exchangeStream(Stream s) const noexcept override
    {
        Stream before = getStream(s.device());
        streams[s.device_index()] = s.id();
        return before;
    }
    c10::DeviceIndex deviceCount() const noexcept override
    {
        return static_cast<c10::DeviceIndex>(devices());
    }
    void synchronizeStream(const Stream &s) const override
    {
        state.synchronised++;
        state.pending = 0;
        state.synchronised_stream = s.id();
    }
};

// An address of the device is one of the host plus this: no processor maps it, so that a host that
// reads or writes there faults.
constexpr uintptr_t device_base = uintptr_t(1) << 52;

void *host_address(const void *device)
{
    auto at = reinterpret_cast<uintptr_t>(device);
    return reinterpret_cast<void *>(at ? at - device_base : 0);
}

struct Memory final : c10::Allocator {
    static void release(void *data)
    {
        std::free(host_address(data));
    }
#if TORCH_VERSION_MAJOR >= 2
    c10::DataPtr allocate(size_t n) override
#else
    c10::DataPtr allocate(size_t n) const override
#endif
    {
        TORCH_CHECK_WITH(OutOfMemoryError, state.limit_bytes <= 0 || n < size_t(state.limit_bytes),
                         "CUDA out of memory. Tried to allocate ", n, " bytes");
        void *block = std::malloc(n ? n : 1);
        TORCH_CHECK_WITH(OutOfMemoryError, block, "CUDA out of memory");
        void *data = reinterpret_cast<void *>(reinterpret_cast<uintptr_t>(block) + device_base);
        return {data, data, release, Device(at::kCUDA, static_cast<c10::DeviceIndex>(current))};
    }
#if TORCH_VERSION_MAJOR >= 2
    void copy_data(void *to, const void *from, size_t n) const override
    {
        default_copy_data(host_address(to), host_address(from), n);
    }
#endif
    c10::DeleterFnPtr raw_deleter() const override
    {
        return release;
    }
};
Memory memory;

struct CUDAHooks : at::CUDAHooksInterface {
    explicit CUDAHooks(at::CUDAHooksArgs) {}
#if TORCH_VERSION_MAJOR >= 2
    void init() const override
    {
        state.initialised++;
    }
#else
    void initCUDA() const override
    {
        state.initialised++;
    }
#endif
    bool hasCUDA() const override
    {
        return true;
    }
    long versionCuDNN() const override
    {
        return 91900;
    }
    long versionCUDART() const override
    {
        return 13000;
    }
};

void initialise()
{
#if TORCH_VERSION_MAJOR >= 2
    at::globalContext().lazyInitDevice(at::kCUDA);
#else
    at::globalContext().lazyInitCUDA();
#endif
}

at::Tensor empty(at::IntArrayRef size, c10::optional<at::ScalarType> type,
                 c10::optional<at::Layout>, c10::optional<Device> device, c10::optional<bool>,
                 c10::optional<at::MemoryFormat> format)
{
    initialise(); // as CUDA's own: this fails where torch remembers that there is no CUDA
    c10::DeviceGuard guard(device.value_or(Device(at::kCUDA)));
    return at::detail::empty_generic(size, &memory, c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                     type.value_or(at::kFloat), format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride,
                         c10::optional<at::ScalarType> type, c10::optional<at::Layout>,
                         c10::optional<Device> device, c10::optional<bool>)
{
    initialise();
    c10::DeviceGuard guard(device.value_or(Device(at::kCUDA)));
    return at::detail::empty_strided_generic(size, stride, &memory,
                                             c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                             type.value_or(at::kFloat));
}

// A CPU tensor over the same bytes.
at::Tensor on_host(const at::Tensor &t)
{
    if (!t.is_cuda()) return t;
    return at::from_blob(host_address(t.data_ptr()), t.sizes(), t.strides(),
                         t.options().device(at::kCPU));
}

at::Tensor &copy_(at::Tensor &self, const at::Tensor &from, bool)
{
    if (!from.is_cuda()) state.to_device++;
    if (!self.is_cuda()) state.to_host++;
    launch(streams[current]);
    if (!self.is_cuda()) state.pending = 0; // a copy to pageable memory waits for its stream
    on_host(self).copy_(on_host(from));
    return self;
}

at::Scalar item(const at::Tensor &self)
{
    state.to_host++;
    state.pending = 0;
    return on_host(self).item();
}

// Everything else: on the same bytes by the CPU's kernel, the results copied to the device.
void compute(const c10::OperatorHandle &op, torch::jit::Stack *stack)
{
    size_t n = op.schema().arguments().size();
    auto alike = [&op](const at::Tensor &t) {
        TORCH_CHECK(!t.defined() || t.is_cuda() || t.dim() == 0,
                    "Expected all tensors to be on the same device, but ", op.schema().name(),
                    " found one on the cpu");
    };
    launch(streams[current]);
    Device here(at::kCUDA, static_cast<c10::DeviceIndex>(current));
    for (size_t k = stack->size() - n; k < stack->size(); k++) {
        c10::IValue &v = (*stack)[k];
        if (v.isTensor()) {
            alike(v.toTensor());
            if (v.toTensor().defined()) v = on_host(v.toTensor());
        } else if (v.isTensorList()) {
            c10::List<at::Tensor> hosts;
            for (const at::Tensor &t : v.toTensorVector()) {
                alike(t);
                hosts.push_back(on_host(t));
            }
            v = hosts;
        } else if (v.isDevice()) {
            v = Device(at::kCPU);
        }
    }
    // An operator that writes into its arguments gives them back as references.
    std::vector<c10::IValue> held(stack->end() - static_cast<std::ptrdiff_t>(n), stack->end());
    op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
    for (size_t k = stack->size() - op.schema().returns().size(); k < stack->size(); k++) {
        c10::IValue &v = (*stack)[k];
        auto back = [&](const at::Tensor &t) {
            at::Tensor to = empty_strided(t.sizes(), t.strides(), t.scalar_type(), {}, here, {});
            on_host(to).copy_(t);
            return to;
        };
        if (v.isTensor() && v.toTensor().defined()) v = back(v.toTensor());
        if (v.isTensorList()) {
            c10::List<at::Tensor> there;
            for (const at::Tensor &t : v.toTensorVector())
                there.push_back(back(t));
            v = there;
        }
    }
}

} // namespace

C10_REGISTER_GUARD_IMPL(CUDA, Guard);

namespace at
{
using ::CUDAHooks;
REGISTER_CUDA_HOOKS(CUDAHooks);
} // namespace at

TORCH_LIBRARY_IMPL(_, CUDA, m)
{
    m.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>());
}

TORCH_LIBRARY_IMPL(aten, CUDA, m)
{
    m.impl("empty.memory_format", empty);
    m.impl("empty_strided", empty_strided);
    m.impl("copy_", copy_);
    m.impl("_local_scalar_dense", item);
    m.impl("as_strided", at::native::as_strided_tensorimpl);
    m.impl("view", at::native::view);
    m.impl("_reshape_alias", at::native::_reshape_alias);
    m.impl("unfold", at::native::unfold);
    // On CUDA torch picks kernels of CUDA alone: computed as a whole.
    m.impl("convolution", torch::CppFunction::makeFromBoxedFunction<&compute>());
    m.impl("native_batch_norm", torch::CppFunction::makeFromBoxedFunction<&compute>());
}

extern "C" __attribute__((visibility("default"))) fake_torch *fake_torch_state(void)
{
    return &state;
}
