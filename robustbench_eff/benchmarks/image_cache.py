"""The image cache: images are decoded and resized once per geometry, into a file that all cells and models share."""

from __future__ import annotations

import math
import os
import secrets
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import filelock
import numpy as np
import numpy.typing as npt
from PIL import Image

from robustbench_eff.core.center_crop import crop_corner
from robustbench_eff.core.disk import cache_folder, free_bytes, reserve, store_errors
from robustbench_eff.core.errors import DataError, RobustEvalWarning, SizeError, StoreError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.core.progress import ProgressCallback, ignore_progress
from robustbench_eff.core.protocol import Protocol

from .benchmark import Benchmark
from .data_fingerprint import FingerprintRecord, content_of, digest, hash_strings
from .image_set import ImageSet, protocol_of
from .labelled_images import LabelledImages
from .labels import ResolvedLabels, resolve_labels
from .readers.decode import decode

MAX_UNREADABLE = 20
"""Number of unreadable files after which no more are looked for."""
_Count: TypeAlias = Callable[[int, int], None]
"""Called with the number of samples that are done, and of all."""


def prepare(
    benchmark: Benchmark,
    opened: LabelledImages,
    geometry: Geometry,
    *,
    channels: int = 3,
    limit: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Return the images of a source at a geometry, from the cache where they were decoded before.

    Args:
        benchmark: The benchmark, which knows the classes.
        opened: Its images.
        geometry: Geometry of the model. A benchmark with its own is decoded at that, then resized to this size.
        channels: Channels of the images that the model sees: 3, or 1 for grey.
        limit: Number of samples to take, in the order of the source; None for all.
        progress: Called with the benchmark's name after each sample that is decoded.

    Raises:
        DataError: Images or labels do not fit, or an image cannot be decoded.
        StoreError: The cache cannot be written.
    """
    resolved = resolve_labels(benchmark, opened)
    warn_if_sorted(opened, resolved.labels, limit)
    ids, labels = shared_ids(opened, limit), resolved.labels[:limit]
    decoded = benchmark.geometry or replace(geometry, border=benchmark.crop_border)
    record = FingerprintRecord.of(opened, ids, labels, resolved.textures)
    fingerprint, path = _cached(opened, ids, decoded, record, partial(progress, benchmark.name))
    return ImageSet(
        benchmark=benchmark.name,
        label_space=benchmark.label_space,
        protocol=_with_benchmark(protocol_of(opened, len(ids), decoded, geometry, channels), benchmark, resolved),
        sample_ids=ids,
        labels=labels,
        pixels=np.load(path, mmap_mode="r"),
        fingerprint=fingerprint,
        input_size=geometry.shape,
        channels=channels,
        full_image=partial(_whole, opened, decoded),
        textures=None if resolved.textures is None else resolved.textures[:limit],
        interpolation=geometry.interpolation,
        flags=benchmark.flags,
    )


def _with_benchmark(protocol: Protocol, benchmark: Benchmark, resolved: ResolvedLabels) -> Protocol:
    """Return the protocol with the classes, the class map and the JPEG quality of a benchmark."""
    return replace(
        protocol,
        classes="" if benchmark.class_map is None else str(benchmark.class_map()),
        class_order=resolved.class_order,
        class_names=resolved.class_names,
        jpeg_quality=benchmark.jpeg_quality if benchmark.layout is None else None,
    )


def shared_ids(opened: LabelledImages, limit: int | None) -> list[str]:
    """Return the ids of the first samples.

    Args:
        opened: The source.
        limit: Number of samples; None for all.

    Raises:
        DataError: Two samples have the same id.
    """
    ids = opened.ids[:limit]
    if len(set(ids)) < len(ids):
        repeated = next(name for name, count in Counter(ids).items() if count > 1)
        raise DataError(f"{opened.origin} holds two samples with the same id, {repeated!r}.", "Keep one of them.")
    return ids


def warn_if_sorted(opened: LabelledImages, labels: npt.NDArray[np.int64], limit: int | None) -> None:
    """Warn if the first samples hold far fewer classes than a fair sample would.

    Args:
        opened: The source.
        labels: Class index of every sample; int64 (N,).
        limit: Number of samples that are taken; None for all.
    """
    if limit is None:
        return
    num_first, num_all = len(set(labels[:limit].tolist())), len(set(labels.tolist()))
    if 2 * num_first < min(limit, num_all):
        warnings.warn(
            f"{opened.origin} seems to be sorted by class: "
            f"its first {limit} samples hold {num_first} of {num_all} classes.",
            RobustEvalWarning,
            stacklevel=3,
        )


def _cached(
    opened: LabelledImages, ids: list[str], geometry: Geometry, record: FingerprintRecord, count: _Count
) -> tuple[str, Path]:
    """Return the fingerprint of the samples and the file with their pixels, which is made if it does not exist."""
    folder = cache_folder()
    if (cached := _lookup(folder, geometry, record)) is not None:
        return cached
    with _locked(folder, record):
        # Another process may have decoded the same images while this one waited for the lock.
        if (cached := _lookup(folder, geometry, record)) is not None:
            return cached
        return _decode_all(opened, ids, geometry, record, count)


def _lookup(folder: Path, geometry: Geometry, record: FingerprintRecord) -> tuple[str, Path] | None:
    fingerprint = record.stored
    if fingerprint is None or not (path := _pixels_path(folder, fingerprint, geometry)).exists():
        return None
    return fingerprint, path


def _decode_all(
    opened: LabelledImages, ids: list[str], geometry: Geometry, record: FingerprintRecord, count: _Count
) -> tuple[str, Path]:
    folder = cache_folder()
    shape = (len(ids), *geometry.shape, 3)
    _check_space(folder, math.prod(shape))
    with store_errors(folder), _temporary(folder) as temporary:
        pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        reserve(temporary)

        unreadable: list[DataError] = []

        def decode_one(position: int) -> str:
            if len(unreadable) >= MAX_UNREADABLE:
                return ""
            name = f"{opened.origin}: {ids[position]}"
            try:
                content = content_of(opened, position)
                pixels[position] = _crop(decode(content, name), geometry, name)
            except SizeError:
                raise
            except DataError as error:
                unreadable.append(error)
                return ""
            return digest(content)

        digests = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for sample_digest in pool.map(decode_one, range(len(ids))):
                digests.append(sample_digest)
                count(len(digests), len(ids))
        _refuse_unreadable(opened, unreadable)
        pixels.flush()
        fingerprint = record.fingerprint(digests)
        path = _pixels_path(folder, fingerprint, geometry)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)
        record.save(fingerprint)
    return fingerprint, path


def _refuse_unreadable(opened: LabelledImages, errors: list[DataError]) -> None:
    """Raise one error that lists all files that cannot be read, up to a limit."""
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    listed = "\n".join(f"  {message}" for message in sorted(error.message for error in errors))
    count = f"{len(errors)} images" if len(errors) < MAX_UNREADABLE else f"{len(errors)} images or more"
    raise DataError(f"{count} of {opened.origin} cannot be read:\n{listed}", "Replace the files, or leave them out.")


def _whole(opened: LabelledImages, geometry: Geometry, position: int) -> npt.NDArray[np.uint8]:
    """Return the whole image at the scale of the geometry, before its centre is cut out."""
    name = f"{opened.origin}: {opened.ids[position]}"
    return np.asarray(_resize(decode(content_of(opened, position), name), geometry, name))


def _crop(picture: Image.Image, geometry: Geometry, name: str) -> npt.NDArray[np.uint8]:
    """Return the image at the geometry, uint8 (height, width, 3)."""
    picture, (height, width) = _resize(picture, geometry, name), geometry.shape
    top, left = crop_corner(picture.height, picture.width, height, width)
    return np.asarray(picture.crop((left, top, left + width, top + height)))


def _resize(picture: Image.Image, geometry: Geometry, name: str) -> Image.Image:
    """Return the image before its centre is cut out, resized as torchvision's transforms resize PIL images."""
    if edge := geometry.border:
        picture = picture.crop((edge, edge, picture.width - edge, picture.height - edge))
    height, width = geometry.shape
    method = Image.Resampling[geometry.interpolation.upper()]
    if geometry.mode == "none":
        if picture.size != (width, height):
            raise SizeError(
                f"{name} is {picture.width}×{picture.height}, not {width}×{height}"
                + ("." if height == width else " (width × height)."),
                "Pass --geometry crop or --geometry squash, or bring all images to one size.",
            )
        return picture
    if geometry.mode == "squash":
        return picture.resize((width, height), method)
    scaled = _covering(picture.size, geometry.covered)
    return picture.resize(scaled, method) if scaled != picture.size else picture


def _covering(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The smallest width and height of an image's aspect ratio that cover a box, which is a height and a width."""
    (width, height), (box_height, box_width) = size, box
    if width * box_height <= height * box_width:
        return box_width, int(box_width * height / width)
    return int(box_height * width / height), box_height


def _pixels_path(folder: Path, fingerprint: str, geometry: Geometry) -> Path:
    return folder / "images" / f"{hash_strings(fingerprint, repr(geometry))}.npy"


def _check_space(folder: Path, needed: int) -> None:
    free = free_bytes(folder)
    if needed > free:
        raise StoreError(
            f"The image cache {folder} needs {needed / 2**30:.1f} GB and has {free / 2**30:.1f} GB.",
            "Make room, or set ROBUST_EVAL_CACHE to another folder.",
        )


@contextmanager
def _locked(folder: Path, record: FingerprintRecord) -> Iterator[None]:
    """Wait while another process of this machine decodes the same images."""
    with store_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / f".{record.path.stem}.lock")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """Give a path inside the cache, and delete it afterwards unless it was renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{secrets.token_hex(8)}.part"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
