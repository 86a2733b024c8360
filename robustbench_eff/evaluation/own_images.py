"""The clean images of a run, with the order of classes that the user stated, and notes on what may surprise."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.class_order import in_class_map, in_class_order, other_orders
from robustbench_eff.benchmarks.labelled_images import LabelledImages, in_random_order
from robustbench_eff.core.errors import DataError, RobustEvalWarning, UsageError

from .open_images import open_clean
from .settings import Settings

_SHOWN = 4
"""Number of reasons for ignored files that a note lists."""


def open_all_clean(wanted: Mapping[str, Benchmark], settings: Settings) -> dict[str, LabelledImages | None]:
    """List the clean images of benchmarks; warn of files that are ignored, and of orders that other programs use.

    Args:
        wanted: Benchmarks by name.
        settings: The options of the run.

    Raises:
        UsageError: A class order or map is given, and no images are the user's own; or it is not valid.
        DataError: Images cannot be read, or the class order or map does not fit them.
    """
    own = [name for name, benchmark in wanted.items() if benchmark.num_classes is None]
    option = "--class-order" if settings.class_order is not None else "--class-map"
    if (settings.class_order is not None or settings.class_map is not None) and not own:
        raise UsageError(
            f"{option} is for images of your own; the classes of {', '.join(wanted)} have their order.",
            "Name the images as your own, such as --data mine=PATH.",
        )
    opened = {name: open_clean(benchmark, settings.data) for name, benchmark in wanted.items()}
    if settings.sample is not None:
        opened = {name: _in_random_order(wanted[name], images) for name, images in opened.items()}
    for images in opened.values():
        if images is not None and images.ignored:
            _warn(_ignored(images))
    return {
        name: images if images is None else in_stated_order(wanted[name], images, settings)
        for name, images in opened.items()
    }


def _in_random_order(benchmark: Benchmark, images: LabelledImages | None) -> LabelledImages | None:
    """The same images in an order of which every beginning is a fair sample; UsageError for published sets."""
    if benchmark.layout is not None:
        raise UsageError(f"{benchmark.name} is published in an order of its own.", "Take the first ones: --limit N")
    return None if images is None else in_random_order(images)


def in_stated_order(benchmark: Benchmark, images: LabelledImages, settings: Settings) -> LabelledImages:
    """Return the user's own images with their classes in the order that the user stated; any others unchanged.

    Args:
        benchmark: The benchmark of the images.
        images: The images, clean or corrupted.
        settings: The options of the run.

    Raises:
        UsageError: The class order or map is not valid.
        DataError: It does not fit the images.
    """
    if benchmark.num_classes is not None:
        return images
    if settings.class_map is not None:
        return in_class_map(images, str(settings.class_map))
    if settings.class_order is not None:
        return in_class_order(images, settings.class_order)
    if others := other_orders(images):
        _warn(f"{images.origin}: {others}")
    return images


def check_same_order(clean: LabelledImages, files: LabelledImages) -> None:
    """Check that corrupted images have the classes of the clean ones, in the same order.

    Args:
        clean: The clean images of the user's own.
        files: Corrupted images that were made from them.

    Raises:
        DataError: Names or order differ.
    """
    if clean.class_names and files.class_names and clean.class_names != files.class_names:
        raise DataError(
            f"{files.origin} numbers its classes in another order than {clean.origin}.",
            "State one for both: --class-order sorted, natural, or a file with the names.",
        )


def _ignored(images: LabelledImages) -> str:
    groups = [f"{item.count} {item.reason}, such as {item.example}" for item in images.ignored[:_SHOWN]]
    rest = sum(item.count for item in images.ignored[_SHOWN:])
    more = [f"{rest} for other reasons"] if rest else []
    return f"{images.origin}: ignored are {'; '.join([*groups, *more])}."


def _warn(message: str) -> None:
    warnings.warn(message, RobustEvalWarning, stacklevel=2)
