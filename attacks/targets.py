"""Which classes targeted attacks aim at."""

from __future__ import annotations

from jaxtyping import Int64
from torch import Tensor

from robustbench_eff.core.types import Images, Labels, SampleIndices

from .oracle import Oracle


def likeliest_targets(
    oracle: Oracle, images: Images, labels: Labels, rows: SampleIndices, count: int, attack: str
) -> Int64[Tensor, "batch targets"]:
    """The `count` classes with the largest logits on `images` but for the label, best first.

    With fewer other classes than that: all of them, which is noted. Costs a forward pass.
    """
    logits = oracle.logits(images, rows)
    others = logits.shape[1] - 1
    if others < count:
        oracle.note(f"{attack} aimed at {others} classes: there are no more")
    without_label = logits.scatter(1, labels[:, None], float("-inf"))
    return without_label.topk(min(count, others), dim=1).indices
