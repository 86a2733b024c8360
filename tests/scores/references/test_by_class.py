"""Accuracies by class against scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score

from outcome_tables import attack_cell, cell, table
from reference_cases import SIZES, Answers, every_kind
from robustbench_eff.scores.by_class import balanced_accuracy, worst_class_accuracy
from robustbench_eff.scores.score import Score
from scored_cells import Case, assert_same_from_disk, case, one, scored


def balanced(answers: Answers) -> float:
    with warnings.catch_warnings():  # scikit-learn warns of classes that are only predicted
        warnings.simplefilter("ignore")
        return float(balanced_accuracy_score(answers.labels, answers.predictions))


def worst(answers: Answers) -> float:
    recalls = recall_score(
        answers.labels, answers.predictions, labels=np.unique(answers.labels), average=None, zero_division=0
    )
    return float(np.min(recalls))


REFERENCES = {"balanced_accuracy": balanced, "worst_class_accuracy": worst}
ANSWERS = list(every_kind(seed=10))
STORED = {f"by class {number}": answers for number, answers in enumerate(ANSWERS)}


def case_of(name: str, answers: Answers) -> Case:
    labels, predictions, confidence = answers
    given = {"label": labels, "clean_prediction": predictions, "prediction": predictions}
    outcomes = table(len(labels), correct=labels == predictions, prediction_confidence=confidence, **given)
    return case(name, cell(len(labels)), outcomes)


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Score]]:
    return scored(case_of(name, answers) for name, answers in STORED.items())


@pytest.mark.parametrize("metric", REFERENCES)
def test_scores_of_clean_images_are_scikit_learns(metric: str, found: Mapping[str, list[Score]]) -> None:
    for model, answers in STORED.items():
        assert one(found[model], metric=metric).value == pytest.approx(REFERENCES[metric](answers), abs=1e-12)


UNDER_ATTACK = {"balanced_robust_accuracy": balanced, "worst_class_robust_accuracy": worst}


@pytest.mark.parametrize("metric", UNDER_ATTACK)
def test_scores_of_attacked_images_are_scikit_learns(metric: str) -> None:
    """A sample counts if it is right clean and attacked; so the clean answer stands for the other where it is wrong."""
    random = np.random.default_rng(12)
    kept, cases = {}, []
    for name, (labels, predictions, confidence) in STORED.items():
        attacked = np.where(random.random(len(labels)) < 0.6, predictions, (labels + 1) % (labels.max() + 2))
        right = (predictions == labels) & (attacked == labels)
        given = {"label": labels, "clean_prediction": predictions, "prediction": attacked, "correct": right}
        outcomes = table(len(labels), prediction_confidence=confidence, **given)
        cases.append(case(name, attack_cell(len(labels), "fgsm(eps=8/255)", 8 / 255), outcomes))
        kept[name] = Answers(labels, np.where(predictions == labels, attacked, predictions), confidence)
    of_models = scored(cases)
    for name, answers in kept.items():
        assert one(of_models[name], metric=metric).value == pytest.approx(UNDER_ATTACK[metric](answers), abs=1e-12)


def test_accuracies_by_class_are_scikit_learns_whatever_their_type() -> None:
    for answers in ANSWERS:
        mean, lowest = balanced(answers), worst(answers)
        for dtype in (bool, np.float32, np.float64):
            correct = (answers.labels == answers.predictions).astype(dtype)
            assert balanced_accuracy(answers.labels, correct) == pytest.approx(mean, abs=1e-12)
            assert worst_class_accuracy(answers.labels, correct).accuracy == pytest.approx(lowest, abs=1e-12)


def test_of_votes_every_class_has_the_mean_accuracy_of_one_draw() -> None:
    random = np.random.default_rng(11)
    for n in SIZES * 20:
        labels, votes = random.integers(3, size=n), random.random((n, 5)) < random.random()
        one_draw = [[recall(labels, vote, of) for of in np.unique(labels)] for vote in votes.T]
        by_class = np.mean(one_draw, axis=0)
        shares = votes.mean(axis=1)
        assert balanced_accuracy(labels, shares) == pytest.approx(by_class.mean(), abs=1e-12)
        assert worst_class_accuracy(labels, shares).accuracy == pytest.approx(by_class.min(), abs=1e-12)


def recall(labels: np.ndarray, right: np.ndarray, of: int) -> float:
    return fmean(bool(is_right) for label, is_right in zip(labels, right, strict=True) if label == of)


def test_a_store_gives_the_same(tmp_path: Path) -> None:
    assert_same_from_disk(tmp_path, [case_of(name, STORED[name]) for name in list(STORED)[5::40]])
