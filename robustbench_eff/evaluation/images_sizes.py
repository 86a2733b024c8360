"""The input size of a network that states none: that of most images, if they are small."""

from __future__ import annotations

from collections import Counter
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
"""Images of a benchmark whose size is looked at."""
Sizes = Counter[tuple[int, int]]
"""Numbers of images by height and width."""


def with_images_sizes(
    model: ModelRequest | Classifier, benchmarks: Sequence[Benchmark], opened: Mapping[str, LabelledImages | None]
) -> ModelRequest | Classifier:
    """Return a request that says how large the images of the benchmarks are, if all are small.

    Args:
        model: A request, or a classifier, which is returned as it is.
        benchmarks: The benchmarks that it is evaluated on.
        opened: Their images, by name.
    """
    if isinstance(model, Classifier) or model.input_size is not None:
        return model
    found = [_sizes(benchmark, opened.get(benchmark.name)) for benchmark in benchmarks]
    if not all(found) or any(max(size) > SMALL for sizes in found for size in sizes):
        return model
    return replace(model, images_sizes=tuple(sorted({sizes.most_common(1)[0][0] for sizes in found})))


def _sizes(benchmark: Benchmark, images: LabelledImages | None) -> Sizes:
    """The sizes of some images; none if they are cut to a size, or one of them cannot be read."""
    if images is None or benchmark.crop_border or benchmark.geometry is not None:
        return Counter()
    rows = {round(number * (len(images) - 1) / (LOOKED_AT - 1)) for number in range(LOOKED_AT)}
    try:
        sizes = [decode(images.read(row), images.ids[row]).size for row in rows]
    except DataError:
        return Counter()  # the error is raised again when all images are decoded
    return Counter((height, width) for width, height in sizes)
