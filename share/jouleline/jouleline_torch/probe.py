"""What torch finds on this machine, as one line of JSON; run in a process of its own."""
import json
import sys


def probe():
    try:
        import torch
    except ImportError as error:
        print(json.dumps({"torch": None, "reason": str(error)}))
        return 0
    try:
        import torchvision
        torchvision_version = torchvision.__version__
    except ImportError:
        torchvision_version = None
    from .session import device_uuid, processor
    devices = [{"provider": "cpu", "index": 0, "name": processor() or "cpu", "uuid": None}]
    reason = None
    if torch.version.cuda is None:
        reason = "this torch was built without CUDA"
    elif not torch.cuda.is_available():
        reason = "torch finds no CUDA device"
    else:
        for index in range(torch.cuda.device_count()):
            devices.append({"provider": "cuda", "index": index,
                            "name": torch.cuda.get_device_name(index), "uuid": device_uuid(index)})
    print(json.dumps({"torch": torch.__version__, "torchvision": torchvision_version,
                      "cuda": torch.version.cuda, "no_cuda": reason, "devices": devices,
                      "python": sys.executable}))
    return 0
