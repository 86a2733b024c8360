"""Cue-conflict images from any labelled set: the shape of one image, the texture of an image of another class."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.data_fingerprint import content_of, hash_strings
from robustbench_eff.benchmarks.image_cache import prepare, warn_if_sorted
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.labelled_images import LabelledImages, plain_labels, select
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.benchmarks.readers import open
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core import spec
from robustbench_eff.core.disk import atomic_write, cache_folder, store_errors
from robustbench_eff.core.errors import DataError, MissingInputs, SizeError, UsageError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.registry import build, build_benchmark
from robustbench_eff.registry.stylisers import DEFAULT_STYLISER

from .output_folder import NOTE, ProgressCallback, WriteCount, ignore_progress, write_or_check_provenance

if TYPE_CHECKING:
    from robustbench_eff.corruptions.stylise import Styliser

AT_ONCE = 64
"""Images that are stylised together, always the same ones, so that no byte depends on where a call stopped."""
TABLE = "labels.csv"
COLUMNS = ("file", "shape", "texture", "shape_id", "texture_id")
LARGE = Geometry(size=224, resize=256, interpolation="bilinear")
"""Of pictures that are not small and square."""
VERSION = 1
"""Another number where the same choices give other images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictPlan:
    """Images to be made, and all that they are made from."""

    images: ImageSet
    """Those that are needed, at one geometry."""
    shapes: list[int]
    """Rows of `images`."""
    textures: list[int]
    """For each of them the row whose texture it gets."""
    split: str
    """Which part of the set they are, in words."""
    names: list[int | str]
    """What the class of each row is called in the table."""
    styliser: Styliser
    strength: float
    seed: int
    made_from: dict[str, Any]


def write_conflicts(
    name: str,
    out: Path,
    *,
    data: Mapping[str, str],
    styliser: str = DEFAULT_STYLISER,
    strength: float = 1.0,
    limit: int | None = None,
    seed: int = 0,
    tick: ProgressCallback | None = None,
) -> WriteCount:
    """Write every image of a benchmark with the texture of an image of another class: OUT/images/CLASS/*.png, 8 bits.

    OUT/labels.csv, written last, names both classes and both images. The texture's class is drawn uniformly among the
    others, then an image of it, keyed by (seed, sample id) and out of the whole set, whatever `limit` says. What is
    there is left as it is, and the same call goes on where it stopped. Raises UsageError for a set that has no such
    images, or a folder that was made from something else; MissingInputs without images; SpecError for an unknown
    styliser; DataError for labels or images that do not fit.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be at least 1, got {limit}.")
    benchmark = build_benchmark.benchmark(name, locations.location(name, data))
    conflicts = _conflicts(benchmark, data, styliser, strength, limit, seed)
    if (out / TABLE).exists() and not (out / NOTE).exists():
        raise UsageError(f"{out / TABLE} is there, and was not written by this command.", "Choose another --out.")
    return _write(conflicts, out, tick or ignore_progress)


def open_conflicts(benchmark: Benchmark, data: Mapping[str, str]) -> LabelledImages:
    """The images of a benchmark that is made by a styliser: the user's own copy, or made in the cache on first use."""
    if (place := locations.location(benchmark.name, data)) is not None:
        return open.open_benchmark(benchmark, place)
    assert benchmark.stylise_with is not None
    conflicts = _conflicts(
        build_benchmark.benchmark(str(benchmark.source_benchmark)),
        data,
        benchmark.stylise_with,
        strength=1.0,
        limit=None,
        seed=0,
    )
    folder = cache_folder() / "conflict" / hash_strings(json.dumps(conflicts.made_from))
    _write(conflicts, folder, ignore_progress)
    opened = open.open_benchmark(benchmark, str(folder))
    split = f"{benchmark.source_benchmark} {conflicts.split} with textures of other classes by {benchmark.stylise_with}"
    return dataclasses.replace(opened, origin=benchmark.name, split=split)


def _conflicts(
    benchmark: Benchmark, data: Mapping[str, str], text: str, strength: float, limit: int | None, seed: int
) -> ConflictPlan:
    styliser = build.styliser(text)
    opened = _opened(benchmark, data)
    labels = resolve_labels(benchmark, opened).labels
    if limit is not None:
        warn_if_sorted(opened, labels, limit)
    contents = list(range(len(opened)))[:limit]
    styles = _drawn(opened, labels, RandomStreams.of(seed, opened.ids[:limit]))
    needed = sorted({*contents, *styles})
    picked = dataclasses.replace(select(opened, needed, labels[needed].tolist()), left_out=0)
    images = _prepared(benchmark, picked)
    _try(styliser, images, strength)
    places, found = {row: place for place, row in enumerate(needed)}, plain_labels(opened)
    numbered = bool(benchmark.class_index()) or all(isinstance(label, int) for label in found)
    return ConflictPlan(
        images=images,
        shapes=[places[row] for row in contents],
        textures=[places[row] for row in styles],
        split=opened.split,
        names=images.labels.tolist() if numbered else [found[row] for row in needed],
        styliser=styliser,
        strength=strength,
        seed=seed,
        made_from={
            "benchmark": benchmark.name,
            "protocol": images.protocol,
            "data": images.fingerprint,
            "images": len(contents),
            "seed": seed,
            "styliser": spec.text_of(spec.parse(text).name, styliser),
            "fields": _fields(styliser),
            "strength": strength,
            "version": VERSION,
        },
    )


