"""How the numbers came about: commands, versions and models."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from robustbench_eff.scores.number_text import duration
from robustbench_eff.storage.stored_cell import StoredCell


class Run(NamedTuple):
    """A run as the report tells of it."""

    command: str
    """As one would type it; empty if it was not recorded."""
    what: str
    """How it ended, on what, and with which versions."""


class Model(NamedTuple):
    """A model and what identifies it."""

    name: str
    source: str
    digest: str
    preprocessing: str
    cells: int


def run_lines(runs: Sequence[Mapping[str, Any]]) -> list[Run]:
    """Return the runs of a store, the latest last.

    Args:
        runs: Their records.
    """
    return [Run(command(run.get("command", ())), _what(run, run is runs[-1])) for run in runs]


def command(arguments: Sequence[str]) -> str:
    """Return a command as one would type it.

    Args:
        arguments: The program, with or without its folder, and its arguments; empty if it was not recorded.
    """
    words = [str(argument) for argument in arguments]
    return shlex.join([PurePath(words[0]).name, *words[1:]]) if words else ""


def status(run: Mapping[str, Any], is_last: bool) -> str:
    """Return how a run ended.

    Args:
        run: Record of the run, as a store holds it.
        is_last: Whether no later run has written the store; it may be running.
    """
    if run.get("status", "finished") != "started":
        return str(run.get("status", "ended"))
    return "running, or killed before its end," if is_last else "killed before its end,"


def models(cells: Mapping[str, StoredCell]) -> list[Model]:
    """Return the models of a store with the number of their cells.

    Args:
        cells: Cells by their ids.
    """
    found: dict[tuple[str, str, str, str], int] = {}
    for cell in cells.values():
        key = (cell.model, cell.model_source, cell.model_digest, cell.preprocessing)
        found[key] = found.get(key, 0) + 1
    return [Model(*key, count) for key, count in found.items()]


def _what(run: Mapping[str, Any], is_last: bool) -> str:
    parts = [status(run, is_last).capitalize()]
    if isinstance(run.get("wall_seconds"), int | float):
        parts.append(f"after {duration(run['wall_seconds'])}")
    if machine := run.get("gpu") or run.get("processor"):
        parts.append(f"on {machine}" + (f" ({run['device']})" if run.get("device") else ""))
    versions = {"Python": run.get("python"), **run.get("versions", {})}
    named = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return f"{' '.join(parts)}{f'; {named}' if named else ''}."
