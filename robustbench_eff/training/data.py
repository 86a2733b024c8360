"""Labelled images to train on, and held-out images to validate on."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.labelled_images import LabelledImages, select
from robustbench_eff.benchmarks.labels import resolve_labels, with_class_names
from robustbench_eff.benchmarks.pixel_file import CheckedPixels
from robustbench_eff.core.errors import DataError, Missing, SizeError, UsageError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.defenses.training_batch import Samples
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import missing_data, open_location

IN_MEMORY = 2**32
"""Bytes of pixels up to which a set is read into memory; larger sets are memory-mapped."""
HOLDOUT_ONE_IN = 10
"""One image in this many is held out where the user does not name validation images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """The images of a training."""

    benchmark: Benchmark
    """Defines the classes."""
    images: ImageSet
    """Images to train on."""
    samples: Samples
    """The same images as tensors."""
    held_out: ImageSet
    """Images to validate on."""
    unlabelled: ImageSet | None = None
    """Further images for a teacher to label."""


def missing_images(
    name: str, data: Mapping[str, str], validation: str | None = None, unlabelled: str | None = None
) -> list[Missing]:
    """Return the missing inputs of `open_training_data`; only cheap checks are made.

    Args:
        name: Name of a benchmark.
        data: Locations of training images by benchmark.
        validation: Location of validation images.
        unlabelled: Location of unlabelled images.

    Raises:
        UsageError: The benchmark is derived from another one, and is for testing only.
    """
    benchmark, location = _benchmark(name, data, validation)
    missing = missing_data(benchmark, location)
    if location is None:
        how = f"--data {name}=PATH; the data locations of evaluations are not used, because they hold test images"
        missing = [replace(item, what=f"training images of {name!r}", how=how) for item in missing]
    for option, path in (("--validation", validation), ("--unlabelled", unlabelled)):
        if path is not None:
            missing += [replace(item, how=f"{option} PATH") for item in missing_data(benchmark, path)]
    return missing


def open_training_data(
    name: str,
    data: Mapping[str, str],
    validation: str | None,
    geometry: Geometry,
    limit: int | None = None,
    unlabelled: str | None = None,
) -> TrainingData:
    """Open the training images of a benchmark. `missing_images` must have returned an empty list.

    Args:
        name: Name of a benchmark.
        data: Locations of training images by benchmark; without one, the images that come with the package are used.
        validation: Location of validation images. None uses the bundled validation images, or holds out one training
            image in ten, chosen by a hash of its id.
        geometry: Size of the images and how to resize to it.
        limit: Train on only this many images, the first in an order by hash.
        unlabelled: Location of unlabelled images; labels there are ignored.

    Raises:
        UsageError: The benchmark is derived from another one, and is for testing only.
        DataError: The images cannot be read, or do not fit.
    """
    benchmark, train, held_out = _open_splits(name, data, validation)
    try:
        images = prepare(benchmark, _limited(benchmark, train, limit), geometry)
    except SizeError as error:
        hint = "Pass --input-size N of your images; above 64 they are resized and cropped. Or bring them to one size."
        raise SizeError(error.message, hint) from error
    validation_images = prepare(benchmark, held_out, geometry)
    names = images.protocol.class_names
    highest = int(max(images.labels.max(), validation_images.labels.max()))
    num_classes = benchmark.num_classes or len(names) or highest + 1
    return TrainingData(
        benchmark=benchmark,
        images=images,
        samples=samples_of(images, num_classes),
        held_out=validation_images,
        unlabelled=None if unlabelled is None else _unlabelled(unlabelled, benchmark, geometry),
    )


class _Splits(NamedTuple):
    benchmark: Benchmark
    train: LabelledImages
    held_out: LabelledImages


def _open_splits(name: str, data: Mapping[str, str], validation: str | None) -> _Splits:
    benchmark, location = _benchmark(name, data, validation)
    if location is None:
        assert benchmark.open_bundled is not None, f"training images of {name} are missing"
        return _Splits(benchmark, benchmark.open_bundled("train"), benchmark.open_bundled("validation"))
    opened = open_location(location, "train")
    if not benchmark.class_index():
        opened = with_class_names(opened)
    if validation is None:
        return _Splits(benchmark, *_split(benchmark, opened))
    held_out = open_location(validation, "validation")
    if benchmark.class_index():
        return _Splits(benchmark, opened, held_out)
    return _Splits(benchmark, opened, _in_order_of(opened, with_class_names(held_out)))


