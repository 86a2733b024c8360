"""Published files as an image set, decoded when they are asked for: all severities together would fill a disk."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.preprocessing import Geometry

from .benchmark import Benchmark
from .data_fingerprint import ProgressCallback, content_of, fingerprint_of
from .image_cache import describe_count, seen_at, shared_ids, warn_if_sorted
from .image_set import ImageSet
from .labelled_images import LabelledImages
from .labels import resolve_labels
from .layouts.published import frames_of
from .readers.decode import decode


@dataclass(frozen=True, slots=True)
class LazyImages:
    """The images of a source, or of sequences their first frames, by slice: uint8 (n, size, size, 3)."""

    opened: LabelledImages
    size: int
    sequences: bool

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.opened), self.size, self.size, 3)

    def __getitem__(self, rows: slice | list[int]) -> npt.NDArray[np.uint8]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(self.full_image, range(len(self.opened))[rows] if isinstance(rows, slice) else rows))
        return np.stack([item[0] for item in found] if self.sequences else found)

    def full_image(self, position: int) -> npt.NDArray[np.uint8]:
        """An image (size, size, 3), or all frames of a sequence (frames, size, size, 3)."""
        name = f"{self.opened.origin}: {self.opened.ids[position]}"
        content = content_of(self.opened, position)
        found = frames_of(content, name) if self.sequences else np.asarray(decode(content, name))
        height, width = found.shape[-3:-1]
        if (height, width) != (self.size, self.size):
            raise DataError(
                f"{name} is {width}×{height}, not {self.size}×{self.size} as the published files.",
                "Give them as they were published.",
            )
        return found


def prepare_published(
    benchmark: Benchmark,
    opened: LabelledImages,
    geometry: Geometry,
    *,
    sequences: bool,
    limit: int | None = None,
    tick: ProgressCallback | None = None,
) -> ImageSet:
    """The files of one corruption at one severity, seen as they are but for the size of `geometry`.

    With `limit` the first samples in the order of the source. Raises DataError for images or labels that do not fit.
    """
    all_labels = resolve_labels(benchmark, opened).labels
    if limit is not None:
        warn_if_sorted(opened, all_labels, limit)
    ids, labels = shared_ids(opened, limit), all_labels[:limit]
    assert benchmark.geometry is not None
    size = benchmark.geometry.size
    pixels, as_it_is = LazyImages(opened, size, sequences), Geometry(size=size, mode="none")
    return ImageSet(
        benchmark=benchmark.name,
        label_space=benchmark.label_space,
        protocol=", ".join(
            ["published files", describe_count(opened, ids), str(as_it_is), *seen_at(geometry, as_it_is)]
        ),
        sample_ids=ids,
        labels=labels,
        pixels=pixels,
        fingerprint=fingerprint_of(opened, ids, labels, tick),
        full_image=pixels.full_image,
        input_size=geometry.size,
        interpolation=geometry.interpolation,
        published=True,
    )
