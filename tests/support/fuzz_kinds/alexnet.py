"""AlexNet's figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from strange_texts import read


def _samples(_folder: Path) -> Sequence[bytes]:
    return [
        b'{"imagenet_c": {"clean_error": 0.4, "per_severity": {"fog": [0.1, 0.2, 0.3, 0.4, 0.5]}}, '
        b'"imagenet_p": {"flip_probability": {"tilt": 0.1}}}',
    ]


def _read(content: bytes, folder: Path) -> None:
    path = folder / "alexnet.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    read(path)


KIND = Kind(_samples, _read, is_text=True)
