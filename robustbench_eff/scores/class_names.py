"""The names of the classes that the labels of a cell count."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.class_names import short_names
from robustbench_eff.registry.benchmarks import BENCHMARKS
from robustbench_eff.storage.stored_cell import StoredCell


def names_of_classes(cell: StoredCell) -> Mapping[int, str]:
    """Return the name of each class by its index; without those that have none.

    The protocol's names count, else the benchmark's, of several the shortest. Classes of a set that is neither
    named nor in the table of benchmarks have no names.

    Args:
        cell: The cell.
    """
    if cell.protocol.class_names:
        return dict(enumerate(cell.protocol.class_names))
    return _of_benchmark(cell.benchmark) if cell.benchmark in BENCHMARKS else {}


def named(index: int, names: Mapping[int, str]) -> str:
    """Return the index of a class and its name, such as `3 "cat"`; `class 3` if it has none, or its index for a name.

    Args:
        index: Class index.
        names: Names by index.
    """
    name = names.get(index, str(index))
    return f"class {index}" if name == str(index) else f'{index} "{name}"'


@cache
def _of_benchmark(name: str) -> Mapping[int, str]:
    benchmark: Benchmark = BENCHMARKS[name].load()
    return short_names(benchmark.class_index())
