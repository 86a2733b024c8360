"""Where the files of a RobustBench model lie: where the user says, or where RobustBench and torch keep downloads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from robustbench_eff.core.errors import Missing
from robustbench_eff.system import network

from ..request import ModelRequest
from ..robustbench_table import NUM_CLASSES, THREATS, RobustBenchEntry, robustbench_entries

MODEL_DIR = Path("models")
"""RobustBench's own folder of downloads, below the current one."""
_MEMBER = re.compile(r"(?P<start>.*_m)(?P<number>\d+)(?P<end>\.[a-z]+)")


class WeightsFiles(NamedTuple):
    """Files of weights, or why there are none."""

    paths: tuple[Path, ...] = ()
    """One file, or one for every member of an ensemble."""
    missing: tuple[Missing, ...] = ()
    """What is missing."""
    note: str = ""
    """Where the files are, if the user did not name them."""


def find_files(entry: RobustBenchEntry, request: ModelRequest) -> WeightsFiles:
    """Return the files of a model's weights, or what is missing of them.

    Args:
        entry: The model.
        request: The user's options; `weights` may name a file, one of several files, or RobustBench's `model_dir`.

    Raises:
        ModelError: `weights` is neither a file nor a folder.
    """
    given = request.weights
    if given is None:
        return _downloaded(entry)
    if not given.is_dir():
        if missing := request.missing_weights_file():
            return WeightsFiles(missing=tuple(missing))
        member = _MEMBER.fullmatch(given.name) if len(entry.weights) > 1 else None
        if member is None:
            return WeightsFiles((given,))
        numbers = range(len(entry.weights))
        return _complete(entry, tuple(given.with_name(f"{member['start']}{i}{member['end']}") for i in numbers))
    names = file_names(entry)
    folders = [given / entry.dataset / entry.threat, given / entry.threat, given]
    folder = next((folder for folder in folders if (folder / names[0]).is_file()), folders[0])
    return _complete(entry, tuple(folder / name for name in names))


def file_names(entry: RobustBenchEntry) -> tuple[str, ...]:
    """Return the names that RobustBench gives to the files when it downloads them.

    Args:
        entry: The model.
    """
    if len(entry.weights) == 1:
        return (f"{entry.short}.pt",)
    return tuple(f"{entry.short}.pt_m{number}.pt" for number in range(len(entry.weights)))


def named_after_another(entry: RobustBenchEntry, path: Path) -> str:
    """Return the full name of another model after which a file is named, or the empty string.

    Args:
        entry: The model whose weights it should hold.
        path: The file.
    """
    stem = path.name.partition(".")[0]
    folders = path.absolute().parent
    dataset = folders.parent.name if folders.parent.name in NUM_CLASSES else entry.dataset
    threat = folders.name if folders.name in THREATS else entry.threat
    if stem == entry.short and folders.parent.name not in NUM_CLASSES:
        return ""
    other = robustbench_entries().get(f"{dataset}/{threat}/{stem}")
    if other is None and stem != entry.short:
        other = next((known for known in robustbench_entries().values() if known.short == stem), None)
    return "" if other is None or other.name == entry.name or other.weights == entry.weights else other.name


def _downloaded(entry: RobustBenchEntry) -> WeightsFiles:
    folder = MODEL_DIR / entry.dataset / entry.threat
    paths = tuple(folder / name for name in file_names(entry))
    if all(path.is_file() for path in paths):
        return WeightsFiles(paths, note=f"weights found in {folder}, where RobustBench downloads them to")
    cached = network.torch_cache_path(entry.weights[0])
    if cached.suffix and cached.is_file():  # an address on Google Drive ends without a name
        return WeightsFiles((cached,), note=f"weights found in torch's cache, {cached.parent}")
    return _complete(entry, paths)


def _complete(entry: RobustBenchEntry, paths: tuple[Path, ...]) -> WeightsFiles:
    missing = tuple(
        Missing(f"weights of {entry.name}: no file {path}", address, _how(entry))
        for path, address in zip(paths, entry.weights, strict=True)
        if not path.is_file()
    )
    return WeightsFiles(missing=missing) if missing else WeightsFiles(paths)


def _how(entry: RobustBenchEntry) -> str:
    if len(entry.weights) == 1:
        return "--weights FILE; or a folder with its layout, as RobustBench's model_dir: --weights FOLDER"
    first, last = file_names(entry)[0], file_names(entry)[-1]
    return f"name the {len(entry.weights)} files {first} to {last}, and pass their folder: --weights FOLDER"
