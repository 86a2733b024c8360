"""Noisy Student: a teacher labels further images, and a student learns from all images under noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from jaxtyping import Int64
from torch import Tensor, nn

from robustbench_eff.core.errors import DataError, SpecError

from .network import Network
from .policies import augmented, policy
from .recipe import Recipe, Requirements, Stage
from .standard import Standard
from .training_batch import AllTargets, Batch, Samples, smoothed


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisyStudent(Recipe):
    """Noisy Student: the cross-entropy with labels and with a teacher's probabilities, under noise.

    The noise is RandAugment on the images and dropout; stochastic depth is part of the architecture.

    Source: Xie et al. 2020, arXiv:1911.04252, algorithm 1 and section 3.2, as in reference implementations: soft
    pseudo-labels above 0.3, classes balanced, RandAugment of 2 operations of magnitude 27, dropout 0.5; three
    iterations there. Not all of it was read in the paper itself.
    Differs: the student has the teacher's architecture; labelled and unlabelled images are shuffled together, in the
    proportion in which they exist; magnitudes are torchvision's.
    """

    version: ClassVar[int] = 1

    teacher: str | None = None
    """Name of a model; None trains a teacher first, with the standard recipe."""
    iterations: int = 1
    """Number of students, each taught by the one before; the last one is saved."""
    threshold: float = 0.3
    """Smallest confidence of the teacher for an image to be used."""
    per_class: int | None = None
    """Number of pseudo-labelled images per class: the most confident ones, repeated where there are fewer. None: an
    equal share of the unlabelled images."""
    operations: int = 2
    """Number of RandAugment operations per image."""
    magnitude: int = 27
    """Magnitude of the operations, from 0 to 30."""
    dropout: float = 0.5
    """Dropout rate before the last layer, from 0 to below 1."""

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.operations < 1 or not 0 <= self.magnitude <= 30:
            raise SpecError("iterations and operations must be >= 1, and magnitude from 0 to 30.")
        if not (0 <= self.threshold < 1 and 0 <= self.dropout < 1):
            raise SpecError("threshold and dropout must be from 0 to below 1.")
        if self.per_class is not None and self.per_class < 1:
            raise SpecError(f"per_class must be >= 1, got {self.per_class}.")

    @property
    def passes(self) -> float:
        """One forward and one backward pass; the teacher's passes are counted per stage."""
        return 2

    @property
    def requirements(self) -> Requirements:
        """The teacher, if it is not trained first, and unlabelled images."""
        return Requirements(teacher=self.teacher, unlabelled=True)

    def stages(self) -> tuple[Stage, ...]:
        """Return the training of the teacher, if it is not a model by name, and one training per student."""
        teacher = () if self.teacher is not None else (Stage(recipe=Standard(), name="teacher: "),)
        students = (
            Stage(recipe=self, name=f"student {number}: ", build_samples=self.with_pseudo_labels)
            for number in range(1, self.iterations + 1)
        )
        return (*teacher, *students)

    def prepare(self, module: nn.Module) -> nn.Module:
        """Set the dropout rate before the last layer.

        Args:
            module: The network to train.
        """
        for last in [layer for layer in module.modules() if isinstance(layer, nn.Dropout)][-1:]:
            last.p = self.dropout
        if hasattr(module, "drop_rate"):  # timm's networks call dropout as a function
            module.drop_rate = self.dropout  # type: ignore[assignment]
        return module

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of the augmented images.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        change = policy("randaugment", num_ops=self.operations, magnitude=self.magnitude)
        yield functional.cross_entropy(network(augmented(batch, change, "noise")), batch.targets)

    def with_pseudo_labels(
        self, labelled: Samples, unlabelled: Samples, probabilities: AllTargets, label_smoothing: float
    ) -> Samples:
        """Return the labelled images followed by the selected unlabelled ones with the teacher's probabilities.

        Args:
            labelled: The labelled training images.
            unlabelled: The images that the teacher has classified.
            probabilities: The teacher's class probabilities for every unlabelled image.
            label_smoothing: Label smoothing of the labelled images, from 0 to 1.

        Raises:
            DataError: The teacher is not confident about any image.
        """
        rows = select_pseudo_labels(probabilities, self.threshold, self.per_class)
        targets = smoothed(labelled.labels, labelled.num_classes, label_smoothing)
        return Samples(
            pixels=torch.cat((labelled.pixels, unlabelled.pixels[rows])),
            labels=torch.cat((labelled.labels, probabilities[rows].argmax(1))),
            num_classes=labelled.num_classes,
            targets=torch.cat((targets, probabilities[rows])),
        )


def select_pseudo_labels(probabilities: AllTargets, threshold: float, per_class: int | None) -> Int64[Tensor, rows]:
    """Return the indices of the images to use: for each predicted class the most confident ones above the threshold.

    Where a class has fewer than `per_class` images, they are repeated. A class that is never predicted stays empty.

    Args:
        probabilities: The teacher's class probabilities for every image.
        threshold: Smallest confidence, from 0 to below 1.
        per_class: Number of images per class; None means an equal share of all images.

    Raises:
        DataError: No image is above the threshold.
    """
    confidence, predicted = probabilities.max(1)
    num_classes = probabilities.shape[1]
    size = per_class or max(1, len(probabilities) // num_classes)
    selected = []
    for label in range(num_classes):
        rows = torch.nonzero((predicted == label) & (confidence > threshold))[:, 0]
        if len(rows):
            by_confidence = rows[confidence[rows].argsort(descending=True, stable=True)]
            selected.append(by_confidence.repeat(-(-size // len(by_confidence)))[:size])
    if not selected:
        raise DataError(f"The teacher's confidence is not above {threshold:g} for any image.", "Lower the threshold.")
    return torch.cat(selected)
