"""Accuracies against scikit-learn and counts of rows: clean, attacked, voted, over several attacks or orders."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from outcome_tables import attack_cell, cell, table
from reference_cases import CLASSES, SIZES, every_kind
from robustbench_eff.scores.score import Score
from scored_cells import Case, assert_same_from_disk, case, one, scored

EPS = 8 / 255
FOG = {"corruption": "fog", "severity": 1, "constants": "imagenet"}
VOTES = 6


def clean_cases() -> Iterator[Case]:
    for number, (labels, predictions, confidence) in enumerate(every_kind()):
        given = {"label": labels, "clean_prediction": predictions, "prediction": predictions}
        outcomes = table(len(labels), correct=labels == predictions, prediction_confidence=confidence, **given)
        yield case(f"clean {number}", cell(len(labels)), outcomes)


def corrupted_cases() -> Iterator[Case]:
    for number, (labels, predictions, _) in enumerate(every_kind(seed=1)):
        outcomes = table(len(labels), label=labels, prediction=predictions, correct=labels == predictions)
        yield case(f"corrupted {number}", cell(len(labels), "fog(severity=1)", configuration=FOG), outcomes)


def attacked_cases() -> Iterator[Case]:
    """Every other one unfinished."""
    random = np.random.default_rng(2)
    for number, (labels, clean, _) in enumerate(every_kind(seed=2)):
        n = len(labels)
        predictions, rounded = (np.where(random.random(n) < 0.4, random.integers(CLASSES, size=n), clean) for _ in "12")
        outcomes = table(
            n,
            label=labels,
            clean_prediction=clean,
            prediction=predictions,
            correct=(labels == clean) & (labels == predictions),
            correct_8bit=(labels == clean) & (labels == rounded),
        )
        yield case(f"attacked {number}", attack_cell(n + number % 2, "fgsm(eps=8/255)", EPS), outcomes)


def voted_cases(attacked: bool) -> Iterator[Case]:
    random = np.random.default_rng(3)
    for number, (n, rate) in enumerate(product(SIZES, (0.0, 0.1, 0.5, 0.9, 1.0) * 5)):
        votes = random.random((n, VOTES)) < np.where(random.random((n, 1)) < 0.5, rate, 1.0)
        outcomes = table(n, votes=votes.tolist(), correct=votes.mean(axis=1) > 0.5)
        voted = {"votes_per_image": VOTES}
        if attacked:
            yield case(f"robust votes {number}", attack_cell(n, "fgsm", EPS, configuration=voted), outcomes)
        else:
            of_fog = cell(n, "fog(severity=1)", configuration=FOG | voted)
            yield case(f"votes {number}", of_fog, outcomes)


def of_clean(of: Case) -> float:
    return float(accuracy_score(of.outcomes["label"], of.outcomes["prediction"]))


def of_attacked(of: Case) -> float:
    return fmean(row["label"] == row["clean_prediction"] == row["prediction"] for row in of.rows)


def of_rounded(of: Case) -> float:
    return fmean(row["correct_8bit"] for row in of.rows)


def of_every_vote(of: Case) -> float:
    return fmean(all(row["votes"]) for row in of.rows)


def of_votes(of: Case) -> float:
    """The accuracy of one draw, in expectation."""
    return fmean(fmean(row["votes"][vote] for row in of.rows) for vote in range(VOTES))


CASES = {
    "clean": list(clean_cases()),
    "corrupted": list(corrupted_cases()),
    "attacked": list(attacked_cases()),
    "voted": list(voted_cases(attacked=False)),
    "voted under attack": list(voted_cases(attacked=True)),
}
REFERENCES = [
    ("accuracy", "clean", of_clean),
    ("accuracy", "corrupted", of_clean),
    ("robust_accuracy", "attacked", of_attacked),
    ("robust_accuracy_8bit", "attacked", of_rounded),
    ("accuracy", "voted", of_votes),
    ("accuracy_every_vote", "voted", of_every_vote),
    ("robust_accuracy", "voted under attack", of_votes),
    ("robust_accuracy_every_vote", "voted under attack", of_every_vote),
]


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Score]]:
    return scored(case for cases in CASES.values() for case in cases)


@pytest.mark.parametrize(("metric", "kind", "reference"), REFERENCES)
def test_accuracy_is_a_count(metric: str, kind: str, reference: Any, found: Mapping[str, list[Score]]) -> None:
    for of in CASES[kind]:
        score = one(found[of.model], metric=metric)
        assert score.value == pytest.approx(reference(of), abs=1e-12), of.model
        assert score.n == len(of.outcomes)


def test_without_rows_there_is_no_accuracy() -> None:
    cells = [cell(3), cell(3, "fog", configuration=FOG), attack_cell(3, "fgsm", EPS)]
    for scores in scored(case(f"empty {number}", of, table(0)) for number, of in enumerate(cells)).values():
        assert {score.value for score in scores} == {None}


def test_a_store_gives_the_same(tmp_path: Path) -> None:
    assert_same_from_disk(tmp_path, [of for cases in CASES.values() for of in cases[4 :: len(cases) // 3]])


def test_accuracy_over_orders_is_the_mean_of_the_accuracies_of_each() -> None:
    random, expected, cases = np.random.default_rng(4), {}, []
    for number, (n, orders, rate) in enumerate(product(SIZES, (2, 3, 8), (0.0, 0.3, 0.7, 0.95, 1.0))):
        votes = random.random((n, orders)) < rate
        of = cell(n, "fog", configuration=FOG | {"adaptation": {"orders": orders}})
        cases.append(case(f"orders {number}", of, table(n, votes=votes.tolist(), correct=votes[:, 0])))
        expected[f"orders {number}"] = fmean(sum(right.tolist()) / n for right in votes.T)
    for model, scores in scored(cases).items():
        assert one(scores, metric="accuracy").value == pytest.approx(expected[model], abs=1e-12)


def test_real_accuracy_is_that_of_the_authors_labels() -> None:
    """Images without a label are left out, and any of several labels is right."""
    package = importlib.util.find_spec("timm")
    assert package is not None and package.origin is not None
    path = Path(package.origin).parent / "data" / "_info" / "imagenet_real_labels.json"
    labels = json.loads(path.read_text())
    random, expected, cases = np.random.default_rng(5), {}, []
    for number, n in enumerate((1, 1, 2, 60)):
        images = random.integers(len(labels), size=n)
        images[0] = (labels.index([]), 1)[number % 2]
        guesses = [random.choice([*labels[image], 0, 1]) for image in images]
        names = [f"val/ILSVRC2012_val_{image + 1:08d}.JPEG" for image in images]
        cases.append(
            case(f"real {number}", cell(n, benchmark="imagenet"), table(n, sample_id=names, prediction=guesses))
        )
        right = [guess in labels[image] for image, guess in zip(images, guesses, strict=True) if labels[image]]
        expected[f"real {number}"] = (fmean(right) if right else None, len(right))
    for model, scores in scored(cases).items():
        score = one(scores, metric="accuracy", benchmark="imagenet-real")
        assert (score.value, score.n) == expected[model]


def test_of_several_attacks_the_worst_counts_sample_by_sample() -> None:
    """In every ball that an attack searched, and those that search for the closest image as far as they got."""
    random, cases = np.random.default_rng(6), []
    for number, n in enumerate(SIZES * 8):
        labels, rate = random.integers(3, size=n), random.random()
        clean = np.where(random.random(n) < 0.8, labels, 3)
        for attack in range(random.integers(2, 5)):
            eps = (4 / 255, EPS)[random.integers(2)]
            right = (labels == clean) & (random.random(n) < rate)
            rows = table(n, label=labels, clean_prediction=clean, correct=right)
            cases.append(case(f"many {number}", attack_cell(n, f"attack{attack}", eps), rows))
        right = (labels == clean) & (random.random(n) < 0.2)
        found_at = random.choice([0.01, 0.02, 0.5], size=n)
        rows = table(n, label=labels, clean_prediction=clean, correct=right, distance_linf=found_at)
        cases.append(case(f"many {number}", attack_cell(n, "fmn", None), rows))
    compared, found = 0, scored(cases)
    for model in found:
        attacks = [of for of in cases if of.model == model]
        for ball in {of.cell.eps for of in attacks} - {np.inf}:
            text = f"linf {round(ball * 255)}/255"
            unions = [
                s for s in found[model] if s.perturbation.startswith("worst of") and s.perturbation.endswith(text)
            ]
            worst = [score for score in unions if score.metric == "robust_accuracy"]
            inside = [of for of in attacks if of.cell.eps <= ball or of.cell.eps == np.inf]
            survivors = zip(*([survives(of, row, ball) for row in of.rows] for of in inside), strict=True)
            assert [score.value for score in worst] == [pytest.approx(fmean(map(all, survivors)))]
            compared += 1
    assert compared > 50


def survives(of: Case, sample: dict[str, Any], ball: float) -> bool:
    found_outside = of.cell.eps == np.inf and sample["distance_linf"] > ball
    return sample["clean_prediction"] == sample["label"] and (sample["correct"] or found_outside)


def test_of_several_voted_attacks_each_half_of_the_votes_is_judged_by_the_other() -> None:
    random = np.random.default_rng(7)
    for number, n in enumerate(SIZES * 8):
        drawn = [random.random((n, VOTES)) < random.random((n, 1)) for _ in range(random.integers(2, 5))]
        of = attack_cell(n, "", EPS, configuration={"votes_per_image": VOTES})
        rows = [table(n, votes=votes.tolist(), correct=votes.mean(axis=1) > 0.5) for votes in drawn]
        cells = [attack_cell(n, f"attack{k}", EPS, configuration=of.configuration) for k in range(len(drawn))]
        scores = scored(case(f"voted {number}", *both) for both in zip(cells, rows, strict=True))[f"voted {number}"]
        total = 0.0
        for sample in range(n):
            for judged, chosen_by in ((0, 1), (1, 0)):
                strengths = [sum(votes[sample][chosen_by::2]) for votes in drawn]
                strongest = drawn[strengths.index(min(strengths))]
                total += fmean(strongest[sample][judged::2]) / 2
        (worst,) = (s for s in scores if s.perturbation.startswith("worst") and s.metric == "robust_accuracy")
        assert worst.value == pytest.approx(total / n)
