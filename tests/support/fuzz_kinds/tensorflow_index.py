"""Indices of TensorFlow checkpoints, beside values that fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from robustbench_eff.models.sources.tf_bundle import read_bundle
from sat_bundles import write_bundle
from strange_bundles import END_OF_DATA, VALUES


def _samples(folder: Path) -> Sequence[bytes]:
    return [write_bundle(folder / "model", VALUES).read_bytes()]


def _read(content: bytes, folder: Path) -> None:
    index = write_bundle(folder / "model", VALUES)
    index.write_bytes(content)
    assert index.with_suffix(END_OF_DATA).is_file()
    read_bundle(index)


KIND = Kind(_samples, _read)
