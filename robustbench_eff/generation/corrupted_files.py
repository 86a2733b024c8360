"""Write corrupted images in the layout of the published sets, so that any tool can read them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.readers import open
from robustbench_eff.core import spec
from robustbench_eff.core.disk import atomic_write, store_errors
from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import ImageCorruption
from robustbench_eff.registry import build, build_benchmark, perturbation_text
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.stylisers import WITHOUT_WEIGHTS

from .corrupted_arrays import check_severities, write_arrays
from .output_folder import ProgressCallback, WriteCount, ignore_progress, write_or_check_provenance

AT_ONCE = 64
"""Images that are corrupted, then written."""
WNID = re.compile(r"n\d{8}")
WRITABLE = {"imagenet-c-generated": "imagenet", "cifar10-c-generated": "cifar10", "cifar100-c-generated": "cifar10"}
"""Benchmarks with a published layout, and the constants that their published sets were made with."""


def write_corrupted(
    name: str,
    out: Path,
    *,
    data: Mapping[str, str],
    corruptions: Sequence[str],
    limit: int | None = None,
    seed: int = 0,
    tick: ProgressCallback | None = None,
) -> WriteCount:
    """Write every corruption of the images of a benchmark that is made from clean ones, as the published set has it.

    For ImageNet OUT/corruption/severity/wnid/image.JPEG; for CIFAR-10 OUT/corruption.npy with all five severities one
    after the other, and OUT/labels.npy. What is there is left as it is, every file is written whole or not at all, and
    all draws are keyed by sample, so the same call goes on where it stopped. Raises UsageError for a benchmark that
    has no such layout, or a folder with other images or another seed; MissingInputs without its images; SpecError for
    an unknown corruption.
    """
    if name not in WRITABLE:
        raise UsageError(f"{name} cannot be written.", f"Known: {', '.join(WRITABLE)}.")
    benchmark = build_benchmark.benchmark(name)
    place = locations.place(benchmark, data)
    if missing := open.missing(benchmark, place):
        raise MissingInputs(missing)
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be at least 1, got {limit}.")
    made = {
        build.perturbation_text(text): build.corruption(text) for text in perturbation_text.expand_sets(corruptions)
    }
    for text, corruption in made.items():
        if corruption.configuration["constants"] != WRITABLE[name]:
            raise UsageError(f"{text} has not the constants of {name}.", f"Write it with constants={WRITABLE[name]!r}.")
    in_arrays = benchmark.jpeg_quality is None
    if in_arrays:
        check_severities(made)
    assert benchmark.geometry is not None
    images = prepare(benchmark, open.open_benchmark(benchmark, place), benchmark.geometry, limit=limit)
    with store_errors(out):
        made_from = {"benchmark": name, "protocol": images.protocol, "data": images.fingerprint, "seed": seed}
        write_or_check_provenance(
            out, made_from | {_folder(text): dict(corruption.configuration) for text, corruption in made.items()}
        )
        if in_arrays:
            return write_arrays(images, made, out, seed, tick or ignore_progress)
        return _write_pictures(benchmark, images, made, out, seed, tick or ignore_progress)


def _write_pictures(
    benchmark: Benchmark,
    images: ImageSet,
    made: Mapping[str, ImageCorruption],
    out: Path,
    seed: int,
    tick: ProgressCallback,
) -> WriteCount:
    names, written = _names(benchmark, images), 0
    total = len(names) * len(made)
    for text, corruption in made.items():
        for paths, pixels in _missing_files(out / _folder(text), corruption, names, images, seed):
            for path, image in zip(paths, pixels, strict=True):
                atomic_write(path, _jpeg(image, benchmark.jpeg_quality or 0))
            written += len(paths)
            tick(text, written, total)
    return WriteCount(written, total - written)


def _missing_files(
    folder: Path, corruption: ImageCorruption, names: Sequence[str], images: ImageSet, seed: int
) -> Iterator[tuple[list[Path], np.ndarray]]:
    """Paths that are not there yet, with their corrupted pixels, some at a time."""
    rows = [row for row, name in enumerate(names) if not (folder / name).exists()]
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        draws = RandomStreams.of(seed, [images.sample_ids[row] for row in part])
        pixels = torch.from_numpy(np.array(images.pixels[part]))
        yield [folder / names[row] for row in part], corruption(pixels, draws).numpy()


def _names(benchmark: Benchmark, images: ImageSet) -> list[str]:
    """wnid/sample.JPEG of every image."""
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
    """The photograph under every one of these corruptions (names, or words for many) at all severities.

    Raises UsageError for a file that is no picture, SpecError for an unknown corruption.
    """
    from robustbench_eff.corruptions.contact_sheet import contact_sheet

    texts = perturbation_text.expand_sets(corruptions)
    for text in texts:
        build.corruption(text)
    kernels = {name: CORRUPTIONS[name].load() for name in (spec.parse(text).name for text in texts)}
    return contact_sheet(_picture(photograph), kernels)


def style_sheet(photograph: Path, style: Path, stylisers: Sequence[str] = ()) -> Image.Image:
    """The photograph in the style of a picture by each of these stylisers, or by all that need no weights.

    Raises UsageError for a file that is no picture, SpecError for an unknown styliser, DataError for weights that are
    missing.
    """
    from robustbench_eff.corruptions import contact_sheet as sheets

    made = {text: build.styliser(text) for text in stylisers or WITHOUT_WEIGHTS}
    return sheets.style_sheet(_picture(photograph), _picture(style), made)


def _picture(path: Path) -> Image.Image:
    try:
        picture = Image.open(path)
        picture.load()
    except OSError as error:
        raise UsageError(f"{path} cannot be read as a picture: {error}.") from error
    return picture
