"""Pictures of the samples on which two models disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.data_fingerprint import content_of
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.evaluation.open_images import open_clean
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import missing_data
from robustbench_eff.scores.compare import Flip

SIDE, GAP, LINE, COLUMNS, CELLS = 120, 8, 14, 8, 6
"""Pixels of an image, between images and of a line of text; images in a row; cells in the sheet."""


def draw_flips(flips: Sequence[Flip], a: str, b: str, data: Mapping[str, str]) -> Image.Image:
    """A sheet of clean images: for each of the first cells a row that only `a` has right, and one that only `b` has.

    `data` says where benchmarks are, as for an evaluation. Raises MissingInputs where their images are not there,
    UsageError where there is nothing to draw.
    """
    flips = [flip for flip in flips if _has_clean_images(flip.benchmark, data)]
    if not flips:
        raise UsageError(
            f"There is no sample to draw that only one of {a} and {b} has right.", "Published sets are not drawn."
        )
    rows: dict[tuple[str, str, str], list[Flip]] = {}
    for flip in flips:
        rows.setdefault((flip.benchmark, flip.perturbation, flip.right), []).append(flip)
    cells = list(dict.fromkeys((benchmark, perturbation) for benchmark, perturbation, _ in rows))[:CELLS]
    benchmarks = list(dict.fromkeys(benchmark for benchmark, _ in cells))
    opened = _opened(benchmarks, data)
    shown = [(key, of) for key, of in rows.items() if key[:2] in cells]
    height = LINE + SIDE + 3 * LINE + GAP
    sheet = Image.new("RGB", (GAP + COLUMNS * (SIDE + GAP), GAP + len(shown) * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, ((benchmark, perturbation, right), of) in enumerate(shown):
        top = GAP + number * height
        words = f"{benchmark}, {perturbation}: {len(of)} only right by {a if right == 'a' else b} (clean images shown)"
        draw.text((GAP, top), words, fill="black", font=font)
        row, source = opened[benchmark]
        names = _names(row)
        places = {sample: position for position, sample in enumerate(source.ids)}
        for column, flip in enumerate(of[:COLUMNS]):
            left = GAP + column * (SIDE + GAP)
            sheet.paste(_picture(source, places, flip.sample_id), (left, top + LINE))
            guesses = (("", flip.label), ("A: ", flip.a), ("B: ", flip.b))
            for line, (prefix, index) in enumerate(guesses):
                text = f"{prefix}{names.get(index, index)}"[:20]
                draw.text((left, top + LINE + SIDE + line * LINE), text, fill="black", font=font)
    return sheet


def _has_clean_images(name: str, data: Mapping[str, str]) -> bool:
    """Files that others have corrupted lie a folder a corruption: nothing says which clean image is which."""
    return build_benchmark.benchmark(name, locations.location(name, data) or name).layout is None


def _opened(names: Sequence[str], data: Mapping[str, str]) -> dict[str, tuple[Benchmark, LabelledImages]]:
    benchmarks = [build_benchmark.benchmark(name, locations.location(name, data) or name) for name in names]
    missing = [item for row in benchmarks for item in missing_data(row, locations.place(row, data))]
    if missing:
        raise MissingInputs(list(dict.fromkeys(missing)))
    return {row.name: (row, images) for row in benchmarks if (images := open_clean(row, data)) is not None}


def _names(benchmark: Benchmark) -> dict[int, str]:
    """A short name of every class that is known; wnids only where there is nothing else."""
    names: dict[int, str] = {}
    for name, index in sorted(benchmark.class_index().items(), key=lambda item: (item[0][1:].isdigit(), len(item[0]))):
        names.setdefault(index, name)
    return names


def _picture(source: LabelledImages, places: Mapping[str, int], sample: str) -> Image.Image:
    """The picture of a sample, square, small ones enlarged without smoothing."""
    if sample not in places:
        raise UsageError(
            f"{source.origin} does not hold {sample}.", "Give the images that were evaluated, with --data."
        )
    picture = decode(content_of(source, places[sample]), f"{source.origin}: {sample}")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    method = Image.Resampling.NEAREST if side < SIDE else Image.Resampling.BICUBIC
    square = picture.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), method)
    return Image.fromarray(np.asarray(square))
