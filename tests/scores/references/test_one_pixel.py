"""The success rate and the confidence of the one-pixel attack against counts of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from outcome_tables import attack_cell, table
from reference_cases import SIZES
from robustbench_eff.scores.score import Score
from scored_cells import Case, assert_same_from_disk, case, one, scored

KINDS = ("random", "all right", "all wrong", "all moved", "constant confidence", "duplicated samples")


def cases() -> Iterator[Case]:
    """Every other one unfinished."""
    random = np.random.default_rng(90)
    for number, (n, kind, _) in enumerate(product(SIZES, KINDS, range(6))):
        labels, confidence = random.integers(3, size=n), random.random(n).astype(np.float32)
        clean = np.where(random.random(n) < 0.7, labels, 3)
        right = (clean == labels) & (random.random(n) < 0.5)
        if kind == "all right":
            clean, right = labels, np.ones(n, bool)
        elif kind == "all wrong":
            clean, right = np.full(n, 3), np.zeros(n, bool)
        elif kind == "all moved":
            clean, right = labels, np.zeros(n, bool)
        elif kind == "constant confidence":
            confidence = np.full(n, random.choice([0.25, 1.0]), dtype=np.float32)
        elif kind == "duplicated samples":
            same = random.integers(max(n // 3, 1), size=n)
            labels, clean, right, confidence = labels[same], clean[same], right[same], confidence[same]
        given = {"label": labels, "clean_prediction": clean, "correct": right, "prediction_confidence": confidence}
        of = attack_cell(n + number % 2, "one_pixel(pixels=1, targets=9)", 1.0, "l0")
        yield case(f"{kind} {number}", of, table(n, **given))


def attacked(of: Case) -> list[dict[str, Any]]:
    return [row for row in of.rows if row["clean_prediction"] == row["label"]]


def success_rate(of: Case) -> float | None:
    """Su et al. 2019: the images moved to any other class, among those that the network had right."""
    return fmean(not row["correct"] for row in attacked(of)) if attacked(of) else None


def mean_confidence(of: Case) -> float | None:
    moved = [row["prediction_confidence"] for row in attacked(of) if not row["correct"]]
    return fmean(moved) if moved else None


REFERENCES = {"any_target_success_rate": success_rate, "mean_confidence": mean_confidence}
CASES = list(cases())


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Score]]:
    return scored(CASES)


@pytest.mark.parametrize("metric", REFERENCES)
def test_the_papers_numbers_are_counts(metric: str, found: Mapping[str, list[Score]]) -> None:
    without = 0
    for of in CASES:
        value, expected = one(found[of.model], metric=metric).value, REFERENCES[metric](of)
        without += expected is None
        assert value is None if expected is None else value == pytest.approx(expected, abs=1e-12), of.model
    assert 0 < without < 0.6 * len(CASES)


def test_without_rows_there_is_neither() -> None:
    scores = scored([CASES[0]._replace(outcomes=CASES[0].outcomes[:0])])[CASES[0].model]
    assert {score.value for score in scores} == {None} and REFERENCES.keys() <= {score.metric for score in scores}


def test_a_store_gives_the_same(tmp_path: Path) -> None:
    assert_same_from_disk(tmp_path, CASES[::45])
