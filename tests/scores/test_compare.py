"""Models compared on the same samples: differences, flips, pictures, and ranks."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import cohen_kappa_score
from typer.testing import CliRunner

from compared_stores import by_hand
from outcome_tables import attack_cell, cell, table
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import UsageError
from robustbench_eff.scores.compare import compare, flips, ranked
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.paired import mcnemar
from robustbench_eff.scores.per_sample import model_named, sample_contributions
from robustbench_eff.storage.store import Store
from small_models import Centroids

ATTACKS = ["fgsm(eps=16/255)", "pgd(eps=1, norm=l2, steps=5)"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on 96 digits, clean and attacked."""
    place = tmp_path_factory.mktemp("compare") / "store"
    centroids = load_classifier(Centroids().eval(), input_size=32)
    for model in ("digits_standard", centroids):
        evaluate(model, benchmarks=["digits"], attacks=ATTACKS, limit=96, store=place)
    return place


def run(*words: str):
    return CliRunner().invoke(app, ["compare", *words])


def test_differences_are_those_of_the_outcomes(store: Path) -> None:
    opened = Store(store)
    a, b = (sample_contributions(opened, name)[0] for name in ("digits_standard", "Centroids"))
    rows = compare(a, b)
    assert [row.perturbation for row in rows] == ["none", "fgsm(eps=16/255)", "pgd(eps=1.0, norm='l2', steps=5)"]
    tables = {(cell.model, cell.perturbation): opened.outcomes(key) for key, cell in opened.cells().items()}
    for row in rows:
        right = [np.array(tables[name, row.perturbation]["correct"]) for name in ("digits_standard", "Centroids")]
        assert (row.a, row.b) == (right[0].mean(), right[1].mean())
        assert row.difference == pytest.approx(row.a - row.b)
        assert row.low <= row.difference <= row.high
        assert (row.only_a, row.only_b) == ((right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum())
        assert row.p == mcnemar(row.only_a, row.only_b)
        assert row.p_holm >= row.p
        assert row.consistency.kappa == pytest.approx(cohen_kappa_score(*right))
    assert {flip.perturbation for flip in flips(a, b)} <= {row.perturbation for row in rows}
    assert sum(flip.right == "a" for flip in flips(a, b)) == sum(row.only_a for row in rows)


def test_the_command_prints_writes_and_draws(store: Path, tmp_path: Path) -> None:
    table_file, drawing = tmp_path / "flips.csv", tmp_path / "flips.png"
    words = ["digits_standard", "Centroids", "--store", str(store), "--flips", str(table_file)]
    result = run(*words, "--pictures", str(drawing))
    assert result.exit_code == 0
    assert "A = digits_standard" in result.output
    rows = json.loads(run(*words, "--json").output)
    with table_file.open() as file:
        listed = list(csv.DictReader(file))
    assert len(listed) == sum(row["only_a"] + row["only_b"] for row in rows)
    assert all((row["a"] == row["label"]) == (row["right"] == "a") for row in listed if row["perturbation"] == "none")
    assert np.asarray(Image.open(drawing)).std() > 20


def test_images_that_are_made_on_first_use_are_drawn(tmp_path: Path) -> None:
    centroids = load_classifier(Centroids().eval(), input_size=32)
    options = {"attacks": ATTACKS[:1], "limit": 24, "store": tmp_path / "store"}
    for model in ("digits_standard", centroids):
        evaluate(model, benchmarks=["digits-cue-conflict"], **options)
    words = ["digits_standard", "Centroids", "--store", str(tmp_path / "store")]
    result = run(*words, "--pictures", str(tmp_path / "flips.png"))
    assert result.exit_code == 0, result.output
    assert np.asarray(Image.open(tmp_path / "flips.png")).std() > 20


def test_stores_of_one_model_each_are_compared_by_folder(store: Path, tmp_path: Path) -> None:
    evaluate("digits_standard", attacks=ATTACKS, limit=96, store=tmp_path / "own")
    rows = json.loads(run(str(tmp_path / "own"), f"{store}::digits_standard", "--json").output)
    assert [(row["difference"], row["only_a"], row["only_b"], row["p"]) for row in rows] == [(0.0, 0, 0, 1.0)] * 3
    assert rows[0]["consistency"]["kappa"] in (1.0, None)


def test_more_than_two_models_get_ranks(store: Path, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "again")
    names = ["digits_standard", "Centroids", f"{tmp_path / 'again'}::digits_standard"]
    rows = json.loads(run(*names, "--store", str(store), "--json").output)
    (fgsm,) = [row for row in rows if row["perturbation"] == "fgsm(eps=16/255)"]
    ranks = [(model["best_rank"], model["worst_rank"]) for model in fgsm["models"]]
    assert ranks == [(2, 3), (1, 1), (2, 3)]
    printed = " ".join(run(*names, "--store", str(store)).output.split())
    assert "all true ranks of this table lie within them at once" in printed
    assert "Rank 1 is the highest value (↑) or the lowest (↓)" in printed


@pytest.mark.parametrize(
    ("name", "words"),
    [("digits_standard", "is named twice"), ("{store}::digits_standard", "is the same model as digits_standard")],
)
def test_a_model_is_not_compared_with_itself(store: Path, name: str, words: str) -> None:
    result = run("digits_standard", "Centroids", name.format(store=store), "--store", str(store))
    assert result.exit_code == 2
    assert f"{words}: a model does not differ from itself" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digits_standard"], "Two or more models are needed"),
        (["digits_standard", "Centroid"], "does not hold a model 'Centroid'.\nDid you mean 'Centroids'"),
        (["digits_standard", "nowhere::x"], "nowhere is not a store"),
        (["digits_standard", "Centroids", "--pictures", "x.jpg"], "--pictures must be a PNG file"),
        (["digits_standard", "Centroids", "digits_standard", "--flips", "x.csv"], "compare two models"),
    ],
)
def test_wrong_words_are_sentences(store: Path, words: list[str], message: str) -> None:
    result = run(*words, "--store", str(store))
    assert result.exit_code == 2
    assert message in result.output


