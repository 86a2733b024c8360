"""An opened source of labelled images, before anything is decoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError

if TYPE_CHECKING:
    pass


_WHOLE = re.compile(r"[+-]?[0-9]+(\.0+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImages:
    """An opened source: `read(i)` gives the encoded bytes of image i, or uint8 (H, W, 3) pixels."""

    origin: str
    """Path or hub id, for messages."""
    ids: list[str]
    labels: Sequence[Any]
    """Indices, wnids or class names, as found."""
    read: Callable[[int], bytes | npt.NDArray[np.uint8]]
    stamp: str
    """Changes whenever the files do; cheap to compute (places, sizes, times)."""
    split: str = "local files"
    """What a reader is told was opened: a split where one was chosen."""
    textures: Sequence[Any] | None = None
    """Of cue-conflict images the class of each texture, as found; `labels` are then those of the shapes."""
    left_out: int = 0
    """Images of the source that are none of the benchmark's."""

    def __len__(self) -> int:
        return len(self.ids)


def select(opened: LabelledImages, rows: Sequence[int], labels: Sequence[Any]) -> LabelledImages:
    """The images at `rows` of a source, with these labels; DataError where there are none."""
    if not rows:
        raise DataError(f"{opened.origin} holds no images of these classes.", "Is it the right place?")
    return replace(
        opened,
        ids=[opened.ids[row] for row in rows],
        labels=labels,
        textures=None if opened.textures is None else [opened.textures[row] for row in rows],
        read=lambda position: opened.read(rows[position]),
        left_out=len(opened) - len(rows),
    )


def plain_labels(opened: LabelledImages) -> list[int | str]:
    """All labels, then all textures, as whole numbers or names; DataError for what is neither."""
    labels = [*opened.labels, *(opened.textures or ())]
    return [_plain(label, opened, position % len(opened)) for position, label in enumerate(labels)]


def _plain(label: Any, opened: LabelledImages, position: int) -> int | str:
    """A whole number however it is written, or a name."""
    if isinstance(label, bytes):
        label = label.decode(errors="replace")
    if isinstance(label, str):
        text = label.strip()
        return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else text
    if isinstance(label, (int, np.integer)) and not isinstance(label, bool):
        return int(label)
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        return int(label)
    raise DataError(f"{opened.origin}: {opened.ids[position]} has the label {label!r}, no class index or name.")


def file_stamp(path: Path) -> str:
    """Place, size and times of a file: another file at the same place has another stamp."""
    stat = path.stat()
    return f"{path.resolve()} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
