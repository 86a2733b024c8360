"""The plan of a set of cue-conflict images: which image gets the texture of which other image, and how."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.data_fingerprint import content_of
from robustbench_eff.benchmarks.image_cache import prepare, warn_if_sorted
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.labelled_images import LabelledImages, plain_labels, select
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core import spec
from robustbench_eff.core.errors import DataError, MissingInputs, SizeError, UsageError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.registry import build_styliser
from robustbench_eff.registry.open_benchmark import missing_data, open_benchmark
from robustbench_eff.registry.stylisers import DEFAULT_STYLISER

if TYPE_CHECKING:
    from robustbench_eff.corruptions.stylise import Styliser

LARGE = Geometry(size=224, resize=256, interpolation="bilinear")
"""Geometry of images that are not small and square."""
VERSION = 1
"""Changes whenever the same settings give other images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictSettings:
    """How to make cue-conflict images."""

    styliser: str = DEFAULT_STYLISER
    """Spec text of the styliser that transfers the texture."""
    strength: float = 1.0
    """Strength of the texture, from 0 for the unchanged image to 1."""
    limit: int | None = None
    """Number of images to write, in the order of the set; None for all. Textures come from the whole set anyway."""
    seed: int = 0
    """Seed of the random draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictPlan:
    """A set of cue-conflict images to make, with everything that they are made from."""

    images: ImageSet
    """The clean images that are needed, at one geometry."""
    shapes: list[int]
    """Row in `images` of the shape of each conflict."""
    textures: list[int]
    """Row in `images` of the texture of each conflict."""
    split: str
    """Which part of the benchmark the clean images are."""
    names: list[int | str]
    """Name of the class of each row of `images` in the table."""
    styliser: Styliser
    """Transfers the texture."""
    settings: ConflictSettings
    """How the images are made."""
    made_from: dict[str, Any]
    """Everything that decides which images are written, as plain JSON types."""


def plan_conflicts(benchmark: Benchmark, data: Mapping[str, str], settings: ConflictSettings) -> ConflictPlan:
    """Draw a texture for every image.

    The class of a texture is drawn uniformly among the other classes, then an image of that class, keyed by (seed,
    sample id).

    Args:
        benchmark: The benchmark with the clean images.
        data: Locations of images by name of their benchmark.
        settings: How to make the images.

    Raises:
        UsageError: The images are not clean, or have fewer than two classes.
        MissingInputs: The images are missing.
        SpecError: The styliser is unknown.
        DataError: Labels or images do not fit, or the weights of the styliser are missing.
    """
    styliser = build_styliser.styliser(settings.styliser)
    opened = _open(benchmark, data)
    labels = resolve_labels(benchmark, opened).labels
    warn_if_sorted(opened, labels, settings.limit)
    shapes = list(range(len(opened)))[: settings.limit]
    textures = _draw_textures(opened, labels, RandomStreams.of(settings.seed, opened.ids[: settings.limit]))
    rows = sorted({*shapes, *textures})
    needed = dataclasses.replace(select(opened, rows, labels[rows].tolist()), left_out=0)
    images = _prepare(benchmark, needed)
    _try(styliser, images, settings.strength)
    position_of = {row: position for position, row in enumerate(rows)}
    return ConflictPlan(
        images=images,
        shapes=[position_of[row] for row in shapes],
        textures=[position_of[row] for row in textures],
        split=opened.split,
        names=_class_names(benchmark, opened, images, rows),
        styliser=styliser,
        settings=settings,
        made_from=_made_from(images, len(shapes), styliser, settings),
    )


def _open(benchmark: Benchmark, data: Mapping[str, str]) -> LabelledImages:
    """Return the clean images of a benchmark."""
    if benchmark.layout is not None or benchmark.stylise_with is not None:
        raise UsageError(
            f"The images of {benchmark.name} are not clean.", f"Take those of {benchmark.source_benchmark}."
        )
    if benchmark.class_map is not None:
        raise UsageError(
            f"The classes of {benchmark.name} are not a model's outputs, so the table could not name them.",
            "Pass the images as a set of your own, --data mine=PATH, or take imagenet.",
        )
    location = locations.place(benchmark, data)
    if missing := missing_data(benchmark, location):
        raise MissingInputs(missing)
    opened = open_benchmark(benchmark, location)
    if opened.textures is not None:
        raise UsageError(f"{opened.origin} holds cue-conflict images already.", "Pass the images they are made from.")
    return opened


def _draw_textures(opened: LabelledImages, labels: npt.NDArray[np.int64], draws: RandomStreams) -> list[int]:
    """Return the row of the texture of each of the first images.

    Raises:
        UsageError: The set has a single class.
    """
    rows = {label: np.flatnonzero(labels == label) for label in sorted(set(labels.tolist()))}
    if len(rows) < 2:
        raise UsageError(f"{opened.origin} has images of one class only.", "A conflict needs a texture of another.")
    words = draws.words(2, stream="conflict").tolist()
    textures = []
    for label, (class_word, image_word) in zip(labels.tolist(), words, strict=False):
        others = [other for other in rows if other != label]
        candidates = rows[others[_below(class_word, len(others))]]
        textures.append(int(candidates[_below(image_word, len(candidates))]))
    return textures


def _below(word: int, count: int) -> int:
    """Return a 32-bit word scaled to an integer from 0 to `count - 1`."""
    return word * count >> 32


def _prepare(benchmark: Benchmark, opened: LabelledImages) -> ImageSet:
    try:
        return prepare(benchmark, opened, _geometry(benchmark, opened))
    except SizeError as error:
        raise DataError(error.message, "Small images must all have the size of the first.") from error


def _geometry(benchmark: Benchmark, opened: LabelledImages) -> Geometry:
    """Return the benchmark's own geometry, else that of the first image if it is small and square, else `LARGE`."""
    if benchmark.geometry is not None:
        return benchmark.geometry
    first = decode(content_of(opened, 0), f"{opened.origin}: {opened.ids[0]}")
    small = first.width == first.height < LARGE.long_side and not benchmark.crop_border
    return Geometry(size=first.width, mode="none") if small else LARGE


