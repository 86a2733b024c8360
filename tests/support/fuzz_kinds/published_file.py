"""RobustBench's files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from strange_texts import read


def _samples(_folder: Path) -> Sequence[bytes]:
    return [
        b'{"dataset": "cifar10", "eps": "8/255", "clean_acc": "94.2", "autoattack_acc": "50", "reported": 51.5, '
        b'"external": null, "unreliable": true, "architecture": "WideResNet-28-10"}',
    ]


def _read(content: bytes, folder: Path) -> None:
    path = folder / "cifar10/Linf/Some2020Model.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    read(path)


KIND = Kind(_samples, _read, is_text=True)
