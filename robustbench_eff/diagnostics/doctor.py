"""What this machine provides for an evaluation: versions, devices, extras, cache, network, benchmarks."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.disk import cache_folder, free_bytes, nearest
from robustbench_eff.models.robustbench_table import INSTALL, PACKAGE, robustbench_entries
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.benchmarks import BENCHMARKS
from robustbench_eff.registry.open_benchmark import missing_data
from robustbench_eff.system import environment
from robustbench_eff.system.network import hub_host, reachable

EXTRAS = {
    "clip": "open_clip",
    "hf": "transformers",
    "onnx": "onnxruntime",
    "ray": "ray",
    "tflite": "ai_edge_litert",
    "video": "av",
}
"""Optional dependencies: the module that each extra installs."""
TORCHVISION_HOST = "download.pytorch.org"
"""Host of torchvision's weights."""


class Finding(NamedTuple):
    """One line of `doctor`."""

    subject: str
    """What was checked, such as `GPU` or `benchmark imagenet`."""
    result: str
    """The version, path or state, or the command that installs what is missing."""
    fine: bool
    """False only for what breaks evaluations; a missing option is fine."""


def findings() -> Iterator[Finding]:
    """Check everything that an evaluation may need. Only these checks use the network, briefly."""
    yield Finding("Python", platform.python_version(), True)
    for package, version in environment.versions().items():
        yield Finding(package, version or "not installed", version is not None)
    yield from _devices()
    for extra, module in EXTRAS.items():
        installed = importlib.util.find_spec(module) is not None
        yield Finding(f"extra {extra}", "installed" if installed else f"pip install 'robustbench-eff[{extra}]'", True)
    yield _robustbench()
    yield _cache()
    for host in (hub_host(), TORCHVISION_HOST):
        yield Finding(host, "reachable" if reachable(host) else "not reachable: use local files", True)
    for name in BENCHMARKS:
        yield _benchmark(name)


def _devices() -> Iterator[Finding]:
    import torch

    yield Finding("processor", f"{environment.processor()}, {os.cpu_count()} cores", True)
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    yield Finding("GPU", ", ".join(gpus) or "none", True)


def _robustbench() -> Finding:
    count = sum(entry.network == PACKAGE for entry in robustbench_entries().values())
    installed = importlib.util.find_spec("robustbench") is not None
    need = f"not installed; {count} of its {len(robustbench_entries())} models need it: {INSTALL}"
    return Finding("package robustbench", "installed" if installed else need, True)


def _cache() -> Finding:
    folder = cache_folder()
    writable = os.access(nearest(folder), os.W_OK)
    free = free_bytes(folder) / 2**30
    return Finding("image cache", f"{folder}, {free:.0f} GB free" + ("" if writable else ", not writable"), writable)


def _benchmark(name: str) -> Finding:
    benchmark, subject = build_benchmark.benchmark(name), f"benchmark {name}"
    location = locations.location(name, {})
    if location is None and benchmark.open_bundled is not None:
        return Finding(subject, benchmark.download_url, True)
    if location is None:
        return Finding(subject, f"not found: --data {name}=PATH or {locations.variable(name)}=PATH", True)
    if not location.startswith("hf:") and missing_data(benchmark, location):
        return Finding(subject, f"{Path(location)} does not exist", False)
    return Finding(subject, location, True)
