"""From a name to a benchmark or a suite."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.core.errors import UsageError, did_you_mean

from .benchmarks import BENCHMARKS, SCORED_WITH
from .suite import Suite
from .suites import SUITES

if TYPE_CHECKING:
    pass


def benchmark(name: str, place: str | None = None) -> Benchmark:
    """A row of the table, or the user's own set of that name when `place` says where it is; UsageError for no name."""
    if name in SCORED_WITH:
        raise UsageError(
            f"{name} is no benchmark of its own: it is scored with {SCORED_WITH[name]}.",
            f"Run --benchmark {SCORED_WITH[name]}.",
        )
    if name in BENCHMARKS:
        row: Benchmark = BENCHMARKS[name].load()
        return row
    if place is not None:
        return Benchmark(
            name=name,
            title="the user's own images",
            label_space=f"custom:{name}",
            licence="the user's",
            download_url=place,
            size="",
            num_classes=None,
        )
    known = f"Known: {', '.join(BENCHMARKS)}; for images of yours add --data {name}=PATH."
    raise UsageError(f"Unknown benchmark {name!r}.", f"{did_you_mean(name, BENCHMARKS)}\n{known}".strip())


def other_protocols(benchmark: Benchmark) -> list[str]:
    """The rows that read the same images otherwise: by other outputs of the model, as another number."""
    others = (row.load() for name, row in BENCHMARKS.items() if name != benchmark.name)
    return [
        other.name
        for other in others
        if benchmark.name == other.source_benchmark or other.name == benchmark.source_benchmark
        if all(getattr(other, field) == getattr(benchmark, field) for field in _IMAGE_FIELDS)
    ]


_IMAGE_FIELDS = ("label_space", "select_images", "crop_border", "geometry", "layout", "stylise_with", "jpeg_quality")
"""Fields that say which images are seen, and how."""


def suite(name: str) -> Suite:
    """A shipped suite by name, or a user's YAML file by path."""
    if name in SUITES:
        return Suite.parse((files("robustbench_eff") / "suites" / f"{name}.yaml").read_text(), name)
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return Suite.parse(path.read_text(), name)
    hint = did_you_mean(name, SUITES) or f"Known: {', '.join(SUITES)}; or the path of a YAML file."
    raise UsageError(f"Unknown suite {name!r}.", hint)
