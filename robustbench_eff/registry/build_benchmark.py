"""Benchmarks and suites by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.layouts.written import written_set
from robustbench_eff.core.errors import UsageError, did_you_mean, misspelled
from robustbench_eff.core.outside_files import read_text

from .benchmarks import BENCHMARKS, SCORED_WITH
from .perturbation_sets import CORRUPTION_SETS
from .suite import Suite
from .suites import SUITES


def benchmark(name: str, place: str | None = None) -> Benchmark:
    """Return a benchmark of the table, or one of the user's own images, clean or written by `robust-eval corrupt`.

    Args:
        name: Name of the benchmark.
        place: Path or hub id of the images; None if the user did not give any. A name that is not in the table is that
            of the user's own images.

    Raises:
        UsageError: The name is not in the table and has no images, is almost that of a benchmark, or stands for other
            labels of a benchmark; or the images are a published corrupted set.
        DataError: The images were written from a benchmark of the table, and are read under its name.
    """
    if name in SCORED_WITH:
        raise UsageError(
            f"{name} is not a benchmark of its own: it is scored with {SCORED_WITH[name]}.",
            f"Run --benchmark {SCORED_WITH[name]}.",
        )
    if name in BENCHMARKS:
        row: Benchmark = BENCHMARKS[name].load()
        return row
    if place is not None and (written := written_set(name, place)) is not None:
        return written
    if place is not None:
        if meant := misspelled(name, BENCHMARKS):
            raise UsageError(
                f"{name!r} is not a benchmark, and almost the name of one.",
                f"For that benchmark write {meant!r}; for images of your own choose another name, such as 'my-{name}'.",
            )
        _refuse_corruptions(name, Path(place))
        return Benchmark(
            name=name,
            title="the user's own images",
            label_space=f"custom:{name}",
            licence="the user's",
            download_url=place,
            size="",
            num_classes=None,
        )
    known = f"Known: {', '.join(BENCHMARKS)}; for your own images add --data {name}=PATH."
    raise UsageError(f"Unknown benchmark {name!r}.", f"{did_you_mean(name, BENCHMARKS)}\n{known}".strip())


def _refuse_corruptions(name: str, folder: Path) -> None:
    """Refuse the folder of a published corrupted set as images of the user's own: its corruptions are no classes."""
    children = [child for child in folder.iterdir() if child.is_dir()] if folder.is_dir() else []
    names = {of for corruptions in CORRUPTION_SETS.values() for of in corruptions.names}
    if children and all(child.name in names and (child / "5").is_dir() for child in children):
        raise UsageError(
            f"{folder} holds corruptions at several severities, such as {children[0].name}, and not classes.",
            f"Name the published set, such as --benchmark imagenet-c --data imagenet-c={folder}; or one severity as "
            f"images of your own: --data {name}={children[0] / '5'}.",
        )


def other_protocols(benchmark: Benchmark) -> list[str]:
    """Return the names of benchmarks that score the same images by other outputs of the model.

    Args:
        benchmark: A benchmark of the table.
    """
    others = (row for name, row in BENCHMARKS.loaded() if name != benchmark.name)
    return [
        other.name
        for other in others
        if benchmark.name == other.source_benchmark or other.name == benchmark.source_benchmark
        if all(getattr(other, field) == getattr(benchmark, field) for field in _IMAGE_FIELDS)
    ]


_IMAGE_FIELDS = ("label_space", "select_images", "crop_border", "geometry", "layout", "stylise_with", "jpeg_quality")
"""Fields that determine the images."""


def suite(name: str) -> Suite:
    """Return a suite.

    Args:
        name: Name of a suite that the package contains, or path of a YAML file.

    Raises:
        UsageError: There is no such suite, or the file does not describe a suite.
    """
    if name in SUITES:
        return Suite.parse((files("robustbench_eff") / "suites" / f"{name}.yaml").read_text(), name)
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.exists():
        return Suite.parse(read_text(path, UsageError), name)
    hint = did_you_mean(name, SUITES) or f"Known: {', '.join(SUITES)}; or the path of a YAML file."
    raise UsageError(f"Unknown suite {name!r}.", hint)
