"""Noisy Student: a teacher labels further images, a student learns from all of them under noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int64
from torch import Tensor, nn

from robustbench_eff.core.errors import DataError, SpecError

from .network import Network
from .policies import augmented, policy
from .recipe import Recipe
from .training_batch import Batch, Samples, smoothed


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisyStudent(Recipe):
    """The cross-entropy with labels and with a teacher's probabilities alike, on images changed by RandAugment, with
    dropout; stochastic depth is the architecture's.

    Source: Xie et al. 2020, arXiv:1911.04252, algorithm 1 and section 3.2, as in reference implementations: soft
    pseudo-labels above 0.3, classes balanced, RandAugment of 2 operations of magnitude 27, dropout 0.5; three
    iterations there. Not all of it was read in the paper itself.
    Differs: the student has the teacher's architecture; labelled and unlabelled images are shuffled together, in the
    proportion in which there are; magnitudes are torchvision's.
    """

    version: ClassVar[int] = 1

    teacher: str | None = None
    """A model by name; None: one is trained first, by the standard recipe."""
    iterations: int = 1
    """Students, each taught by the one before; what is kept is the last."""
    threshold: float = 0.3
    """Images of which the teacher is less sure are left out."""
    per_class: int | None = None
    """Pseudo-labelled images of each class, the surest, or repeated where there are fewer; None: an equal share."""
    operations: int = 2
    magnitude: int = 27
    dropout: float = 0.5
    """Before the last layer."""

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.operations < 1 or not 0 <= self.magnitude <= 30:
            raise SpecError("iterations and operations must be >= 1, and magnitude from 0 to 30.")
        if not (0 <= self.threshold < 1 and 0 <= self.dropout < 1):
            raise SpecError("threshold and dropout must be from 0 to below 1.")
        if self.per_class is not None and self.per_class < 1:
            raise SpecError(f"per_class must be >= 1, got {self.per_class}.")

    @property
    def passes(self) -> float:
        return 2

    def prepare(self, module: nn.Module) -> nn.Module:
        for last in [part for part in module.modules() if isinstance(part, nn.Dropout)][-1:]:
            last.p = self.dropout
        if hasattr(module, "drop_rate"):  # timm's networks call dropout as a function
            module.drop_rate = self.dropout  # type: ignore[assignment]
        return module

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        change = policy("randaugment", num_ops=self.operations, magnitude=self.magnitude)
        yield functional.cross_entropy(network(augmented(batch, change, "noise")), batch.targets)


def with_pseudo_labels(
    labelled: Samples,
    unlabelled: Samples,
    probabilities: Float[Tensor, "samples classes"],
    recipe: NoisyStudent,
    label_smoothing: float,
) -> Samples:
    """Labelled images and chosen unlabelled ones with the teacher's `probabilities`; DataError where none is sure."""
    rows = select_pseudo_labels(probabilities, recipe.threshold, recipe.per_class)
    own = smoothed(labelled.labels, labelled.num_classes, label_smoothing)
    return Samples(
        pixels=torch.cat((labelled.pixels, unlabelled.pixels[rows])),
        labels=torch.cat((labelled.labels, probabilities[rows].argmax(1))),
        num_classes=labelled.num_classes,
        targets=torch.cat((own, probabilities[rows])),
    )


def select_pseudo_labels(
    probabilities: Float[Tensor, "samples classes"], threshold: float, per_class: int | None
) -> Int64[Tensor, rows]:
    """Which images are taken: of every predicted class the `per_class` surest above the threshold, or all of them again
    and again where there are fewer. A class that is never predicted stays empty."""
    confidence, predicted = probabilities.max(1)
    num_classes = probabilities.shape[1]
    size = per_class or max(1, len(probabilities) // num_classes)
    found = []
    for number in range(num_classes):
        rows = torch.nonzero((predicted == number) & (confidence > threshold))[:, 0]
        if len(rows):
            surest = rows[confidence[rows].argsort(descending=True, stable=True)]
            found.append(surest.repeat(-(-size // len(surest)))[:size])
    if not found:
        raise DataError(f"The teacher is sure of no image by more than {threshold:g}.", "Lower the threshold.")
    return torch.cat(found)
