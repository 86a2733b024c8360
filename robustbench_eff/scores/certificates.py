"""Scores of smoothed classifiers: certified accuracy and radius, abstentions, and whether attacks contradict them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core import spec
from robustbench_eff.core.errors import EvaluationError
from robustbench_eff.core.statistics import binomial_lower_bound, certified_radius, proportion_interval

from .bounded_means import Contribution, mean_interval
from .build_score import score_of
from .cell_groups import CellOutcomes, subject_of
from .score import Score
from .score_function import GroupScores, ScoreContext

ABSTAINED = -1
"""Prediction of a smoothed classifier that abstains."""
CHANCE = 1e-6
"""Largest probability with which correct certificates are reported as contradicted by an attack."""
ROUNDING = 1e-6
"""Relative error of a stored distance, which is float32."""
COLUMNS = ("sample_id", "prediction", "prediction_confidence", "distance_l2", "radius")


class Contradictions(NamedTuple):
    """Samples on which an attack contradicts the certificates."""

    rows: npt.NDArray[np.int64]
    """Their positions in the certified cell."""
    evidence: list[str]
    """For each a sentence."""


def certificate_scores(cells: Sequence[CellOutcomes], context: ScoreContext) -> list[Score]:
    """Return the scores of every smoothed classifier, and how often it abstained.

    `certified_accuracy@R` is the fraction of all samples that are classified correctly with a certified L2 radius of at
    least R; at 0 it is the accuracy of the smoothed classifier. `average_certified_radius` is the mean of the radii,
    0 where the prediction is wrong or missing.

    Args:
        cells: Cells of certificates, and of attacks on smoothed classifiers.
        context: Its radii are those of the certified accuracies.

    Raises:
        EvaluationError: An attack found an image inside a certified radius that is confidently classified otherwise,
            which chance does not explain.
    """
    scores = []
    for item in (item for item in cells if item.kind == "certificate"):
        attacks = [other for other in cells if other.kind == "smoothed attack" and _same_classifier(item, other)]
        flags = tuple(_contradiction_flag(item, attack) for attack in attacks)
        found = [*_certified(item, context.radii), _abstention_rate(item)]
        scores += [replace(score, flags=score.flags + tuple(filter(None, flags))) for score in found]
    return scores


def radii_of(item: CellOutcomes) -> tuple[float, ...]:
    """Return the radii of the certified accuracies by default: from 0 to the largest that can be certified.

    They are multiples of 0.25, the grid of Cohen et al. (2019), or for less noise of sigma, for more of sigma / 2.

    Args:
        item: A cell of certificates.
    """
    sigma, largest = _field(item, "sigma"), _largest_radius(item)
    step = min(sigma, max(0.25, sigma / 2))
    return tuple(float(round(step * k, 10)) for k in range(int(largest / step) + 1))


def radius_contribution(item: CellOutcomes) -> Contribution:
    """Return what each sample adds to the average certified radius.

    Args:
        item: A cell of certificates with its outcomes, at least one.
    """
    radii = certified_radii(item)
    return Contribution(radii, high=max(_largest_radius(item), float(radii.max())))


def certified(item: CellOutcomes, radius: float) -> npt.NDArray[np.bool_]:
    """Return which samples are classified correctly with at least this certified radius, bool, shape (n,).

    Args:
        item: A cell of certificates.
        radius: L2 radius in units of [0, 1] pixels, at least 0.
    """
    radii = item.column("radius")
    enough: npt.NDArray[np.bool_] = item.correct & np.isfinite(radii) & (radii >= radius)
    return enough


def certified_radii(item: CellOutcomes) -> npt.NDArray[np.float64]:
    """Return the certified radius of each sample, 0 where the prediction is wrong or missing, shape (n,).

    Args:
        item: A cell of certificates.
    """
    radii: npt.NDArray[np.float64] = np.where(item.correct, item.column("radius"), 0.0).astype(np.float64)
    return radii


def contradictions(certificates: CellOutcomes, attack: CellOutcomes, alpha: float | None = None) -> Contradictions:
    """Return the samples whose certificate an attack contradicts.

    The attack found an image at a distance below the certified radius, for which the vote on independent draws is
    certain of another class. A single sample does so by chance with a probability of at most 2 alpha.

    Args:
        certificates: Certificates of a smoothed classifier.
        attack: An attack on it.
        alpha: Error probability for which radii and votes are judged anew; None for the stored radii and predictions.
    """
    _, rows, attacked = np.intersect1d(
        certificates.column("index"), attack.column("index"), assume_unique=True, return_indices=True
    )
    n, sigma = int(_field(certificates, "n")), _field(certificates, "sigma")
    before, after = certificates.column("prediction")[rows], attack.column("prediction")[attacked]
    votes = np.rint(certificates.column("prediction_confidence")[rows].astype(np.float64) * n)
    votes_after = np.rint(attack.column("prediction_confidence")[attacked].astype(np.float64) * n)
    radii, is_certain = certificates.column("radius")[rows], after != ABSTAINED
    if alpha is not None:
        radii = np.where(before == ABSTAINED, 0.0, certified_radius(votes, n, alpha, sigma))
        is_certain &= binomial_lower_bound(votes_after, n, alpha) > 0.5
    distances = attack.column("distance_l2")[attacked] * (1 + ROUNDING)
    found = np.flatnonzero(is_certain & (before != after) & (distances < radii))
    ids = certificates.outcomes["sample_id"]
    evidence = [
        f"{ids[int(rows[k])].as_py()} is certified as class {before[k]} within {radii[k]:.4g}, "
        f"and is class {after[k]} at a distance of {distances[k]:.4g}"
        for k in found.tolist()
    ]
    return Contradictions(rows[found], evidence)


def _contradiction_flag(certificates: CellOutcomes, attack: CellOutcomes) -> str:
    """A flag if an attack contradicts certificates no more than chance may; empty if it contradicts none.

    More is an error: a contradiction that holds at so small an error probability that chance shows one in a million
    evaluations, or more of them at alpha than chance shows in a million evaluations.
    """
    number, alpha = max(1, min(len(certificates), len(attack))), _field(certificates, "alpha")
    found = contradictions(certificates, attack).evidence
    proven = contradictions(certificates, attack, CHANCE / (2 * number)).evidence
    if not proven and _probability_of_more(len(found), number, min(1.0, 2 * alpha)) >= CHANCE:
        return f"contradicted by an attack, as chance may: {len(found)}" if found else ""
    cell = certificates.cell
    raise EvaluationError(
        f"{attack.cell.perturbation} contradicts {len(proven or found)} of {number} certificates of {cell.model} on "
        f"{cell.benchmark}: {(proven or found)[0]}. Chance would do so in one of {1 / CHANCE:,.0f} evaluations.",
        "The answer of the network to an image must not depend on other images, on earlier ones or on noise that "
        "repeats. If it does not, please report this.",
    )


def _probability_of_more(count: int, n: int, probability: float) -> float:
    """The probability of at least so many events among n."""
    from scipy.special import bdtrc

    return 1.0 if count == 0 else float(bdtrc(count - 1, n, probability))


def _certified(item: CellOutcomes, radii: Sequence[float]) -> list[Score]:
    n, largest, scores = len(item), _largest_radius(item), []
    for radius in radii or radii_of(item):
        count = int(certified(item, radius).sum())
        interval = proportion_interval(count, n) if n else (None, None)
        metric = f"certified_accuracy@{spec.literal(float(radius))}"
        score = score_of(item, metric, count / n if n else None, interval)
        if radius > largest:
            score = replace(score, flags=(*score.flags, f"no radius above {largest:.4g} can be certified"))
        scores.append(score)
    wrong = int((~np.isfinite(certified_radii(item))).sum())
    if not n or wrong:
        scores.append(score_of(item, "average_certified_radius", None, (None, None)))
        flag = (f"the radius of {wrong} of {n} samples is not a number, and they are not certified",) if wrong else ()
        return [replace(score, flags=score.flags + flag) for score in scores]
    radii_found = radius_contribution(item)
    mean, interval = float(radii_found.values.mean()), mean_interval(*radii_found)
    return [*scores, score_of(item, "average_certified_radius", mean, interval)]


def _abstention_rate(item: CellOutcomes) -> Score:
    n, count = len(item), int((item.column("prediction") == ABSTAINED).sum())
    return score_of(
        item, "abstention_rate", count / n if n else None, proportion_interval(count, n) if n else (None, None)
    )


def _largest_radius(item: CellOutcomes) -> float:
    """Return the largest L2 radius that can be certified: that of a sample of which all draws vote for one class."""
    n = int(_field(item, "n"))
    return float(certified_radius(n, n, _field(item, "alpha"), _field(item, "sigma")))


def _field(item: CellOutcomes, name: str) -> float:
    smoothing = item.cell.smoothing
    assert smoothing is not None
    return float(smoothing[name])


def _same_classifier(one: CellOutcomes, other: CellOutcomes) -> bool:
    return subject_of(one.cell) == subject_of(other.cell) and one.cell.smoothing == other.cell.smoothing


CERTIFICATES = GroupScores(
    compute=certificate_scores, kinds=("certificate", "smoothed attack"), over="store", columns=COLUMNS
)
