"""Decoded images in a file, each with a checksum that is compared whenever the image is read.

The file holds the pixels of all images, a CRC-32 for each of them, and one of all these and of the file's name. It is
read, not mapped into memory: where it is cut short while it is in use, a read comes back short and the image is decoded
again, whereas a mapped page without a file ends the process.
"""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.disk import OTHER_CACHE, reserve
from robustbench_eff.core.errors import RobustEvalWarning, StoreError
from robustbench_eff.core.outside_files import check_file

Shape: TypeAlias = tuple[int, int, int, int]
"""(N, H, W, 3)."""
_CHECKSUM = np.dtype("<u4")
_BLOCK_BYTES = 64 * 2**20
"""Bytes that are checked together where a whole file is checked."""


class DamagedFileError(ValueError):
    """A file of pixels that cannot be trusted as a whole."""


@dataclass(frozen=True, slots=True)
class CheckedPixels:
    """Images in a file, uint8 (N, H, W, 3); one that does not fit its checksum is decoded again. See `PixelRows`."""

    path: Path
    """The file."""
    shape: Shape
    """(N, H, W, 3)."""
    checksums: list[int] = field(repr=False)
    """CRC-32 of every image."""
    decode: Callable[[int], npt.NDArray[np.uint8]] = field(repr=False)
    """Decode an image by position, uint8 (H, W, 3)."""

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return math.prod(self.shape)

    def __getitem__(self, rows: slice | list[int]) -> npt.NDArray[np.uint8]:
        """Return the images of some rows, uint8 (n, H, W, 3).

        Args:
            rows: Their positions.

        Raises:
            StoreError: A damaged image is decoded otherwise than it was before.
        """
        positions = range(self.shape[0])[rows] if isinstance(rows, slice) else rows
        images, cause = self._read(positions)
        bad = unfitting(images, [self.checksums[position] for position in positions])
        if bad:
            what = cause or "does not fit its checksums"
            warnings.warn(
                f"The image cache {self.path} {what}: damaged images are decoded again.", RobustEvalWarning, 2
            )
            for row in bad:
                images[row] = self._decoded(positions[row])
            self._repair([positions[row] for row in bad], images[bad])
        return images

    def mapped(self) -> npt.NDArray[np.uint8]:
        """Return all images memory-mapped, after each of them was checked.

        Raises:
            StoreError: A damaged image cannot be written again.
        """
        step = max(1, _BLOCK_BYTES // max(1, math.prod(self.shape[1:])))
        for start in range(0, self.shape[0], step):
            rows = slice(start, start + step)
            checked, (stored, _) = self[rows], self._read(range(self.shape[0])[rows])
            if not np.array_equal(checked, stored):
                raise StoreError(
                    f"The image cache {self.path} is damaged, and cannot be written.",
                    OTHER_CACHE,
                )
        return np.memmap(self.path, np.uint8, mode="r", shape=self.shape)

    def _read(self, positions: Sequence[int]) -> tuple[npt.NDArray[np.uint8], str]:
        """Return what the file holds, zeros where it ends too early, and why it cannot be read; empty where it can."""
        images = np.zeros((len(positions), *self.shape[1:]), np.uint8)
        edges = [row for row in range(1, len(positions)) if positions[row] != positions[row - 1] + 1]
        try:
            with self.path.open("rb") as file:
                for first, stop in pairwise([0, *edges, len(positions)]):
                    if first < stop:
                        file.seek(positions[first] * math.prod(self.shape[1:]))
                        file.readinto(images[first:stop].data)
        except OSError as error:
            return images, f"cannot be read any more ({error.strerror or error})"
        return images, ""

    def _decoded(self, position: int) -> npt.NDArray[np.uint8]:
        image = self.decode(position)
        if image.shape != self.shape[1:] or zlib.crc32(np.ascontiguousarray(image).data) != self.checksums[position]:
            raise StoreError(
                f"The image cache {self.path} is damaged at image {position}, which is decoded otherwise now: its file "
                "or the version of Pillow changed.",
                "Delete that file of the cache, and repeat the command.",
            )
        return image

    def _repair(self, positions: Sequence[int], images: npt.NDArray[np.uint8]) -> None:
        """Write images into the file; where it cannot be written, they are decoded again whenever they are read."""
        try:
            with self.path.open("r+b") as file:
                for position, image in zip(positions, images, strict=True):
                    file.seek(position * image.nbytes)
                    file.write(image)
        except OSError:
            return  # the warning was given, and the images that were decoded are right


def unfitting(images: npt.NDArray[np.uint8], checksums: Sequence[int]) -> list[int]:
    """Return the rows of the images that do not fit their checksums.

    Args:
        images: uint8 (n, H, W, 3).
        checksums: CRC-32 of each.
    """
    rows = enumerate(zip(images, checksums, strict=True))
    return [row for row, (image, checksum) in rows if zlib.crc32(image.data) != checksum]


def open_pixels(path: Path, shape: Shape, decode: Callable[[int], npt.NDArray[np.uint8]]) -> CheckedPixels | None:
    """Return the images of a file, none of which is read yet; None where it does not exist.

    Args:
        path: The file.
        shape: (N, H, W, 3).
        decode: Decode an image by position, uint8 (H, W, 3).

    Raises:
        DamagedFileError: The file has another size, or its checksums do not fit their own.
        StoreError: It cannot be read.
    """
    if not path.exists():
        return None
    check_file(path, StoreError)
    stored, expected = path.stat().st_size, math.prod(shape) + _CHECKSUM.itemsize * (shape[0] + 1)
    if stored != expected:
        raise DamagedFileError(f"it has {stored:,} bytes, not {expected:,}")
    try:
        with path.open("rb") as file:
            file.seek(math.prod(shape))
            table = file.read()
    except OSError as error:
        raise StoreError(f"The image cache {path} cannot be read: {error.strerror or error}.", OTHER_CACHE) from error
    *checksums, last = np.frombuffer(table, _CHECKSUM).tolist()
    if len(checksums) != shape[0] or last != _of_table(table[: -_CHECKSUM.itemsize], path):
        raise DamagedFileError("its checksums do not fit their own")
    return CheckedPixels(path, shape, checksums, decode)


@dataclass(frozen=True, slots=True)
class PixelWriter:
    """Writes images into a new file, in any order and from several threads."""

    file: BinaryIO
    """The file, opened for writing."""
    shape: Shape
    """(N, H, W, 3)."""
    _checksums: npt.NDArray[np.uint32] = field(init=False)
    _lock: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        """Reserve the space, so that a full disk is reported before anything is decoded."""
        object.__setattr__(self, "_checksums", np.zeros(self.shape[0], _CHECKSUM))
        reserve(self.file.fileno(), math.prod(self.shape))

    def write(self, position: int, image: npt.NDArray[np.uint8]) -> None:
        """Write an image.

        Args:
            position: Its position.
            image: uint8 (H, W, 3).
        """
        content = image.tobytes()
        self._checksums[position] = zlib.crc32(content)
        with self._lock:
            self.file.seek(position * len(content))
            self.file.write(content)

    def finish(self, path: Path) -> None:
        """Write the checksums, after all images.

        Args:
            path: The name that the file will have.
        """
        table = self._checksums.tobytes()
        self.file.seek(math.prod(self.shape))
        self.file.write(table + np.array(_of_table(table, path), _CHECKSUM).tobytes())
        self.file.flush()


def _of_table(table: bytes, path: Path) -> int:
    """The checksum of all checksums, which differs for a file that was renamed."""
    return zlib.crc32(table, zlib.crc32(path.name.encode()))
