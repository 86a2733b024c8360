"""Shape bias, trials of model-vs-human and error consistency: against raw counts and independent references."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from typer.testing import CliRunner

from outcome_tables import cell, item, table
from robustbench_eff.benchmarks.definitions.cue_conflict import categories, stimulus
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.cue_conflict import ShapeTextureCounts, cue_conflict_scores, decisions
from robustbench_eff.scores.observers import consistency_scores, counted, observer_scores
from robustbench_eff.scores.trials import read_trials
from robustbench_eff.storage.store import Store

CAT, DOG, CAR = (categories().index(name) for name in ("cat", "dog", "car"))
HEADER = "subj,session,trial,rt,object_response,category,condition,imagename\n"


def test_stated_biases_follow_from_their_counts() -> None:
    references = json.loads((files("robustbench_eff") / "facts" / "references.json").read_text())["shape_bias"]
    assert references["observers"]["humans"] == {"shape": 9236, "texture": 398, "stated": 95.87}
    for name, counts in references["observers"].items():
        bias = ShapeTextureCounts(shape=counts["shape"], texture=counts["texture"], trials=1200).shape_bias
        assert round(100 * bias, 2) == counts["stated"], name
    assert ShapeTextureCounts(shape=0, texture=0, trials=5).shape_bias is None


def test_trials_without_conflict_are_left_out() -> None:
    shapes, textures = np.array([CAT, CAT, DOG, DOG, CAR]), np.array([DOG, CAT, CAR, CAR, CAT])
    found = decisions(shapes, textures, np.array([CAT, CAT, CAR, CAT, CAT]))
    assert (found.shape, found.texture, found.trials) == (1, 2, 4)


def conflicts() -> CellOutcomes:
    """Five stimuli, one of them without conflict, as a model answered them."""
    names = ["cat1-dog2", "cat2-cat1", "dog1-car1", "dog2-car1", "car3-cat1"]
    outcomes = table(
        5,
        sample_id=[f"{name.split('1')[0].split('2')[0].split('3')[0]}/{name}.png" for name in names],
        label=[CAT, CAT, DOG, DOG, CAR],
        texture=[DOG, CAT, CAR, CAR, CAT],
        prediction=[CAT, CAT, CAR, CAT, CAT],
        correct=[True, True, False, False, False],
    )
    return item(cell(5, benchmark="cue-conflict"), outcomes)


def test_scores_of_a_cell_by_hand() -> None:
    scores = {score.metric: score for score in cue_conflict_scores(conflicts())}
    bias = scores["shape_bias"]
    assert (bias.value, bias.n, (bias.low, bias.high)) == (1 / 3, 3, proportion_interval(1, 3))
    assert (scores["shape_decisions"].value, scores["texture_decisions"].value) == (1 / 4, 2 / 4)
    assert scores["shape_decisions"].n == 4
    by_class = {name: scores[f"shape_bias of {name}"] for name in ("cat", "dog", "car")}
    assert [(score.value, score.n) for score in by_class.values()] == [(1.0, 1), (0.0, 1), (0.0, 1)]


@pytest.fixture
def observers(shared: Path):
    return read_trials(shared / "cue-conflict-csv.tgz")


@pytest.mark.shared
def test_raw_trials_give_the_published_counts(shared: Path, observers) -> None:
    golden = json.loads((shared.parent / "facts" / "cue_conflict_golden.json").read_text())
    ours = {}
    for observer in observers:
        found = counted([*observer.trials.values()])
        ours[observer.name] = (found.shape, found.texture, found.trials, len(observer.trials) - found.trials)
    theirs = {tuple(row[key] for key in ("shape", "texture", "n_conflict", "n_same")) for row in golden.values()}
    assert len(ours) == 26
    on_stylized_imagenet = {(488, 161), (551, 163), (467, 124)}  # AlexNet, VGG-16, SqueezeNet1.1
    assert {counts[:2] for counts in set(ours.values()) - theirs} == on_stylized_imagenet
    for number in range(1, 11):
        row = golden[f"human/subject-{number:02d}"]
        assert ours[f"subject-{number:02d}"] == (row["shape"], row["texture"], 1200, 80)
    shown = {score.model: score for score in observer_scores(observers, "here") if score.metric == "shape_bias"}
    people = shown["humans (10)"]
    assert (round(people.value * people.n), people.n) == (9236, 9634)
    assert people.value == pytest.approx(0.9587, abs=5e-5)
    assert people.low < people.value < people.high
    assert round(100 * shown["resnet50"].value, 2) == 22.07
    assert round(100 * shown["googlenet"].value, 2) == 31.19
    assert round(100 * shown["vgg"].value, 2) == 17.22
    alexnets = [100 * score.value for name, score in shown.items() if name.startswith("alexnet (")]
    assert sorted(round(value, 2) for value in alexnets) == [25.31, 42.94]


@pytest.mark.shared
def test_consistency_with_people_is_the_mean_of_kappas(observers) -> None:
    resnet = next(observer for observer in observers if observer.name == "resnet50")
    stimuli = sorted(resnet.trials)[:300]
    index = {name: number for number, name in enumerate(categories())}
    rows = [resnet.trials[key] for key in stimuli]
    outcomes = table(
        300,
        sample_id=[f"{key}.png" for key in stimuli],
        label=[index[row.shape] for row in rows],
        texture=[index[row.texture] for row in rows],
        prediction=[index[row.response] for row in rows],
    )
    (score,) = consistency_scores({"id": item(cell(300, benchmark="cue-conflict"), outcomes)}, observers, "here")
    mine = [row.response == row.shape for row in rows]
    people = [observer for observer in observers if observer.is_human]
    kappas = [
        cohen_kappa_score(mine, [person.trials[key].response == person.trials[key].shape for key in stimuli])
        for person in people
    ]
    assert score.value == pytest.approx(np.mean(kappas), abs=1e-9)
    assert score.low < score.value < score.high
    assert (score.n, "10 people" in str(score.protocol)) == (300, True)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    conflict = conflicts()
    store = Store(tmp_path / "store")
    with store.lock():
        store.write_cell(replace(conflict.cell, id="abc"))
        store.write_shard("abc", conflict.outcomes)
    return Path(store.place)


def test_what_is_written_as_trials_reads_back_as_the_same_answers(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "trials"
    assert CliRunner().invoke(app, ["trials", str(store), "--out", str(out)]).exit_code == 0
    (path,) = out.glob("cue-conflict_model_*_session-1.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["imagename"] for row in rows] == [
        f"{n}.png" for n in ("cat1-dog2", "cat2-cat1", "dog1-car1", "dog2-car1", "car3-cat1")
    ]
    assert (rows[0]["category"], rows[0]["object_response"], rows[0]["rt"]) == ("cat", "cat", "NaN")
    (observer,) = read_trials(path)
    found = counted([*observer.trials.values()])
    assert (found.shape, found.texture, found.trials) == (1, 2, 4)
    printed = CliRunner().invoke(app, ["score", str(store), "--trials", str(out), "--json"])
    biases = [score for score in json.loads(printed.output)["scores"] if score["metric"] == "shape_bias"]
    assert [score["value"] for score in biases] == [1 / 3, 1 / 3]


def test_people_are_compared_with_the_models_of_a_store(store: Path, tmp_path: Path) -> None:
    answers = [
        ("cat1-dog2", "cat"),
        ("cat2-cat1", "cat"),
        ("dog1-car1", "dog"),
        ("dog2-car1", "car"),
        ("car3-cat1", "na"),
    ]
    for person, shift in (("subject-01", 0), ("subject-02", 1)):
        lines = [
            f"{person},1,{row},0.5,{answer if row > shift else 'oven'},{name[:3]},0,0001_s5n_x_0_cat_00_{name}.png\n"
            for row, (name, answer) in enumerate(answers)
        ]
        (tmp_path / f"{person}.csv").write_text(HEADER + "".join(lines))
    printed = CliRunner().invoke(app, ["score", str(store), "--trials", str(tmp_path), "--json"])
    found = [one for one in json.loads(printed.output)["scores"] if one["metric"] == "error_consistency"]
    mine = [True, True, False, False, False]
    theirs = [[False, True, True, False, False], [False, False, True, False, False]]
    between = cohen_kappa_score(*theirs)
    assert {one["model"]: one["value"] for one in found} == {
        "model": pytest.approx(np.mean([cohen_kappa_score(mine, of_one) for of_one in theirs])),
        "humans (2)": pytest.approx(between),
    }
    words = ["score", str(store), "--trials", str(tmp_path)]
    shown = CliRunner().invoke(app, words, env={"COLUMNS": "160"})
    assert "κ with people" in shown.output
    assert f"{between:.3f}" in shown.output
    assert "κ of humans is between people" in shown.output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", "lacks the column subj, session"),
        (HEADER + "x,1,1,NaN,cat,cat,0,picture.png\n", "picture.png does not say which shape and texture"),
        (HEADER + "x,1,1,NaN,cat,cat,0,cat1-dog1.png\n" * 2, "x answers cat1-dog1 twice"),
        (HEADER + "x,1,1\n", "line 2: not as many values as there are columns"),
        (HEADER, "does not hold trials"),
    ],
)
def test_other_files_are_no_trials(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "file.csv").write_text(content)
    with pytest.raises(UsageError, match=words):
        read_trials(tmp_path / "file.csv")


def test_files_that_cannot_be_read_are_said(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + "x,1,1,NaN,Bär,cat,0,cat1-dog1.png\n".encode("latin1"))
    (tmp_path / "cut.tgz").write_bytes((shared / "cue-conflict-csv.tgz").read_bytes()[:40_000])
    for name in ("latin.csv", "cut.tgz"):
        with pytest.raises(UsageError, match=r"cannot be read|is not text in UTF-8"):
            read_trials(tmp_path / name)


def test_two_samples_of_one_stimulus_are_no_trials(tmp_path: Path) -> None:
    outcomes = table(2, sample_id=["a/cat1-dog1.png", "b/cat1-dog1.png"], label=[CAT] * 2, texture=[DOG] * 2)
    store = Store(tmp_path / "store")
    with store.lock():
        store.write_cell(cell(2, benchmark="cue-conflict", id="abc"))
        store.write_shard("abc", outcomes)
    result = CliRunner().invoke(app, ["trials", str(Path(store.place)), "--out", str(tmp_path / "out")])
    assert (result.exit_code, "holds cat1-dog1 twice" in result.output) == (2, True)


def test_sets_of_other_classes_and_unfinished_ones_are_shown_as_what_they_are(tmp_path: Path) -> None:
    """Classes of a set of one's own are numbers, whatever it is called; two sets of one name are two rows."""
    store = Store(tmp_path / "store")
    with store.lock():
        for number, (name, samples) in enumerate((("cue-conflict-mine", 4), ("mine", 4), ("mine", 6))):
            store.write_cell(cell(samples, benchmark=name, data=str(number), id=f"cell{number}"))
            outcomes = table(4, label=[300, 300, 2, 2], texture=[2, 2, 300, 300], prediction=[300, 2, 2, 2])
            store.write_shard(f"cell{number}", outcomes)
    found = json.loads(CliRunner().invoke(app, ["score", str(Path(store.place)), "--json"]).output)["scores"]
    assert {one["metric"] for one in found if " of " in one["metric"]} == {"shape_bias of 2", "shape_bias of 300"}
    shown = CliRunner().invoke(app, ["score", str(Path(store.place))], env={"COLUMNS": "160"}).output
    assert shown.count("75.0 [") == 3 * 2, "bias and shapes named, of each"
    assert "incomplete: 4 of 6" in shown


def test_a_place_without_trials_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not hold CSV files"):
        read_trials(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        read_trials(tmp_path / "nothing")
    result = CliRunner().invoke(app, ["trials", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2


def test_sessions_are_joined_and_twins_told_apart(tmp_path: Path) -> None:
    row = "{},1,1,NaN,cat,cat,0,{}.png\n"
    for name, who, image in (("a", "one", "cat1-dog1"), ("b", "one", "cat2-dog1"), ("c", "one", "cat1-dog1")):
        (tmp_path / f"{name}.csv").write_text(HEADER + row.format(who, image))
    found = {observer.name: len(observer.trials) for observer in read_trials(tmp_path)}
    assert found == {"one (a)": 2, "one (c)": 1}


def test_a_stimulus_is_known_whoever_named_the_file() -> None:
    for name in ("cat4-truck3.png", "cat/cat4-truck3.png", "0003_s5n_s10_0_cat_00_cat4-truck3.png"):
        assert stimulus(name) == "cat4-truck3"
    assert stimulus("7/712-as-3.png") == "7/712-as-3.png"
