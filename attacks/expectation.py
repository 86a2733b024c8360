"""Attacks on networks that draw random numbers: draws that a gradient averages over, and the best image of an attack.

Source: expectation over transformation, Athalye et al. 2018, arXiv:1707.07397.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.types import Images, Labels

from .losses import cross_entropy
from .oracle import Oracle

MOST_DRAWS = 32
"""Largest number of draws that a gradient averages over unless the attack names one."""
AGREEMENT = 0.9
"""Mean cosine between two independent averages at which a gradient has enough draws.

Measured with PGD (10 steps) on the shipped digits network behind Gaussian noise (sigma 0.05 to 0.5): with the number of
draws that reaches 0.9, expected robust accuracy is at most 2.6 points above that with 32 draws at eps 8/255 and 0.2
points at 24/255; with one draw, up to 13 and 3 points."""
COMPARED_DRAWS = 64
"""Draws by which the images of a finished attack are compared."""


def choose_draws(oracle: Oracle, images: Images, labels: Labels) -> int:
    """Return over how many draws a gradient of a network must be averaged; 32 if it does not give gradients.

    Args:
        oracle: Oracle of the network.
        images: Some images of the benchmark, in [0, 1].
        labels: Their true classes.
    """
    rows = torch.arange(len(images), device=images.device)

    def average(draws: int) -> Images:
        gradients = [oracle.gradient(images, labels, cross_entropy, rows, 1)[1] for _ in range(draws)]
        return torch.stack(gradients).mean(0)

    before, oracle.draws = oracle.draws, None
    try:
        with Oracle.open(oracle, images, labels):
            return enough_draws(average)
    except ModelError:
        return MOST_DRAWS
    finally:
        oracle.draws = before


def enough_draws(average: Callable[[int], Images]) -> int:
    """Return over how many draws a gradient must be averaged: 1, 2, 4, ... up to 32.

    The number is doubled until two independent averages agree: until the cosine between them, averaged over images, is
    at least 0.9. The cosine between such an average and the expected gradient is then about 0.95.

    Args:
        average: Returns the gradients of some images, each the mean over so many new draws.
    """
    first, second, draws = average(1), average(1), 1
    while draws < MOST_DRAWS:
        cosine = torch.nn.functional.cosine_similarity(first.flatten(1), second.flatten(1))
        if cosine.mean() >= AGREEMENT:
            break
        first, second = (first + average(draws)) / 2, (second + average(draws)) / 2
        draws *= 2
    return draws


def weakest(oracle: Oracle, proposed: Images, images: Images, labels: Labels) -> Images:
    """Return of every sample the image that the fewest draws classify correctly: proposed, tried or clean.

    Args:
        oracle: Oracle of the attack that ran last, on these images.
        proposed: Result of the attack; returned as it is for a network that does not draw at random.
        images: Clean images of the attack.
        labels: Their true classes.
    """
    if oracle.draws is None or not len(images):
        return proposed
    rows, tried, attempts = torch.arange(len(images), device=images.device), proposed, oracle.attempts
    if attempts.margins is not None and attempts.images is not None:
        tried = torch.where(attempts.margins.isinf()[:, None, None, None], proposed, attempts.images)
    candidates = torch.stack((proposed, tried, images))
    right = [oracle.count_right(candidate, labels, rows, COMPARED_DRAWS) for candidate in candidates]
    fewest: Images = candidates[torch.stack(right).argmin(0), rows]
    return fewest
