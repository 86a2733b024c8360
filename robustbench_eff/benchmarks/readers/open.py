"""Which reader a location is for."""

from __future__ import annotations

from pathlib import Path

from robustbench_eff.core.errors import DataError, Missing, RobustEvalError, UsageError

from ..benchmark import Benchmark
from ..labelled_images import LabelledImages
from . import cifar_files, class_folders, csv_folder, hugging_face, npz

FORMS = (
    "a folder of class folders, a folder with a CSV of labels, a .npz, .parquet, .arrow or .tar (webdataset) file "
    "or a folder of them, a dataset saved by save_to_disk, CIFAR's own files, or hf:ID[@SPLIT][#REVISION]"
)


def missing(benchmark: Benchmark, where: str | None) -> list[Missing]:
    """What keeps this benchmark from being opened, looking only at what is cheap to look at."""
    name = benchmark.made_from or benchmark.name
    if where is None:
        if benchmark.open_bundled is not None:
            return []
        how = f"--data {name}=PATH, or the variable or config file of `robust-eval doctor`"
        return [Missing(f"dataset {name!r}", benchmark.download_url, how)]
    if where.startswith("hf:"):
        return hugging_face.missing(name, where.removeprefix("hf:"))
    if not Path(where).exists():
        hint = f"--data {name}=hf:{where}" if where.count("/") == 1 else f"--data {name}=PATH"
        return [Missing(f"dataset {name!r}: {where} does not exist", "on this machine", hint)]
    return []


def open_benchmark(benchmark: Benchmark, where: str | None) -> LabelledImages:
    """The images of a benchmark at a local path or hub id, or those that are installed with the package.

    UsageError where there are none; DataError as `open_location`.
    """
    if where is None:
        if benchmark.open_bundled is None:
            raise UsageError(f"No images for {benchmark.name}.", f"Pass --data {benchmark.name}=PATH.")
        return benchmark.open_bundled()
    opened = open_location(where, benchmark.split)
    return opened if benchmark.select_images is None else benchmark.select_images(opened)


def open_location(where: str, split: str) -> LabelledImages:
    """Open a local path or a hub id; DataError if it cannot be read or has no form we know."""
    try:
        return _open(where, split)
    except RobustEvalError:
        raise
    except Exception as error:
        raise DataError(f"{where} cannot be read: {type(error).__name__}: {error}") from error


def _open(where: str, split: str) -> LabelledImages:
    if where.startswith("hf:"):
        return hugging_face.open_hub(where.removeprefix("hf:"), split)
    path = Path(where)
    if path.suffix == ".npz":
        return npz.open_npz(path)
    if (batch := cifar_files.find_batch(path)) is not None:
        return cifar_files.open_batch(batch, "test" if path.is_dir() else "local files")
    if hugging_face.understands(path):
        return hugging_face.open_files(path, split)
    if path.is_dir() and (table := csv_folder.find_csv(path)) is not None:
        return csv_folder.open_csv_folder(path, table)
    if path.is_dir() and any(child.is_dir() for child in path.iterdir()):
        return class_folders.open_class_folders(path)
    raise DataError(f"{where} has no form that can be read as labelled images.", f"It can be {FORMS}.")
