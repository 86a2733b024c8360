"""The input size of a network that states none: that of most images, if they are small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core.errors import DataError
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.sources.user_module import SMALL

LOOKED_AT = 8
"""Images of a benchmark whose size is looked at."""
Shape: TypeAlias = tuple[int, int]
"""Height and width, in pixels."""


def usual_sizes(
    benchmarks: Mapping[str, Benchmark], opened: Mapping[str, LabelledImages | None]
) -> dict[str, Shape | None]:
    """Return the usual size of the images of every benchmark.

    It is None where an image is large or cannot be read, or where the benchmark cuts its images to a size.

    Args:
        benchmarks: Benchmarks by name.
        opened: Their images, by name.
    """
    return {name: _usual_size(benchmark, opened.get(name)) for name, benchmark in benchmarks.items()}


def with_images_sizes(
    model: ModelRequest | Classifier, benchmarks: Sequence[Benchmark], sizes: Mapping[str, Shape | None]
) -> ModelRequest | Classifier:
    """Return a request that says how large the images of its benchmarks are, if all are small.

    Args:
        model: A request, or a classifier, which is returned as it is.
        benchmarks: The benchmarks that it is evaluated on.
        sizes: What `usual_sizes` returned.
    """
    if isinstance(model, Classifier) or model.input_size is not None:
        return model
    found = {sizes[benchmark.name] for benchmark in benchmarks}
    small = sorted(size for size in found if size is not None)
    return model if len(small) < len(found) else replace(model, images_sizes=tuple(small))


def _usual_size(benchmark: Benchmark, images: LabelledImages | None) -> Shape | None:
    if images is None or benchmark.crop_border or benchmark.geometry is not None:
        return None
    counts = Counter[Shape]()
    for row in sorted({round(number * (len(images) - 1) / (LOOKED_AT - 1)) for number in range(LOOKED_AT)}):
        try:
            width, height = decode(images.read(row), images.ids[row]).size
        except DataError:
            return None  # the error is raised again when all images are decoded
        if max(width, height) > SMALL:
            return None
        counts[height, width] += 1
    return counts.most_common(1)[0][0]
