"""Whether a clean accuracy is above what guessing gives; where it is not, images and model rarely fit together."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from robustbench_eff.core.flags import AT_CHANCE

from .cell_groups import CellOutcomes

LEAST_SAMPLES = 10
"""Fewer samples say nothing about chance."""
_LEVEL = 0.05
"""Probability with which a model that guesses is not flagged."""
_ADVERSARIALLY_SELECTED = ("imagenet-a", "imagenet-a-1000way")
"""Benchmarks of images that were selected because a network is wrong about them: chance is an honest number there."""


def chance_flag(item: CellOutcomes) -> tuple[str, ...]:
    """Return a flag for an accuracy that is not above chance, by an exact binomial test; empty for any other.

    Chance is one over the number of classes that the images have, or, for a model that gives every image one class,
    whatever share that class has.

    Args:
        item: A clean cell with its outcomes.
    """
    labels, predictions = item.column("label"), item.column("clean_prediction")
    classes, n = len(np.unique(labels)), len(labels)
    if n < LEAST_SAMPLES or classes < 2 or item.cell.benchmark in _ADVERSARIALLY_SELECTED:
        return ()
    if len(np.unique(predictions)) == 1:
        return (f"{AT_CHANCE}all {n} images are given class {predictions[0]}",)
    right = int(np.sum(labels == predictions))
    if binom.sf(right - 1, n, 1 / classes) <= _LEVEL:
        return ()
    return (f"{AT_CHANCE}{right} of {n} right, guessing among {classes} classes gives {n / classes:.3g}",)
