"""Values of TensorFlow checkpoints, beside an index that fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from robustbench_eff.models.sources.tf_bundle import read_bundle
from sat_bundles import write_bundle
from strange_bundles import END_OF_DATA, VALUES


def _samples(folder: Path) -> Sequence[bytes]:
    return [write_bundle(folder / "model", VALUES).with_suffix(END_OF_DATA).read_bytes()]


def _read(content: bytes, folder: Path) -> None:
    index = write_bundle(folder / "model", VALUES)
    index.with_suffix(END_OF_DATA).unlink()
    index.with_suffix(END_OF_DATA).write_bytes(content)
    read_bundle(index)


KIND = Kind(_samples, _read)