def _try(styliser: Styliser, images: ImageSet, strength: float) -> None:
    """Stylise one image, so that a styliser reports what it lacks before anything is written."""
    image = as_floats(images, [0])
    styliser(image, image, strength)


def as_floats(images: ImageSet, rows: list[int]) -> torch.Tensor:
    """Return some images as a styliser takes them, float32 (n, 3, H, W) in [0, 1].

    Args:
        images: The image set.
        rows: Positions of the images.
    """
    return images.to_model_input(torch.from_numpy(np.array(images.pixels[rows])))


def _class_names(benchmark: Benchmark, opened: LabelledImages, images: ImageSet, rows: list[int]) -> list[int | str]:
    """Return the index of each image's class; its name where only the source knows the classes."""
    labels = plain_labels(opened)
    numbered = bool(benchmark.class_index()) or all(isinstance(label, int) for label in labels)
    return images.labels.tolist() if numbered else [labels[row] for row in rows]


def _made_from(images: ImageSet, count: int, styliser: Styliser, settings: ConflictSettings) -> dict[str, Any]:
    return {
        "benchmark": images.benchmark,
        "protocol": str(images.protocol),
        "data": images.fingerprint,
        "images": count,
        "seed": settings.seed,
        "styliser": spec.text_of(spec.parse(settings.styliser).name, styliser),
        "fields": _fields(styliser),
        "strength": settings.strength,
        "version": VERSION,
    }


def _fields(styliser: Styliser) -> dict[str, Any]:
    """Return every field of a styliser, and the hash of each file that a field names."""
    fields: dict[str, Any] = dataclasses.asdict(styliser)  # type: ignore[call-overload]
    files = {key: Path(value) for key, value in fields.items() if isinstance(value, str) and Path(value).is_file()}
    return fields | {f"{key}_hash": hashlib.blake2b(path.read_bytes()).hexdigest() for key, path in files.items()}
