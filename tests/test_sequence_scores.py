"""Flip probability and top-5 distance against the definition, video by video, and how a run stores what they need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.stats import rankdata

import outcome_tables
from outcome_tables import item
from robustbench_eff.core.errors import UsageError
from robustbench_eff.evaluation.evaluate import evaluate
from robustbench_eff.registry.perturbation_sets import SEQUENCE_SETS
from robustbench_eff.scores.alexnet import measured, published
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.score_function import ScoreContext
from robustbench_eff.scores.sequences import (
    flip_probability,
    mean_sequence_scores,
    sequence_scores,
    top5_distance,
)
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

CLASSES, FRAMES, VIDEOS = 12, 31, 9


@pytest.fixture(scope="module")
def logits() -> np.ndarray:
    """Videos whose frames resemble each other, with ties."""
    random = np.random.default_rng(0)
    steps = random.integers(-1, 2, size=(VIDEOS, FRAMES, CLASSES)).cumsum(1)
    return steps.astype(float)


def ranked(logits: np.ndarray) -> np.ndarray:
    return np.argsort(-logits, axis=-1, kind="stable")[..., :5]


def compared(frames: np.ndarray, *, noise: bool, difficulty: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pairs of the authors' loop: each of `difficulty` interleaved videos on its own, or all with the first."""
    pairs = []
    for start in range(1 if noise else difficulty):
        part = frames[start :: 1 if noise else difficulty]
        for number in range(1, len(part)):
            pairs.append((part[0] if noise else part[number - 1], part[number]))
    return pairs


def distance(before: np.ndarray, after: np.ndarray) -> int:
    """The paper's: summed over the five best, how many of the places 1 to 5 lie between the old and the new rank."""
    old, new = (rankdata(-frame, method="ordinal").astype(int) for frame in (before, after))
    total = 0
    for rank in range(1, 6):
        now = new[list(old).index(rank)]
        total += sum(1 for place in range(min(now, rank) + 1, max(now, rank) + 1) if 1 <= place - 1 <= 5)
    return total


@pytest.mark.parametrize(("noise", "difficulty"), [(True, 1), (False, 1), (False, 2), (False, 3)])
def test_stability_is_what_a_loop_over_the_definition_gives(logits: np.ndarray, noise: bool, difficulty: int) -> None:
    flips = flip_probability(ranked(logits), with_first=noise, difficulty=difficulty)
    moves = top5_distance(ranked(logits), with_first=noise, difficulty=difficulty)
    for video, frames in enumerate(logits):
        pairs = compared(frames, noise=noise, difficulty=difficulty)
        assert flips[video] == pytest.approx(np.mean([a.argmax() != b.argmax() for a, b in pairs]), abs=1e-15)
        assert moves[video] == pytest.approx(np.mean([distance(a, b) for a, b in pairs]), abs=1e-12)
    assert 0.1 < flips.mean() < 0.95


def cell(name: str, difficulty: int = 1, benchmark: str = "imagenet-p-generated") -> StoredCell:
    noise = "noise" in name
    configuration = {
        "sequence": f"{name}_sequence",
        "difficulty": difficulty,
        "constants": "imagenet",
        "frames": FRAMES,
        "compared_with": "first" if noise else "previous",
    }
    return outcome_tables.cell(VIDEOS, f"{name}_sequence", benchmark=benchmark, configuration=configuration)


def outcomes(logits: np.ndarray) -> pa.Table:
    rankings = ranked(logits).reshape(len(logits), -1).tolist()
    return pa.table(
        {
            "ranking": pa.array(rankings, pa.list_(pa.int32())),
            "correct": [True] * len(logits),
            "flag": [""] * len(logits),
            "note": [""] * len(logits),
        }
    )


def test_the_mean_flip_rate_is_relative_to_alexnet(logits: np.ndarray) -> None:
    cells = [item(cell(name), outcomes(logits)) for name in SEQUENCE_SETS["imagenet_p"].names]
    scores = {score.metric: score for score in mean_sequence_scores(cells, ScoreContext())}
    with_first, apart = (
        flip_probability(ranked(logits), with_first=True).mean(),
        flip_probability(ranked(logits)).mean(),
    )
    of = {name: with_first if "noise" in name else apart for name in SEQUENCE_SETS["imagenet_p"].names}
    alexnets = published().flip_probabilities
    assert scores["mFR"].value == pytest.approx(np.mean([of[name] / alexnets[name] for name in of]))
    assert scores["mFR"].flags == ("AlexNet's flip probabilities are unverified",)
    assert scores["mean_flip_probability"].value == pytest.approx(np.mean([*of.values()]))
    assert scores["mean_flip_probability"].flags == ()
    assert "mT5D" not in scores, "nobody has published AlexNet's distances"
    assert "mean_flip_probability_difficulty_2" not in scores, "noise of difficulty 2 is missing"
    assert mean_sequence_scores(cells[1:], ScoreContext()) == []


def test_a_users_alexnet_replaces_the_unverified_one(logits: np.ndarray, tmp_path: Path) -> None:
    figures = {
        "imagenet_p": {
            key: dict.fromkeys(SEQUENCE_SETS["imagenet_p"].names, 0.5) for key in ("flip_probability", "top5_distance")
        }
    }
    (tmp_path / "alexnet.json").write_text(json.dumps(figures))
    alexnet = measured(tmp_path / "alexnet.json")
    cells = [item(cell(name), outcomes(logits)) for name in SEQUENCE_SETS["imagenet_p"].names]
    scores = {score.metric: score for score in mean_sequence_scores(cells, ScoreContext(alexnet=alexnet))}
    assert scores["mFR"].value == pytest.approx(2 * scores["mean_flip_probability"].value)
    assert scores["mT5D"].value == pytest.approx(2 * scores["mean_top5_distance"].value)
    assert scores["mFR"].flags == ()
    assert alexnet.errors == published().errors, "what the file does not hold is as published"


