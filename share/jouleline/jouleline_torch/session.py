"""A loaded model on its device: precision, layout, placement, and the call that is timed."""
import ctypes
import os
import re
import sys

import torch

from . import kernel_cache, models, safetensors
from .wire import Outcome

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "native": None,
          "fp16": torch.float16, "bf16": torch.bfloat16}
DTYPE_NAMES = {
    torch.float32: "float", torch.uint8: "uint8", torch.int8: "int8", torch.int16: "int16",
    torch.int32: "int32", torch.int64: "int64", torch.bool: "bool", torch.float16: "float16",
    torch.float64: "double", torch.bfloat16: "bfloat16",
}
SWITCHES = ("channels_last", "compile", "cudnn_benchmark", "cuda_graph")


class Configuration:
    """RUNTIME-PROVIDER/PRECISION[@DEVICE][+key=value...], the parts that matter here."""

    def __init__(self, text):
        head, *pairs = re.split(r"\+(?=[A-Za-z][\w.]*=)", text)  # other plus signs belong to values
        try:
            name, rest = head.split("/")
            self.provider = name.split("-", 1)[1]
            self.precision, _, device = rest.partition("@")
            self.device = int(device or 0)
            options = dict(pair.split("=", 1) for pair in pairs)
        except (ValueError, IndexError):
            raise Outcome("invalid", "configuration %s cannot be read" % text)
        if self.provider not in ("cpu", "cuda"):
            raise Outcome("unsupported", "pytorch has the providers cpu and cuda, not %s"
                          % self.provider)
        if self.precision not in DTYPES:
            raise Outcome("unsupported", "pytorch runs fp32, tf32, fp16, bf16 and native, not %s"
                          % self.precision)
        self.threads = self._whole(options, "threads")
        self.switches = {key: self._switch(options, key) for key in SWITCHES}

    @staticmethod
    def _whole(options, key):
        if key not in options:
            return None
        if not options[key].isdigit() or not 0 < int(options[key]) <= 4096:
            raise Outcome("invalid", "+%s=%s: give a whole number from 1 to 4096"
                          % (key, options[key]))
        return int(options[key])

    @staticmethod
    def _switch(options, key):
        """True, False, or None where nothing was said."""
        value = options.get(key)
        if value not in (None, "0", "1"):
            raise Outcome("invalid", "+%s=%s: give 0 or 1" % (key, value))
        return None if value is None else value == "1"

    def on(self, key):
        return bool(self.switches[key])


