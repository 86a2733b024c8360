"""Selection of the target classes of targeted attacks."""

from __future__ import annotations

from jaxtyping import Int64
from torch import Tensor

from robustbench_eff.core.types import Images, Labels, SampleIndices

from .oracle import Oracle


def likeliest_targets(
    oracle: Oracle, images: Images, labels: Labels, rows: SampleIndices, count: int, attack: str
) -> Int64[Tensor, "batch targets"]:
    """Return the classes with the largest logits on `images`, except the label.

    Costs one forward pass per image. If there are fewer than `count` other classes, all of them are returned, and
    the oracle notes it.

    Args:
        oracle: Oracle of the attack.
        images: Clean images.
        labels: True classes.
        rows: Index of each image among the samples of the attack.
        count: Number of targets per image.
        attack: Name of the attack, for the note.

    Returns:
        Target classes, the likeliest first.
    """
    logits = oracle.logits(images, rows)
    others = logits.shape[1] - 1
    if others < count:
        oracle.note(f"{attack} used {others} instead of {count} targets: the model has {others + 1} classes")
    without_label = logits.scatter(1, labels[:, None], float("-inf"))
    return without_label.topk(min(count, others), dim=1).indices
