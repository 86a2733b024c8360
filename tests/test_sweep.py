"""Ablations: rows of a YAML file, means over seeds with intervals, and what is done when a training fails."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import MissingExtra, RobustEvalError, UsageError
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.registry import build_benchmark, build_defense
from robustbench_eff.registry.perturbation import parse_perturbation
from robustbench_eff.reports import sweep_plot, sweep_table
from robustbench_eff.scores.score import Score
from robustbench_eff.training.sweep import SweepResult, run_sweep
from robustbench_eff.training.sweep_columns import column_flags, columns
from robustbench_eff.training.sweep_spec import Sweep, differences, folder_name, over_seeds, summaries

SHIPPED = Path(__file__).parents[1] / "examples"
EXAMPLES = [SHIPPED / "digits-zoo.yaml", *sorted((SHIPPED / "ablations").glob("*.yaml"))]
SMALL = """
title: Small
train: {benchmark: digits, arch: small_cnn(width=4), limit: 64, schedule: "epochs=1, batch_size=32"}
rows: {standard: standard}
defense: advprop(steps=1, eps=8/255)
grid: {auxiliary: [true, false]}
seeds: [0, 1]
evaluate:
  - {benchmarks: [digits], perturbations: ["fgsm(eps=8/255)", "fog(severity=1)", "contrast(severity=1)"]}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("sweep")
    return out, run_sweep(Sweep.parse(SMALL, "small"), out)


def test_every_combination_of_the_grid_is_a_row_after_those_that_are_named() -> None:
    assert Sweep.parse(SMALL, "small").recipes() == {
        "standard": "standard",
        "auxiliary True": "advprop(steps=1, eps=8/255, auxiliary=True)",
        "auxiliary False": "advprop(steps=1, eps=8/255, auxiliary=False)",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_shipped_ablation_names_things_that_exist(path: Path) -> None:
    sweep = Sweep.parse(path.read_text(), path.name)
    for text in sweep.recipes().values():
        build_defense.defense(text)
    for part in sweep.evaluate:
        for text in part.perturbations:
            assert text == "none" or parse_perturbation(text).text
        for name in part.benchmarks:
            build_benchmark.benchmark(name, "somewhere")
    folders = [folder_name(row, seed) for row in sweep.recipes() for seed in sweep.seeds]
    assert len(set(folders)) == len(folders)


def test_means_over_seeds_have_students_interval() -> None:
    found = over_seeds([0.1, 0.2, 0.4])
    half = 4.302652729911275 * np.std([0.1, 0.2, 0.4], ddof=1) / np.sqrt(3)
    assert (found.mean, found.low, found.high) == pytest.approx((0.7 / 3, 0.7 / 3 - half, 0.7 / 3 + half))
    assert over_seeds([0.5]).low is None
    assert over_seeds([0.97] * 3).low is None, "equal values show nothing of how seeds differ"


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        found = over_seeds(list(random.normal(0.7, 0.02, 5)))
        inside += found.low <= 0.7 <= found.high  # type: ignore[operator]
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)


def test_differences_are_between_equal_seeds() -> None:
    values = {"a": {0: {"x": 0.5}, 1: {"x": 0.9}, 2: {"x": 0.1}}, "b": {0: {"x": 0.6}, 1: {"x": 1.0}}}
    found = differences(values, "a")["b"]["x"]
    assert (found.mean, found.low, found.high, found.n) == (pytest.approx(0.1), None, None, 2), "equal differences"
    ends = summaries(values)["a"]["x"]
    assert ends.low == 0 and ends.high == 1 and ends.n == 3


def test_a_sweep_trains_evaluates_and_goes_on(finished) -> None:
    out, result = finished
    named = {"digits", "digits, fgsm(eps=8/255)", "digits, mean of 2 corruptions"}
    assert all(set(result.values[row][seed]) == named for row in result.sweep.recipes() for seed in (0, 1))
    assert (out / "standard-seed1" / "model.json").is_file() and not result.failed
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}
    again = run_sweep(result.sweep, out)
    assert again.values == result.values
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}
    written = json.loads((out / "results.json").read_text())
    assert written["values"]["standard"]["1"] == result.values["standard"][1]
    assert written["means"]["standard"]["digits"]["mean"] == pytest.approx(result.means["standard"]["digits"].mean)


def test_flags_of_scores_are_flags_of_their_column() -> None:
    common = {"model": "m", "benchmark": "digits", "low": None, "high": None, "n": 9, "protocol": Protocol()}
    scores = [
        Score(perturbation="none", metric="accuracy", value=0.5, flags=("random weights",), **common),
        Score(perturbation="fog", metric="accuracy", value=0.5, kind="corruption", flags=("not_finite: 2",), **common),
        Score(perturbation="snow", metric="accuracy", value=0.25, kind="corruption", **common),
    ]
    assert columns(scores) == {"digits": 0.5, "digits, mean of 2 corruptions": 0.375}
    flags = {"digits": ("random weights",), "digits, mean of 2 corruptions": ("not_finite: 2 (in 1 of 2 cells)",)}
    assert column_flags(scores) == flags


def test_several_workers_find_the_same(finished, tmp_path: Path) -> None:
    _, alone = finished
    told: list[tuple[str, int]] = []
    seeds = alone.sweep.model_copy(update={"seeds": (0,), "defense": None})
    result = run_sweep(seeds, tmp_path, workers=2, on_job=lambda row, seed, _: told.append((row, seed)))
    assert result.values == {"standard": {0: alone.values["standard"][0]}} and told == [("standard", 0)]


