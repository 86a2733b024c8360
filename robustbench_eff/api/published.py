"""The files of a published set for the perturbations of a run."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from robustbench_eff import catalog, spec
from robustbench_eff.benchmarks import sources
from robustbench_eff.benchmarks.benchmark import Benchmark, LabelledImages
from robustbench_eff.benchmarks.layouts import Layout
from robustbench_eff.errors import DataError, Missing, RobustEvalError, UsageError
from robustbench_eff.plan import CLEAN


def missing_files(benchmark: Benchmark, root: str | None, texts: Sequence[str]) -> list[Missing]:
    """What of a published set is not there, looking only at what is cheap to look at."""
    if (lacking := sources.missing(benchmark, root)) or root is None:
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
    parsed, kind, layout = spec.parse(text), catalog.kind(text), benchmark.layout
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
