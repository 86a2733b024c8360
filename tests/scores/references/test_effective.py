"""Effective robustness against ordinary least squares of statsmodels on the logits of the standard models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from outcome_tables import cell, table
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.effective import baselines, effective_scores
from robustbench_eff.scores.score_function import ScoreContext
from scored_cells import Case, assert_same_from_disk, case, one, scored

FACTS = json.loads((files("robustbench_eff") / "facts" / "baseline_models.json").read_text())
CLEAN: Mapping[str, str] = FACTS["clean"]
"""The benchmark of clean images by that of shifted ones."""


@cache
def fitted(shift: str) -> Any:
    """The line of the standard models, each an observation."""
    models = [of for of in FACTS["accuracies"].values() if shift in of and CLEAN[shift] in of]
    accuracies = np.array([(of[CLEAN[shift]], of[shift]) for of in models])
    clean, shifted = logit(accuracies).T
    return sm.OLS(shifted, sm.add_constant(clean)).fit()


def predicted(shift: str, clean_accuracy: float) -> float:
    """The accuracy of a standard model under the shift; one that is always right or always wrong stays so."""
    if clean_accuracy in (0, 1):
        return clean_accuracy
    return float(expit(fitted(shift).predict([[1.0, logit(clean_accuracy)]])[0]))


def effective_robustness(shift: str, shifted_accuracy: float, clean_accuracy: float) -> float:
    """Taori et al. 2020, equation 1: acc_2(f) - beta(acc_1(f))."""
    return shifted_accuracy - predicted(shift, clean_accuracy)


@pytest.mark.parametrize("shift", CLEAN)
def test_lines_are_least_squares_of_statsmodels(shift: str) -> None:
    found, expected = baselines()[shift], fitted(shift)
    intercept, slope = expected.params
    assert (found.intercept, found.slope) == pytest.approx((intercept, slope), rel=1e-9)
    assert found.r == pytest.approx(np.sqrt(expected.rsquared) * np.sign(slope), rel=1e-9)
    assert (found.models, found.clean) == (expected.nobs, CLEAN[shift])
    for accuracy in (0.0, 0.01, 0.5, 0.76, 0.999, 1.0):
        assert found.expected(accuracy) == pytest.approx(predicted(shift, accuracy), rel=1e-9)


def measured(name: str, benchmark: str, right: int, n: int) -> Case:
    labels, predictions = np.zeros(n), np.arange(n) >= right
    given = {"label": labels, "clean_prediction": predictions, "prediction": predictions}
    return case(name, cell(n, benchmark=benchmark), table(n, correct=~predictions, **given))


def pairs(random: np.random.Generator) -> Iterator[tuple[str, Case, Case]]:
    """A model under a shift and on clean images: right, wrong, and on one image, among others."""
    for number, (shift, n, clean_n) in enumerate(product(CLEAN, (1, 2, 20, 60), (1, 3, 40))):
        for repeat in range(3):
            name, share = f"shift {number} {repeat}", (0.0, 1.0, random.random())[repeat]
            clean_right = int(random.integers(clean_n + 1)) if number % 3 else round(share) * clean_n
            clean = measured(name, CLEAN[shift], clean_right, clean_n)
            yield shift, measured(name, shift, int(share * n), n), clean


PAIRS = list(pairs(np.random.default_rng(80)))


def accuracy(of: Case) -> float:
    return sum(row["prediction"] == row["label"] for row in of.rows) / len(of.rows)


@pytest.mark.parametrize("metric", ["effective_robustness"])
def test_effective_robustness_is_beyond_the_line(metric: str) -> None:
    for shift, shifted, clean in PAIRS:
        items = [CellOutcomes(of.cell, of.outcomes) for of in (shifted, clean)]
        score = one(effective_scores(items, ScoreContext()), metric=metric)
        expected = effective_robustness(shift, accuracy(shifted), accuracy(clean))
        assert score.value == pytest.approx(expected, abs=1e-9), score.model


def test_a_store_gives_the_same(tmp_path: Path) -> None:
    shift, shifted, clean = PAIRS[-1]
    assert_same_from_disk(tmp_path, [shifted, clean])
    (scores,) = scored([shifted, clean]).values()
    expected = effective_robustness(shift, accuracy(shifted), accuracy(clean))
    assert one(scores, metric="effective_robustness").value == pytest.approx(expected, abs=1e-9)
