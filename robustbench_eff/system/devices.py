"""Devices, threads and memory: explicit choices instead of the libraries' defaults."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from robustbench_eff.core.errors import UsageError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""


SMALL_IMAGE = 64
"""Largest image side, in pixels, for which one thread is as fast as several; it does not stall when cores are busy."""


def resolve_device(name: str) -> str:
    """Return a device as torch names it.

    Args:
        name: `auto`, `cpu`, `cuda` or `cuda:N`; `auto` is a GPU if there is one.

    Raises:
        UsageError: The name is not valid, or this machine does not have that device.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        hint = "Use auto, cpu, cuda, cuda:N, several separated by commas, or all."
        raise UsageError(f"Unknown device {name!r}.", hint) from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"Device {name!r} is not supported.", "Use auto, cpu, cuda or cuda:N.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"Device {name!r} does not exist: this machine has {torch.cuda.device_count()} GPUs.",
            "Use --device cpu or auto.",
        )
    return name


def resolve_devices(names: str, workers: int | None) -> list[str]:
    """Return the device of every worker.

    Args:
        names: One device, several separated by commas, or `all` GPUs; `auto` with several workers uses as many GPUs as
            there are workers.
        workers: Number of workers, at least one per device, which share the devices evenly; None for one per device.

    Raises:
        UsageError: A device does not exist, or there are fewer workers than devices.
    """
    if names == "all" or (names == "auto" and (workers or 1) > 1):
        gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        names = ",".join(gpus[: workers if names == "auto" else None]) or "cpu"
    devices = [resolve_device(name.strip()) for name in names.split(",")]
    if workers is None:
        return devices
    if workers < len(devices):
        raise UsageError(
            f"{len(devices)} devices need as many workers, got --workers {workers}.", "Name fewer with --device."
        )
    return [devices[index % len(devices)] for index in range(workers)]


def use(device: str) -> None:
    """Make a GPU the current one of this thread, for code that does not name a device.

    Args:
        device: Torch device; nothing happens unless it is `cuda:N`.
    """
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)


@contextmanager
def current(device: str) -> Iterator[None]:
    """Make a GPU the current one within a `with` block.

    Args:
        device: Torch device; nothing happens unless it is `cuda:N`.
    """
    with torch.cuda.device(device) if device.startswith("cuda:") else nullcontext():
        yield


def threads_each(workers: int) -> int:
    """Return the number of threads for each of several workers on this machine, at least 1.

    Args:
        workers: Number of workers.
    """
    return max(1, (os.cpu_count() or 1) // workers)


@contextmanager
def threads(image_size: int, most: int | None = None) -> Iterator[None]:
    """Set torch's number of threads within a `with` block: one for small images, else the maximum.

    Args:
        image_size: Side of the images, in pixels.
        most: Maximum number of threads; None for the number of cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if image_size <= SMALL_IMAGE else most or os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Make the C library keep the memory that this process frees, until the process ends.

    Returning every large tensor to the system and having new pages zeroed can cost more than a forward pass itself
    (speed/freed_memory.py). Only glibc has this setting; elsewhere nothing happens. It changes no results.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        # Older versions accept 32 MB at most.
        if any(mallopt(M_MMAP_THRESHOLD, threshold) for threshold in (2**30, 2**25)):
            mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def kind(device: str) -> str:
    """Return the name of a GPU, or `cpu`.

    Args:
        device: Torch device.
    """
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"


def describe(device: str) -> dict[str, object]:
    """Return the device for the run manifest: `device`, `gpu` and `cuda`; the last two are None on a CPU.

    Args:
        device: Torch device.
    """
    gpu = kind(device) if device.startswith("cuda") else None
    return {"device": device, "gpu": gpu, "cuda": torch.version.cuda if gpu else None}
