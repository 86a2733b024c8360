"""The cells that were requested, as triples of model, benchmark and perturbation, before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.definitions.imagenet import IMAGENET, OUTPUTS
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.labels import ResolvedLabels, resolve_labels
from robustbench_eff.core.errors import UsageError
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.registry.perturbation import Perturbation

from .plan import SampleIndices
from .preflight import PreflightResult


class RequestedCell(NamedTuple):
    """A model on the images of a benchmark under a perturbation."""

    model: int
    """Index among the models of the preflight."""
    benchmark: Benchmark
    perturbation: Perturbation


def requested_cells(ready: PreflightResult) -> list[RequestedCell]:
    """Return every cell that was requested and whose model, images and surrogate are available.

    Args:
        ready: What the preflight found.
    """
    return [
        RequestedCell(index, benchmark, change)
        for index, model in enumerate(ready.models)
        for benchmark in model.benchmarks
        for change in ready.perturbations[benchmark.name]
        if _has_images(ready, benchmark, change)
        and (change.transfer_from is None or change.transfer_from in ready.surrogates)
    ]


def clean_positions(images: ImageSet, clean: ImageSet) -> SampleIndices:
    """Return the position of every image among the clean ones, -1 where it has none.

    A published image may be another type of file than its clean one, so names match without their suffix too. Where
    no path matches and the clean images lie in no folders, as ImageNet's do when they are downloaded, file names alone
    match, if every image has one of its own.

    Args:
        images: Corrupted images.
        clean: Clean images.
    """
    known = {_stem(sample): position for position, sample in enumerate(clean.sample_ids)}
    known |= {sample: position for position, sample in enumerate(clean.sample_ids)}
    positions = np.array([known.get(sample, known.get(_stem(sample), -1)) for sample in images.sample_ids])
    return positions if (positions >= 0).any() else _positions_by_name(images.sample_ids, clean.sample_ids)


def _positions_by_name(samples: Sequence[str], clean: Sequence[str]) -> SampleIndices:
    """Positions by file name alone; all are -1 if clean images lie in folders, or two files of a side have one name."""
    names, clean_names = ([PurePosixPath(sample).stem for sample in side] for side in (samples, clean))
    is_flat = not any("/" in sample for sample in clean)
    is_unique = len(set(names)) == len(names) and len(set(clean_names)) == len(clean_names)
    known = {name: position for position, name in enumerate(clean_names)} if is_flat and is_unique else {}
    return np.array([known.get(name, -1) for name in names])


def all_opened(ready: PreflightResult, benchmark: Benchmark) -> list[LabelledImages]:
    """Return all opened image sources of a benchmark, clean and published, whose labels the model must cover.

    Args:
        ready: What the preflight found.
        benchmark: The benchmark.
    """
    clean = [ready.opened[benchmark.name]] if benchmark.name in ready.opened else []
    return clean + [opened for (name, _), opened in ready.published.items() if name == benchmark.name]


def check_classes(classifier: Classifier, benchmark: Benchmark, opened: LabelledImages) -> None:
    """Check that the outputs of a classifier are the classes of a benchmark.

    Args:
        classifier: The classifier.
        benchmark: The benchmark.
        opened: Its images.

    Raises:
        UsageError: The numbers of outputs and classes differ.
    """
    resolved = resolve_labels(benchmark, opened)
    needed, exactly = resolved.num_classes, resolved.all_known
    if benchmark.class_map is not None:
        needed, exactly = benchmark.class_map().outputs, True
    if classifier.num_classes < needed or (exactly and classifier.num_classes != needed):
        raise UsageError(
            f"{classifier.name} has {classifier.num_classes} outputs, but {benchmark.name} has {needed} classes.",
            _other_outputs_hint(classifier, benchmark, resolved),
        )


def _other_outputs_hint(classifier: Classifier, benchmark: Benchmark, resolved: ResolvedLabels) -> str:
    own_images = benchmark.num_classes is None
    is_one_too_many = resolved.num_classes == classifier.num_classes + 1
    if own_images and not resolved.class_names and is_one_too_many and resolved.labels.min() == 1:
        return "The labels seem to count from 1: --class-order natural numbers them from 0."
    other_classes = "Choose a benchmark of the model's own classes with --benchmark, or a model of these classes."
    if not own_images:
        return other_classes
    if classifier.num_classes != OUTPUTS:
        return (
            f"{other_classes} If the images are of some of its classes, name all of these in the order of the outputs "
            "in a file for --class-order, or say with --class-map FILE which outputs each class of the images is."
        )
    if classifier.provenance.label_space == IMAGENET.label_space:
        return "Name the classes of the images by wnid if they are ImageNet's, or choose a model of these classes."
    return (
        f"If the outputs are ImageNet's {OUTPUTS} classes in their usual order, and the images are labelled by wnid, "
        f"say so with --num-classes {OUTPUTS}: the argmax is then over the {benchmark.name} classes alone."
    )


def _has_images(ready: PreflightResult, benchmark: Benchmark, change: Perturbation) -> bool:
    """Whether the images under a perturbation are available; only those of published sets may not be."""
    if change.kind == "none" or benchmark.layout is None:
        return benchmark.name in ready.opened
    return (benchmark.name, change.text) in ready.published


def _stem(sample_id: str) -> str:
    return PurePosixPath(sample_id).with_suffix("").as_posix()
