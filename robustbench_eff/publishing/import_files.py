"""Entries made of files of other projects, and what a reader of them must know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from robustbench_eff.leaderboards.entry import Entry

from .model_names import merge_entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The entries that files hold."""

    files: int
    """Number of different files."""
    entries: list[Entry]
    """One per model."""
    remarks: list[str]
    """A sentence for every group of files that hold numbers of the same models."""


def import_files(read: Callable[[Path], list[Entry]], paths: Iterable[Path]) -> Imported:
    """Return the entries in files, one per model.

    Args:
        read: Returns the entries in one file.
        paths: The files; one that is given twice counts once.

    Raises:
        EntryError: A file cannot be read.
    """
    files = {path.resolve(): path for path in paths}
    holders: dict[str, dict[Path, None]] = {}
    entries = []
    for path in files.values():
        for entry in merge_entries(read(path)):
            holders.setdefault(entry.model, {})[path] = None
            entries.append(entry)
    return Imported(files=len(files), entries=merge_entries(entries), remarks=_remarks(holders))


def _remarks(holders: dict[str, dict[Path, None]]) -> list[str]:
    """Return a sentence for every group of several files that hold the same models."""
    models: dict[tuple[Path, ...], list[str]] = {}
    for model, paths in holders.items():
        if len(paths) > 1:
            models.setdefault(tuple(paths), []).append(model)
    return [f"{_named(names)}: the numbers of {_listed(paths)} together." for paths, names in models.items()]


def _named(models: Sequence[str]) -> str:
    return f"Entry {models[0]}" if len(models) == 1 else f"{len(models)} entries"


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)