def _opened(benchmark: Benchmark, data: Mapping[str, str]) -> LabelledImages:
    if benchmark.layout is not None or benchmark.stylise_with is not None:
        raise UsageError(
            f"The images of {benchmark.name} are not clean.", f"Take those of {benchmark.source_benchmark}."
        )
    if benchmark.class_map is not None:
        raise UsageError(
            f"The classes of {benchmark.name} are not a model's outputs: nothing would say which they are.",
            "Give the images as a set of your own, --data mine=PATH, or take imagenet.",
        )
    place = locations.place(benchmark, data)
    if missing := open.missing(benchmark, place):
        raise MissingInputs(missing)
    opened = open.open_benchmark(benchmark, place)
    if opened.textures is not None:
        raise UsageError(f"{opened.origin} holds cue-conflict images already.", "Give the images they are made from.")
    return opened


def _drawn(opened: LabelledImages, labels: npt.NDArray[np.int64], draws: RandomStreams) -> list[int]:
    """For each of the first images the row of its texture: a class uniformly among the others, then one of its images.

    UsageError for a set of a single class.
    """
    rows = {label: np.flatnonzero(labels == label) for label in sorted(set(labels.tolist()))}
    if len(rows) < 2:
        raise UsageError(f"{opened.origin} has images of one class only.", "A conflict needs a texture of another.")
    words = draws.words(2, stream="conflict").tolist()
    found = []
    for label, (of_class, of_image) in zip(labels.tolist(), words, strict=False):
        others = [other for other in rows if other != label]
        candidates = rows[others[_scaled(of_class, len(others))]]
        found.append(int(candidates[_scaled(of_image, len(candidates))]))
    return found


def _scaled(word: int, count: int) -> int:
    """A 32-bit word as a number below `count`."""
    return word * count >> 32


def _prepared(benchmark: Benchmark, opened: LabelledImages) -> ImageSet:
    try:
        return prepare(benchmark, opened, _geometry(benchmark, opened))
    except SizeError as error:
        raise DataError(error.message, "Small images must all have the size of the first.") from error


def _geometry(benchmark: Benchmark, opened: LabelledImages) -> Geometry:
    """The benchmark's own; else that of the first image where it is small and square; else the usual crop."""
    if benchmark.geometry is not None:
        return benchmark.geometry
    first = decode(content_of(opened, 0), f"{opened.origin}: {opened.ids[0]}")
    small = first.width == first.height < LARGE.size and not benchmark.crop_border
    return Geometry(size=first.width, mode="none") if small else LARGE


def _try(styliser: Styliser, images: ImageSet, strength: float) -> None:
    """Let the styliser say what it lacks before anything is written."""
    one = _floats(images, [0])
    styliser(one, one, strength)


def _fields(styliser: Styliser) -> dict[str, Any]:
    """Every field; a file of weights with the hash of its bytes."""
    fields: dict[str, Any] = dataclasses.asdict(styliser)  # type: ignore[call-overload]
    files = {key: Path(value) for key, value in fields.items() if isinstance(value, str) and Path(value).is_file()}
    return fields | {f"{key}_hash": hashlib.blake2b(path.read_bytes()).hexdigest() for key, path in files.items()}


def _write(conflicts: ConflictPlan, out: Path, tick: ProgressCallback) -> WriteCount:
    files, written, total = _files(conflicts), 0, len(conflicts.shapes)
    with store_errors(out):
        write_or_check_provenance(out, conflicts.made_from)
        for start in range(0, total, AT_ONCE):
            part = range(start, min(start + AT_ONCE, total))
            absent = [place for place in part if not (out / files[place]).exists()]
            if absent:
                pixels = _made(conflicts, part)
                for place in absent:
                    atomic_write(out / files[place], _png(pixels[place - start]))
                written += len(absent)
                tick(str(conflicts.made_from["styliser"]), part.stop, total)
        if not (out / TABLE).exists():
            atomic_write(out / TABLE, _table(conflicts, files))
    return WriteCount(written, total - written)


def _made(conflicts: ConflictPlan, part: Sequence[int]) -> npt.NDArray[np.uint8]:
    """The images at these places, uint8 (n, H, W, 3)."""
    shapes = [conflicts.shapes[place] for place in part]
    styles = _floats(conflicts.images, [conflicts.textures[place] for place in part])
    draws = RandomStreams.of(conflicts.seed, [conflicts.images.sample_ids[row] for row in shapes])
    made = conflicts.styliser(_floats(conflicts.images, shapes), styles, conflicts.strength, draws)
    pixels: npt.NDArray[np.uint8] = (made * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return pixels


def _floats(images: ImageSet, rows: list[int]) -> torch.Tensor:
    return images.to_model_input(torch.from_numpy(np.array(images.pixels[rows])))


def _files(conflicts: ConflictPlan) -> list[str]:
    """Where every image lies below the folder; its number makes the name unique, whatever the classes are called."""
    safe = [re.sub(r"[^A-Za-z0-9_-]", "_", str(name))[:60] for name in conflicts.names]
    return [
        f"images/{safe[shape]}/{place:06d}-{safe[shape]}-as-{safe[texture]}.png"
        for place, (shape, texture) in enumerate(zip(conflicts.shapes, conflicts.textures, strict=True))
    ]


def _table(conflicts: ConflictPlan, files: Sequence[str]) -> bytes:
    names, ids = conflicts.names, conflicts.images.sample_ids
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for file, shape, texture in zip(files, conflicts.shapes, conflicts.textures, strict=True):
        rows.writerow((file, names[shape], names[texture], ids[shape], ids[texture]))
    return text.getvalue().encode()


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
