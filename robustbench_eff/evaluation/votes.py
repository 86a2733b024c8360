"""Votes: the answers of a network that draws random numbers to the same images, asked several times."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from robustbench_eff.core.types import Images, Labels, Logits, PerSample

ENOUGH_VOTES = 9604
"""Votes of all samples together with which the draws move an accuracy by at most one percentage point in 95 % of
evaluations: (1.96 / 0.01)² / 4, for votes that are right half of the time."""
FEWEST_VOTES, MOST_VOTES = 10, 1000
"""Limits on the default number of votes of a sample."""


def votes_for(samples: int) -> int:
    """Return the default number of votes of each sample.

    Args:
        samples: Number of samples of the benchmark.
    """
    return min(MOST_VOTES, max(FEWEST_VOTES, math.ceil(ENOUGH_VOTES / max(1, samples))))


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to a batch of images."""

    prediction: Int64[Tensor, batch]
    """Class that was predicted most often, of several the one with the smallest index."""
    right: Bool[Tensor, "batch votes"]
    """Whether each vote is the true class."""
    confidence: PerSample
    """Mean probability of the true class."""
    prediction_confidence: PerSample
    """Mean probability of the predicted class."""
    margin: PerSample
    """Mean of the true class's logit minus the largest other one."""

    @property
    def correct(self) -> Bool[Tensor, batch]:
        """Whether more than half of the votes are right."""
        return self.right.double().mean(1) > 0.5


def ask(query: Callable[[Images], Logits], images: Images, labels: Labels, votes: int) -> Answers:
    """Ask for the same images several times.

    Args:
        query: Maps images to logits, with new draws each time.
        images: Images in [0, 1].
        labels: True classes.
        votes: How often to ask, at least 1.
    """
    predictions, margins = [], []
    probabilities: Float[Tensor, "batch classes"] | None = None
    for _ in range(votes):
        logits = query(images)
        predictions.append(logits.argmax(1))
        margins.append(margin(logits, labels))
        softmax = logits.softmax(1)
        probabilities = softmax if probabilities is None else probabilities + softmax
    assert probabilities is not None
    predicted, mean = torch.stack(predictions, 1), probabilities / votes
    prediction = predicted[:, 0] if votes == 1 else _most_frequent(predicted, mean.shape[1])
    return Answers(
        prediction=prediction,
        right=predicted == labels[:, None],
        confidence=mean.gather(1, labels[:, None])[:, 0],
        prediction_confidence=mean.gather(1, prediction[:, None])[:, 0],
        margin=torch.stack(margins).mean(0),
    )


def margin(logits: Logits, labels: Labels) -> PerSample:
    """Return the logit of the true class minus the largest other logit.

    Args:
        logits: Logits, shape (batch, classes).
        labels: True classes.
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    return own - logits.scatter(1, labels[:, None], float("-inf")).amax(1)


def _most_frequent(predicted: Int64[Tensor, "batch votes"], classes: int) -> Int64[Tensor, batch]:
    counts = torch.zeros(len(predicted), classes, dtype=torch.int64, device=predicted.device)
    return counts.scatter_add_(1, predicted, torch.ones_like(predicted)).argmax(1)
