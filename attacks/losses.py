"""Losses that attacks maximize: one value per sample, larger where the classifier is more wrong.

Untargeted losses take labels of shape (batch,), targeted ones label and target side by side, shape (batch, 2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch.nn.functional as functional
from jaxtyping import Float, Int64
from torch import Tensor

from robustbench_eff.core.types import Labels, Logits, PerSample

Classes: TypeAlias = Int64[Tensor, "batch ..."]
"""Labels, or labels and targets side by side: the second argument of a loss."""
Loss: TypeAlias = Callable[[Logits, Classes], Float[Tensor, "batch"]]
LabelsAndTargets = Int64[Tensor, "batch 2"]


def cross_entropy(logits: Logits, labels: Labels) -> PerSample:
    """Return -log softmax(logits)[label].

    Args:
        logits: Logits of the images.
        labels: True classes.
    """
    return functional.cross_entropy(logits, labels, reduction="none")


def margin(logits: Logits, labels: Labels) -> PerSample:
    """Return the label's logit minus the largest other logit; negative where the prediction is wrong.

    Args:
        logits: Logits of the images.
        labels: True classes.
    """
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], float("-inf"))
    return own[:, 0] - others.amax(1)


def negative_margin(logits: Logits, labels: Labels) -> PerSample:
    """Return the largest other logit minus the label's logit.

    Args:
        logits: Logits of the images.
        labels: True classes.

    Source: Carlini & Wagner 2017, arXiv:1608.04644.
    """
    return -margin(logits, labels)


def difference_of_logits_ratio(logits: Logits, labels: Labels) -> PerSample:
    """Return DLR: the negative margin divided by the largest minus the third largest logit.

    It does not change when all logits are shifted or scaled.

    Args:
        logits: Logits of at least 3 classes.
        labels: True classes.

    Source: Croce & Hein 2020, arXiv:2003.01690, equation 6.
    """
    top = logits.topk(3, dim=1).values
    return -margin(logits, labels) / (top[:, 0] - top[:, 2] + 1e-12)


def targeted_difference_of_logits_ratio(logits: Logits, classes: LabelsAndTargets) -> PerSample:
    """Return the targeted DLR loss.

    Args:
        logits: Logits of at least 4 classes.
        classes: Label and target of each image.

    Source: Croce & Hein 2020, arXiv:2003.01690, equation 7.
    """
    top = logits.topk(4, dim=1).values
    return -_lead(logits, classes) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)


def targeted_margin(logits: Logits, classes: LabelsAndTargets) -> PerSample:
    """Return the target's logit minus the label's logit.

    Args:
        logits: Logits of the images.
        classes: Label and target of each image.
    """
    return -_lead(logits, classes)


def _lead(logits: Logits, classes: LabelsAndTargets) -> PerSample:
    """Return the label's logit minus the target's logit."""
    pair = logits.gather(1, classes)
    return pair[:, 0] - pair[:, 1]
