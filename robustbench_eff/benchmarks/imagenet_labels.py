"""The user's own images of some of ImageNet's classes: which outputs of a model their labels stand for."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import NoReturn

from robustbench_eff.core.errors import DataError, did_you_mean, first_few
from robustbench_eff.models.class_map import restricted

from .benchmark import Benchmark
from .class_names import known_names
from .definitions.imagenet import OUTPUTS, class_index, facts, names_of_several_classes
from .labelled_images import LabelledImages, plain_labels

_WNID = re.compile(r"n\d{8}")


def with_imagenet_outputs(benchmark: Benchmark, opened: LabelledImages) -> Benchmark:
    """Return the user's own images as a benchmark of ImageNet classifiers.

    Labels that are wnids or class names of ImageNet decide which outputs count: the argmax is taken over them. Images
    with other labels stay as they are.

    Args:
        benchmark: The user's own images.
        opened: The same images with their labels.

    Raises:
        DataError: Some labels are ImageNet's and others are not, a name belongs to several classes, numbers may count
            ImageNet's classes or the user's own, or there is one class only.
    """
    labels = set(plain_labels(opened))
    numbers = {label for label in labels if isinstance(label, int)}
    if numbers == labels:
        _check_numbers(numbers, benchmark, opened)
        return benchmark
    names = {str(label) for label in labels}
    known = known_names(names, class_index(), opened.class_names)
    if not known and not any(map(_WNID.fullmatch, names)):
        return benchmark
    if unknown := sorted(names - known.keys()):
        _refuse(unknown, known, benchmark, opened)
    kept = sorted(set(known.values()))
    if len(kept) == 1:
        raise DataError(
            f"{opened.origin} holds a single class, {_titles()[kept[0]]}: with one output nothing can be wrong.",
            f"For the argmax over all {OUTPUTS} outputs: --benchmark imagenet --data imagenet={opened.origin}",
        )
    if len(kept) == OUTPUTS:
        return replace(benchmark, num_classes=OUTPUTS, class_index=class_index)
    titles = _titles()
    return replace(
        benchmark,
        num_classes=len(kept),
        class_index=partial(_positions, tuple(kept), tuple(known.items())),
        class_map=partial(restricted, OUTPUTS, tuple(kept)),
        class_names=tuple(titles[index] for index in kept),
    )


def _positions(kept: tuple[int, ...], known: tuple[tuple[str, int], ...]) -> dict[str, int]:
    """The position among the kept classes of each of their names, and of the source's own names."""
    position_of = {index: position for position, index in enumerate(kept)}
    names = [*class_index().items(), *known]
    return {name: position_of[index] for name, index in names if index in position_of}


def _titles() -> list[str]:
    """Name and wnid of every class, in the order of the outputs."""
    return [f"{row['torchvision_name']} ({row['wnid']})" for row in facts("imagenet_classes")["classes"]]


def _check_numbers(numbers: Collection[int], benchmark: Benchmark, opened: LabelledImages) -> None:
    """Refuse labels that count without a gap from 0 or 1, unless they count all of ImageNet's classes."""
    first, last = min(numbers), max(numbers)
    if first in (0, 1) and last - first + 1 == len(numbers) < OUTPUTS:
        raise DataError(
            f"{opened.origin} labels its images {first} to {last}, which may be {len(numbers)} classes of its own or "
            "the first of ImageNet's.",
            f"Name the classes of {benchmark.name} by wnid, such as n01440764. If the numbers are ImageNet's: "
            f"--benchmark imagenet --data imagenet={opened.origin}",
        )


def _refuse(unknown: list[str], known: Collection[str], benchmark: Benchmark, opened: LabelledImages) -> NoReturn:
    shown = first_few(unknown, 3)
    verb = "is not a class" if len(unknown) == 1 else "are not classes"
    shared = [name for name in unknown if name in names_of_several_classes()]
    if shared:
        message, hint = f"{shared[0]!r} is the name of several classes of ImageNet.", "Use its wnid."
    else:
        others = "1 other label is" if len(known) == 1 else f"{len(known)} other labels are"
        message = f"{shown} {verb} of ImageNet's {OUTPUTS}" + (f", while {others}." if known else ".")
        hint = did_you_mean(unknown[0], class_index())
    raise DataError(
        f"{opened.origin}: {message}",
        f"{hint} Or leave the images of such classes out of {benchmark.name}, or use a model that knows them.".strip(),
    )