def write(path: Path, figures: object) -> Path:
    path.write_text(figures if isinstance(figures, str) else json.dumps(figures))
    return path


def test_figures_are_replaced_one_by_one(tmp_path: Path) -> None:
    fog, rotate = {"fog": [0.1, 0.2, 0.3, 0.4, 0.5]}, {"rotate": 0.2}
    figures = {"imagenet_c": {"per_severity": fog}, "imagenet_p": {"flip_probability": rotate}}
    alexnet = measured(write(tmp_path / "alexnet.json", figures))
    assert alexnet.errors == {**published().errors, "fog": pytest.approx(1.5)}
    assert alexnet.flip_probabilities == {**published().flip_probabilities, "rotate": 0.2}
    assert alexnet.flags == published().flags, "nine are as unverified as they were"


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ("[]", "AlexNet"),
        ("nothing", "is not JSON"),
        ({"imagenet": {}}, "unknown imagenet"),
        ({"imagenet_c": {"per_severity": 3}}, "AlexNet"),
        ({"imagenet_c": {"per_severity": {"fog": [0.5]}}}, "five fractions"),
        ({"imagenet_c": {"per_severity": {"fog": [50, 60, 70, 80, 90]}}}, "five fractions"),
        ({"imagenet_c": {"per_severity": {"fogg": [0.5] * 5}}}, "one of the 15"),
        ({"imagenet_c": {"clean_error": 43.5}}, "clean_error"),
        ({"imagenet_p": {"flip_probability": {"rotate": 13.1}}}, "rotate"),
        ({"imagenet_p": {"flip_probability": {"spin": 0.1}}}, "spin"),
        ({"imagenet_p": {"top5_distance": {"rotate": 1.5}}}, "all 10"),
    ],
)
def test_a_file_without_alexnet_is_refused(figures: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        measured(write(tmp_path / "alexnet.json", figures))
    assert "alexnet.json" in refused.value.message
    assert words in refused.value.message


def test_other_classes_are_not_compared_with_alexnet(logits: np.ndarray) -> None:
    cells = [item(cell(name, benchmark="mine"), outcomes(logits)) for name in SEQUENCE_SETS["imagenet_p"].names]
    assert "mFR" not in {score.metric for score in mean_sequence_scores(cells, ScoreContext())}


def test_noise_is_scored_at_its_own_difficulty(logits: np.ndarray) -> None:
    metrics = {score.metric for score in sequence_scores(item(cell("shot_noise", 2), outcomes(logits)))}
    assert metrics == {"accuracy_all_frames", "flip_probability_difficulty_2", "top5_distance_difficulty_2"}


def test_flags_of_a_noise_sequence_are_those_of_its_cell_at_that_difficulty(logits: np.ndarray) -> None:
    """A sequence that is compared with the first frame has a cell for every difficulty."""
    names = SEQUENCE_SETS["imagenet_p"].names
    cells = [item(cell(name), outcomes(logits)) for name in names if "noise" not in name]
    for difficulty in (1, 2, 3):
        for name in (name for name in names if "noise" in name):
            rows = outcomes(logits)
            if difficulty < 3 and name == "shot_noise":
                note = pa.array([f"of difficulty {difficulty}"] * len(logits))
                rows = rows.set_column(rows.column_names.index("note"), "note", note)
            cells.append(item(cell(name, difficulty), rows))
    cells.append(item(cell("gaussian_noise", 2), outcomes(logits)))
    scores = {score.metric: score.flags for score in mean_sequence_scores(cells, ScoreContext())}
    of_first = "of difficulty 1 (in 1 of 10 cells)"
    assert scores["mean_flip_probability"] == scores["mean_top5_distance"] == (of_first,)
    assert scores["mFR"][0] == of_first
    twice = "gaussian_noise 2 was read from several files, of which the last counts"
    assert scores["mean_flip_probability_difficulty_2"] == ("of difficulty 2 (in 1 of 10 cells)", twice)
    assert scores["mean_top5_distance_difficulty_3"] == ()


def test_a_run_stores_the_ranking_of_every_frame(tmp_path: Path) -> None:
    texts = ("translate_sequence(constants='cifar10')", "gaussian_noise_sequence(constants='cifar10')")
    options: dict[str, Any] = {"corruptions": texts, "limit": 12, "store": tmp_path / "whole"}
    result = evaluate("digits_standard", **options)
    store = Store(tmp_path / "whole")
    assert store_scores(store) == result.scores, "recomputed from the outcomes alone"
    for cell_id, found in store.cells().items():
        frames = found.configuration.get("frames", 0)
        table = store.outcomes(cell_id)
        assert set(pc.list_value_length(table["ranking"]).to_pylist()) == {5 * frames}
        if frames:
            first = np.array(table["ranking"].to_pylist())[:, ::5].reshape(12, frames)
            right = (first == table["label"].to_numpy()[:, None]).all(1)
            assert right.tolist() == table["correct"].to_pylist(), "right is who is right in every frame"
    again = evaluate("digits_standard", **(options | {"store": tmp_path / "parts", "shard_size": 5, "batch_size": 7}))
    assert [score.value for score in again.scores] == pytest.approx([score.value for score in result.scores], abs=1e-12)
