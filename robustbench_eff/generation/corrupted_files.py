"""Corrupted images as files in the layout of the published sets, so that any tool can read them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core import spec
from robustbench_eff.core.disk import atomic_write, store_errors
from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.core.progress import ProgressCallback, ignore_progress
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import ImageCorruption
from robustbench_eff.registry import build_benchmark, build_styliser
from robustbench_eff.registry.build_corruption import parse_corruption
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.open_benchmark import missing_data, open_benchmark
from robustbench_eff.registry.perturbation import expand_sets, parse_perturbation
from robustbench_eff.registry.stylisers import WITHOUT_WEIGHTS

from .corrupted_arrays import check_severities, write_arrays
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


def write_corrupted(
    name: str,
    out: Path,
    data: Mapping[str, str],
    settings: CorruptionSettings,
    progress: ProgressCallback = ignore_progress,
) -> WriteCount:
    """Write corrupted images in the layout of the published set.

    ImageNet becomes `OUT/corruption/severity/wnid/image.JPEG`; CIFAR becomes `OUT/corruption.npy`, with all five
    severities one after the other, and `OUT/labels.npy`. Existing files stay, every file is written atomically, and
    random draws are keyed by sample, so that the same call resumes an interrupted one.

    Args:
        name: Name of a benchmark that is made from clean images.
        out: Folder of the images.
        data: Locations of the clean images by name of their benchmark.
        settings: What to write.
        progress: Called as images are written.

    Raises:
        UsageError: The benchmark does not have such a layout, or the folder holds images made in another way.
        MissingInputs: The clean images are missing.
        SpecError: A corruption is unknown.
    """
    benchmark, location = _benchmark(name, data)
    if settings.limit is not None and settings.limit < 1:
        raise UsageError(f"limit must be at least 1, got {settings.limit}.")
    corruptions = _corruptions(name, settings.corruptions)
    in_arrays = benchmark.jpeg_quality is None
    if in_arrays:
        check_severities(corruptions)
    assert benchmark.geometry is not None
    images = prepare(benchmark, open_benchmark(benchmark, location), benchmark.geometry, limit=settings.limit)
    with store_errors(out):
        _record(out, images, corruptions, settings.seed)
        if in_arrays:
            return write_arrays(images, corruptions, out, settings.seed, progress)
        return _write_pictures(benchmark, images, corruptions, out, settings.seed, progress)


def _benchmark(name: str, data: Mapping[str, str]) -> tuple[Benchmark, str | None]:
    """Return the benchmark and the location of its clean images."""
    if name not in WRITABLE:
        raise UsageError(f"{name} cannot be written.", f"Known: {', '.join(WRITABLE)}.")
    benchmark = build_benchmark.benchmark(name)
    location = locations.place(benchmark, data)
    if missing := missing_data(benchmark, location):
        raise MissingInputs(missing)
    return benchmark, location


def _corruptions(name: str, texts: Sequence[str]) -> dict[str, ImageCorruption]:
    """Return the corruptions by canonical spec text."""
    corruptions = {parse_perturbation(text).text: parse_corruption(text) for text in expand_sets(texts)}
    for text, corruption in corruptions.items():
        if corruption.configuration["constants"] != WRITABLE[name]:
            raise UsageError(
                f"{text} does not have the constants of {name}.", f"Write it with constants={WRITABLE[name]!r}."
            )
    return corruptions


def _record(out: Path, images: ImageSet, corruptions: Mapping[str, ImageCorruption], seed: int) -> None:
    source = {
        "benchmark": images.benchmark,
        "protocol": str(images.protocol),
        "data": images.fingerprint,
        "seed": seed,
    }
    configurations = {_folder(text): dict(corruption.configuration) for text, corruption in corruptions.items()}
    write_or_check_provenance(out, source | configurations)


def _write_pictures(
    benchmark: Benchmark,
    images: ImageSet,
    corruptions: Mapping[str, ImageCorruption],
    out: Path,
    seed: int,
    progress: ProgressCallback,
) -> WriteCount:
    names, written = _names(benchmark, images), 0
    total = len(names) * len(corruptions)
    for text, corruption in corruptions.items():
        for paths, pixels in _missing_files(out / _folder(text), corruption, names, images, seed):
            for path, image in zip(paths, pixels, strict=True):
                atomic_write(path, _jpeg(image, benchmark.jpeg_quality or 0))
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


def sheet(photograph: Path, corruptions: Sequence[str]) -> Image.Image:
    """Return a contact sheet of a photograph under corruptions at all severities.

    Args:
        photograph: An image file.
        corruptions: Spec texts of corruptions, whose severities are ignored, or names of sets of them.

    Raises:
        UsageError: The file is not an image.
        SpecError: A corruption is unknown.
    """
    from robustbench_eff.corruptions.contact_sheet import contact_sheet

    texts = expand_sets(corruptions)
    for text in texts:
        parse_corruption(text)
    kernels = {name: CORRUPTIONS[name].load() for name in (spec.parse(text).name for text in texts)}
    return contact_sheet(_picture(photograph), kernels)


def style_sheet(photograph: Path, style: Path, stylisers: Sequence[str] = ()) -> Image.Image:
    """Return a contact sheet of a photograph in the style of another image.

    Args:
        photograph: An image file.
        style: The image file whose style is transferred.
        stylisers: Spec texts of stylisers; empty for all that need no weights.

    Raises:
        UsageError: A file is not an image.
        SpecError: A styliser is unknown.
        DataError: The weights of a styliser are missing.
    """
    from robustbench_eff.corruptions import contact_sheet as sheets

    built = {text: build_styliser.styliser(text) for text in stylisers or WITHOUT_WEIGHTS}
    return sheets.style_sheet(_picture(photograph), _picture(style), built)


def _picture(path: Path) -> Image.Image:
    try:
        picture = Image.open(path)
        picture.load()
    except OSError as error:
        raise UsageError(f"{path} cannot be read as a picture: {error}.") from error
    return picture
