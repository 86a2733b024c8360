"""What this machine has and lacks, as rows of (what, finding, whether it is fine)."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.disk import cache_folder, free_bytes, nearest
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.benchmarks import BENCHMARKS
from robustbench_eff.registry.open_benchmark import missing_data
from robustbench_eff.system import environment
from robustbench_eff.system.network import reachable

Finding = tuple[str, str, bool]


def findings() -> Iterator[Finding]:
    """One row a thing that an evaluation may need; only these checks touch the network, briefly."""
    yield "Python", platform.python_version(), True
    for name, found in environment.versions().items():
        yield name, found or "not installed", found is not None
    yield from _devices()
    for extra, module in (("clip", "open_clip"), ("ray", "ray"), ("video", "av")):
        there = importlib.util.find_spec(module) is not None
        yield f"extra {extra}", "installed" if there else f"pip install 'robustbench-eff[{extra}]'", True
    folder = cache_folder()
    writable = os.access(nearest(folder), os.W_OK)
    free = free_bytes(folder) / 2**30
    yield "image cache", f"{folder}, {free:.0f} GB free" + ("" if writable else ", not writable"), writable
    for host in ("huggingface.co", "download.pytorch.org"):
        yield host, "reachable" if reachable(host) else "not reachable: use local files", True
    for name in BENCHMARKS:
        yield _benchmark(name)


def _devices() -> Iterator[Finding]:
    import torch

    yield "processor", f"{environment.processor()}, {os.cpu_count()} cores", True
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    yield "GPU", ", ".join(names) or "none", True


def _benchmark(name: str) -> Finding:
    row = build_benchmark.benchmark(name)
    place = locations.location(name, {})
    if row.open_bundled is not None and place is None:
        return f"benchmark {name}", row.download_url, True
    if place is None:
        return f"benchmark {name}", f"not found: --data {name}=PATH or {locations.variable(name)}=PATH", True
    if not place.startswith("hf:") and missing_data(row, place):
        return f"benchmark {name}", f"{Path(place)} does not exist", False
    return f"benchmark {name}", place, True
