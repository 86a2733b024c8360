"""The kinds of input of the fuzz battery: one file each, which defines `KIND`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from fuzzing import Kind

NAMES = tuple(sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem != "__init__"))


def kind(name: str) -> Kind:
    """Return a kind by its name.

    Args:
        name: One of `NAMES`.
    """
    found: Kind = import_module(f"fuzz_kinds.{name}").KIND
    return found
