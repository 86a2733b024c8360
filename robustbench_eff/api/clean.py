"""The clean images of a benchmark: as they lie, installed with the package, or made on first use."""

from __future__ import annotations

from collections.abc import Mapping

from robustbench_eff.benchmarks import locations, sources
from robustbench_eff.benchmarks.benchmark import Benchmark, LabelledImages

from .conflict import open_conflicts


def open_clean(benchmark: Benchmark, data: Mapping[str, str]) -> LabelledImages | None:
    """The images before a perturbation: listed, not decoded. None where a published set comes without.

    UsageError where they are nowhere; DataError if they cannot be read.
    """
    if benchmark.conflict_by is not None:
        return open_conflicts(benchmark, data)
    if benchmark.layout is None:
        return sources.open_benchmark(benchmark, locations.place(benchmark, data))
    place = locations.location(str(benchmark.images_of), data)
    return None if place is None else sources.open_benchmark(benchmark, place)