def see_one_card(configuration, uuid):
    """Shows this process the card that it runs on and no other, by its UUID, as number 0: the
    driver starts every GPU that it shows, a tenth of a second each. What a user hid stays hidden;
    a single card, or part of one (MIG), stays as it was named. True when it is so."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if configuration.provider != "cuda" or not (uuid or "").startswith("GPU-") \
            or (seen and "," not in seen):
        return False
    os.environ["CUDA_VISIBLE_DEVICES"] = uuid
    configuration.device = 0
    return True


def pick_device(configuration):
    """The torch device, or the outcome `missing` with the reason."""
    if configuration.provider == "cpu":
        if configuration.precision == "tf32":
            raise Outcome("unsupported", "tf32 is a mode of NVIDIA GPUs; the CPU has none")
        for key in ("cuda_graph", "cudnn_benchmark"):
            if configuration.switches[key] is not None:
                raise Outcome("invalid", "+%s belongs to pytorch-cuda" % key)
        return torch.device("cpu")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        raise Outcome("missing", "this torch %s %s" % (torch.__version__, "finds no CUDA device"
                      if built else "was built without CUDA"))
    # torch.cuda.device_count() would start NVML too.
    n = getattr(torch._C, "_cuda_getDeviceCount", torch.cuda.device_count)()
    if configuration.device >= n:
        raise Outcome("missing", "CUDA device %d is not here: torch sees %d, numbered from 0"
                      % (configuration.device, n))
    if configuration.precision == "tf32" and \
            torch.cuda.get_device_capability(configuration.device) < (8, 0):
        raise Outcome("unsupported", "tf32 needs compute capability 8.0; %s has %d.%d" % (
            (torch.cuda.get_device_name(configuration.device),)
            + torch.cuda.get_device_capability(configuration.device)))
    return torch.device("cuda", configuration.device)


def physical_cores():
    """Cores that this process may use, siblings of one core counted once (as base/cpu.h does)."""
    seen = set()
    for cpu in os.sched_getaffinity(0):
        try:
            with open("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu) as file:
                seen.add(int(file.read().replace("-", ",").split(",")[0]))
        except (OSError, ValueError):
            seen.add(cpu)
    return len(seen)


def apply_settings(configuration):
    """The named precisions fix what they name, and one thread a physical core as every other
    runtime has it; native leaves every default of the library."""
    if configuration.threads is not None:
        torch.set_num_threads(configuration.threads)
    elif configuration.precision != "native":
        torch.set_num_threads(physical_cores())
    if configuration.precision != "native":
        tf32 = configuration.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
    if configuration.switches["cudnn_benchmark"] is not None:
        torch.backends.cudnn.benchmark = configuration.on("cudnn_benchmark")


class Session:
    def __init__(self, request):
        self.configuration = Configuration(request["configuration"])
        self.one_card = see_one_card(self.configuration, request["device_uuid"])
        self.device = pick_device(self.configuration)
        self.cuda = self.device.type == "cuda"
        self.in_flight = request["in_flight"]
        self.host_io = request["io"] == "host"
        self.zoo = request["zoo"]
        if self.in_flight > 1 and not self.cuda:
            raise Outcome("unsupported", "pytorch keeps several calls in flight on CUDA streams "
                          "only; on the CPU its calls are synchronous")
        if self.in_flight > 1 and self.configuration.on("cuda_graph"):
            raise Outcome("unsupported", "cuda_graph replays one call at a time: in-flight 1")
        if self.cuda:
            torch.cuda.set_device(self.device)
        apply_settings(self.configuration)
        self.outputs = [None] * self.in_flight
        self._load(request)
        with torch.inference_mode():
            self._place()
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def _load(self, request):
        if request["zoo"]:
            # A variant with a planted fault (NAME+fault) is the same class with other weights.
            name = request["model_name"].split("+")[0]
            if name.startswith("probe_"):
                model, names = models.probe(name, request["weights_path"])
            else:
                model, names = models.zoo_model(name, request["weights_path"],
                                                 moves_on=self.cuda)
        else:
            model, names = models.user_model(request["model_path"], request["trust"])
        dtype = DTYPES[self.configuration.precision]
        if dtype is not None:
            model = model.to(dtype)
        model = model.to(self.device)
        layout = torch.contiguous_format
        if self.configuration.on("channels_last"):
            layout = torch.channels_last
            model = model.to(memory_format=layout)
        if self.configuration.on("compile"):
            if not hasattr(torch, "compile"):
                raise Outcome("unsupported", "torch %s has no torch.compile" % torch.__version__)
            model = torch.compile(model)
        self.model = model
        self.inputs = {}
        for name, tensor in models.order_inputs(safetensors.read(request["inputs_path"]),
                                                names).items():
            if dtype is not None and tensor.is_floating_point():
                tensor = tensor.to(dtype)
            if layout is torch.channels_last and tensor.dim() == 4:
                tensor = tensor.contiguous(memory_format=layout)
            self.inputs[name] = tensor.clone()

    def _place(self):
        host = tuple(self.inputs.values())
        placed = host if self.host_io else tuple(t.to(self.device) for t in host)
        if self.configuration.on("cuda_graph"):
            self.call = self._graph_call(host, tuple(t.to(self.device) for t in host))
        elif self.in_flight > 1:
            self._make_streams(placed)
            self.call = None
        else:
            self.call = self._plain_call(placed)

    def _plain_call(self, inputs):
        """One synchronous call: what a user's own loop does, and nothing else."""
        model, outputs, device = self.model, self.outputs, self.device
        if not self.cuda:
            def call():
                outputs[0] = model(*inputs)
            return call
        synchronize = torch.cuda.current_stream(device).synchronize
        if self.host_io:
            def call():
                outputs[0] = to_host(model(*[t.to(device) for t in inputs]))
        else:
            def call():
                outputs[0] = model(*inputs)
                synchronize()
        return call

    def _graph_call(self, host, placed):
        """The call captured once as a CUDA graph; replays take the same inputs and outputs."""
        side = torch.cuda.Stream(self.device)
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):
            for _ in range(3):  # capture refuses what allocates or searches for the first time
                self.model(*placed)
        torch.cuda.current_stream(self.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = self.model(*placed)
        synchronize = torch.cuda.current_stream(self.device).synchronize
        outputs = self.outputs
        outputs[0] = captured
        if self.host_io:
            def call():
                for to, tensor in zip(placed, host):
                    to.copy_(tensor)
                graph.replay()
                outputs[0] = to_host(captured)
        else:
            def call():
                graph.replay()
                synchronize()
        return call

    def _make_streams(self, inputs):
        model, outputs, device, host_io = self.model, self.outputs, self.device, self.host_io
        streams = [torch.cuda.Stream(device) for _ in range(self.in_flight)]
        torch.cuda.synchronize(device)

        def submit(slot):
            with torch.cuda.stream(streams[slot]):
                given = [t.to(device, non_blocking=True) for t in inputs] if host_io else inputs
                outputs[slot] = model(*given)

        def wait(slot):
            streams[slot].synchronize()
            if host_io:
                outputs[slot] = to_host(outputs[slot])
        self.submit, self.wait = submit, wait

    def named_outputs(self):
        """The outputs of the last call on the host, by name."""
        last = self.outputs[0]
        if last is None:
            raise Outcome("invalid", "there is no output yet: warm or measure first")
        named = flatten(to_host(last))
        return {"logits": named["output"]} if self.zoo and list(named) == ["output"] else named

    def describe_inputs(self):
        return [{"name": name, "dtype": DTYPE_NAMES.get(t.dtype, str(t.dtype)),
                 "shape": list(t.shape)} for name, t in self.inputs.items()]

    def device_memory_bytes(self):
        return torch.cuda.max_memory_allocated(self.device) if self.cuda else None


def to_host(value):
    """The same structure with every tensor copied to the host (and so complete)."""
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {key: to_host(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_host(part) for part in value]
    return value


def flatten(value):
    """Tensors of a structure by name: `output` for a lone one, else keys and positions."""
    if isinstance(value, torch.Tensor):
        return {"output": value}
    parts = value.items() if isinstance(value, dict) else enumerate(value) \
        if isinstance(value, (list, tuple)) else ()
    named = {}
    for key, part in parts:
        for inner, tensor in flatten(part).items():
            prefix = key if isinstance(key, str) else "output_%d" % key
            named[prefix if inner == "output" else "%s.%s" % (prefix, inner)] = tensor
    return named


def device_uuid(index):
    """NVML's form of a device's UUID, asked from the driver since older torch cannot say."""
    raw, device = (ctypes.c_ubyte * 16)(), ctypes.c_int()
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    if driver.cuDeviceGet(ctypes.byref(device), index) or driver.cuDeviceGetUuid(raw, device):
        return None
    text = bytes(raw).hex()
    return "GPU-" + "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _setting(*path):
    """The value of torch.a.b.c, called when it is a function; None where this torch lacks it."""
    value = torch
    for part in path:
        value = getattr(value, part, None)
        if value is None:
            return None
    return value() if callable(value) else value


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file
                     if line.startswith("model name")), None)


