"""Suites in YAML."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from fuzzing import Kind
from robustbench_eff.core.outside_files import read_text
from robustbench_eff.registry.suite import Suite


def _samples(_folder: Path) -> Sequence[bytes]:
    return [
        file.read_bytes() for file in (files("robustbench_eff") / "suites").iterdir() if file.name.endswith(".yaml")
    ]


def _read(content: bytes, folder: Path) -> None:
    path = folder / "suite.yaml"
    path.write_bytes(content)
    Suite.parse(read_text(path), str(path))


KIND = Kind(_samples, _read, is_text=True)
