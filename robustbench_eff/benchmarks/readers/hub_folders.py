"""The files of a local copy of a hub dataset: what `hf download` writes, a folder of the hub cache, or plain files."""

from __future__ import annotations

from pathlib import Path

from robustbench_eff.core.errors import DataError

from .splits import split_named
from .stray_files import holds_class_folders

BUILDERS = {".parquet": "parquet", ".arrow": "arrow", ".tar": "webdataset"}
"""Builder of `datasets` by suffix of the files."""
_SAVED = ("state.json", "dataset_dict.json")
"""Files that mark a folder written by save_to_disk."""
_CARD = "README.md"
"""The description of a hub dataset, which may name its configurations."""
_DEEPER = ("*", "*/*")
"""Folders below a copy of a hub dataset that hold its files: CONFIGURATION or SPLIT, CONFIGURATION/SPLIT."""


def is_saved(path: Path) -> bool:
    """Return True for a folder written by save_to_disk.

    Args:
        path: A file or folder.
    """
    return any((path / name).is_file() for name in _SAVED)


def is_hub_cache(path: Path) -> bool:
    """Return True for a dataset's folder in the hub cache, `datasets--OWNER--NAME`.

    Args:
        path: A file or folder.
    """
    return path.name.startswith("datasets--") and (path / "snapshots").is_dir()


def snapshot(path: Path) -> Path:
    """Return the snapshot of a dataset's folder in the hub cache; any other path is returned as it is.

    Args:
        path: A file or folder.

    Raises:
        DataError: There are several snapshots and none is the main one, or the snapshot has no data.
    """
    if not is_hub_cache(path):
        return path
    snapshots = sorted(child for child in (path / "snapshots").iterdir() if child.is_dir())
    main = path / "refs" / "main"
    named = path / "snapshots" / main.read_text().strip() if main.is_file() else None
    picked = named if named in snapshots else snapshots[0] if len(snapshots) == 1 else None
    if picked is None:
        names = ", ".join(child.name for child in snapshots) or "none"
        raise DataError(f"{path} has the snapshots {names}.", f"Pass one: {path / 'snapshots' / 'REVISION'}")
    if not data_files(picked):
        raise DataError(
            f"{picked} holds no Parquet, Arrow or webdataset files.", "Download the dataset again with `hf download`."
        )
    return picked


def data_files(path: Path) -> list[Path]:
    """Return the Parquet, Arrow or webdataset files of a path; empty for any other path.

    Args:
        path: A file or folder.
    """
    if path.suffix in BUILDERS:
        return [path] if path.is_file() else []
    if not path.is_dir() or is_saved(path):
        return []
    for suffix in BUILDERS:
        files = sorted(path.glob(f"*{suffix}")) or sorted(path.glob(f"data/*{suffix}"))
        # A tar beside class folders is what they were unpacked from.
        if files and not (suffix == ".tar" and holds_class_folders(path)):
            return files
    return _deeper_files(path)


def _deeper_files(path: Path) -> list[Path]:
    """The Parquet files in the folders of a copy of a hub dataset, or the webdataset files in those of its splits.

    Without its description, such a copy is recognised by the splits that all files name.
    """
    for pattern in _DEEPER:
        files = sorted(path.glob(f"{pattern}/*.parquet"))
        if pattern == _DEEPER[0] and not files and (path / _CARD).is_file():
            files = sorted(file for file in path.glob("*/*.tar") if split_named(file.parent.name))
        shown = [file for file in files if not file.relative_to(path).parts[0].startswith(".")]
        if shown and ((path / _CARD).is_file() or "" not in by_split(path, shown)):
            return shown
    return []


def by_split(path: Path, files: list[Path]) -> dict[str, list[Path]]:
    """Return files by the split that their own names or their folders state; empty for files that state none.

    Args:
        path: The folder.
        files: The result of `data_files`.
    """
    found: dict[str, list[Path]] = {}
    for file in files:
        parts = reversed(file.relative_to(path).with_suffix("").parts)
        found.setdefault(next(filter(None, map(split_named, parts)), ""), []).append(file)
    return found


def refuse_configurations(path: Path, files: list[Path], names: list[str]) -> None:
    """Refuse a copy of a dataset that has several configurations, whose images must not be mixed.

    Args:
        path: The folder.
        files: The result of `data_files`.
        names: Configurations that its description names.

    Raises:
        DataError: There are several configurations.
    """
    if len(names) < 2:
        folders = {file.relative_to(path).parts[0] for file in files if file.parent != path} if path.is_dir() else set()
        names = sorted(folder for folder in folders if folder != "data" and not split_named(folder))
    if len(names) > 1:
        folder = next((path / name for name in names if (path / name).is_dir()), path)
        hint = "Pass the files of one of them" + (f", such as {folder}." if folder != path else ".")
        raise DataError(f"{path} holds several configurations: {', '.join(names)}.", hint)
