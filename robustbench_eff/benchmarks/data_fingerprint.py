"""The fingerprint of a set of samples: a hash of their ids, labels and bytes, stored so that it is computed once."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.disk import OTHER_CACHE, atomic_write, cache_folder, store_errors
from robustbench_eff.core.errors import DataError, RobustEvalWarning, StoreError
from robustbench_eff.core.outside_files import read_bytes
from robustbench_eff.core.progress import ProgressCallback, ignore_progress

from .labelled_images import LabelledImages
from .readers.decode import is_turned

CHECKSUM = "checksum"
"""Key of a record with the hash of all others."""
EARLIER = {"fingerprint", "turned"}
"""Keys of the records of earlier versions, without a checksum."""


class ReadSamples(NamedTuple):
    """What the bytes of some samples told."""

    fingerprint: str
    """Hash of their ids, labels and bytes."""
    turned: int
    """Number of images with an EXIF orientation other than upright."""


@dataclass(frozen=True, slots=True)
class FingerprintRecord:
    """The file that stores the fingerprint of some samples. Changed source files have another record."""

    path: Path
    """File of the record in the cache."""
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
        """Return the record of the first samples of a source.

        Args:
            opened: The source.
            ids: Ids of the first samples.
            labels: Their class indices; int64 (n,).
            textures: Class indices of the textures of at least these samples, where they have any.
        """
        lines = [f"{name} {label}" for name, label in zip(ids, labels, strict=True)]
        if textures is not None:
            lines = [f"{line} {texture}" for line, texture in zip(lines, textures, strict=False)]
        return cls(cache_folder() / "fingerprints" / f"{hash_strings(opened.stamp, *lines)}.json", lines)

    def stored(self) -> ReadSamples | None:
        """Return what is stored; None for nothing, for a record of an earlier version, and for a damaged one.

        A damaged record is said and deleted.

        Raises:
            StoreError: The record cannot be read.
        """
        with store_errors(self.path.parent, OTHER_CACHE):
            if not self.path.exists():
                return None
        try:
            record = json.loads(read_bytes(self.path, StoreError))
            if record.keys() <= EARLIER:
                return None
            samples = ReadSamples(str(record["fingerprint"]), int(record["turned"]))
            if record[CHECKSUM] == self._checksum(samples):
                return samples
        except (ValueError, TypeError, KeyError, AttributeError):
            pass  # said below
        discard(self.path, "it does not fit its checksum")
        return None

    def _checksum(self, samples: ReadSamples) -> str:
        """A hash of what is stored, and of the name of the record."""
        return hash_strings(self.path.stem, samples.fingerprint, str(samples.turned))

    def fingerprint(self, digests: Sequence[str]) -> str:
        """Return the fingerprint of the samples.

        Args:
            digests: Hash of the bytes of every sample.
        """
        pairs = zip(self.lines, digests, strict=True)
        return hash_strings(*(f"{line} {sample_digest}" for line, sample_digest in pairs))

    def save(self, samples: ReadSamples) -> None:
        """Store what the bytes told, atomically.

        Args:
            samples: The fingerprint, as `fingerprint` returns it, and the orientations.
        """
        atomic_write(self.path, json.dumps({**samples._asdict(), CHECKSUM: self._checksum(samples)}).encode())


def discard(path: Path, cause: str) -> None:
    """Delete a damaged file of the cache, and say so.

    Args:
        path: The file.
        cause: What is wrong with it, as in "it has 12 bytes, not 34".

    Raises:
        StoreError: It cannot be deleted.
    """
    warn_of_damage(path, cause)
    with store_errors(path.parent, OTHER_CACHE):
        path.unlink(missing_ok=True)


def warn_of_damage(path: Path, cause: str) -> None:
    """Say that a file or folder of the cache is damaged, and what is done about it.

    Args:
        path: The file or folder.
        cause: What is wrong with it, as in "it has 12 bytes, not 34".
    """
    warnings.warn(f"{path} of the image cache is damaged: {cause}. Its images are read again.", RobustEvalWarning, 4)


def read_samples(
    opened: LabelledImages,
    ids: Sequence[str],
    labels: npt.NDArray[np.int64],
    title: str = "",
    progress: ProgressCallback = ignore_progress,
) -> ReadSamples:
    """Return the fingerprint and orientations of the first samples of a source; bytes are read unless it is stored.

    Args:
        opened: The source.
        ids: Ids of the first samples.
        labels: Their class indices; int64 (n,).
        title: Title of the job for `progress`.
        progress: Called after each sample that is read.

    Raises:
        DataError: A sample cannot be read.
        StoreError: The cache cannot be written.
    """
    record = FingerprintRecord.of(opened, ids, labels)
    if (stored := record.stored()) is not None:
        return stored

    def read_one(position: int) -> tuple[str, bool]:
        content = content_of(opened, position)
        return digest(content), is_turned(content)

    digests, turned = [], 0
    with store_errors(cache_folder(), OTHER_CACHE), ThreadPoolExecutor(os.cpu_count()) as pool:
        for sample_digest, was_turned in pool.map(read_one, range(len(ids))):
            digests.append(sample_digest)
            turned += was_turned
            progress(title, len(digests), len(ids))
        samples = ReadSamples(record.fingerprint(digests), turned)
        record.save(samples)
    return samples


def content_of(opened: LabelledImages, position: int) -> bytes | npt.NDArray[np.uint8]:
    """Return what a source stores of a sample: encoded bytes, or uint8 (H, W, 3) pixels.

    Args:
        opened: The source.
        position: Position of the sample in the source.

    Raises:
        DataError: The sample cannot be read.
    """
    try:
        return opened.read(position)
    except OSError as error:
        name = f"{opened.origin}: {opened.ids[position]}"
        raise DataError(f"{name} cannot be read: {error.strerror or error}.") from error


def digest(content: bytes | npt.NDArray[np.uint8]) -> str:
    """Return the hash of a sample's bytes.

    Args:
        content: Encoded bytes, or pixels.
    """
    return hashlib.blake2b(content if isinstance(content, bytes) else content.tobytes()).hexdigest()


def hash_strings(*parts: str) -> str:
    """Return a short hash of some strings.

    Args:
        *parts: The strings, whose order counts.
    """
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        hasher.update(part.encode() + b"\n")
    return hasher.hexdigest()