def _describe_cuda(session):
    matmul = torch.backends.cuda.matmul.allow_tf32
    convolution = torch.backends.cudnn.allow_tf32
    return {
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "device": torch.cuda.get_device_name(session.device),
        "device_uuid": device_uuid(session.device.index),
        "tf32": int(matmul) if matmul == convolution
        else "convolutions only" if convolution else "matmuls only",
        "conv_search": "exhaustive" if torch.backends.cudnn.benchmark else "heuristic",
        "cudnn_deterministic": int(torch.backends.cudnn.deterministic),
        "fp16_reduced_reduction":
            _setting("backends", "cuda", "matmul", "allow_fp16_reduced_precision_reduction"),
        "attention_flash": _setting("backends", "cuda", "flash_sdp_enabled"),
        "attention_mem_efficient": _setting("backends", "cuda", "mem_efficient_sdp_enabled"),
        "attention_math": _setting("backends", "cuda", "math_sdp_enabled"),
        "attention_cudnn": _setting("backends", "cuda", "cudnn_sdp_enabled"),
        "cuda_graph": int(session.configuration.on("cuda_graph")),
        "visible_devices": os.environ["CUDA_VISIBLE_DEVICES"] if session.one_card else None,
        "kernel_cache": 1 if kernel_cache.on else None,
        "kernel_cache_missing": kernel_cache.missing,
        "nvidia_tf32_override": os.environ.get("NVIDIA_TF32_OVERRIDE"),
    }


def describe(session):
    """What the session turned out to be, as text by name. What is not known is left out."""
    c = session.configuration
    try:
        import torchvision
        torchvision_version = torchvision.__version__
    except ImportError:
        torchvision_version = None
    found = {
        "version": torch.__version__,
        "library": os.path.dirname(torch.__file__),
        "python": sys.version.split()[0],
        "python_path": sys.executable,
        "torchvision": torchvision_version,
        "regime": "native" if c.precision == "native" else "matched",
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "layout": "nhwc" if c.on("channels_last") else "nchw",
        "dtype": DTYPE_NAMES.get(next((t.dtype for t in session.model.parameters()
                                       if t.is_floating_point()), None)),
        "placement": "host" if session.cuda and session.host_io else "device",
        "compile": int(c.on("compile")),
        "mha_fastpath": _setting("backends", "mha", "get_fastpath_enabled"),
    }
    found.update(_describe_cuda(session) if session.cuda else {
        "device": processor(),
        "cpu_capability": _setting("backends", "cpu", "get_cpu_capability"),
        "onednn": _setting("backends", "mkldnn", "is_available"),
    })
    return {key: str(int(v) if isinstance(v, bool) else v)
            for key, v in found.items() if v is not None}
