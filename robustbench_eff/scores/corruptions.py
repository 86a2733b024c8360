"""Corruption errors: errors over all severities, absolute and relative to AlexNet.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.2 (CE, mCE, relative mCE).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robustbench_eff.core.flags import flags_over
from robustbench_eff.registry.perturbation_sets import CORRUPTION_SETS

from .alexnet import AlexNet, published
from .bounded_means import Contribution
from .build_score import Contributions, ScoreFlags, cell_flags, scores_over
from .cell_groups import CellOutcomes
from .score import Score
from .score_function import GroupScores, ScoreContext

SEVERITIES = 5
AGAINST_ALEXNET = ("imagenet", "imagenet-c", "imagenet-c-generated")
"""Benchmarks with AlexNet's classes."""


def corruption_errors(errors: Mapping[str, Any], alexnet: AlexNet | None = None) -> dict[str, Any]:
    """Return the CE of each of the 15 corruptions; AlexNet's is 1.

    Args:
        errors: Errors by corruption, summed over severities 1 to 5: one number for a model, or an array with one number
            per sample, which gives what each sample adds to the score.
        alexnet: Errors of AlexNet; None for the published ones.

    Raises:
        KeyError: One of the 15 corruptions is missing.
    """
    alexnet = alexnet or published()
    return {name: errors[name] / alexnets for name, alexnets in alexnet.errors.items()}


def mean_corruption_error(errors: Mapping[str, Any], alexnet: AlexNet | None = None) -> Any:
    """Return the mCE: the mean of the CE of the 15 corruptions.

    Args:
        errors: Errors as for `corruption_errors`.
        alexnet: Errors of AlexNet; None for the published ones.

    Raises:
        KeyError: One of the 15 corruptions is missing.
    """
    return np.mean(list(corruption_errors(errors, alexnet).values()), axis=0)


def relative_mean_corruption_error(errors: Mapping[str, Any], clean_error: Any, alexnet: AlexNet | None = None) -> Any:
    """Return the relative mCE: the mean ratio of what corruptions add to the error on clean images.

    Args:
        errors: Errors as for `corruption_errors`.
        clean_error: Error on clean images: a fraction, or an array with one value per sample.
        alexnet: Errors of AlexNet; None for the published ones.

    Raises:
        KeyError: One of the 15 corruptions is missing.
        ValueError: AlexNet errs no more often on some corruption than on clean images.
    """
    alexnet = alexnet or published()
    if alexnet.not_above_clean:
        raise ValueError(_no_relative(alexnet))
    added = [
        (errors[name] - SEVERITIES * clean_error) / (alexnets - SEVERITIES * alexnet.clean_error)
        for name, alexnets in alexnet.errors.items()
    ]
    return np.mean(added, axis=0)


def _no_relative(alexnet: AlexNet) -> str:
    names = ", ".join(alexnet.not_above_clean)
    return f"no relative mCE: AlexNet's error on {names} is not above its error on clean images"


def corruption_scores(cells: Sequence[CellOutcomes], context: ScoreContext) -> list[Score]:
    """Return `mean_accuracy`, `mCE`, `relative_mCE` and every `CE` of one model on one set of corrupted images.

    Every score is a mean over samples.

    Args:
        cells: A group of comparable finished cells.
        context: Its AlexNet is what errors are relative to.
    """
    contributions, flags = corruption_contributions(cells, context.alexnet)
    return scores_over(cells, contributions, flags) if contributions else []


