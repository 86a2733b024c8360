"""Cue-conflict images from any labelled set: the shape of one image, the texture of an image of another class."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.data_fingerprint import hash_strings
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.readers.image_files import RECORD
from robustbench_eff.core.disk import atomic_write, cache_folder, store_errors
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.progress import ProgressCallback, ignore_progress
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_benchmark

from .conflict_plan import ConflictPlan, ConflictSettings, as_floats, plan_conflicts
from .output_folder import WriteCount, write_or_check_provenance

BATCH_SIZE = 64
"""Number of images that are stylised together. Batches always hold the same images, so that no byte depends on where a
call was interrupted."""
TABLE = "labels.csv"
"""File with the classes of all images."""
COLUMNS = ("file", "shape", "texture", "shape_id", "texture_id")
"""Columns of the table."""


def write_conflicts(
    name: str,
    out: Path,
    data: Mapping[str, str],
    settings: ConflictSettings,
    progress: ProgressCallback = ignore_progress,
) -> WriteCount:
    """Write every image of a benchmark with the texture of an image of another class.

    Images become `OUT/images/CLASS/*.png` with 8 bits per channel; `OUT/labels.csv`, written last, names both classes
    and both source images. Existing files stay, so that the same call resumes an interrupted one.

    Args:
        name: Name of a benchmark, or of the user's own set in `data`.
        out: Folder of the images.
        data: Locations of images by name of their benchmark.
        settings: How to make the images.
        progress: Called as images are written.

    Raises:
        UsageError: The benchmark does not have clean images of several classes, or the folder was made from something
            else.
        MissingInputs: The images are missing.
        SpecError: The styliser is unknown.
        DataError: Labels or images do not fit.
    """
    if settings.limit is not None and settings.limit < 1:
        raise UsageError(f"limit must be at least 1, got {settings.limit}.")
    benchmark = build_benchmark.benchmark(name, locations.location(name, data))
    plan = plan_conflicts(benchmark, data, settings)
    if (out / TABLE).exists() and not (out / RECORD).exists():
        raise UsageError(f"{out / TABLE} exists, and was not written by this command.", "Choose another --out.")
    return _write(plan, out, progress)


def open_conflicts(benchmark: Benchmark, data: Mapping[str, str]) -> LabelledImages:
    """Return the images of a benchmark that a styliser makes: the user's own copy, else generated in the cache.

    Args:
        benchmark: A benchmark with a styliser.
        data: Locations of images by name of their benchmark.

    Raises:
        MissingInputs: The clean images are missing.
        DataError: Labels or images do not fit.
    """
    if (location := locations.location(benchmark.name, data)) is not None:
        return open_benchmark(benchmark, location)
    assert benchmark.stylise_with is not None
    source = build_benchmark.benchmark(str(benchmark.source_benchmark))
    plan = plan_conflicts(source, data, ConflictSettings(styliser=benchmark.stylise_with))
    folder = cache_folder() / "conflict" / hash_strings(json.dumps(plan.made_from))
    _write(plan, folder, ignore_progress)
    opened = open_benchmark(benchmark, str(folder))
    split = f"{source.name} {plan.split} with textures of other classes by {benchmark.stylise_with}"
    return dataclasses.replace(opened, origin=benchmark.name, split=split)


def _write(plan: ConflictPlan, out: Path, progress: ProgressCallback) -> WriteCount:
    files, written, total = _files(plan), 0, len(plan.shapes)
    with store_errors(out):
        write_or_check_provenance(out, plan.made_from)
        for start in range(0, total, BATCH_SIZE):
            batch = range(start, min(start + BATCH_SIZE, total))
            absent = [position for position in batch if not (out / files[position]).exists()]
            if absent:
                pixels = _stylise(plan, batch)
                for position in absent:
                    atomic_write(out / files[position], _png(pixels[position - start]))
                written += len(absent)
                progress(str(plan.made_from["styliser"]), batch.stop, total)
        if not (out / TABLE).exists():
            atomic_write(out / TABLE, _table(plan, files))
    return WriteCount(written, total - written)


def _stylise(plan: ConflictPlan, positions: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return the conflicts at these positions, uint8 (n, H, W, 3)."""
    shapes = [plan.shapes[position] for position in positions]
    textures = as_floats(plan.images, [plan.textures[position] for position in positions])
    draws = RandomStreams.of(plan.settings.seed, [plan.images.sample_ids[row] for row in shapes])
    stylised = plan.styliser(as_floats(plan.images, shapes), textures, plan.settings.strength, draws)
    pixels: npt.NDArray[np.uint8] = (stylised * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return pixels


def _files(plan: ConflictPlan) -> list[str]:
    """Return the path of every image below the folder; its number makes it unique, whatever the classes are called."""
    safe = [re.sub(r"[^A-Za-z0-9_-]", "_", str(name))[:60] for name in plan.names]
    return [
        f"images/{safe[shape]}/{position:06d}-{safe[shape]}-as-{safe[texture]}.png"
        for position, (shape, texture) in enumerate(zip(plan.shapes, plan.textures, strict=True))
    ]


def _table(plan: ConflictPlan, files: Sequence[str]) -> bytes:
    names, ids = plan.names, plan.images.sample_ids
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    rows.writerow(COLUMNS)
    for file, shape, texture in zip(files, plan.shapes, plan.textures, strict=True):
        rows.writerow((file, names[shape], names[texture], ids[shape], ids[texture]))
    return buffer.getvalue().encode()


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
