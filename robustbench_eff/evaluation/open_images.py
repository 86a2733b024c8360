"""The files of a published set for the perturbations of a run."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.layout import Layout
from robustbench_eff.core import spec
from robustbench_eff.core.errors import DataError, Missing, RobustEvalError, UsageError
from robustbench_eff.generation.cue_conflict import open_conflicts
from robustbench_eff.registry import perturbation_text
from robustbench_eff.registry.open_benchmark import missing_data, open_benchmark

from .plan import CLEAN


def missing_files(benchmark: Benchmark, root: str | None, texts: Sequence[str]) -> list[Missing]:
    """What of a published set is not there, looking only at what is cheap to look at."""
    if (lacking := missing_data(benchmark, root)) or root is None:
        return lacking
    how = f"--data {benchmark.name}=PATH of the folder that holds it, or other corruptions with --corruption"
    places = {text: _place(benchmark, root, text)[1] for text in texts if text != CLEAN}
    found = [Missing(f"{benchmark.name}: {text}", str(at), how) for text, at in places.items() if not at.exists()]
    if not _has_reader(benchmark):
        found.append(Missing("PyAV, which reads videos", "PyPI", "pip install 'robustbench-eff[video]'"))
    return found


def files_there(benchmark: Benchmark, root: str | None, texts: Sequence[str]) -> list[str]:
    """The perturbations whose files can be read."""
    if root is None or not _has_reader(benchmark):
        return []
    return [text for text in texts if text != CLEAN and _place(benchmark, root, text)[1].exists()]


def _has_reader(benchmark: Benchmark) -> bool:
    reader = "" if benchmark.layout is None else benchmark.layout.reader
    return not reader or importlib.util.find_spec(reader) is not None


def open_files(benchmark: Benchmark, root: str, text: str) -> LabelledImages:
    """The images, or sequences of frames, of one perturbation: listed, not decoded. DataError if they cannot be."""
    layout, place, level = _place(benchmark, root, text)
    try:
        return layout.open(place, level)
    except RobustEvalError:
        raise
    except Exception as error:
        raise DataError(f"{place} cannot be read: {type(error).__name__}: {error}") from error


def _place(benchmark: Benchmark, root: str, text: str) -> tuple[Layout, Path, int]:
    parsed, kind, layout = spec.parse(text), perturbation_text.kind(text), benchmark.layout
    assert layout is not None
    if kind != layout.kind:
        raise UsageError(f"{benchmark.name} holds {layout.kind}s, and {text} is none.", "Choose with --corruption.")
    if parsed.arguments.get("constants", "imagenet") != layout.constants:
        raise UsageError(
            f"{benchmark.name} was made with the constants of {layout.constants}, and {text} asks for others.",
            f"Write it with constants={layout.constants!r}.",
        )
    level = int(parsed.arguments.get("severity" if kind == "corruption" else "difficulty", 1))
    return layout, layout.place(Path(root), parsed.name, level), level


def open_clean(benchmark: Benchmark, data: Mapping[str, str]) -> LabelledImages | None:
    """The images before a perturbation: listed, not decoded. None where a published set comes without.

    UsageError where they are nowhere; DataError if they cannot be read.
    """
    if benchmark.stylise_with is not None:
        return open_conflicts(benchmark, data)
    if benchmark.layout is None:
        return open_benchmark(benchmark, locations.place(benchmark, data))
    place = locations.location(str(benchmark.source_benchmark), data)
    return None if place is None else open_benchmark(benchmark, place)