def test_a_store_of_several_models_must_name_one(store: Path) -> None:
    with pytest.raises(UsageError, match=r"holds several models: name one, as .*::MODEL"):
        model_named(Store(store), None)


def test_shape_bias_is_compared_as_a_ratio(tmp_path: Path) -> None:
    shapes, textures = np.zeros(400, int), np.ones(400, int)
    answers = {"shape": np.arange(400) % 4 == 0, "texture": np.arange(400) % 2 == 1}
    predictions = np.where(answers["shape"], 0, np.where(answers["texture"], 1, 2))
    record = cell(400, benchmark="cue-conflict")
    cells = {
        name: [(record, table(400, label=shapes, texture=textures, prediction=guess, correct=guess == shapes))]
        for name, guess in (("a", predictions), ("b", np.where(predictions == 1, 2, predictions)))
    }
    store = by_hand(tmp_path / "store", cells)
    (row,) = compare(*(sample_contributions(store, name)[0] for name in cells))
    assert (row.metric, row.a, row.b) == ("shape_bias", 1 / 3, 1.0)
    assert row.difference == pytest.approx(-2 / 3)
    assert row.p < 0.001
    assert row.consistency.kappa == 1.0, "both name the same shapes"


def test_every_value_is_that_of_its_score(tmp_path: Path) -> None:
    """Attacked, searched, corrupted and filmed: what is compared is what is scored."""
    attacks = ["pgd(eps=8/255)", "security_curve(eps=[2/255, 8/255, 16/255])"]
    changes = ["cifar10_c", "rotate_sequence(constants='cifar10')"]
    options = {"attacks": attacks, "corruptions": changes, "limit": 24, "store": tmp_path / "store"}
    evaluate("digits_standard", benchmarks=["digits", "digits-cue-conflict"], **options)
    scores = {
        (score.benchmark, score.perturbation, score.metric): score.value
        for score in store_scores(Store(tmp_path / "store"))
    }
    found, left_out = sample_contributions(Store(tmp_path / "store"), "digits_standard")
    assert left_out == []
    kinds = set()
    for measure in found.values():
        value = scores[measure.benchmark, measure.perturbation, measure.metric]
        assert measure.value == (None if value is None else pytest.approx(value, abs=1e-12)), measure.perturbation
        kinds.add(measure.metric)
    assert {"accuracy", "robust_accuracy", "robust_accuracy@8/255", "shape_bias", "mean_accuracy"} <= kinds
    assert {"accuracy_all_frames", "flip_probability", "top5_distance"} <= kinds


