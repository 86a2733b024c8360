"""Names and sizes of the corrupted files of a user's own images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.data_fingerprint import content_of
from robustbench_eff.benchmarks.labelled_images import LabelledImages, plain_labels
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core.errors import DataError, UsageError
from robustbench_eff.core.preprocessing import Geometry

SUFFIX = ".png"
"""Suffix of the files, which hold the corrupted pixels without loss."""
_NOT_PLAIN = re.compile(r"[^\w .-]")


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """Where the corrupted images of a user's own set are written."""

    classes: dict[str, int]
    """Class index by the name of its folder."""
    class_names: tuple[str, ...]
    """Name of every class in order; empty where the source has numbers only."""
    names: list[str]
    """Path of every image below the folder of a severity."""


def common_size(opened: LabelledImages) -> Geometry:
    """Return the geometry of images that all have the size of the first one.

    Args:
        opened: The images.

    Raises:
        DataError: There are no images, or the first cannot be decoded.
    """
    if not len(opened):
        raise DataError(f"{opened.origin} holds no images.")
    width, height = decode(content_of(opened, 0), f"{opened.origin}: {opened.ids[0]}").size
    return Geometry(size=(height, width), mode="none")


def own_files(benchmark: Benchmark, opened: LabelledImages, sample_ids: Sequence[str]) -> OwnFiles:
    """Return a folder for every class, and a file for every image.

    A folder has the name of its class where that is a plain file name, else its index. Below it a file has the id of
    its image, so that ids agree but for the suffix.

    Args:
        benchmark: The user's own benchmark.
        opened: Its images.
        sample_ids: Ids of the images that are written, the first of the source.

    Raises:
        DataError: A label cannot be read.
        UsageError: Two images would have one name.
    """
    labels, resolved = plain_labels(opened)[: len(opened)], resolve_labels(benchmark, opened)
    indices = resolved.labels.tolist()
    titles: dict[int, str] = {}
    for label, index in zip(labels, indices, strict=True):
        titles.setdefault(index, str(label))
    is_plain = all(title and _plain(title) == title and not title.isdigit() for title in titles.values())
    folders = {index: title if is_plain else str(index) for index, title in titles.items()}
    names = [
        _file(folders[index], str(label), sample)
        for label, index, sample in zip(labels, indices, sample_ids, strict=False)
    ]
    if len(set(names)) < len(names):
        raise UsageError("Two images of one class have the same name.", "Rename them: each becomes a file.")
    return OwnFiles({folders[index]: index for index in sorted(folders)}, resolved.class_names, names)


def _file(folder: str, label: str, sample: str) -> str:
    path = PurePosixPath(sample)
    parts = path.parts[1:] if len(path.parts) > 1 and path.parts[0] == label else path.parts
    plain = [_plain(part) for part in parts if part != "/"]
    return "/".join([folder, *plain[:-1], PurePosixPath(plain[-1]).stem + SUFFIX])


def _plain(name: str) -> str:
    """A name as a file name: nothing leads out of a folder, or hides in it."""
    plain = _NOT_PLAIN.sub("_", name)
    return f"_{plain[1:]}" if plain.startswith(".") else plain
