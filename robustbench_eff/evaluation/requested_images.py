"""RequestedImages: the images of a run, decoded once per geometry, and the perturbations as they apply to them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.layouts.passthrough import Published, PublishedCorruption, PublishedFrames
from robustbench_eff.benchmarks.lazy_images import prepare_published
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.preprocessing import Preprocessing
from robustbench_eff.core.progress import ProgressCallback
from robustbench_eff.registry.perturbation import Perturbation, with_constants
from robustbench_eff.registry.perturbation_sets import constants_for

from .preflight import PreflightResult
from .resolve_cells import RequestedCell


class Origin(NamedTuple):
    """Where images come from."""

    benchmark: str
    """Name of the benchmark."""
    published: str
    """Text of the perturbation of published files; empty for clean images."""


class RequestedImages:
    """The images of the requested cells."""

    def __init__(self, ready: PreflightResult, limit: int | None) -> None:
        """Start without any images.

        Args:
            ready: What the preflight found.
            limit: Number of samples of each benchmark; None for all.
        """
        self._ready, self._limit = ready, limit
        self._prepared: dict[tuple[Origin, str, tuple[object, ...]], ImageSet] = {}
        """Image sets by origin, geometry, channels and classes, which for the user's own images depend on the model."""

    def origin(self, requested: RequestedCell) -> Origin:
        """Return where the images of a cell come from.

        Args:
            requested: The cell.
        """
        name, text = requested.benchmark.name, requested.perturbation.text
        return Origin(name, text if (name, text) in self._ready.published else "")

    def get(self, requested: RequestedCell, preprocessing: Preprocessing, progress: ProgressCallback) -> ImageSet:
        """Return the clean images of a benchmark, or the published files of a perturbation.

        Args:
            requested: The cell.
            preprocessing: How the model sees the images.
            progress: Told which images are being decoded, how many are done, and of how many.

        Raises:
            DataError: An image or label cannot be read.
        """
        origin, benchmark = self.origin(requested), requested.benchmark
        geometry, channels = preprocessing.geometry, preprocessing.channels
        key = (origin, str(geometry), (channels, benchmark.num_classes, *benchmark.class_names))
        if key not in self._prepared:
            if origin.published:
                files = self._ready.published[origin]
                named = partial(_under_name, progress, f"{benchmark.name}, {origin.published}")
                self._prepared[key] = prepare_published(
                    benchmark, files, geometry, channels=channels, limit=self._limit, progress=named
                )
            else:
                opened = self._ready.opened[benchmark.name]
                self._prepared[key] = prepare(
                    benchmark, opened, geometry, channels=channels, limit=self._limit, progress=progress
                )
        return self._prepared[key]


def applied_to(requested: RequestedCell, images: ImageSet) -> Perturbation:
    """Return the perturbation of a cell as it applies to its images.

    Published images are changed already; corrupted ones become JPEG files if the benchmark says so. Where the text
    leaves the constants open, they are those of the published set, or for images of this size.

    Args:
        requested: The cell.
        images: Its images.

    Raises:
        UsageError: A sequence is to be made of images that are not square, or a corruption only exists as files.
    """
    height, width = images.pixels.shape[1:3]
    quality, layout = requested.benchmark.jpeg_quality, requested.benchmark.layout
    constants = constants_for(height, width) if layout is None else layout.constants
    perturbation = with_constants(requested.perturbation, constants)
    match perturbation.kind:
        case "corruption" if images.published:
            return replace(perturbation, component=Published(perturbation.corruption))
        case "corruption" if isinstance(perturbation.corruption, PublishedCorruption):
            raise perturbation.corruption.refusal()
        case "corruption" if quality is not None:
            from robustbench_eff.corruptions import Corruption, JpegSaved  # slow to import

            return replace(perturbation, component=JpegSaved(cast(Corruption, perturbation.corruption), quality))
        case "sequence" if images.published:
            return replace(perturbation, component=PublishedFrames(perturbation.sequence))
        case "sequence" if height != width:
            raise UsageError(
                f"{perturbation.text} films a square, and the images of this model are "
                f"{height}×{width} pixels (height × width).",
                "Leave sequences out, or evaluate at a square --input-size.",
            )
        case _:
            return perturbation


def _under_name(progress: ProgressCallback, name: str, _: str, done: int, total: int) -> None:
    """Report progress under another name."""
    progress(name, done, total)
