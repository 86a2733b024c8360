"""Certificates from counts of votes by statsmodels and SciPy, as CERTIFY of Cohen et al. 2019 defines them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from statsmodels.stats.proportion import proportion_confint

from outcome_tables import attack_cell, cell, table
from reference_cases import SIZES
from robustbench_eff.core.statistics import binomial_lower_bound, certified_radius
from robustbench_eff.scores.score import Score
from scored_cells import Case, assert_same_from_disk, case, one, scored

ABSTAIN = -1
KINDS = ("random", "all right", "all wrong", "all abstain", "every vote", "duplicated samples")
RADII = (0.0, 0.1, 0.25, 0.5, 1.0, 3.0)


@cache
def lower_bound(votes: int, n: int, alpha: float) -> float:
    """LowerConfBound: one-sided Clopper-Pearson, as in the authors' code by statsmodels."""
    return float(proportion_confint(votes, n, alpha=2 * alpha, method="beta")[0])


def radius(votes: int, n: int, alpha: float, sigma: float) -> float:
    bound = lower_bound(votes, n, alpha)
    return sigma * float(norm.ppf(bound)) if bound > 0.5 else 0.0


class Smoothed:
    """Votes for the class that is predicted, and the cell that holds what follows from them."""

    def __init__(self, name: str, labels: list[int], top: list[int], votes: list[int], sigma: float, n: int) -> None:
        alpha = 0.001
        self.labels, self.sigma = labels, sigma
        self.radii = [radius(count, n, alpha, sigma) for count in votes]
        self.predictions = [guess if of > 0 else ABSTAIN for guess, of in zip(top, self.radii, strict=True)]
        configuration = {"smoothing": {"sigma": sigma, "n": n, "n0": 100, "alpha": alpha, "version": 1}}
        outcomes = table(
            len(labels),
            label=labels,
            prediction=self.predictions,
            correct=np.array(labels) == self.predictions,
            prediction_confidence=np.array(votes) / n,
            radius=self.radii,
        )
        of = cell(len(labels), f"smoothing(sigma={sigma}, n={n})", kind="certificate", configuration=configuration)
        self.case: Case = case(name, of, outcomes)

    @property
    def certified(self) -> list[float | None]:
        """The radius of every sample that is classified correctly; None where it is wrong or missing."""
        answers = zip(self.labels, self.predictions, self.radii, strict=True)
        return [of if label == guess else None for label, guess, of in answers]


def smoothed() -> Iterator[Smoothed]:
    random = np.random.default_rng(60)
    for number, (kind, samples, repeat) in enumerate(product(KINDS, SIZES, range(8))):
        n, sigma = (100, 1000, 100_000)[repeat % 3], (0.12, 0.25, 1.0)[number % 3]
        labels, top = random.integers(3, size=(2, samples))
        votes = random.integers(n // 3, n + 1, size=samples)
        if kind in ("all right", "every vote"):
            top = labels
        if kind == "all wrong":
            top = labels + 1
        if kind == "every vote":
            votes = np.full(samples, n)
        if kind == "all abstain":
            votes = np.full(samples, n // 2)
        if kind == "duplicated samples":
            same = random.integers(max(samples // 3, 1), size=samples)
            labels, top, votes = labels[same], top[same], votes[same]
        yield Smoothed(f"{kind} {number}", labels.tolist(), top.tolist(), votes.tolist(), sigma, n)


def certified_accuracy(of: Smoothed, at: float) -> float:
    return fmean(found is not None and found >= at for found in of.certified)


def average_certified_radius(of: Smoothed) -> float:
    """Zhai et al. 2020: the mean of the radius times whether the prediction is correct."""
    return fmean(found or 0.0 for found in of.certified)


def abstention_rate(of: Smoothed) -> float:
    return fmean(guess == ABSTAIN for guess in of.predictions)


REFERENCES: dict[str, Callable[[Smoothed], float]] = {
    "average_certified_radius": average_certified_radius,
    "abstention_rate": abstention_rate,
}
SMOOTHED = list(smoothed())


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Score]]:
    return scored((of.case for of in SMOOTHED), radii=RADII)


@pytest.mark.parametrize("metric", REFERENCES)
def test_scores_of_certificates_follow_the_papers(metric: str, found: Mapping[str, list[Score]]) -> None:
    """The store holds float32."""
    for of in SMOOTHED:
        assert one(found[of.case.model], metric=metric).value == pytest.approx(REFERENCES[metric](of), rel=1e-6)


@pytest.mark.parametrize("metric", ["certified_accuracy"])
def test_certified_accuracy_is_a_count(metric: str, found: Mapping[str, list[Score]]) -> None:
    for of in SMOOTHED:
        for at in RADII:
            score = one(found[of.case.model], metric=f"{metric}@{at}")
            assert score.value == pytest.approx(certified_accuracy(of, at), abs=1e-12), of.case.model


def test_without_rows_there_is_no_certificate() -> None:
    of = Smoothed("empty", [], [], [], 0.25, 1000)
    (scores,) = scored([case("empty", SMOOTHED[0].case.cell, of.case.outcomes)]).values()
    assert {score.value for score in scores} == {None}


@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.3])
def test_bounds_and_radii_are_those_of_statsmodels_and_scipy(alpha: float) -> None:
    for n in (1, 2, 10, 999, 100_000):
        for votes in sorted({0, 1, n // 2, n // 2 + 1, n - 1, n} & set(range(n + 1))):
            bound = float(binomial_lower_bound(votes, n, alpha))
            assert bound == pytest.approx(lower_bound(votes, n, alpha), rel=1e-9)
            interval = binomtest(votes, n).proportion_ci(1 - 2 * alpha, "exact")
            assert bound == pytest.approx(interval.low, rel=1e-7)
            assert certified_radius(votes, n, alpha, 0.5) == pytest.approx(radius(votes, n, alpha, 0.5), abs=1e-9)


def test_an_abstention_under_attack_is_not_correct() -> None:
    labels, predictions = np.array([0, 1, 2, 1]), np.array([0, ABSTAIN, 1, 1])
    smoothing = {"smoothing": dict(SMOOTHED[0].case.cell.smoothing or {})}
    of = attack_cell(4, "pgd(eps=0.5, norm='l2')", 0.5, "l2", kind="attack", configuration=smoothing)
    outcomes = table(4, label=labels, clean_prediction=labels, prediction=predictions, correct=labels == predictions)
    scores = scored([case("attacked", of, outcomes)])["attacked"]
    assert one(scores, metric="robust_accuracy").value == 0.5


def test_a_store_gives_the_same(tmp_path: Path) -> None:
    assert_same_from_disk(tmp_path, [of.case for of in SMOOTHED[::31]], radii=RADII)
