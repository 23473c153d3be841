"""Kernels that cuDNN compiles by NVRTC in each process, remembered in a folder.

JOULELINE_KERNEL_CACHE names the folder, JOULELINE_NVRTC where jouleline's own libnvrtc.so.NN lie.
Opened before torch opens NVIDIA's, ours is the one that cuDNN finds by its name."""
import ctypes
import glob
import importlib.util
import os
import re

on = False
missing = None  # why it is not on although it was asked for


def nvrtc_of_torch():
    """NVIDIA's library in the folders that its wheels use, or None."""
    try:
        found = importlib.util.find_spec("nvidia")
    except (ImportError, ValueError):
        return None
    for folder in (found.submodule_search_locations or ()) if found else ():
        for path in sorted(glob.glob(os.path.join(folder, "*", "lib", "libnvrtc.so.*"))):
            return path
    return None


def open_for(environment):
    """Opens ours in the place of NVIDIA's when the environment asks for it."""
    global on, missing
    folder = environment.get("JOULELINE_KERNEL_CACHE")
    if not folder or on:
        return
    real = nvrtc_of_torch()
    if real is None:
        missing = "no libnvrtc was found to stand in for"
        return
    name = re.match(r"libnvrtc\.so\.\d+", os.path.basename(real))
    ours = os.path.join(environment.get("JOULELINE_NVRTC", ""), name.group() if name else "")
    try:
        started = ctypes.CDLL(ours).jouleline_nvrtc_cache(real.encode(), folder.encode())
    except (OSError, AttributeError) as error:
        missing = str(error)
        return
    on = started == 0
    missing = None if on else "%s cannot be used (%d)" % (real, started)
