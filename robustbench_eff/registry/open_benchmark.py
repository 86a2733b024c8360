"""Open the images of a benchmark, or at a location, with the first reader of the table that understands it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.reader import Reader
from robustbench_eff.benchmarks.readers.placeholder import refuse_placeholder
from robustbench_eff.core.errors import DataError, Missing, RobustEvalError, UsageError
from robustbench_eff.core.object_digest import foreign_digest
from robustbench_eff.core.outside_files import check_file

from .readers import READERS

HUB = "hf:"
"""Prefix of the location of a dataset on the Hugging Face hub."""

ARCHIVES = frozenset({".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})
"""Suffixes of archives."""


def missing_data(benchmark: Benchmark, location: str | None) -> list[Missing]:
    """Return what prevents a benchmark from being opened; only the existence of a path or hub dataset is checked.

    Args:
        benchmark: The benchmark.
        location: Path or hub id of its images; None if the user did not give any.
    """
    name = benchmark.made_from or benchmark.name
    if location is None:
        if benchmark.open_bundled is not None:
            return []
        how = f"--data {name}=PATH, or the variable or config file of `robust-eval doctor`"
        return [Missing(f"dataset {name!r}", benchmark.download_url, how)]
    if location.startswith(HUB):
        from robustbench_eff.benchmarks.readers.hugging_face import missing_dataset

        return missing_dataset(name, location.removeprefix(HUB))
    if not Path(location).exists():
        hint = f"--data {name}={HUB}{location}" if location.count("/") == 1 else f"--data {name}=PATH"
        return [Missing(f"dataset {name!r}: {location} does not exist", "on this machine", hint)]
    return []


def open_benchmark(benchmark: Benchmark, location: str | None) -> LabelledImages:
    """Return the images of a benchmark: listed, not decoded.

    Args:
        benchmark: The benchmark.
        location: Path or hub id of its images; None for the copy that is installed with the package.

    Raises:
        UsageError: There is neither a location nor an installed copy.
        DataError: The images cannot be read, or do not belong to the benchmark.
    """
    if location is None:
        if benchmark.open_bundled is None:
            raise UsageError(f"No images for {benchmark.name}.", f"Pass --data {benchmark.name}=PATH.")
        return _stamped(benchmark.open_bundled(), benchmark)
    opened = open_location(location, benchmark.split)
    return opened if benchmark.select_images is None else _stamped(benchmark.select_images(opened), benchmark)


def open_location(location: str, split: str) -> LabelledImages:
    """Return the images at a location: listed, not decoded.

    Args:
        location: Local path, or `hf:ID[@SPLIT][#REVISION]`.
        split: Name of the split to take where the location has several and names none.

    Raises:
        DataError: The images cannot be read, or no reader knows their format.
    """
    try:
        if location.startswith(HUB):
            from robustbench_eff.benchmarks.readers.hugging_face import open_hub

            return open_hub(location.removeprefix(HUB), split)
        return _open_path(Path(location), split)
    except RobustEvalError:
        raise
    except Exception as error:
        raise DataError(f"{location} cannot be read: {type(error).__name__}: {error}") from error


def _open_path(path: Path, split: str) -> LabelledImages:
    if path.exists() and not path.is_dir():
        check_file(path)
    for _, reader in READERS.loaded():
        if reader.understands(path):
            return _stamped(reader.open(path, split), reader)
    refuse_placeholder(path)
    if path.suffix.lower() in ARCHIVES:
        raise DataError(f"{path} is an archive.", "Unpack it, and pass the folder.")
    formats = ", ".join(row.summary for row in READERS.values())
    raise DataError(
        f"{path} cannot be read as labelled images.",
        f"Supported are {formats}, and {HUB}ID[@SPLIT][#REVISION].",
    )


def _stamped(opened: LabelledImages, opener: Benchmark | Reader) -> LabelledImages:
    """The images with the code of a plugin in their stamp: what was cached of them is not used after a change."""
    code = foreign_digest(opener)
    return replace(opened, stamp=f"{opened.stamp}\n{code}") if code else opened
