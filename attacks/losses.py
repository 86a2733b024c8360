"""What attacks climb: one loss value per sample, larger where the classifier is more wrong."""

from __future__ import annotations

import torch.nn.functional as functional

from robustbench_eff.types import Labels, Logits, PerSample


def cross_entropy(logits: Logits, labels: Labels) -> PerSample:
    """-log softmax(logits)[label]."""
    return functional.cross_entropy(logits, labels, reduction="none")


def margin(logits: Logits, labels: Labels) -> PerSample:
    """Logit of the label minus the best other logit; negative where the prediction is wrong."""
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], float("-inf"))
    return own[:, 0] - others.amax(1)
