"""What a search for the nearest adversarial image says: the median distance, and accuracy against epsilon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from robustbench_eff.core import spec
from robustbench_eff.core.statistics import wilson
from robustbench_eff.storage.outcomes import as_numpy

from .bootstrap import mean_intervals
from .build_score import score_of
from .intervals import median_interval
from .score import Score

ROUNDING = 1e-6
"""What float32 may add to the length of an image on the sphere: relative to radii above 1, as for the referee."""


def is_minimum_norm_attack(cell: Mapping[str, Any]) -> bool:
    """Whether the attack of a cell looked for the nearest adversarial image rather than inside one ball."""
    configuration = cell["configuration"]
    return "threat" in configuration and (configuration["threat"]["eps"] is None or bool(radii_of(cell)))


def distances(cell: Mapping[str, Any], outcomes: pa.Table) -> np.ndarray:
    """How far each sample's adversarial image is, float64, shape (n,).

    0 where the clean image is wrong already, infinity where none was found.
    """
    length = as_numpy(outcomes[f"distance_{cell['configuration']['threat']['norm']}"]).astype(np.float64)
    wrong = as_numpy(outcomes["clean_prediction"]) != as_numpy(outcomes["label"])
    survived = as_numpy(outcomes["correct"])
    return np.where(wrong, 0.0, np.where(survived, math.inf, length))


def survives(found: np.ndarray, eps: float) -> np.ndarray:
    """Who has no adversarial image within `eps`: an image on the sphere lies inside, wherever float32 put it."""
    right: np.ndarray = found > eps + ROUNDING * max(1.0, eps)
    return right


def distance_scores(cell: dict[str, Any], outcomes: pa.Table, cell_id: str = "") -> list[Score]:
    """The median distance of the adversarial images that were found; for a security curve also every radius.

    `median_distance_NORM` is in units of [0, 1] pixels (L0: pixels), with the interval of order statistics; an end
    that is infinite is None. `robust_accuracy@EPS` is the fraction of samples with no image found within EPS, and
    `security_curve_area` the mean of that fraction from no perturbation to the largest EPS, with straight lines
    between the radii.
    """
    found = distances(cell, outcomes)
    radii = radii_of(cell) if len(found) else ()
    scores = []
    if radii:
        areas = _areas(found, sorted(radii))
        (interval,) = mean_intervals(areas[None, :])
        scores.append(score_of(cell, outcomes, cell_id, "security_curve_area", float(areas.mean()), interval))
    for eps in radii:
        right = int(survives(found, eps).sum())
        metric = f"robust_accuracy@{spec.literal(eps)}"
        scores.append(score_of(cell, outcomes, cell_id, metric, right / len(found), wilson(right, len(found))))
    median = _finite(float(np.median(found))) if len(found) else None
    low, high = median_interval(found) if len(found) else (math.inf, math.inf)
    metric = f"median_distance_{cell['configuration']['threat']['norm']}"
    return [*scores, score_of(cell, outcomes, cell_id, metric, median, (_finite(low), _finite(high)))]


def _areas(found: np.ndarray, radii: list[float]) -> np.ndarray:
    """What each sample adds to the area under its curve, as a fraction of the largest radius."""
    right = np.stack([found > 0, *(survives(found, eps) for eps in radii)]).astype(float)
    areas: np.ndarray = np.diff([0.0, *radii]) @ (right[1:] + right[:-1]) / (2 * radii[-1])
    return areas


def radii_of(cell: Mapping[str, Any]) -> tuple[float, ...]:
    """The radii at which a security curve was asked; none of other attacks."""
    eps = cell["configuration"].get("eps")
    return tuple(eps) if isinstance(eps, (list, tuple)) else ()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
