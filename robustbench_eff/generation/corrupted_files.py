"""Corrupted images as files in the layout of the published sets, so that any tool can read them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.core import spec
from robustbench_eff.core.disk import atomic_write, store_errors
from robustbench_eff.core.errors import MissingInputs, SizeError, UsageError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.core.progress import ProgressCallback, ignore_progress
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import ImageCorruption
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.benchmarks import BENCHMARKS
from robustbench_eff.registry.open_benchmark import missing_data, open_benchmark
from robustbench_eff.registry.perturbation import parse_perturbation, with_constants
from robustbench_eff.registry.perturbation_sets import PUBLISHED_ONLY, constants_for, expand_sets

from .corrupted_arrays import check_severities, write_arrays
from .corrupted_own import common_size, own_files
from .output_folder import WriteCount, write_or_check_provenance

BATCH_SIZE = 64
"""Number of images that are corrupted together, then written."""
WNID = re.compile(r"n\d{8}")
"""WordNet id of an ImageNet class."""
WRITABLE = {"imagenet-c-generated": "imagenet", "cifar10-c-generated": "cifar10", "cifar100-c-generated": "cifar10"}
"""Benchmarks with a published layout, and the constants that their published sets were made with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptionSettings:
    """Which corrupted images to write."""

    corruptions: Sequence[str]
    """Spec texts of corruptions, or names of sets of them."""
    limit: int | None = None
    """Number of clean images to take, in their order; None for all."""
    seed: int = 0
    """Seed of the random draws."""
    geometry: Geometry | None = None
    """How the user's own images get one size; None where they have one. Published sets have a geometry of their own."""


def write_corrupted(
    name: str,
    out: Path,
    data: Mapping[str, str],
    settings: CorruptionSettings,
    progress: ProgressCallback = ignore_progress,
) -> WriteCount:
    """Write corrupted images in the layout of the published set.

    ImageNet becomes `OUT/corruption/severity/wnid/image.JPEG`; CIFAR becomes `OUT/corruption.npy`, with all five
    severities one after the other, and `OUT/labels.npy`; other images become `OUT/corruption/severity/class/id.png`.
    Existing files stay, every file is written atomically, and random draws are keyed by sample, so that the same call
    resumes an interrupted one.

    Args:
        name: Name of a benchmark that is made from clean images, or of the user's own images.
        out: Folder of the images.
        data: Locations of the clean images by name of their benchmark.
        settings: What to write.
        progress: Called as images are written.

    Raises:
        UsageError: The benchmark does not have such a layout, the folder holds images made in another way, or the
            corruptions have several sets of constants.
        DataError: The images have several sizes, and no geometry was given.
        MissingInputs: The clean images are missing.
        SpecError: A corruption is unknown.
    """
    benchmark, location = _benchmark(name, data)
    if settings.limit is not None and settings.limit < 1:
        raise UsageError(f"limit must be at least 1, got {settings.limit}.")
    if name not in WRITABLE:
        return _write_own(benchmark, open_benchmark(benchmark, location), out, settings, progress)
    if settings.geometry is not None:
        raise UsageError(f"{name} has the geometry of the published set.", "Leave --input-size and --geometry out.")
    assert benchmark.geometry is not None
    corruptions = _corruptions(name, settings.corruptions, WRITABLE[name])
    in_arrays = benchmark.jpeg_quality is None
    if in_arrays:
        check_severities(corruptions)
    images = prepare(benchmark, open_benchmark(benchmark, location), benchmark.geometry, limit=settings.limit)
    with store_errors(out):
        _record(out, images, corruptions, settings.seed)
        if in_arrays:
            return write_arrays(images, corruptions, out, settings.seed, progress)
        names, encoded = _names(benchmark, images), partial(_jpeg, quality=benchmark.jpeg_quality or 0)
        return _write_pictures(names, encoded, images, corruptions, out, settings.seed, progress)


def _write_own(
    benchmark: Benchmark, opened: LabelledImages, out: Path, settings: CorruptionSettings, progress: ProgressCallback
) -> WriteCount:
    geometry = settings.geometry or common_size(opened)
    corruptions = _corruptions(benchmark.name, settings.corruptions, constants_for(*geometry.shape))
    constants = sorted({corruption.configuration["constants"] for corruption in corruptions.values()})
    if len(constants) > 1:
        raise UsageError(
            f"A set of corrupted images has one set of constants, got {' and '.join(constants)}.",
            "Write each into an --out of its own.",
        )
    try:
        images = prepare(benchmark, opened, geometry, limit=settings.limit)
    except SizeError as error:
        hint = "Pass --input-size N, which resizes and crops (or --geometry squash with it), or bring them to one size."
        raise SizeError(error.message, hint) from error
    files = own_files(benchmark, opened, images.sample_ids)
    record = {
        "classes": files.classes,
        "class_names": list(files.class_names),
        "size": list(geometry.shape),
        "constants": constants[0],
    }
    with store_errors(out):
        _record(out, images, corruptions, settings.seed, record)
        return _write_pictures(files.names, _png, images, corruptions, out, settings.seed, progress)