def _benchmark(name: str, data: Mapping[str, str], validation: str | None) -> tuple[Benchmark, str | None]:
    """The benchmark, and the location of its training images; None for images that come with the package."""
    location = locations.location(name, data) if name in data else None
    benchmark = build_benchmark.benchmark(name, location)
    if benchmark.source_benchmark is not None or benchmark.layout is not None or benchmark.stylise_with is not None:
        raise UsageError(f"{name} is for testing only.", f"Train on {benchmark.source_benchmark}.")
    if location is None and benchmark.open_bundled is not None and validation is not None:
        raise UsageError(f"{name} comes with its own validation images.", "Give --data too, or omit --validation.")
    return benchmark, location


def _unlabelled(location: str, benchmark: Benchmark, geometry: Geometry) -> ImageSet:
    """All images at a location, each with class 0 as a placeholder."""
    opened = open_location(location, "train")
    return prepare(benchmark, replace(opened, labels=[0] * len(opened), textures=None), geometry)


def samples_of(images: ImageSet, num_classes: int) -> Samples:
    """Return all images as one tensor, which is memory-mapped above `IN_MEMORY` bytes.

    Args:
        images: Decoded images and their labels.
        num_classes: Number of classes of the network.

    Raises:
        DataError: The images are decoded on demand.
    """
    pixels = images.pixels
    if not isinstance(pixels, CheckedPixels):
        raise DataError(f"The images of {images.benchmark} are decoded on demand and cannot be trained on.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        tensor = torch.from_numpy(pixels[:] if pixels.nbytes <= IN_MEMORY else pixels.mapped())
    return Samples(pixels=tensor, labels=torch.from_numpy(images.labels), num_classes=num_classes)


def _in_order_of(train: LabelledImages, held_out: LabelledImages) -> LabelledImages:
    """Validation images with their classes numbered as those of the training images, which must have the same names."""
    if different := sorted(set(train.class_names) ^ set(held_out.class_names)):
        raise DataError(
            f"{different[0]!r} is a class of only one of {train.origin} and {held_out.origin}.",
            "Give both the same classes.",
        )
    names = held_out.class_names
    labels = [label if isinstance(label, str) or not names else names[label] for label in held_out.labels]
    return replace(held_out, labels=labels, class_names=train.class_names, class_order=train.class_order)


def _split(benchmark: Benchmark, opened: LabelledImages) -> tuple[LabelledImages, LabelledImages]:
    """Nine images in ten to train on, and the tenth to validate on."""
    is_held_out = [_hashed(identifier) % HOLDOUT_ONE_IN == 0 for identifier in opened.ids]
    rows = [[row for row, held_out in enumerate(is_held_out) if held_out is wanted] for wanted in (False, True)]
    train = _subset(benchmark, opened, rows[0], "nine in ten")
    return train, _subset(benchmark, opened, rows[1], "one in ten, held out")


def _limited(benchmark: Benchmark, opened: LabelledImages, limit: int | None) -> LabelledImages:
    """The first `limit` images in an order by hash, so that it is a random but fixed subset."""
    if limit is None or limit >= len(opened):
        return opened
    rows = sorted(sorted(range(len(opened)), key=lambda row: _hashed(opened.ids[row]))[:limit])
    return _subset(benchmark, opened, rows, f"{limit} of {len(opened)}")


def _subset(benchmark: Benchmark, opened: LabelledImages, rows: list[int], name: str) -> LabelledImages:
    """Some of the images, with the class numbers of the complete set."""
    labels = resolve_labels(benchmark, opened).labels
    subset = select(opened, rows, labels[rows].tolist())
    return replace(subset, left_out=0, split=f"{opened.split}, {name}")


def _hashed(identifier: str) -> int:
    return int.from_bytes(hashlib.blake2b(identifier.encode(), digest_size=8).digest(), "little")
