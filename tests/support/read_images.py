"""Open a location as a user's own images, and decode the first of them."""

from __future__ import annotations

from pathlib import Path

from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_location

_SHOWN = 20


def read_images(path: Path) -> str:
    """Return the labels of the first images, after decoding these."""
    opened = open_location(str(path), "test")
    resolved = resolve_labels(build_benchmark.benchmark("mine", str(path)), opened)
    for position in range(min(len(opened), _SHOWN)):
        decode(opened.read(position), opened.ids[position])
    return f"read {resolved.labels[:_SHOWN].tolist()}"
