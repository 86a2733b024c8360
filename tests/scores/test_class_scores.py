"""Accuracy by class, clean, under attack and under several attacks, and the CSV files of classes."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from typer.testing import CliRunner

from outcome_tables import attack_cell, cell, item, table
from robustbench_eff.benchmarks.class_names import short_names
from robustbench_eff.cli.main import app
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.scores.class_names import names_of_classes
from robustbench_eff.scores.class_scores import class_scores
from robustbench_eff.scores.class_tables import class_tables
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.score_function import ScoreContext
from robustbench_eff.scores.worst_case import worst_case, worst_case_class_scores
from robustbench_eff.storage.store import Store

LABELS = [3, 3, 3, 5, 5, 8]
FIRST = [True, True, False, True, False, True]
SECOND = [True, False, True, True, True, True]


def attacked(correct: list[bool], name: str, benchmark: str = "cifar10", **given):
    record = attack_cell(len(correct), name, 8 / 255, benchmark=benchmark, id=name)
    columns = {"label": LABELS, "clean_prediction": LABELS, "correct": correct} | given
    return item(record, table(len(correct), **columns))


def test_under_attack_the_mean_and_the_worst_class_are_robust_accuracies() -> None:
    mean, worst = class_scores(attacked(FIRST, "fgsm"))
    assert (mean.metric, worst.metric) == ("balanced_robust_accuracy", "worst_class_robust_accuracy")
    assert mean.value == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert (worst.value, worst.n, worst.detail) == (0.5, 6, '5 "dog", n = 2')
    assert 0 <= worst.low <= worst.value <= worst.high <= 1


@pytest.mark.parametrize(
    ("correct", "benchmark", "detail"),
    [
        ([True] * 6, "cifar10", "all 3 classes"),
        ([False] * 6, "cifar10", "all 3 classes"),
        ([False] * 5 + [True], "cifar10", '3 "cat" and 1 more, n = 3'),
        ([True] * 5 + [False], "cifar10", '8 "ship", n = 1'),
        ([True] * 5 + [False], "digits", "class 8, n = 1"),
        ([True] * 5 + [False], "my own photographs", "class 8, n = 1"),
    ],
)
def test_the_worst_class_is_named_with_its_n(correct: list[bool], benchmark: str, detail: str) -> None:
    assert class_scores(attacked(correct, "fgsm", benchmark))[1].detail == detail


def test_a_single_class_is_its_own_worst() -> None:
    one = item(cell(1, benchmark="cifar10"), table(1, label=[2], correct=[True]))
    mean, worst = class_scores(one)
    assert (mean.value, worst.value, worst.detail) == (1.0, 1.0, '2 "bird", n = 1')


def test_names_of_the_users_own_images_come_from_the_protocol() -> None:
    own = replace(cell(1, benchmark="cifar10"), protocol=Protocol(class_names=("lion", "tiger")))
    assert names_of_classes(own) == {0: "lion", 1: "tiger"}
    assert len(names_of_classes(cell(1, benchmark="imagenet-c"))) == 1000
    assert short_names({"n01440764": 0, "tench": 0, "n01443537": 1}) == {0: "tench", 1: "n01443537"}


def test_under_several_attacks_a_sample_counts_where_all_leave_it_right() -> None:
    attacks = [attacked(FIRST, "fgsm"), attacked(SECOND, "pgd")]
    mean, worst = worst_case_class_scores(attacks, ScoreContext())
    assert mean.value == pytest.approx((1 / 3 + 1 / 2 + 1) / 3)
    assert (worst.value, worst.detail) == (pytest.approx(1 / 3), '3 "cat", n = 3')
    assert mean.perturbation == worst.perturbation == "worst of fgsm, pgd, linf 8/255"
    assert worst_case_class_scores(attacks[:1], ScoreContext()) == [], "its own score says the same"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    clean = item(
        cell(6, benchmark="cifar10", id="clean"),
        table(6, label=LABELS, clean_prediction=[3, 3, 5, 5, 5, 8], prediction=[3, 3, 5, 5, 5, 8]),
    )
    first = attacked(FIRST, "fgsm", prediction=[3, 3, 5, 5, 3, 8])
    second = attacked(SECOND, "pgd", prediction=[3, 9, 3, 5, 5, 8])
    with store.lock():
        for one in (clean, first, second):
            store.write_cell(one.cell)
            store.write_shard(one.cell.id, one.outcomes)
    return store


def test_every_class_has_a_row_and_its_most_frequent_wrong_class(store: Store) -> None:
    rows = {(row["perturbation"], row["class"]): row for row in class_tables(store).by_class}
    assert len(rows) == 4 * 3
    cat = rows["fgsm", 3]
    low, high = proportion_interval(2, 3)
    assert (cat["name"], cat["n"], cat["right_clean"], cat["right"]) == ("cat", 3, 3, 2)
    assert (cat["accuracy"], cat["low"], cat["high"]) == (2 / 3, low, high)
    assert (cat["most_frequent_wrong"], cat["wrong_name"], cat["wrong_count"]) == (5, "dog", 1)
    assert (rows["pgd", 8]["most_frequent_wrong"], rows["pgd", 8]["wrong_count"]) == (None, 0)
    together = rows["worst of fgsm, pgd, linf 8/255", 3]
    assert (together["right"], together["wrong_count"]) == (1, None)
    shares = worst_case([np.array(FIRST)[:, None], np.array(SECOND)[:, None]])
    assert sum(row["right"] for (of, _), row in rows.items() if of.startswith("worst of")) == shares.sum()


def test_the_confusion_is_scikit_learns(store: Store) -> None:
    rows = [row for row in class_tables(store).confusion if row["perturbation"] == "pgd"]
    matrix = confusion_matrix(LABELS, [3, 9, 3, 5, 5, 8], labels=range(10))
    assert sum(row["count"] for row in rows) == 6
    assert all(matrix[row["class"], row["predicted"]] == row["count"] for row in rows)


def test_the_files_have_a_line_for_every_row(store: Store, tmp_path: Path) -> None:
    by_class, confusion = tmp_path / "classes.csv", tmp_path / "confusion.csv"
    arguments = ["score", str(store.place), "--by-class", str(by_class), "--confusion", str(confusion), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    tables = class_tables(store)
    for path, rows in ((by_class, tables.by_class), (confusion, tables.confusion)):
        with path.open(encoding="utf-8", newline="") as file:
            read = list(csv.DictReader(file))
        assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows] == read
    found = {(one["metric"], one["perturbation"]): one for one in json.loads(result.output)["scores"]}
    assert found["worst_class_robust_accuracy", "fgsm"]["detail"] == '5 "dog", n = 2'


def test_a_file_that_cannot_be_written_is_said(store: Store, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["score", str(store.place), "--by-class", str(tmp_path / "no" / "file.csv")])
    assert result.exit_code == 2
    assert "cannot be written" in result.output


def test_votes_count_as_fractions_and_abstentions_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    votes = [[True, False], [True, True]]
    voted = cell(2, benchmark="cifar10", id="votes", configuration={"votes_per_image": 2})
    smoothed = attack_cell(
        2, "pgd", 0.5, "l2", benchmark="cifar10", id="smoothed", configuration={"smoothing": SMOOTHING}
    )
    columns = {"label": [3, 3], "clean_prediction": [3, 3]}
    with store.lock():
        for record, given in (
            (voted, {"votes": votes, "prediction": [3, 3], "correct": [False, True]}),
            (smoothed, {"prediction": [-1, 3], "correct": [False, True]}),
        ):
            store.write_cell(record)
            store.write_shard(record.id, table(2, **columns, **given))
    by_cell = {row["perturbation"]: row for row in class_tables(store).by_class}
    assert (by_cell["none"]["right"], by_cell["none"]["accuracy"]) == (1.5, 0.75)
    assert (by_cell["pgd"]["right"], by_cell["pgd"]["wrong_name"]) == (1, "abstained")
    assert {score.metric for score in store_scores(store)} >= {"balanced_accuracy", "robust_accuracy"}


SMOOTHING = {"sigma": 0.25, "n0": 10, "n": 100, "alpha": 0.001}


def test_unfinished_cells_and_cells_without_samples(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with store.lock():
        for name, stored in (("half", 2), ("none of it", 0)):
            record = attack_cell(4, name, 8 / 255, benchmark="cifar10", id=name.replace(" ", ""))
            store.write_cell(record)
            if stored:
                store.write_shard(record.id, table(stored, label=[1] * stored))
    rows = class_tables(store).by_class
    assert [(row["perturbation"], row["n"], row["flags"]) for row in rows] == [("half", 2, "incomplete: 2 of 4")]


def test_a_thousand_classes_of_fifty_samples_have_a_worst() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(1000), 50)
    large = item(cell(50_000, benchmark="imagenet"), table(50_000, label=labels, correct=random.random(50_000) < 0.7))
    _, worst = class_scores(large)
    assert worst.detail.endswith("n = 50")
