"""Scores of attacks that search for the closest adversarial image: median distance, and accuracy against epsilon."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from robustbench_eff.core import spec
from robustbench_eff.core.statistics import median_interval, proportion_interval

from .bounded_means import mean_interval
from .build_score import score_of
from .cell_groups import CellOutcomes
from .score import Score
from .score_function import CellScores

ROUNDING = 1e-6
"""What float32 may add to the length of a perturbation on the sphere: relative to radii above 1, as for the referee."""


def distances(item: CellOutcomes) -> np.ndarray:
    """Return the distance of each sample's adversarial image, float64, shape (n,).

    It is 0 where the clean image is misclassified already, and infinity where no adversarial image was found.

    Args:
        item: A cell of a minimum-norm attack with its outcomes.
    """
    length = item.column(f"distance_{item.cell.norm}").astype(np.float64)
    misclassified = item.column("clean_prediction") != item.column("label")
    return np.where(misclassified, 0.0, np.where(item.correct, math.inf, length))


def number_unknown(item: CellOutcomes) -> int:
    """Return of how many samples the distance is unknown, which a store of another program may hold.

    Args:
        item: A cell of a minimum-norm attack with its outcomes.
    """
    return int((~(distances(item) >= 0)).sum())  # NaN, or -1 pixels


def survives(distance: np.ndarray, eps: float) -> np.ndarray:
    """Return which samples have no adversarial image within a radius, bool, shape (n,).

    An image on the sphere lies inside, wherever float32 put it.

    Args:
        distance: Distances of the adversarial images, shape (n,).
        eps: Radius, in the units of the distances.
    """
    survivors: np.ndarray = distance > eps + ROUNDING * max(1.0, eps)
    return survivors


def distance_scores(item: CellOutcomes) -> list[Score]:
    """Return the median distance of the adversarial images, and for a security curve the accuracy at every radius.

    `median_distance_NORM` is in units of [0, 1] pixels (L0: pixels), with the interval of order statistics. It is
    infinite where the search found an adversarial image of at most half of the samples: a security curve inside its
    largest radius, which is the score's `searched_to`; an attack without a radius anywhere. `robust_accuracy@EPS` is
    the fraction of samples without an adversarial image within EPS, and `security_curve_area` the mean of that fraction
    from no perturbation to the largest EPS, linear between the radii. Where a distance is unknown, no score has a
    value, and a flag says why.

    Args:
        item: A cell of a minimum-norm attack with its outcomes.
    """
    distance, metric = distances(item), f"median_distance_{item.cell.norm}"
    if number_unknown(item) or not len(item):
        return _without_values(item, metric)
    median = score_of(item, metric, float(np.median(distance)), median_interval(distance))
    return [*_at_radii(item, distance), replace(median, searched_to=_limit(item))]


def _without_values(item: CellOutcomes, metric: str) -> list[Score]:
    """The same scores where nothing is stored, or with a flag where distances are unknown."""
    unknown, radii = number_unknown(item), item.cell.radii
    flags = (f"unknown distances: {unknown}",) if unknown else ()
    at_radii = [f"robust_accuracy@{spec.literal(eps)}" for eps in radii]
    scores = [
        score_of(item, name, None, (None, None))
        for name in (*(["security_curve_area"] if radii else []), *at_radii, metric)
    ]
    scores[-1] = replace(scores[-1], searched_to=_limit(item))
    return [replace(score, flags=(*score.flags, *flags)) for score in scores]


def _limit(item: CellOutcomes) -> float | None:
    """The largest distance that the search allowed; None without a limit."""
    return None if math.isinf(item.cell.eps) else item.cell.eps


def _at_radii(item: CellOutcomes, distance: np.ndarray) -> Iterator[Score]:
    """Yield the scores of a security curve: the area under it, and robust accuracy at every radius."""
    radii, n = item.cell.radii, len(item)
    if radii:
        areas = _areas(distance, sorted(radii))
        yield score_of(item, "security_curve_area", float(areas.mean()), mean_interval(areas))
    for eps in radii:
        survivors = int(survives(distance, eps).sum())
        metric = f"robust_accuracy@{spec.literal(eps)}"
        yield score_of(item, metric, survivors / n, proportion_interval(survivors, n))


def _areas(distance: np.ndarray, radii: list[float]) -> np.ndarray:
    """What each sample adds to the area under the security curve, as a fraction of the largest radius."""
    survivors = np.stack([distance > 0, *(survives(distance, eps) for eps in radii)]).astype(float)
    areas: np.ndarray = np.diff([0.0, *radii]) @ (survivors[1:] + survivors[:-1]) / (2 * radii[-1])
    return areas


DISTANCE = CellScores(compute=distance_scores, kinds=("minimum norm",))
