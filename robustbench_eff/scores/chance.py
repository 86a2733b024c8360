"""Whether a clean accuracy is above what guessing gives; where it is not, images and model rarely fit together."""

from __future__ import annotations

import numpy as np
from scipy.special import bdtrc

from robustbench_eff.core.flags import AT_CHANCE
from robustbench_eff.core.statistics import proportion_interval

from .cell_groups import CellOutcomes

LEAST_SAMPLES = 10
"""Fewer samples say nothing about chance."""
_LEVEL = 0.05
"""Probability with which a model that guesses is not flagged."""
_ADVERSARIALLY_SELECTED = ("imagenet-a", "imagenet-a-1000way")
"""Benchmarks of images that were selected because a network is wrong about them: chance is an honest number there."""


def chance_flag(item: CellOutcomes) -> tuple[str, ...]:
    """Return a flag for an accuracy at chance; empty for any other.

    It is at chance if an exact binomial test does not find it above, and if its 95 % interval ends below the middle
    between chance and 1: a few images alone cannot tell a good model of two classes from a coin. Chance is one over the
    number of classes that the images have. A model that gives every image one class is at chance, whatever share of the
    images that class has.

    Args:
        item: A clean cell with its outcomes.
    """
    labels, predictions = item.column("label"), item.column("clean_prediction")
    classes, n = len(np.unique(labels)), len(labels)
    if n < LEAST_SAMPLES or classes < 2 or item.cell.benchmark in _ADVERSARIALLY_SELECTED:
        return ()
    if len(np.unique(predictions)) == 1:
        return (f"{AT_CHANCE}all {n} images are given class {predictions[0]}",)
    right, chance = int(np.sum(labels == predictions)), 1 / classes
    if bdtrc(right - 1, n, chance) <= _LEVEL or proportion_interval(right, n)[1] >= (1 + chance) / 2:
        return ()
    return (f"{AT_CHANCE}{right} of {n} right, guessing among {classes} classes gives {n / classes:.3g}",)
