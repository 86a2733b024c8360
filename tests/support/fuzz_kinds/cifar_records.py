"""Records of CIFAR's binary version, with the names of the classes beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from read_images import read_images

_NAMES = b"airplane\nautomobile\nbird\n"


def _samples(_folder: Path) -> Sequence[bytes]:
    return [bytes(3073) + b"\x01" + bytes(3072), bytes(3074), _NAMES]


def _read(content: bytes, folder: Path) -> None:
    (folder / "set").mkdir(exist_ok=True)
    is_batch = len(content) > 1000
    (folder / "set" / "test_batch.bin").write_bytes(content if is_batch else bytes(3073))
    (folder / "set" / "batches.meta.txt").write_bytes(_NAMES if is_batch else content)
    read_images(folder / "set")


KIND = Kind(_samples, _read)
