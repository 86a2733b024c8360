"""The image cache: images are decoded and resized once per geometry, into a file that all cells and models share."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.disk import OTHER_CACHE, cache_folder, free_bytes, store_errors
from robustbench_eff.core.errors import DataError, RobustEvalWarning, SizeError, StoreError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.core.progress import ProgressCallback, ignore_progress
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.resizing import crop

from .benchmark import Benchmark
from .data_fingerprint import FingerprintRecord, ReadSamples, content_of, digest, discard, hash_strings
from .image_set import ImageSet, protocol_of
from .labelled_images import LabelledImages
from .labels import ResolvedLabels, resolve_labels
from .pixel_file import CheckedPixels, DamagedFileError, PixelWriter, Shape, open_pixels
from .readers.decode import decode, is_turned
from .resized_images import cropped, whole
from .unfinished_file import unfinished

FOLDER = "images"
"""Folder of the cache with decoded images."""
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
    samples, pixels = _cached(opened, ids, decoded, record, partial(progress, benchmark.name))
    protocol = replace(protocol_of(opened, len(ids), decoded, geometry, channels), turned=samples.turned)
    return ImageSet(
        benchmark=benchmark.name,
        label_space=benchmark.label_space,
        protocol=with_benchmark(protocol, benchmark, resolved),
        sample_ids=ids,
        labels=labels,
        pixels=pixels,
        fingerprint=samples.fingerprint,
        input_size=geometry.shape,
        channels=channels,
        full_image=partial(whole, opened, decoded),
        textures=None if resolved.textures is None else resolved.textures[:limit],
        interpolation=geometry.interpolation,
        flags=benchmark.flags,
        assumed=benchmark.assumed,
    )


def with_benchmark(protocol: Protocol, benchmark: Benchmark, resolved: ResolvedLabels) -> Protocol:
    """Return the protocol with the classes, the class map and the JPEG quality of a benchmark.

    Args:
        protocol: The protocol of the images.
        benchmark: The benchmark.
        resolved: Its labels.
    """
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
) -> tuple[ReadSamples, CheckedPixels]:
    """Return what the samples told, and their pixels, which are decoded where they are not in the cache."""
    folder, decode_again = cache_folder(), partial(cropped, opened, geometry)
    shape = (len(ids), *geometry.shape, 3)
    if (cached := _lookup(record, geometry, shape, decode_again)) is not None:
        return cached
    with store_errors(folder, OTHER_CACHE), unfinished(folder / FOLDER, record.path.stem) as path:
        # Another process may have decoded the same images while this one waited for it.
        if (cached := _lookup(record, geometry, shape, decode_again)) is not None:
            return cached
        _check_space(folder / FOLDER, math.prod(shape))
        with path.open("xb") as file:
            writer = PixelWriter(file, shape)
            samples = _decode_all(opened, ids, geometry, record, count, writer)
            finished = _pixels_path(samples.fingerprint, geometry)
            writer.finish(finished)
        path.replace(finished)
        record.save(samples)
        finished.with_suffix(".npy").unlink(missing_ok=True)  # what earlier versions wrote, without checksums
    pixels = open_pixels(finished, shape, decode_again)
    if pixels is None:
        raise StoreError(f"The image cache {finished} was deleted.", "Repeat the command.")
    return samples, pixels


def _lookup(
    record: FingerprintRecord, geometry: Geometry, shape: Shape, decode_again: Callable[[int], npt.NDArray[np.uint8]]
) -> tuple[ReadSamples, CheckedPixels] | None:
    """Return what is in the cache; None for nothing, or for a damaged file, which is said and deleted."""
    if (samples := record.stored()) is None:
        return None
    path = _pixels_path(samples.fingerprint, geometry)
    try:
        pixels = open_pixels(path, shape, decode_again)
    except DamagedFileError as error:
        discard(path, str(error))
        return None
    return None if pixels is None else (samples, pixels)


def _decode_all(
    opened: LabelledImages,
    ids: list[str],
    geometry: Geometry,
    record: FingerprintRecord,
    count: _Count,
    writer: PixelWriter,
) -> ReadSamples:
    """Decode and write all images, and return what their bytes told."""
    unreadable: list[DataError] = []

    def decode_one(position: int) -> tuple[str, bool]:
        if len(unreadable) >= MAX_UNREADABLE:
            return "", False
        name = f"{opened.origin}: {ids[position]}"
        try:
            content = content_of(opened, position)
            writer.write(position, crop(decode(content, name), geometry, name))
        except SizeError:
            raise
        except DataError as error:
            unreadable.append(error)
            return "", False
        return digest(content), is_turned(content)

    digests, turned = [], 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for sample_digest, was_turned in pool.map(decode_one, range(len(ids))):
            digests.append(sample_digest)
            turned += was_turned
            count(len(digests), len(ids))
    _refuse_unreadable(opened, unreadable)
    return ReadSamples(record.fingerprint(digests), turned)


def _refuse_unreadable(opened: LabelledImages, errors: list[DataError]) -> None:
    """Raise one error that lists all files that cannot be read, up to a limit."""
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    listed = "\n".join(f"  {message}" for message in sorted(error.message for error in errors))
    count = f"{len(errors)} images" if len(errors) < MAX_UNREADABLE else f"{len(errors)} images or more"
    raise DataError(f"{count} of {opened.origin} cannot be read:\n{listed}", "Replace the files, or leave them out.")


def _pixels_path(fingerprint: str, geometry: Geometry) -> Path:
    return cache_folder() / FOLDER / f"{hash_strings(fingerprint, repr(geometry))}.pixels"


def _check_space(folder: Path, needed: int) -> None:
    free = free_bytes(folder)
    if needed > free:
        raise StoreError(
            f"The image cache {folder} needs {needed / 2**30:.1f} GB and has {free / 2**30:.1f} GB.",
            "Make room, or set ROBUST_EVAL_CACHE to another folder.",
        )
