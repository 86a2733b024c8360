"""What attacks climb: one loss value per sample, larger where the classifier is more wrong.

`labels` has shape (batch,); targeted losses take (batch, 2), label and target side by side.
"""

from __future__ import annotations

import torch.nn.functional as functional
from jaxtyping import Int64
from torch import Tensor

from robustbench_eff.core.types import Labels, Logits, PerSample

LabelsAndTargets = Int64[Tensor, "batch 2"]


def cross_entropy(logits: Logits, labels: Labels) -> PerSample:
    """-log softmax(logits)[label]."""
    return functional.cross_entropy(logits, labels, reduction="none")


def margin(logits: Logits, labels: Labels) -> PerSample:
    """Logit of the label minus the best other logit; negative where the prediction is wrong."""
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], float("-inf"))
    return own[:, 0] - others.amax(1)


def negative_margin(logits: Logits, labels: Labels) -> PerSample:
    """The best other logit minus that of the label (Carlini & Wagner 2017, arXiv:1608.04644)."""
    return -margin(logits, labels)


def difference_of_logits_ratio(logits: Logits, labels: Labels) -> PerSample:
    """DLR: minus the margin, divided by the largest logit minus the third; needs 3 classes.

    Unchanged when all logits are shifted or scaled. Source: Croce & Hein 2020, arXiv:2003.01690, equation 6.
    """
    top = logits.topk(3, dim=1).values
    return -margin(logits, labels) / (top[:, 0] - top[:, 2] + 1e-12)


def targeted_difference_of_logits_ratio(logits: Logits, classes: LabelsAndTargets) -> PerSample:
    """DLR towards a target: needs 4 classes. Source: Croce & Hein 2020, arXiv:2003.01690, equation 7."""
    top = logits.topk(4, dim=1).values
    return -_lead(logits, classes) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)


def targeted_margin(logits: Logits, classes: LabelsAndTargets) -> PerSample:
    """Logit of the target minus that of the label."""
    return -_lead(logits, classes)


def _lead(logits: Logits, classes: LabelsAndTargets) -> PerSample:
    """How far the label is ahead of the target."""
    pair = logits.gather(1, classes)
    return pair[:, 0] - pair[:, 1]
