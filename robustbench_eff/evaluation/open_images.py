"""Open the images that a run evaluates: the clean ones, and the files of published perturbations."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.layout import Layout
from robustbench_eff.core import spec
from robustbench_eff.core.errors import DataError, Missing, RobustEvalError, UsageError
from robustbench_eff.generation.cue_conflict import open_conflicts
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import missing_data, open_benchmark
from robustbench_eff.registry.perturbation import Perturbation
from robustbench_eff.registry.perturbation_sets import BY_SIZE, PERTURBATION_SETS


class PublishedFiles(NamedTuple):
    """Where the files of one perturbation of a published set lie."""

    layout: Layout
    path: Path
    level: int
    """Severity of a corruption, or difficulty of a sequence."""


def missing_files(benchmark: Benchmark, root: str | None, changes: Sequence[Perturbation]) -> list[Missing]:
    """Return the missing files of a published benchmark; only existence is checked.

    Args:
        benchmark: A benchmark with a layout.
        root: Folder of the set; None where nobody said where it is.
        changes: The requested perturbations.

    Raises:
        UsageError: A perturbation is of another kind than the set, or has other constants.
    """
    if (missing := missing_data(benchmark, root)) or root is None:
        return missing
    hint = f"--data {benchmark.name}=PATH of the folder that holds it, or other corruptions with --corruption"
    paths = {change.text: _files(benchmark, root, change).path for change in changes if change.kind != "none"}
    missing = [
        Missing(f"{benchmark.name}: {text}", str(path), hint) for text, path in paths.items() if not path.exists()
    ]
    if not _has_reader(benchmark):
        missing.append(Missing("PyAV, which reads videos", "PyPI", "pip install 'robustbench-eff[video]'"))
    return missing


def available(benchmark: Benchmark, root: str | None, changes: Sequence[Perturbation]) -> list[Perturbation]:
    """Return the perturbations of a published benchmark whose files can be read; none for any other benchmark.

    Args:
        benchmark: Any benchmark.
        root: Folder of the set; None where nobody said where it is.
        changes: The requested perturbations.
    """
    if root is None or benchmark.layout is None or not _has_reader(benchmark):
        return []
    changed = [change for change in changes if change.kind != "none"]
    return [change for change in changed if _files(benchmark, root, change).path.exists()]


def open_files(
    benchmark: Benchmark, root: str, change: Perturbation, clean: LabelledImages | None = None
) -> LabelledImages:
    """Return the images, or sequences of frames, of one published perturbation: listed, not decoded.

    Args:
        benchmark: A benchmark with a layout.
        root: Folder of the set.
        change: The perturbation.
        clean: The clean images, whose labels are those of files that come without any.

    Raises:
        DataError: The files cannot be read, or have no labels.
    """
    files = _files(benchmark, root, change)
    try:
        opened = files.layout.open(files.path, files.level)
    except RobustEvalError:
        raise
    except Exception as error:
        raise DataError(f"{files.path} cannot be read: {type(error).__name__}: {error}") from error
    return opened if len(opened.labels) else _labelled(opened, benchmark, clean)


def _labelled(opened: LabelledImages, benchmark: Benchmark, clean: LabelledImages | None) -> LabelledImages:
    """The images with the labels of the clean ones, which must be the same images in the same order."""
    saved = f"save the labels of the test set, in its order, as {Path(opened.origin).with_name('labels.npy')}"
    source = benchmark.source_benchmark
    if clean is None:
        raise DataError(
            f"{opened.origin} needs labels in the same folder, or the test set.",
            f"Add --data {source}=PATH of the test set as it is published, or {saved}.",
        )
    if clean.ids != [f"{row:08d}" for row in range(len(clean))]:
        raise DataError(
            f"{opened.origin} has no labels, and {clean.origin} does not have the order of the published test set.",
            f"Pass --data {source}=PATH of the test set as it is published, or {saved}.",
        )
    if len(clean) != len(opened):
        raise DataError(
            f"{opened.origin} has no labels and holds {len(opened)} samples, and {clean.origin} has {len(clean)}.",
            f"Pass --data {source}=PATH of the whole test set, or {saved}.",
        )
    return replace(opened, labels=clean.labels, stamp=f"{opened.stamp}\n{clean.stamp}")


def open_clean(benchmark: Benchmark, data: Mapping[str, str]) -> LabelledImages | None:
    """Return the clean images of a benchmark: listed, not decoded. None where a published set comes without them.

    Args:
        benchmark: Any benchmark.
        data: Where images are, by the name of the benchmark.

    Raises:
        UsageError: Nobody said where the images are.
        DataError: They cannot be read.
    """
    if benchmark.stylise_with is not None:
        return open_conflicts(benchmark, data)
    if benchmark.layout is None:
        return open_benchmark(benchmark, locations.place(benchmark, data))
    path = locations.location(str(benchmark.source_benchmark), data)
    return None if path is None else open_benchmark(benchmark, path)


def _has_reader(benchmark: Benchmark) -> bool:
    reader = "" if benchmark.layout is None else benchmark.layout.reader
    return not reader or importlib.util.find_spec(reader) is not None


def _files(benchmark: Benchmark, root: str, change: Perturbation) -> PublishedFiles:
    parsed, layout = spec.parse(change.text), benchmark.layout
    assert layout is not None
    if change.kind != layout.kind:
        raise UsageError(
            f"{benchmark.name} holds {layout.kind}s, and {change.text} is not one.", "Choose with --corruption."
        )
    if parsed.arguments.get("constants", "imagenet") not in (layout.constants, BY_SIZE):
        raise UsageError(
            f"{benchmark.name} was made with the constants of {layout.constants}, and {change.text} asks for others.",
            _with_its_constants(benchmark, layout, parsed.name),
        )
    level = int(parsed.arguments.get("severity" if change.kind == "corruption" else "difficulty", 1))
    return PublishedFiles(layout, layout.place(Path(root), parsed.name, level), level)


def _with_its_constants(benchmark: Benchmark, layout: Layout, name: str) -> str:
    """Return how to name what a published set holds."""
    whole = build_benchmark.suite(f"{layout.kind}s").perturbations(benchmark.name)[-1]
    if any(spec.parse(text).name == name for text in PERTURBATION_SETS[whole]):
        return f"Write it with constants={layout.constants!r}, or choose the whole set with --corruption {whole}."
    return f"Choose its own set with --corruption {whole}, or single ones of it."
