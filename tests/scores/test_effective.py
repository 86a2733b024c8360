"""Baselines against the fits of the testbed, effective robustness by hand and by simulation."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from robustbench_eff.scores.effective import Baseline, Count, baselines, effective_robustness

FITS = {
    "imagenetv2-matched-frequency": ("imagenet", 0.9233, -0.4982, 0.998, 87),
    "imagenet-sketch": ("imagenet", 1.0712, -2.3722, 0.932, 87),
    "imagenet-r": ("imagenet-r-clean", 0.6372, -2.1104, 0.943, 82),
    "objectnet": ("objectnet-clean", 0.9803, -1.9260, 0.976, 87),
}


def test_fits_are_those_computed_from_the_testbed() -> None:
    assert set(baselines()) == set(FITS)
    for shift, (clean, slope, intercept, r, models) in FITS.items():
        found = baselines()[shift]
        assert (found.shift, found.clean, found.models) == (shift, clean, models)
        assert (found.slope, found.intercept, found.r) == pytest.approx((slope, intercept, r), abs=1e-3)


def test_fits_agree_with_least_squares_by_hand() -> None:
    facts = json.loads((files("robustbench_eff") / "facts" / "baseline_models.json").read_text())
    points = np.array([(of["imagenet"], of["imagenet-sketch"]) for of in facts["accuracies"].values()])
    x, y = np.log(points / (1 - points)).T
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    found = baselines()["imagenet-sketch"]
    assert (found.slope, found.intercept) == pytest.approx((slope, y.mean() - slope * x.mean()))


@pytest.mark.shared
def test_points_are_those_of_the_testbed(shared: Path) -> None:
    published: dict[str, dict[str, float]] = defaultdict(dict)
    with (shared.parent / "published" / "imagenet_testbed.csv").open() as file:
        for row in csv.DictReader(file):
            if row["metric"] == "top1":
                column = row["source_detail"].removeprefix("column ")
                published[row["model"].removeprefix("testbed/")][column] = float(row["value"]) / 100
    facts = json.loads((files("robustbench_eff") / "facts" / "baseline_models.json").read_text())
    assert len(facts["accuracies"]) == 87
    for model, accuracies in facts["accuracies"].items():
        for benchmark, accuracy in accuracies.items():
            assert accuracy == pytest.approx(published[model][facts["columns"][benchmark]], abs=1e-6)


EXACT = Baseline(
    shift="s", clean="c", slope=1.0, intercept=-1.0, r=1.0, models=9, deviation=0.0, center=0.0, squares=1.0
)
"""A line from which no model deviates."""


def test_expected_accuracy_by_hand() -> None:
    assert EXACT.expected(0.5) == pytest.approx(1 / (1 + np.e))
    assert (EXACT.expected(0.0), EXACT.expected(1.0)) == (0.0, 1.0)
    estimate = effective_robustness(EXACT, Count(40, 100), Count(50, 100))
    assert estimate.value == pytest.approx(0.4 - 1 / (1 + np.e))
    assert estimate.low < estimate.value < estimate.high


def test_the_interval_covers_effective_robustness_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    shifted, clean = 0.45, 0.76
    truth = shifted - EXACT.expected(clean)
    covered = []
    for _ in range(500):
        counts = Count(random.binomial(500, shifted), 500), Count(random.binomial(800, clean), 800)
        estimate = effective_robustness(EXACT, *counts)
        covered.append(estimate.low <= truth <= estimate.high)
    assert np.mean(covered) >= 0.93


@pytest.mark.parametrize("n", [5, 50, 1000])
@pytest.mark.parametrize("shift", FITS)
def test_the_interval_covers_what_standard_models_reach_with_so_many_images(shift: str, n: int) -> None:
    """Models drawn around the line have an effective robustness of 0 but for that spread."""
    random, line = np.random.default_rng(n), baselines()[shift]
    covered = []
    for _ in range(500):
        clean = 1 / (1 + np.exp(-random.normal(line.center, 0.5)))
        logit = line.slope * np.log(clean / (1 - clean)) + line.intercept + line.deviation * random.normal()
        counts = Count(random.binomial(n, 1 / (1 + np.exp(-logit))), n), Count(random.binomial(n, clean), n)
        estimate = effective_robustness(line, *counts)
        covered.append(estimate.low <= 0 <= estimate.high)
    assert np.mean(covered) >= 0.93


@pytest.mark.parametrize("shift", FITS)
def test_standard_models_are_not_called_robust_for_lying_beside_their_line(shift: str) -> None:
    """Without the spread around the line 77 of 87 would be, on ImageNet-Sketch."""
    facts = json.loads((files("robustbench_eff") / "facts" / "baseline_models.json").read_text())
    line, excluded = baselines()[shift], 0
    for model in facts["accuracies"].values():
        if shift in model and line.clean in model:
            counts = (Count(round(model[name] * 50_000), 50_000) for name in (shift, line.clean))
            estimate = effective_robustness(line, *counts)
            excluded += not estimate.low <= 0 <= estimate.high
    assert excluded <= 0.1 * line.models


def test_impossible_counts_are_refused() -> None:
    for shifted, clean in ((Count(5, 4), Count(1, 1)), (Count(1, 1), Count(-1, 1)), (Count(0, 0), Count(1, 1))):
        with pytest.raises(ValueError, match="0 <= correct <= n"):
            effective_robustness(EXACT, shifted, clean)
