"""Read every odd file of a table under a watchdog; run as a script with the names of a module and its table."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import datasets  # imported here, once for all files
import scipy.io  # noqa: F401
import torch

from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_location
from strange_files import Strange
from watchdog import limit_memory, main

_SHOWN = 20


def read_images(path: Path) -> str:
    """Open a location as a user's own images, and decode the first of them."""
    opened = open_location(str(path), "test")
    resolved = resolve_labels(build_benchmark.benchmark("mine", str(path)), opened)
    for position in range(min(len(opened), _SHOWN)):
        decode(opened.read(position), opened.ids[position])
    return f"read {resolved.labels[:_SHOWN].tolist()}"


def _work(strange: Strange, read: Callable[[Path], str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ROBUST_EVAL_CACHE"] = str(Path(folder) / "cache")
        path = strange.make(Path(folder))
        limit_memory()
        return read(path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    module, *names = sys.argv[1:]
    loaded = importlib.import_module(module)
    read: Callable[[Path], str] = getattr(loaded, "read", read_images)
    tables: list[Mapping[str, Strange]] = [getattr(loaded, name) for name in names]
    main({name: partial(_work, strange, read) for table in tables for name, strange in table.items()})
