"""Successes against a network that draws random numbers, and the best image that was tried of each sample."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int64
from torch import Tensor

from robustbench_eff.core.types import AllImages, Images, Labels, Mask, PerSample, SampleIndices

FIRST_DRAWS, ALL_DRAWS = 32, 256
"""Draws that decide whether an image is a success: most candidates fail at the first ones."""
ALMOST_NONE = 1 / ALL_DRAWS
"""Largest fraction of right draws of a success inside a ball, where expected accuracy counts every right draw."""
MINORITY = 0.4
"""The same where the closest image is searched that most draws get wrong: clearly fewer than half, or the referee's
draws would often disagree."""


def wrong_in_draws(
    count_right: Callable[[Images, Labels, SampleIndices, int], Int64[Tensor, batch]],
    images: Images,
    labels: Labels,
    rows: SampleIndices,
    allowed: float,
) -> Mask:
    """Return which images a network that draws at random gets wrong in nearly all of 256 draws.

    Args:
        count_right: Returns in how many of so many draws each image is classified correctly.
        images: Images in [0, 1].
        labels: True class of each image.
        rows: Index of the sample that each image belongs to.
        allowed: Largest fraction of right draws.
    """
    right = count_right(images, labels, rows, FIRST_DRAWS)
    open_ = (right <= allowed * FIRST_DRAWS).nonzero()[:, 0]
    if len(open_):
        right[open_] += count_right(images[open_], labels[open_], rows[open_], ALL_DRAWS - FIRST_DRAWS)
    success = torch.zeros_like(right, dtype=torch.bool)
    success[open_] = right[open_] <= allowed * ALL_DRAWS
    return success


class Attempts:
    """For each sample, the candidate image with the smallest margin that an attack has tried as a success.

    An attack on a network that draws at random often ends without a success although it has lowered the fraction of
    right draws, and many attacks then return the clean image.
    """

    def __init__(self, samples: int) -> None:
        """Start without images.

        Args:
            samples: Number of samples of the attack.
        """
        self._samples = samples
        self.margins: PerSample | None = None
        """Margin of each image, infinity where there is none; None before the first images."""
        self.images: AllImages | None = None
        self.owners: SampleIndices | None = None
        """Sample of each row of an attack on a subset of the samples; None while it runs on all."""

    def record(self, margins: PerSample, images: Images, rows: SampleIndices) -> None:
        """Keep the images whose margin is the smallest of their sample so far.

        Args:
            margins: Logit of the true class minus the largest other one, the mean over some draws.
            images: Candidate images; several may belong to the same sample.
            rows: Index of the sample that each image belongs to.
        """
        rows = rows if self.owners is None else self.owners[rows]
        if self.margins is None or self.images is None:
            self.margins = margins.new_full((self._samples,), float("inf"))
            self.images = images.new_zeros((self._samples, *images.shape[1:]))
        lowest = self.margins.scatter_reduce(0, rows, margins, "amin")
        better = ((margins == lowest[rows]) & (margins < self.margins[rows])).nonzero()[:, 0]
        self.images[rows[better]] = images[better]
        self.margins = lowest
