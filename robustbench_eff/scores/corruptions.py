"""Corruption errors: how a model fares over all severities, and against AlexNet.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.2 (CE, mCE, relative mCE).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from robustbench_eff.storage.outcomes import as_numpy

from .alexnet import AlexNet, published
from .build_score import scores_over
from .score import Score

SEVERITIES = 5
AGAINST_ALEXNET = ("imagenet", "imagenet-c", "imagenet-c-generated")
"""Benchmarks with AlexNet's classes."""


def is_corrupted(cell: Mapping[str, Any]) -> bool:
    """Whether the images of a cell were corrupted, and not attacked or left alone."""
    return "corruption" in cell["configuration"]


def corruption_errors(errors: Mapping[str, Any], alexnet: AlexNet | None = None) -> dict[str, Any]:
    """CE of each of the 15 corruptions, AlexNet's being 1.

    `errors` are summed over severities 1 to 5: one number for a model, or an array with one for each sample, which
    gives what each adds to the score. KeyError where one of the 15 is missing.
    """
    alexnet = alexnet or published()
    return {name: errors[name] / alexnets for name, alexnets in alexnet.errors.items()}


def mean_corruption_error(errors: Mapping[str, Any], alexnet: AlexNet | None = None) -> Any:
    """mCE: the mean of the CE of the 15 corruptions, for errors as `corruption_errors` takes them."""
    return np.mean(list(corruption_errors(errors, alexnet).values()), axis=0)


def relative_mean_corruption_error(errors: Mapping[str, Any], clean_error: Any, alexnet: AlexNet | None = None) -> Any:
    """The same of what corruptions add to the error on clean images."""
    alexnet = alexnet or published()
    added = [
        (errors[name] - SEVERITIES * clean_error) / (alexnets - SEVERITIES * alexnet.clean_error)
        for name, alexnets in alexnet.errors.items()
    ]
    return np.mean(added, axis=0)


def corruption_scores(cells: Sequence[tuple[dict[str, Any], pa.Table]], alexnet: AlexNet | None = None) -> list[Score]:
    """`mean_accuracy`, `mCE`, `relative_mCE` and every `CE` of one model on one set of corrupted images.

    Every score is a mean over samples, and its interval the bootstrap's of that mean; `cells` as in
    `corruption_shares`.
    """
    shares, flags = corruption_shares(cells, alexnet)
    scores = scores_over([one for one, _ in cells], shares, flags) if shares else []
    return [replace(score, higher_is_better=score.metric == "mean_accuracy") for score in scores]


def corruption_shares(
    cells: Sequence[tuple[dict[str, Any], pa.Table]], alexnet: AlexNet | None = None
) -> tuple[dict[tuple[str, str], np.ndarray], tuple[str, ...]]:
    """What every sample adds to each of these scores, by perturbation and metric, and what is to be known of them.

    `cells` are what the store recorded of them and their outcomes, all finished. Nothing where one of the 75 cells of
    ImageNet-C is missing; what compares with AlexNet only for its classes.
    """
    alexnet = alexnet or published()
    wrong: dict[str, dict[int, np.ndarray]] = {}
    flags: tuple[str, ...] = ()
    for cell, outcomes in cells:
        name, severity = (cell["configuration"][key] for key in ("corruption", "severity"))
        if severity in wrong.setdefault(name, {}):
            flags += (f"{name} {severity} was read from several files, of which the last count",)
        wrong[name][severity] = ~as_numpy(outcomes["correct"])
    if "frost" not in wrong and "frost_published" in wrong:
        wrong["frost"], flags = wrong["frost_published"], (*flags, "frost with the published pictures")
    if any(len(wrong.get(name, ())) < SEVERITIES for name in alexnet.errors):
        return {}, flags
    cell, outcomes = cells[0]
    clean_wrong = as_numpy(outcomes["clean_prediction"]) != as_numpy(outcomes["label"])
    errors = {name: np.sum([*wrong[name].values()], axis=0) for name in alexnet.errors}
    shares = {("imagenet_c", "mean_accuracy"): 1 - np.mean([*errors.values()], axis=0) / SEVERITIES}
    if cell["benchmark"] in AGAINST_ALEXNET:
        shares["imagenet_c", "mCE"] = mean_corruption_error(errors, alexnet)
        if (as_numpy(outcomes["clean_prediction"]) >= 0).all():
            shares["imagenet_c", "relative_mCE"] = relative_mean_corruption_error(errors, clean_wrong, alexnet)
        shares |= {(name, "CE"): share for name, share in corruption_errors(errors, alexnet).items()}
    return shares, flags