def _benchmark(name: str, data: Mapping[str, str]) -> tuple[Benchmark, str | None]:
    """Return the benchmark and the location of its clean images."""
    if name in BENCHMARKS and name not in WRITABLE:
        raise UsageError(
            f"{name} cannot be written.",
            f"Known: {', '.join(WRITABLE)}; any other images under a name of your own: --data NAME=PATH.",
        )
    benchmark = build_benchmark.benchmark(name, locations.location(name, data))
    if benchmark.layout is not None:
        raise UsageError(f"{name} is a set of corrupted images.", "Corrupt the clean ones.")
    location = locations.place(benchmark, data)
    if missing := missing_data(benchmark, location):
        raise MissingInputs(missing)
    return benchmark, location


def _corruptions(name: str, texts: Sequence[str], constants: str) -> dict[str, ImageCorruption]:
    """Return the corruptions by canonical spec text; where a text leaves the constants open, they have these."""
    corruptions = generated_corruptions(texts, constants)
    for text, corruption in corruptions.items():
        if name in WRITABLE and corruption.configuration["constants"] != constants:
            raise UsageError(
                f"{text} does not have the constants of {name}.", f"Write it with constants={constants!r}."
            )
    return corruptions


def generated_corruptions(texts: Sequence[str], constants: str) -> dict[str, ImageCorruption]:
    """Return the corruptions by canonical spec text.

    Args:
        texts: Spec texts of corruptions, or names of sets of them.
        constants: What they have where a text leaves the constants open.

    Raises:
        UsageError: There are none, or one is no corruption or only read from published files.
        SpecError: One is unknown.
    """
    changes = [with_constants(parse_perturbation(text), constants) for text in expand_sets(texts)]
    if not changes:
        raise UsageError("No corruption is named.", "Name one, such as fog(severity=3), or a set: common_corruptions.")
    for change in changes:
        if change.kind != "corruption":
            raise UsageError(f"{change.text} is not a corruption.", "Names: robust-eval list corruptions.")
        if change.corruption.configuration["constants"] in PUBLISHED_ONLY:
            raise UsageError(f"{change.text} is read from published files and cannot be generated.", "Leave it out.")
    return {change.text: change.corruption for change in changes}


def _record(
    out: Path,
    images: ImageSet,
    corruptions: Mapping[str, ImageCorruption],
    seed: int,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    source: dict[str, Any] = {
        "benchmark": images.benchmark,
        "protocol": str(images.protocol),
        "data": images.fingerprint,
        "seed": seed,
    }
    configurations = {_folder(text): dict(corruption.configuration) for text, corruption in corruptions.items()}
    write_or_check_provenance(out, source | dict(more) | configurations)


def _write_pictures(
    names: Sequence[str],
    encoded: Callable[[np.ndarray], bytes],
    images: ImageSet,
    corruptions: Mapping[str, ImageCorruption],
    out: Path,
    seed: int,
    progress: ProgressCallback,
) -> WriteCount:
    written, total = 0, len(names) * len(corruptions)
    for text, corruption in corruptions.items():
        for paths, pixels in _missing_files(out / _folder(text), corruption, names, images, seed):
            for path, image in zip(paths, pixels, strict=True):
                atomic_write(path, encoded(image))
            written += len(paths)
            progress(text, written, total)
    return WriteCount(written, total - written)


def _missing_files(
    folder: Path, corruption: ImageCorruption, names: Sequence[str], images: ImageSet, seed: int
) -> Iterator[tuple[list[Path], np.ndarray]]:
    """Yield paths that do not exist yet, with their corrupted pixels, batch by batch."""
    rows = [row for row, name in enumerate(names) if not (folder / name).exists()]
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        draws = RandomStreams.of(seed, [images.sample_ids[row] for row in batch])
        pixels = torch.from_numpy(np.array(images.pixels[batch]))
        yield [folder / names[row] for row in batch], corruption(pixels, draws).numpy()


def _names(benchmark: Benchmark, images: ImageSet) -> list[str]:
    """Return `wnid/sample.JPEG` for every image."""
    wnids = {index: name for name, index in benchmark.class_index().items() if WNID.fullmatch(name)}
    stems = [re.sub(r"[^\w.-]", "_", Path(sample).stem) for sample in images.sample_ids]
    names = [f"{wnids[label]}/{stem}.JPEG" for label, stem in zip(images.labels.tolist(), stems, strict=True)]
    if len(set(names)) < len(names):
        raise UsageError("Two images of one class have the same name.", "Rename them: each becomes a file.")
    return names


def _folder(text: str) -> str:
    parsed = spec.parse(text)
    return f"{parsed.name}/{parsed.arguments.get('severity', 1)}"


def _jpeg(pixels: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
