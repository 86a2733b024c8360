"""Trials of people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from strange_texts import read


def _samples(_folder: Path) -> Sequence[bytes]:
    return [
        b"subj,session,trial,rt,object_response,category,condition,imagename\n"
        b"subject-01,1,1,0.5,cat,cat,0,cat4-truck3.png\nsubject-01,1,2,NaN,dog,dog,0,dog1-bird2.png\n",
    ]


def _read(content: bytes, folder: Path) -> None:
    path = folder / "trials.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    read(path)


KIND = Kind(_samples, _read, is_text=True)
