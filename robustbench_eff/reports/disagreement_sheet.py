"""A contact sheet of the samples on which two models disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.class_names import short_names
from robustbench_eff.benchmarks.data_fingerprint import content_of
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.evaluation.open_images import open_clean
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import missing_data
from robustbench_eff.scores.compare import Flip

IMAGE_SIDE = 120
"""Side length of an image on the sheet, in pixels."""
GAP = 8
"""Distance between images, in pixels."""
LINE_HEIGHT = 14
"""Height of a line of text, in pixels."""
IMAGES_PER_ROW = 8
MAX_CELLS = 6
"""Largest number of cells on a sheet; each has up to two rows."""
ROW_HEIGHT = LINE_HEIGHT + IMAGE_SIDE + 3 * LINE_HEIGHT + GAP
"""A title, the images, and three lines of text below each of them."""
MAX_CHARACTERS = 20
"""Longest text below an image."""


class _Row(NamedTuple):
    """What the samples in one row of the sheet have in common."""

    benchmark: str
    perturbation: str
    right: str
    """The model that classifies them correctly: `a` or `b`."""


@dataclass(frozen=True, slots=True)
class CleanImages:
    """The clean images of a benchmark."""

    source: LabelledImages
    """The images, opened."""
    positions: Mapping[str, int]
    """Position of every sample in the source."""
    class_names: Mapping[int, str]
    """Names of classes by their indices."""


def draw_flips(flips: Sequence[Flip], a: str, b: str, data: Mapping[str, str]) -> Image.Image:
    """Return a sheet of clean images with two rows per cell: samples that only `a`, and that only `b` has right.

    Args:
        flips: Samples that only one of the models classifies correctly. Only the first six cells are drawn.
        a: Name of the first model.
        b: Name of the second model.
        data: Locations of images by benchmark, as for an evaluation.

    Returns:
        An RGB image.

    Raises:
        MissingInputs: The images of a benchmark do not exist.
        UsageError: No sample can be drawn, or a sample is not among the images.
    """
    flips = [flip for flip in flips if _has_clean_images(flip.benchmark, data)]
    if not flips:
        raise UsageError(
            f"No sample that only one of {a} and {b} classifies correctly can be drawn.",
            "Sets that were published as corrupted files have no clean images to show.",
        )
    rows: dict[_Row, list[Flip]] = {}
    for flip in flips:
        rows.setdefault(_Row(flip.benchmark, flip.perturbation, flip.right), []).append(flip)
    cells = list(dict.fromkeys((row.benchmark, row.perturbation) for row in rows))[:MAX_CELLS]
    rows = {row: members for row, members in rows.items() if (row.benchmark, row.perturbation) in cells}
    images = open_clean_images(list(dict.fromkeys(benchmark for benchmark, _ in cells)), data)
    sheet = Image.new("RGB", (GAP + IMAGES_PER_ROW * (IMAGE_SIDE + GAP), GAP + len(rows) * ROW_HEIGHT), "white")
    for index, (row, members) in enumerate(rows.items()):
        model = a if row.right == "a" else b
        title = f"{row.benchmark}, {row.perturbation}: {len(members)} only right by {model} (clean images shown)"
        _draw_row(sheet, GAP + index * ROW_HEIGHT, title, members, images[row.benchmark])
    return sheet


def _draw_row(sheet: Image.Image, top: int, title: str, flips: Sequence[Flip], images: CleanImages) -> None:
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    draw.text((GAP, top), title, fill="black", font=font)
    for column, flip in enumerate(flips[:IMAGES_PER_ROW]):
        left = GAP + column * (IMAGE_SIDE + GAP)
        sheet.paste(thumbnail(images, flip.sample_id), (left, top + LINE_HEIGHT))
        for line, (prefix, index) in enumerate((("", flip.label), ("A: ", flip.a), ("B: ", flip.b))):
            text = f"{prefix}{images.class_names.get(index, index)}"[:MAX_CHARACTERS]
            y = top + LINE_HEIGHT + IMAGE_SIDE + line * LINE_HEIGHT
            draw.text((left, y), text, fill="black", font=font)


def _has_clean_images(name: str, data: Mapping[str, str]) -> bool:
    """False for files corrupted by others, one folder per corruption: nothing maps them to clean images."""
    return build_benchmark.benchmark(name, locations.location(name, data) or name).layout is None


def open_clean_images(names: Sequence[str], data: Mapping[str, str]) -> dict[str, CleanImages]:
    """Return the clean images of benchmarks, by the names of those that have any.

    Args:
        names: Names of the benchmarks.
        data: Locations of images by benchmark, as for an evaluation.

    Raises:
        MissingInputs: The images of a benchmark do not exist.
        DataError: They cannot be read.
    """
    benchmarks = [build_benchmark.benchmark(name, locations.location(name, data) or name) for name in names]
    missing = [item for benchmark in benchmarks for item in missing_data(benchmark, locations.place(benchmark, data))]
    if missing:
        raise MissingInputs(list(dict.fromkeys(missing)))
    return {
        benchmark.name: CleanImages(
            source=source,
            positions={sample: position for position, sample in enumerate(source.ids)},
            class_names=short_names(benchmark.class_index()),
        )
        for benchmark in benchmarks
        if (source := open_clean(benchmark, data)) is not None
    }


def thumbnail(images: CleanImages, sample: str) -> Image.Image:
    """Return the centre square of a sample's image; small images are enlarged without smoothing.

    Args:
        images: The images.
        sample: Id of the sample.

    Raises:
        UsageError: The sample is not among the images.
        DataError: The image cannot be read.
    """
    source = images.source
    if sample not in images.positions:
        raise UsageError(
            f"{source.origin} does not hold {sample}.", "Pass the images that were evaluated, with --data NAME=PATH."
        )
    image = decode(content_of(source, images.positions[sample]), f"{source.origin}: {sample}")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    method = Image.Resampling.NEAREST if side < IMAGE_SIDE else Image.Resampling.BICUBIC
    square = image.crop((left, top, left + side, top + side)).resize((IMAGE_SIDE, IMAGE_SIDE), method)
    return Image.fromarray(np.asarray(square))
