"""What samples are known by: a hash of their ids, labels and bytes, kept so that the bytes are read once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.disk import atomic_write, cache_folder, store_errors
from robustbench_eff.core.errors import DataError

from .labelled_images import LabelledImages

ProgressCallback = Callable[[int, int], None]
"""Told how many samples are done, and of how many."""


@dataclass(frozen=True, slots=True)
class FingerprintRecord:
    """The kept fingerprint of some samples; another file at the same place has another note."""

    path: Path
    lines: Sequence[str]
    """Id and label of every sample, and its texture where it has one."""

    @classmethod
    def of(
        cls,
        opened: LabelledImages,
        ids: Sequence[str],
        labels: npt.NDArray[np.int64],
        textures: npt.NDArray[np.int64] | None = None,
    ) -> FingerprintRecord:
        lines = [f"{name} {label}" for name, label in zip(ids, labels, strict=True)]
        if textures is not None:
            lines = [f"{line} {texture}" for line, texture in zip(lines, textures, strict=False)]
        return cls(cache_folder() / "fingerprints" / f"{hash_strings(opened.stamp, *lines)}.json", lines)

    @property
    def known(self) -> str | None:
        """The fingerprint, if it was kept."""
        return str(json.loads(self.path.read_text())["fingerprint"]) if self.path.exists() else None

    def fingerprint(self, digests: Sequence[str]) -> str:
        """That of samples whose bytes have these digests."""
        return hash_strings(*(f"{line} {one}" for line, one in zip(self.lines, digests, strict=True)))

    def keep(self, fingerprint: str) -> None:
        """Write it down, whole or not at all."""
        atomic_write(self.path, json.dumps({"fingerprint": fingerprint}).encode())


def fingerprint_of(
    opened: LabelledImages, ids: Sequence[str], labels: npt.NDArray[np.int64], tick: ProgressCallback | None
) -> str:
    """The fingerprint of these samples, which are the first of `opened`; their bytes are read if it was not kept."""
    note = FingerprintRecord.of(opened, ids, labels)
    if (known := note.known) is not None:
        return known
    digests = []
    with store_errors(cache_folder()), ThreadPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(lambda position: digest(content_of(opened, position)), range(len(ids))):
            digests.append(one)
            if tick is not None:
                tick(len(digests), len(ids))
        found = note.fingerprint(digests)
        note.keep(found)
    return found


def content_of(opened: LabelledImages, position: int) -> bytes | npt.NDArray[np.uint8]:
    """What is stored of a sample; DataError where it cannot be read."""
    try:
        return opened.read(position)
    except OSError as error:
        name = f"{opened.origin}: {opened.ids[position]}"
        raise DataError(f"{name} cannot be read: {error.strerror or error}.") from error


def digest(content: bytes | npt.NDArray[np.uint8]) -> str:
    """The hash of a sample's bytes."""
    return hashlib.blake2b(content if isinstance(content, bytes) else content.tobytes()).hexdigest()


def hash_strings(*parts: str) -> str:
    """A short hash of texts."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(part.encode() + b"\n")
    return found.hexdigest()
