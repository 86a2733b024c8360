"""Device, threads and sizes, chosen on purpose."""

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
"""Up to this many pixels a side, one thread is no slower than several and does not stall when cores are busy."""


def resolve_device(name: str) -> str:
    """`auto`, `cpu`, `cuda` or `cuda:N` as a torch device name; UsageError where there is no such device."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        hint = "Use auto, cpu, cuda, cuda:N, several with commas between, or all."
        raise UsageError(f"Unknown device {name!r}.", hint) from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"Device {name!r} is not supported.", "Use auto, cpu, cuda or cuda:N.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"Device {name!r} was asked for; this machine has {torch.cuda.device_count()} GPUs.",
            "Use --device cpu or auto.",
        )
    return name


def resolve_devices(names: str, workers: int | None) -> list[str]:
    """The device of every worker: `names` is one, several with commas between, or `all` GPUs; each takes a worker, or
    as many as it takes to make `workers`. `auto` are for several workers as many GPUs as there are of them. Raises
    UsageError."""
    if names == "all" or (names == "auto" and (workers or 1) > 1):
        gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        names = ",".join(gpus[: workers if names == "auto" else None]) or "cpu"
    devices = [resolve_device(name.strip()) for name in names.split(",")]
    if workers is None:
        return devices
    if workers < len(devices):
        raise UsageError(
            f"{len(devices)} devices need as many workers, got --workers {workers}.", "Name fewer with --device."
        )
    return [devices[number % len(devices)] for number in range(workers)]


def use(device: str) -> None:
    """Make a GPU the current one of this thread, for code that does not say where it works."""
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)


@contextmanager
def current(device: str) -> Iterator[None]:
    """The same of a block."""
    with torch.cuda.device(device) if device.startswith("cuda:") else nullcontext():
        yield


def threads_each(workers: int) -> int:
    """How many threads each of several workers may use."""
    return max(1, (os.cpu_count() or 1) // workers)


@contextmanager
def threads(image_size: int, most: int | None = None) -> Iterator[None]:
    """One thread while images are small, else `most` or all cores; the former setting afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if image_size <= SMALL_IMAGE else most or os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Have the C library keep what this process frees, for as long as it runs.

    Handing every large tensor back to the system and having it zeroed anew can cost more than a forward pass itself
    (speed/freed_memory.py). Only glibc can be told; elsewhere nothing happens. Changes no number.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        if any(mallopt(M_MMAP_THRESHOLD, most) for most in (2**30, 2**25)):  # older versions take 32 MB at most
            mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def kind(device: str) -> str:
    """The name of a GPU, or `cpu`."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"


def describe(device: str) -> dict[str, object]:
    """The device for the run manifest."""
    gpu = kind(device) if device.startswith("cuda") else None
    return {"device": device, "gpu": gpu, "cuda": torch.version.cuda if gpu else None}
