"""Labelled images to train on, and others to look at meanwhile."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.labelled_images import LabelledImages, plain_labels, select
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.core.errors import DataError, Missing, UsageError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.defenses.training_batch import Samples
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import missing_data, open_location

IN_MEMORY = 2**32
"""Bytes of pixels that are read at once; more are read from the disk as they are needed."""
HOLDOUT_ONE_IN = 10
"""One in so many is not trained on, where no images to look at were given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What a training sees."""

    benchmark: Benchmark
    images: ImageSet
    """Trained on."""
    samples: Samples
    """The same."""
    held_out: ImageSet
    """Looked at."""
    unlabelled: ImageSet | None = None
    """For a teacher to label."""


def missing_images(
    name: str, data: Mapping[str, str], validation: str | None = None, unlabelled: str | None = None
) -> list[Missing]:
    """What keeps `open_training_data` from opening these, looking only at what is cheap to look at.

    Raises UsageError for a benchmark that is a test of something else.
    """
    benchmark, place = _benchmark(name, data, validation)
    found = missing_data(benchmark, place)
    if place is None:
        how = f"--data {name}=PATH; the places of evaluations are not looked at, they hold test images"
        found = [replace(item, what=f"training images of {name!r}", how=how) for item in found]
    for option, given in (("--validation", validation), ("--unlabelled", unlabelled)):
        if given is not None:
            found += [replace(item, how=f"{option} PATH") for item in missing_data(benchmark, given)]
    return found


def open_training_data(
    name: str,
    data: Mapping[str, str],
    validation: str | None,
    geometry: Geometry,
    limit: int | None = None,
    unlabelled: str | None = None,
) -> TrainingData:
    """The training images of a benchmark: those at `data[name]`, or the copy that is installed.

    With `limit` the first so many in an order by hash. Without `validation` one in ten, by a hash of the id, is held
    out. The labels of `unlabelled` images are not looked at. None may be among the `missing_images`. Raises UsageError
    for a benchmark that is a test of something else, DataError for images that do not fit.
    """
    benchmark, place = _benchmark(name, data, validation)
    if place is None:
        assert benchmark.open_bundled is not None, f"training images of {name} are missing"
        train, held_out = benchmark.open_bundled("train"), benchmark.open_bundled("validation")
    else:
        opened = open_location(place, "train")
        if validation is None:
            train, held_out = _divided(benchmark, opened)
        else:
            train, held_out = opened, open_location(validation, "validation")
            _check_names(benchmark, train, held_out)
    images = prepare(benchmark, _first(benchmark, train, limit), geometry)
    looked_at = prepare(benchmark, held_out, geometry)
    num_classes = benchmark.num_classes or int(max(images.labels.max(), looked_at.labels.max())) + 1
    return TrainingData(
        benchmark=benchmark,
        images=images,
        samples=samples_of(images, num_classes),
        held_out=looked_at,
        unlabelled=None if unlabelled is None else _unlabelled(unlabelled, benchmark, geometry),
    )


def _benchmark(name: str, data: Mapping[str, str], validation: str | None) -> tuple[Benchmark, str | None]:
    """The benchmark, and where its training images are if they are not installed with the package."""
    place = locations.location(name, data) if name in data else None
    benchmark = build_benchmark.benchmark(name, place)
    if benchmark.source_benchmark is not None or benchmark.layout is not None or benchmark.stylise_with is not None:
        raise UsageError(f"{name} is for testing only.", f"Train on {benchmark.source_benchmark}.")
    if place is None and benchmark.open_bundled is not None and validation is not None:
        raise UsageError(f"{name} has images to look at of its own.", "Give --data too, or no --validation.")
    return benchmark, place


def _unlabelled(place: str, benchmark: Benchmark, geometry: Geometry) -> ImageSet:
    """All images at a place, each with the first class for a label."""
    opened = open_location(place, "train")
    return prepare(benchmark, replace(opened, labels=[0] * len(opened), textures=None), geometry)


def samples_of(images: ImageSet, num_classes: int) -> Samples:
    """All images as one tensor, memory-mapped where they are many."""
    pixels = images.pixels
    if not isinstance(pixels, np.ndarray):
        raise DataError(f"The images of {images.benchmark} are decoded on demand and cannot be trained on.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        tensor = torch.from_numpy(np.array(pixels) if pixels.nbytes <= IN_MEMORY else pixels)
    return Samples(pixels=tensor, labels=torch.from_numpy(images.labels), num_classes=num_classes)


def _check_names(benchmark: Benchmark, train: LabelledImages, held_out: LabelledImages) -> None:
    """Names of classes that nobody else knows are numbered in sorted order: both sets must have the same."""
    if benchmark.class_index():
        return
    names = [{label for label in plain_labels(opened) if isinstance(label, str)} for opened in (train, held_out)]
    if names[0] != names[1]:
        odd = sorted(names[0] ^ names[1])
        raise DataError(
            f"{odd[0]!r} is a class of {train.origin} or of {held_out.origin} alone.", "Give both the same."
        )


def _divided(benchmark: Benchmark, opened: LabelledImages) -> tuple[LabelledImages, LabelledImages]:
    """Nine in ten, and the others."""
    held = [_hashed(identifier) % HOLDOUT_ONE_IN == 0 for identifier in opened.ids]
    parts = [[row for row, is_held in enumerate(held) if is_held is wanted] for wanted in (False, True)]
    names = ("nine in ten", "one in ten, held out")
    trained, looked_at = (_part(benchmark, opened, rows, name) for rows, name in zip(parts, names, strict=True))
    return trained, looked_at


def _first(benchmark: Benchmark, opened: LabelledImages, limit: int | None) -> LabelledImages:
    """So many images, as if drawn at random but always the same."""
    if limit is None or limit >= len(opened):
        return opened
    rows = sorted(sorted(range(len(opened)), key=lambda row: _hashed(opened.ids[row]))[:limit])
    return _part(benchmark, opened, rows, f"{limit} of {len(opened)}")


def _part(benchmark: Benchmark, opened: LabelledImages, rows: list[int], name: str) -> LabelledImages:
    """Some of the images, with their classes numbered as in the whole."""
    labels = resolve_labels(benchmark, opened).labels
    part = select(opened, rows, labels[rows].tolist())
    return replace(part, left_out=0, split=f"{opened.split}, {name}")


def _hashed(identifier: str) -> int:
    return int.from_bytes(hashlib.blake2b(identifier.encode(), digest_size=8).digest(), "little")
