"""The input size of a network that states none: that of the images, if they are small and of one size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core.errors import DataError
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.sources.user_module import SMALL

LOOKED_AT = 8
"""Images whose size is looked at; one of another size is an error when it is decoded."""


def with_images_size(
    model: ModelRequest | Classifier, benchmarks: Sequence[Benchmark], opened: Mapping[str, LabelledImages | None]
) -> ModelRequest | Classifier:
    """Return a request that says how large the images are, if all benchmarks have small ones of the same size.

    Args:
        model: A request, or a classifier, which is returned as it is.
        benchmarks: The benchmarks that it is evaluated on.
        opened: Their images, by name.
    """
    if isinstance(model, Classifier) or model.input_size is not None or model.geometry is not None:
        return model
    sizes = {_size(benchmark, opened.get(benchmark.name)) for benchmark in benchmarks}
    size = sizes.pop() if len(sizes) == 1 else None
    return model if size is None or max(size) > SMALL else replace(model, images_size=size)


def _size(benchmark: Benchmark, images: LabelledImages | None) -> tuple[int, int] | None:
    """Height and width of the images; None if they differ, are cut to a size, or one of them cannot be read."""
    if images is None or benchmark.crop_border or benchmark.geometry is not None:
        return None
    rows = {round(number * (len(images) - 1) / (LOOKED_AT - 1)) for number in range(LOOKED_AT)}
    try:
        sizes = {decode(images.read(row), images.ids[row]).size for row in rows}
    except DataError:
        return None  # the error is raised again when all images are decoded
    if len(sizes) > 1:
        return None
    width, height = sizes.pop()
    return height, width
