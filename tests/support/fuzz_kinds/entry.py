"""Entries of a leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from fuzzing import Kind
from strange_texts import read

_SHIPPED = 3
"""Entries that are changed."""


def _samples(_folder: Path) -> Sequence[bytes]:
    folder = files("robustbench_eff.leaderboards") / "entries"
    shipped = sorted((file.read_bytes() for file in folder.iterdir() if file.name.endswith(".json")), key=len)
    return [b'{"model": "a", "published": []}', *shipped[:_SHIPPED]]


def _read(content: bytes, folder: Path) -> None:
    (folder / "entry.json").write_bytes(content)
    read(folder / "entry.json")


KIND = Kind(_samples, _read, is_text=True)
