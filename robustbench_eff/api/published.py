"""The files of a published set for the perturbations of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustbench_eff import catalog, spec
from robustbench_eff.benchmarks import sources
from robustbench_eff.benchmarks.benchmark import Benchmark, LabelledImages
from robustbench_eff.benchmarks.layouts import Layout
from robustbench_eff.errors import Missing, UsageError
from robustbench_eff.plan import CLEAN


def missing_files(benchmark: Benchmark, root: str | None, texts: Sequence[str]) -> list[Missing]:
    """What of a published set is not there, looking only at what is cheap to look at."""
    if (lacking := sources.missing(benchmark.name, benchmark, root)) or root is None:
        return lacking
    wanted = {text: _place(benchmark, root, text)[1] for text in texts if text != CLEAN}
    how = f"--data {benchmark.name}=PATH of the folder that holds it, or other corruptions with --corruption"
    return [
        Missing(f"{benchmark.name}: {text}", str(place), how) for text, place in wanted.items() if not place.exists()
    ]


def open_files(benchmark: Benchmark, root: str, text: str) -> LabelledImages:
    """The images, or sequences of frames, of one perturbation: listed, not decoded."""
    layout, place, level = _place(benchmark, root, text)
    return layout.open(place, level)


def _place(benchmark: Benchmark, root: str, text: str) -> tuple[Layout, Path, int]:
    parsed, kind = spec.parse(text), catalog.kind(text)
    assert benchmark.layout is not None
    if kind != benchmark.layout.kind:
        raise UsageError(
            f"{benchmark.name} holds {benchmark.layout.kind}s, and {text} is none.", "Choose with --corruption."
        )
    level = int(parsed.arguments.get("severity" if kind == "corruption" else "difficulty", 1))
    return benchmark.layout, benchmark.layout.place(Path(root), parsed.name, level), level
