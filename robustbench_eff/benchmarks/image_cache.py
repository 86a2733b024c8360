"""Decode and resize once per geometry, into a memory-mapped file that all cells and models share."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import filelock
import numpy as np
import numpy.typing as npt
from PIL import Image

from robustbench_eff.core.center_crop import crop_corner
from robustbench_eff.core.disk import cache_folder, free_bytes, reserve, store_errors
from robustbench_eff.core.errors import DataError, RobustEvalWarning, SizeError, StoreError
from robustbench_eff.core.preprocessing import Geometry

from .benchmark import Benchmark
from .data_fingerprint import FingerprintRecord, ProgressCallback, content_of, digest, hash_strings
from .image_set import ImageSet
from .labelled_images import LabelledImages
from .labels import resolve_labels
from .readers.decode import decode


def prepare(
    benchmark: Benchmark,
    opened: LabelledImages,
    geometry: Geometry,
    *,
    limit: int | None = None,
    tick: ProgressCallback | None = None,
) -> ImageSet:
    """The images of `opened` at `geometry`, from the cache where they were decoded before.

    A benchmark with a geometry of its own is decoded at that, and seen at the size of `geometry`. With `limit`, the
    first samples in the order of the source are kept (class folders are dealt one image a class, so that these are
    a fair sample). Raises DataError for images or labels that do not fit.
    """
    resolved = resolve_labels(benchmark, opened)
    if limit is not None:
        warn_if_sorted(opened, resolved.labels, limit)
    ids, labels = shared_ids(opened, limit), resolved.labels[:limit]
    decoded, class_map = benchmark.geometry or replace(geometry, border=benchmark.crop_border), benchmark.class_map
    note = FingerprintRecord.of(opened, ids, labels, resolved.textures)
    fingerprint, path = _decoded(opened, ids, decoded, note, tick)
    steps = [opened.split, describe_count(opened, ids), *([str(class_map())] if class_map else []), str(decoded)]
    if benchmark.jpeg_quality is not None and benchmark.layout is None:
        steps.append(f"corrupted ones saved as JPEG {benchmark.jpeg_quality}")
    return ImageSet(
        benchmark=benchmark.name,
        label_space=benchmark.label_space,
        protocol=", ".join([*steps, *seen_at(geometry, decoded)]),
        sample_ids=ids,
        labels=labels,
        textures=None if resolved.textures is None else resolved.textures[:limit],
        pixels=np.load(path, mmap_mode="r"),
        fingerprint=fingerprint,
        full_image=partial(_whole, opened, decoded),
        input_size=geometry.size,
        interpolation=geometry.interpolation,
    )


def shared_ids(opened: LabelledImages, limit: int | None) -> list[str]:
    """The ids of the first samples; DataError where two are the same."""
    ids = opened.ids[:limit]
    if len(set(ids)) < len(ids):
        raise DataError(f"{opened.origin} holds two samples with the same id.")
    return ids


def describe_count(opened: LabelledImages, ids: list[str]) -> str:
    """How many samples there are, in words."""
    describe_count = f"{len(ids)} images" if len(ids) == len(opened) else f"first {len(ids)} of {len(opened)} images"
    return f"{describe_count} ({opened.left_out} of other classes left out)" if opened.left_out else describe_count


def seen_at(geometry: Geometry, decoded: Geometry) -> list[str]:
    """At which size they are seen, in words, where it is not the one they were decoded at."""
    return [] if geometry.size == decoded.size else [f"then {geometry.size}×{geometry.size}, {geometry.interpolation}"]


def warn_if_sorted(opened: LabelledImages, labels: npt.NDArray[np.int64], limit: int) -> None:
    """Say so where the first samples hold far fewer classes than a fair sample would."""
    seen, there = len(set(labels[:limit].tolist())), len(set(labels.tolist()))
    if 2 * seen < min(limit, there):
        warnings.warn(
            f"{opened.origin} seems to be sorted by class: its first {limit} samples hold {seen} of {there} classes.",
            RobustEvalWarning,
            stacklevel=3,
        )


def _decoded(
    opened: LabelledImages,
    ids: list[str],
    geometry: Geometry,
    note: FingerprintRecord,
    tick: ProgressCallback | None,
) -> tuple[str, Path]:
    """The content hash of these samples and the file of their pixels; decoded only if not there yet."""
    folder = cache_folder()
    if note.known is not None and (path := _pixels_path(folder, note.known, geometry)).exists():
        return note.known, path
    with _one_at_a_time(folder, note):
        if note.known is not None and (path := _pixels_path(folder, note.known, geometry)).exists():
            return note.known, path
        return _decode_all(opened, ids, geometry, note, tick)


def _decode_all(
    opened: LabelledImages, ids: list[str], geometry: Geometry, note: FingerprintRecord, tick: ProgressCallback | None
) -> tuple[str, Path]:
    folder = cache_folder()
    _check_space(folder, len(ids) * geometry.size**2 * 3)
    with store_errors(folder), _temporary(folder) as temporary:
        shape = (len(ids), geometry.size, geometry.size, 3)
        pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        reserve(temporary)

        def decode_one(position: int) -> str:
            name = f"{opened.origin}: {ids[position]}"
            content = content_of(opened, position)
            pixels[position] = _placed(decode(content, name), geometry, name)
            return digest(content)

        digests = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for one in pool.map(decode_one, range(len(ids))):
                digests.append(one)
                if tick is not None:
                    tick(len(digests), len(ids))
        pixels.flush()
        fingerprint = note.fingerprint(digests)
        path = _pixels_path(folder, fingerprint, geometry)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)
        note.keep(fingerprint)
    return fingerprint, path


def _whole(opened: LabelledImages, geometry: Geometry, position: int) -> npt.NDArray[np.uint8]:
    name = f"{opened.origin}: {opened.ids[position]}"
    return np.asarray(_scaled(decode(content_of(opened, position), name), geometry, name))


def _placed(picture: Image.Image, geometry: Geometry, name: str) -> npt.NDArray[np.uint8]:
    """The picture at the geometry, uint8 (size, size, 3)."""
    picture, size = _scaled(picture, geometry, name), geometry.size
    top, left = crop_corner(picture.height, picture.width, size)
    return np.asarray(picture.crop((left, top, left + size, top + size)))


def _scaled(picture: Image.Image, geometry: Geometry, name: str) -> Image.Image:
    """The picture before its centre is cut out; resizing as in torchvision's PIL transforms."""
    if edge := geometry.border:
        picture = picture.crop((edge, edge, picture.width - edge, picture.height - edge))
    size = geometry.size
    method = Image.Resampling[geometry.interpolation.upper()]
    if geometry.mode == "none":
        if picture.size != (size, size):
            raise SizeError(
                f"{name} is {picture.width}×{picture.height}, not {size}×{size}.",
                "Pass --geometry crop or --geometry squash, or bring all images to one size.",
            )
        return picture
    if geometry.mode == "squash":
        return picture.resize((size, size), method)
    short = geometry.resize or size
    width, height = picture.size
    scaled = (short, int(short * height / width)) if width <= height else (int(short * width / height), short)
    return picture.resize(scaled, method) if scaled != picture.size else picture


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
def _one_at_a_time(folder: Path, note: FingerprintRecord) -> Iterator[None]:
    """While another worker of this machine decodes the same images, wait for it."""
    with store_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / f".{note.path.stem}.lock")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """A name inside the cache that is gone afterwards unless it was renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{secrets.token_hex(8)}.part"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