def corruption_contributions(cells: Sequence[CellOutcomes], alexnet: AlexNet) -> tuple[Contributions, ScoreFlags]:
    """Return what every sample adds to each score over corruptions, and the flags of these scores.

    A flag of a cell, or about a corruption, belongs to the scores that contain it.

    There is nothing without every corruption of a set at all severities, or if severities rise within cells. A mean is
    named for the set, and so for the constants of its corruptions; numbers relative to AlexNet exist only for
    benchmarks with its classes and the constants of ImageNet-C. Of a network that draws at random, errors are
    expected ones, and there is no relative mCE: these cells know the most frequent clean prediction only. Neither is
    there one if AlexNet errs no more often on a corruption than on clean images; a flag of the mCE says so.

    Args:
        cells: A group of comparable finished cells.
        alexnet: Errors of AlexNet.
    """
    if any(item.cell.configuration.get("adaptation", {}).get("order") == "gradual" for item in cells):
        return {}, {}
    found, flags = _by_corruption(cells)
    wrong = {
        name: np.sum([1 - item.right_shares for item in by_severity.values()], axis=0)
        for name, by_severity in found.items()
        if len(by_severity) == SEVERITIES
    }
    means: dict[tuple[str, str], Contribution] = {}
    for name, tested in CORRUPTION_SETS.items():
        if tested.constants == cells[0].cell.constants and all(of in wrong for of in tested.names):
            errors = np.mean([wrong[of] for of in tested.names], axis=0) / SEVERITIES
            means[name, "mean_accuracy"] = Contribution(1 - errors)
    if ("imagenet_c", "mean_accuracy") in means and cells[0].cell.benchmark in AGAINST_ALEXNET:
        means |= _against_alexnet(cells[0], {name: wrong[name] for name in alexnet.errors}, alexnet)
    score_flags = {key: _flags(key[0], found, flags) for key in means}
    if ("imagenet_c", "mCE") in means and alexnet.not_above_clean:
        score_flags["imagenet_c", "mCE"] += (_no_relative(alexnet),)
    return means, score_flags


def _flags(
    name: str, found: Mapping[str, Mapping[int, CellOutcomes]], about: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Flags of a score over a corruption, or over a set of them: those of its cells, and about its corruptions."""
    members = CORRUPTION_SETS[name].names if name in CORRUPTION_SETS else (name,)
    cells = [item for member in members for item in found[member].values()]
    orders = max(item.cell.orders for item in cells)
    of_all = (f"the interval is over samples, not over the {orders} orders",) if orders > 1 else ()
    about_them = (flag for member in members for flag in about.get(member, ()))
    return (*flags_over([cell_flags(item) for item in cells]), *of_all, *about_them)


def _by_corruption(
    cells: Sequence[CellOutcomes],
) -> tuple[dict[str, dict[int, CellOutcomes]], dict[str, tuple[str, ...]]]:
    """Cells by corruption and severity, and flags about a corruption; `frost` may be the one of published pictures."""
    found: dict[str, dict[int, CellOutcomes]] = {}
    flags: dict[str, tuple[str, ...]] = {}
    for item in cells:
        name, severity = item.cell.corruption, item.cell.severity
        if severity in found.setdefault(name, {}):
            read_twice = f"{name} {severity} was read from several files, of which the last counts"
            flags[name] = (*flags.get(name, ()), read_twice)
        found[name][severity] = item
    if "frost" not in found and "frost_published" in found:
        found["frost"] = found["frost_published"]
        flags["frost"] = (*flags.get("frost_published", ()), "frost with the published pictures")
    return found, flags


def _against_alexnet(
    first: CellOutcomes, errors: Mapping[str, np.ndarray], alexnet: AlexNet
) -> dict[tuple[str, str], Contribution]:
    """The scores relative to AlexNet; `first` is any of the cells. The bounds are those of all errors and of none."""
    all_wrong, all_right = (dict.fromkeys(errors, float(sum_of)) for sum_of in (SEVERITIES, 0))
    most = corruption_errors(all_wrong, alexnet)
    found = {
        ("imagenet_c", "mCE"): Contribution(
            mean_corruption_error(errors, alexnet), high=float(mean_corruption_error(all_wrong, alexnet))
        )
    }
    clean_prediction = first.column("clean_prediction")
    if (clean_prediction >= 0).all() and not first.has_votes and not alexnet.not_above_clean:
        clean_wrong = clean_prediction != first.column("label")
        ends = (
            float(relative_mean_corruption_error(all_right, 1.0, alexnet)),
            float(relative_mean_corruption_error(all_wrong, 0.0, alexnet)),
        )
        relative = relative_mean_corruption_error(errors, clean_wrong, alexnet)
        found["imagenet_c", "relative_mCE"] = Contribution(relative, *ends)
    by_name = corruption_errors(errors, alexnet)
    return found | {(name, "CE"): Contribution(values, high=float(most[name])) for name, values in by_name.items()}


CORRUPTION_ERROR = GroupScores(compute=corruption_scores, kinds=("corruption",), over="comparable cells")
