"""Published files as an image set that decodes on access: all severities together would fill a disk."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.core.progress import ProgressCallback, ignore_progress

from .benchmark import Benchmark
from .data_fingerprint import content_of, read_samples
from .image_cache import shared_ids, warn_if_sorted, with_benchmark
from .image_set import ImageSet, protocol_of
from .labelled_images import LabelledImages
from .labels import resolve_labels
from .layouts.published import frames_of
from .readers.decode import decode


@dataclass(frozen=True, slots=True)
class LazyImages:
    """The images of a source, or the first frames of its sequences, decoded on access: uint8 (N, H, W, 3)."""

    opened: LabelledImages
    """The source."""
    size: tuple[int, int]
    """Height and width in pixels of every image."""
    sequences: bool
    """True if each item of the source is a sequence of frames."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, 3)."""
        return (len(self.opened), *self.size, 3)

    def __getitem__(self, rows: slice | list[int]) -> npt.NDArray[np.uint8]:
        positions = range(len(self.opened))[rows] if isinstance(rows, slice) else rows
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            items = list(pool.map(self.full_image, positions))
        return np.stack([frames[0] for frames in items] if self.sequences else items)

    def full_image(self, position: int) -> npt.NDArray[np.uint8]:
        """Return an image, uint8 (H, W, 3), or all frames of a sequence, uint8 (frames, H, W, 3).

        Args:
            position: Position in the source.

        Raises:
            DataError: The file cannot be decoded, or has another size.
        """
        name = f"{self.opened.origin}: {self.opened.ids[position]}"
        content = content_of(self.opened, position)
        pixels = frames_of(content, name) if self.sequences else np.asarray(decode(content, name))
        height, width = pixels.shape[-3:-1]
        if (height, width) != self.size:
            raise DataError(
                f"{name} is {width}×{height}, not {self.size[1]}×{self.size[0]} as the published files.",
                "Pass the files as they were published.",
            )
        return pixels


def prepare_published(
    benchmark: Benchmark,
    opened: LabelledImages,
    geometry: Geometry,
    *,
    channels: int = 3,
    limit: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Return the files of one perturbation as an image set; they are only resized to the model's size.

    Args:
        benchmark: A benchmark with a layout and a geometry.
        opened: The files of one corruption at one severity, or of one sequence at one difficulty.
        geometry: Geometry of the model.
        channels: Channels of the images that the model sees: 3, or 1 for grey.
        limit: Number of samples to take, in the order of the source; None for all.
        progress: Called with the benchmark's name after each sample that is hashed.

    Raises:
        DataError: Images or labels do not fit.
    """
    resolved = resolve_labels(benchmark, opened)
    warn_if_sorted(opened, resolved.labels, limit)
    ids, labels = shared_ids(opened, limit), resolved.labels[:limit]
    assert benchmark.geometry is not None and benchmark.layout is not None
    unchanged = Geometry(size=benchmark.geometry.size, mode="none")
    samples = read_samples(opened, ids, labels, benchmark.name, progress)
    protocol = with_benchmark(protocol_of(opened, len(ids), unchanged, geometry, channels), benchmark, resolved)
    pixels = LazyImages(opened, unchanged.shape, sequences=benchmark.layout.kind == "sequence")
    return ImageSet(
        benchmark=benchmark.name,
        label_space=benchmark.label_space,
        protocol=replace(protocol, split="published files", turned=samples.turned),
        sample_ids=ids,
        labels=labels,
        pixels=pixels,
        fingerprint=samples.fingerprint,
        full_image=pixels.full_image,
        input_size=geometry.shape,
        channels=channels,
        interpolation=geometry.interpolation,
        flags=benchmark.flags,
        assumed=benchmark.assumed,
        published=True,
    )
