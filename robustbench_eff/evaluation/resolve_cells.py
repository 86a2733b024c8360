"""What there is to do: models, images and what changes them, before anything is loaded."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.core.errors import UsageError
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.registry import build_benchmark, perturbation_text

from .plan import CLEAN, SampleIndices
from .preflight import PreflightResult, perturbations
from .settings import Settings

Job = tuple[int, Benchmark, str]
"""A model by its position, the images, and the text of what changes them."""


def jobs(ready: PreflightResult, settings: Settings) -> list[Job]:
    """Everything that was asked for and is there."""
    suite, found = build_benchmark.suite(settings.suite), list[Job]()
    for number, (_, benchmarks) in enumerate(ready.subjects):
        for benchmark in benchmarks:
            for text in perturbations(settings.explicit_perturbations or suite.perturbations(benchmark.name)):
                name = None if text == CLEAN else perturbation_text.surrogate(text)[1]
                lacking = name is not None and name not in ready.surrogates  # which was said
                if _is_there(ready, benchmark, text) and not lacking:
                    found.append((number, benchmark, text))
    return found


def clean_positions(images: ImageSet, clean: ImageSet) -> SampleIndices:
    """Of every image its position among the clean ones, -1 where it is not there.

    A published image may be another kind of file than its clean one.
    """
    known = {_stem(sample): position for position, sample in enumerate(clean.sample_ids)}
    known |= {sample: position for position, sample in enumerate(clean.sample_ids)}
    return np.array([known.get(sample, known.get(_stem(sample), -1)) for sample in images.sample_ids])


def _stem(sample_id: str) -> str:
    return PurePosixPath(sample_id).with_suffix("").as_posix()


def _is_there(ready: PreflightResult, benchmark: Benchmark, text: str) -> bool:
    """Whether the images of a perturbation are; only of published sets they may not be."""
    clean_or_made = text == CLEAN or benchmark.layout is None
    return benchmark.name in ready.opened if clean_or_made else (benchmark.name, text) in ready.published


def all_opened(ready: PreflightResult, benchmark: Benchmark) -> list[LabelledImages]:
    """Everything whose labels a model must know."""
    clean = [ready.opened[benchmark.name]] if benchmark.name in ready.opened else []
    return clean + [opened for (name, _), opened in ready.published.items() if name == benchmark.name]


def check_classes(classifier: Classifier, benchmark: Benchmark, opened: LabelledImages) -> None:
    """Raise UsageError where outputs and classes cannot be matched."""
    resolved = resolve_labels(benchmark, opened)
    needed, exactly = resolved.num_classes, resolved.all_known
    if benchmark.class_map is not None:
        needed, exactly = benchmark.class_map().outputs, True
    if classifier.num_classes < needed or (exactly and classifier.num_classes != needed):
        raise UsageError(
            f"{classifier.name} has {classifier.num_classes} outputs, but {benchmark.name} has {needed} classes.",
            "Choose a benchmark of the model's own label space with --benchmark, or set --num-classes.",
        )
