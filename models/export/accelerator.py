"""Whether this machine has an NVIDIA GPU: asked of the driver itself (NVML), without CUDA, PyTorch or a child process."""

from __future__ import annotations

import ctypes

__all__ = ["nvidia_gpus"]

_LIBRARIES = ("libnvidia-ml.so.1", "nvml.dll")


def nvidia_gpus(libraries: tuple[str, ...] = _LIBRARIES) -> int:
    """How many GPUs NVIDIA's driver sees; 0 where there is no driver."""
    for name in libraries:
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        if driver.nvmlInit_v2() != 0:
            return 0
        try:
            count = ctypes.c_uint(0)
            return count.value if driver.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0 else 0
        finally:
            driver.nvmlShutdown()
    return 0