def test_scores_over_corruptions_pair_one_seed_with_the_same(tmp_path: Path) -> None:
    """Contrast draws nothing, so its cell has no seed, and may be the first of a store."""
    from robustbench_eff.scores import alexnet

    def cells(first: str, seeds: tuple[int, ...]) -> list:
        names = sorted(alexnet.published().errors, key=lambda name: name != first)
        made = []
        for name in names:
            for severity in range(1, 6):
                configuration = {"corruption": name, "severity": severity, "constants": "imagenet"}
                text = f"{name}(severity={severity})"
                for seed in (None,) if name == "contrast" else seeds:
                    record = cell(8, text, benchmark="imagenet-c-generated", configuration=configuration, seed=seed)
                    made.append((record, table(8, correct=np.arange(8) < 4 + (seed or 0))))
        return made

    store = by_hand(tmp_path / "store", {"a": cells("contrast", (0, 1)), "b": cells("fog", (0,))})
    rows = compare(*(sample_contributions(store, name)[0] for name in "ab"))
    (mean,) = [row for row in rows if row.metric == "mean_accuracy"]
    assert (mean.difference, [str(of) for of in mean.protocols]) == (0.0, ["8 images · seed 0"])


def test_a_security_curve_with_unknown_distances_is_not_compared(tmp_path: Path) -> None:
    radii = {"configuration": {"eps": [4 / 255, 8 / 255]}}
    outcomes = table(3, correct=[False, False, True], distance_linf=[np.nan, 0.01, 0.0])
    record = attack_cell(3, "security_curve(eps=(4/255, 8/255))", 8 / 255, **radii)
    found, left_out = sample_contributions(by_hand(tmp_path / "store", {"a": [(record, outcomes)]}), "a")
    assert found == {}
    assert left_out == ["digits, security_curve(eps=(4/255, 8/255)): unknown distances of a: 1"]


def test_an_attack_in_two_precisions_is_compared_once_and_said(tmp_path: Path) -> None:
    def attacked(precision: str, right: int):
        configuration = {"precision": precision}
        record = attack_cell(4, "pgd(eps=8/255)", 8 / 255, configuration=configuration)
        return record, table(4, correct=np.arange(4) < right)

    store = by_hand(tmp_path / "store", {"a": [attacked("float16", 3), attacked("bfloat16", 1)]})
    found, left_out = sample_contributions(store, "a")
    alone, union = found.values()
    assert (alone.value, union.value) == (0.75, 0.25) and union.perturbation == "worst of pgd in 2 runs, linf 8/255"
    assert left_out == [f"digits, pgd(eps=8/255): twice in {Path(store.place)}, the first counts"]


def test_three_models_on_cue_conflict_have_ranks(tmp_path: Path) -> None:
    shapes, textures = np.zeros(90, int), np.ones(90, int)
    record = cell(90, benchmark="cue-conflict")
    cells = {
        name: [(record, table(90, label=shapes, texture=textures, prediction=np.arange(90) < count))]
        for name, count in (("a", 10), ("b", 80), ("c", 78))
    }
    ((_, values, ranks),) = ranked(
        [sample_contributions(by_hand(tmp_path / "store", cells), name)[0] for name in "abc"]
    )
    assert values == [pytest.approx(80 / 90), pytest.approx(10 / 90), pytest.approx(12 / 90)]
    assert [(of.best, of.worst) for of in ranks] == [(1, 1), (2, 3), (2, 3)]


def test_scores_over_corruptions_are_compared_sample_by_sample(tmp_path: Path) -> None:
    """The second model is wrong on one more sample in every cell."""
    from robustbench_eff.scores import alexnet

    cells: dict[str, list] = {"a": [], "b": []}
    for name in alexnet.published().errors:
        for severity in range(1, 6):
            configuration = {"corruption": name, "severity": severity, "constants": "imagenet"}
            text = f"{name}(severity={severity})"
            record = cell(50, text, benchmark="imagenet-c-generated", configuration=configuration, seed=0)
            for model, wrong in (("a", 10), ("b", 11)):
                cells[model].append((record, table(50, correct=np.arange(50) >= wrong)))
    store = by_hand(tmp_path / "store", cells)
    a, b = (sample_contributions(store, name)[0] for name in cells)
    rows = {(row.perturbation, row.metric): row for row in compare(a, b)}
    assert rows["imagenet_c", "mean_accuracy"].difference == pytest.approx(0.02)
    mean = np.mean([5 / 50 / error for error in alexnet.published().errors.values()])
    assert rows["imagenet_c", "mCE"].difference == pytest.approx(-mean, rel=1e-5)
    assert len(rows) == 75 + 15 + 3
    assert not rows["imagenet_c", "mCE"].higher_is_better
    assert len(ranked([a, b])) == len(rows)