def test_tables_and_picture_say_the_same_numbers(finished) -> None:
    _, result = finished
    means, against = list(sweep_table.tables(result))
    assert [row[0] for row in means.rows] == ["standard", "auxiliary True", "auxiliary False"]
    assert means.rows[0][2].startswith(f"{100 * result.means['standard']['digits'].mean:.1f} ")
    assert [row[0] for row in against.rows] == ["auxiliary True", "auxiliary False"]
    text = sweep_table.markdown(result)
    assert means.rows[0][2] in text and "`advprop(steps=1, eps=8/255, auxiliary=True)`" in text
    assert sweep_plot.png(result).startswith(b"\x89PNG")


def test_a_training_that_fails_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    text = SMALL.replace("epochs=1,", "epochs=1, learning_rate=1e30,").replace("seeds: [0, 1]", "seeds: [0]")
    result = run_sweep(Sweep.parse(text, "small"), tmp_path)
    assert all("not finite" in why for seeds in result.failed.values() for why in seeds.values())
    assert len(result.failed) == 3 and not result.means
    assert "failed: The loss is not finite" in sweep_table.markdown(result)


def test_a_number_over_fewer_seeds_says_over_how_many() -> None:
    sweep = Sweep.parse(SMALL.replace("seeds: [0, 1]", "seeds: [0, 1, 2]"), "small")
    values = {
        "standard": {seed: {"digits": 0.9 + seed / 100, "fog": 0.5} for seed in (0, 1, 2)},
        "auxiliary True": {0: {"digits": 0.8, "fog": 0.4}, 2: {"digits": 0.7}},
        "auxiliary False": {},
    }
    result = SweepResult(sweep, {"standard": 2.0, "auxiliary True": 4.0}, values, {"auxiliary False": {0: "No."}})
    means, against = list(sweep_table.tables(result))
    assert "seeds)" not in " ".join(means.rows[0])
    assert means.rows[1][2].endswith("] (2 of 3 seeds)") and means.rows[1][3] == "40.0 (1 of 3 seeds)"
    assert means.rows[2] == ["auxiliary False", "-", "-", "-"], "nothing was trained, and the row says so"
    assert against.rows[0][1].endswith("] (2 of 3 seeds)") and against.rows[0][2] == "-10.0 (1 of 3 seeds)"
    assert against.rows[1] == ["auxiliary False", "-", "-"]
    assert "40.0 (1 of 3 seeds)" in sweep_table.markdown(result)
    assert means.below == []
    result.flags = {"standard": {1: {"digits": ("not_finite: 3",)}}}
    flagged = next(sweep_table.tables(result))
    assert flagged.rows[0][2].endswith("] *")
    assert flagged.below == ["* standard digits: not_finite: 3 (in 1 of 3 seeds)."]
    assert "\\* standard digits: not_finite: 3 (in 1 of 3 seeds)." in sweep_table.markdown(result)
    complete = SweepResult(sweep, result.passes, {"standard": values["standard"], "auxiliary True": values["standard"]})
    assert sweep_plot.png(result) != sweep_plot.png(complete)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title: Small", "titel: Small", "title: Field required"),
        ("seeds: [0, 1]", "seeds: []", "seeds"),
        ("limit: 64", "limits: 64", "train does not have a field 'limits'"),
        ("limit: 64", "limit: '64'", "limit"),
        ("limit: 64", "validation_attack: 5, limit: 64", "validation_attack"),
        ("limit: 64", "data: x, limit: 64", "map names to places"),
        ("seeds: [0, 1]", "seeds: [0, 0]", "names a seed twice"),
        ("defense: advprop(steps=1, eps=8/255)", "", "no defense whose fields"),
        ("small_cnn(width=4)", "small_cn", "Did you mean 'small_cnn'"),
        ("[digits]", "[cifar10]", "dataset 'cifar10'"),
        ("benchmark: digits", "benchmark: cifar10", "training images of 'cifar10'"),
        ("benchmark: digits", "benchmark: digits, data: {digits: gone}", "gone does not exist"),
        ("standard: standard", "taught: distillation(teacher=sat_resnet50_silu)", "sat_resnet50_silu"),
        ("limit: 64", "limit: 64, device: 'cuda:9'", "this machine has"),
        ("limit: 64", "seed: 64", "cannot stand under train"),
        ("steps=1", "stepz=1", "Did you mean 'steps'"),
        ("fog(severity=1)", "fogg(severity=1)", "Did you mean 'fog'"),
        ("[digits]", "[digitz]", "Did you mean 'digits'"),
        ("standard: standard", "standard: standrad", "Did you mean 'standard'"),
        ("title: Small", "{", "is not YAML"),
        ("title: Small", "title: Small\nbaseline: other", "is not a row"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_before_any_work(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run_sweep(Sweep.parse(SMALL.replace(old, new), "small"), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [UsageError("What.", "So."), MissingExtra("ray", "ray")])
def test_an_error_comes_back_from_another_process_as_it_was(error: RobustEvalError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error) and again.hint


def test_the_command_needs_a_file_that_exists(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["sweep", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2 and "none.yaml does not exist" in done.stderr.replace("\n", "")
