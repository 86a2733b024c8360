"""timm's tables of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from strange_texts import read


def _samples(_folder: Path) -> Sequence[bytes]:
    return [
        b"model,top1,top5,img_size\nresnet50,80.1,95,224\nresnet50,81.2,95.5,288\nvit,85,97,\n",
    ]


def _read(content: bytes, folder: Path) -> None:
    path = folder / "results-imagenet.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    read(path)


KIND = Kind(_samples, _read, is_text=True)
