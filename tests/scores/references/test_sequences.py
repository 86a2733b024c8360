"""Flips and moves of the best classes against section 4.3 of Hendrycks & Dietterich 2019, in loops over frames."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from itertools import permutations, product
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from outcome_tables import cell, table
from reference_cases import Array
from robustbench_eff.core.metric import METRICS
from robustbench_eff.scores.alexnet import MAX_TOP5_DISTANCE, AlexNet, published
from robustbench_eff.scores.score import Score
from scored_cells import Case, assert_same_from_disk, case, one, scored

SEQUENCES = (
    *("gaussian_noise", "shot_noise", "motion_blur", "zoom_blur", "snow"),
    *("brightness", "translate", "rotate", "tilt", "scale"),
)
BEST = 5


def logits_of(random: np.random.Generator, kind: str, videos: int, frames: int, classes: int) -> Array:
    """Logits without ties, shape (videos, frames, classes)."""
    steps = random.normal(size=(videos, frames, classes))
    if kind == "constant":
        steps[:, 1:] = 0
    if kind == "duplicated videos":
        steps = steps[random.integers(max(videos // 2, 1), size=videos)]
    return steps if kind == "unrelated frames" else steps.cumsum(axis=1)


def best(logits: Array) -> list[list[int]]:
    """What a store holds of every video: its five best classes, frame after frame."""
    return [[int(c) for frame in video for c in np.argsort(-frame, kind="stable")[:BEST]] for video in logits]


def compared(video: Array, noise: bool, difficulty: int) -> Iterator[tuple[Array, Array]]:
    """Frames of noise with the first one; others with the one before, at a difficulty every so-manieth frame."""
    if noise:
        for later in range(1, len(video)):
            yield video[0], video[later]
        return
    for start in range(difficulty):
        for later in range(start + difficulty, len(video), difficulty):
            yield video[later - difficulty], video[later]


def flipped(before: Array, after: Array) -> float:
    return float(max(range(len(before)), key=lambda c: before[c]) != max(range(len(after)), key=lambda c: after[c]))


def moved(before: Array, after: Array) -> float:
    """d(tau, tau') = sum_{i=1}^{5} sum_{j=min(i, sigma(i))+1}^{max(i, sigma(i))} 1(1 <= j - 1 <= 5)."""
    ranking = {c: rank for rank, c in enumerate(sorted(range(len(after)), key=lambda c: -after[c]), 1)}
    total = 0
    for i, c in enumerate(sorted(range(len(before)), key=lambda c: -before[c])[:BEST], 1):
        for j in range(min(i, ranking[c]) + 1, max(i, ranking[c]) + 1):
            total += 1 <= j - 1 <= BEST
    return float(total)


def over_videos(measure: Any, logits: Array, noise: bool, difficulty: int) -> float:
    return fmean(fmean(measure(*pair) for pair in compared(video, noise, difficulty)) for video in logits)


class Filmed:
    """One sequence with its logits, and the cell that holds it."""

    def __init__(self, name: str, logits: Array, *, sequence: str, difficulty: int = 1, missing: int = 0) -> None:
        self.logits, self.noise, self.difficulty = logits, "noise" in sequence, difficulty
        videos, frames, _ = logits.shape
        configuration = {
            "sequence": f"{sequence}_sequence",
            "difficulty": difficulty,
            "constants": "imagenet",
            "frames": frames,
            "compared_with": "first" if self.noise else "previous",
        }
        text = f"{sequence}_sequence(difficulty={difficulty})"
        of = cell(videos + missing, text, benchmark="imagenet-p-generated", configuration=configuration)
        self.right = [bool((video.argmax(axis=1) == 0).all()) for video in logits]
        self.case: Case = case(name, of, table(videos, ranking=best(logits), correct=self.right))


KINDS = ("steps", "unrelated frames", "constant", "duplicated videos")


def filmed() -> Iterator[Filmed]:
    """Of one video and of many, short and long, of few and of many classes, every other one unfinished."""
    random = np.random.default_rng(30)
    for number, (kind, videos, frames, classes) in enumerate(product(KINDS, (1, 2, 9), (4, 13), (3, 5, 6, 12))):
        sequence = ("rotate", "shot_noise")[number % 3 == 0]
        logits = logits_of(random, kind, videos, frames, classes)
        difficulty = int(random.integers(1, 4)) if "noise" in sequence else 1
        yield Filmed(f"film {number}", logits, sequence=sequence, difficulty=difficulty, missing=number % 2)


FILMED = list(filmed())


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Score]]:
    return scored(of.case for of in FILMED)


MEASURES = {"flip_probability": flipped, "top5_distance": moved}


@pytest.mark.parametrize("metric", MEASURES)
def test_stability_is_the_papers(metric: str, found: Mapping[str, list[Score]]) -> None:
    for of in FILMED:
        for difficulty in (of.difficulty,) if of.noise else (1, 2, 3):
            name = metric if difficulty == 1 else f"{metric}_difficulty_{difficulty}"
            scores = [score for score in found[of.case.model] if score.metric == name]
            if metric == "top5_distance" and of.logits.shape[2] < BEST:
                assert scores == []
            else:
                expected = over_videos(MEASURES[metric], of.logits, of.noise, difficulty)
                assert [score.value for score in scores] == [pytest.approx(expected, abs=1e-12)], of.case.model


@pytest.mark.parametrize("metric", ["accuracy_all_frames"])
def test_a_video_counts_if_all_its_frames_are_right(metric: str, found: Mapping[str, list[Score]]) -> None:
    for of in FILMED:
        assert one(found[of.case.model], metric=metric).value == pytest.approx(fmean(of.right))


def ten_sequences(number: int, random: np.random.Generator) -> list[Filmed]:
    """All sequences of one model on the same videos; noise at every difficulty."""
    kind, videos, classes = KINDS[number % len(KINDS)], int(random.choice([1, 2, 6])), int(random.choice([5, 12]))
    return [
        Filmed(
            f"ten {number}",
            logits_of(random, kind, videos, 7, classes),
            sequence=name,
            difficulty=difficulty,
        )
        for name in SEQUENCES
        for difficulty in ((1, 2, 3) if "noise" in name else (1,))
    ]


def alexnets() -> AlexNet:
    """The published flip probabilities, and distances that are unknown, so that they are drawn."""
    random = np.random.default_rng(31)
    return replace(published(), top5_distances={name: float(random.uniform(1, 9)) for name in SEQUENCES})


def mean_of(measure: Any, films: list[Filmed], difficulty: int, figures: Mapping[str, float] | None = None) -> float:
    """The mean over sequences, each divided by AlexNet's figure if there is one."""
    total = 0.0
    for name in SEQUENCES:
        (film,) = (
            film
            for film in films
            if film.case.cell.sequence == name and (not film.noise or film.difficulty == difficulty)
        )
        total += over_videos(measure, film.logits, film.noise, difficulty) / (figures[name] if figures else 1.0)
    return total / len(SEQUENCES)


@pytest.fixture(scope="module")
def of_ten() -> list[tuple[list[Filmed], list[Score]]]:
    random = np.random.default_rng(32)
    films = [ten_sequences(number, random) for number in range(12)]
    found = scored((film.case for of in films for film in of), alexnet=alexnets())
    return [(of, found[of[0].case.model]) for of in films]


@pytest.mark.parametrize("metric", ["mean_flip_probability", "mean_top5_distance"])
def test_means_over_ten_sequences(metric: str, of_ten: list[tuple[list[Filmed], list[Score]]]) -> None:
    measure = MEASURES[metric.removeprefix("mean_")]
    for films, scores in of_ten:
        for difficulty in (1, 2, 3):
            name = metric if difficulty == 1 else f"{metric}_difficulty_{difficulty}"
            score = one(scores, metric=name, perturbation="imagenet_p")
            assert score.value == pytest.approx(mean_of(measure, films, difficulty))


@pytest.mark.parametrize("metric", ["mFR", "mT5D"])
def test_rates_are_relative_to_alexnet(metric: str, of_ten: list[tuple[list[Filmed], list[Score]]]) -> None:
    shipped = json.loads((files("robustbench_eff") / "facts" / "alexnet_normalisers.json").read_text())
    figures = {"mFR": shipped["imagenet_p"]["flip_probability"], "mT5D": alexnets().top5_distances}[metric]
    measure = {"mFR": flipped, "mT5D": moved}[metric]
    for films, scores in of_ten:
        expected = mean_of(measure, films, 1, figures)
        assert one(scores, metric=metric).value == pytest.approx(expected)


def test_the_largest_distance_is_that_of_all_rankings_and_a_score_may_have_it() -> None:
    """Not that of rankings without a class in common: 15."""
    before = -np.arange(10.0)
    rankings = [np.array(of) for of in permutations(range(10), BEST)]
    after = np.full((len(rankings), 10), -9.0)
    for logits, ranking in zip(after, rankings, strict=True):
        logits[ranking] = -np.arange(BEST)
    most = max(moved(before, logits) for logits in after[::7])
    assert most == MAX_TOP5_DISTANCE == METRICS["top5_distance"].high == METRICS["mean_top5_distance"].high
    farthest = next(logits for logits in after if moved(before, logits) == most)
    film = Filmed("farthest", np.stack([before, *[farthest] * 3])[None], sequence="shot_noise")
    score = one(scored([film.case])["farthest"], metric="top5_distance")
    assert (score.value, score.high) == pytest.approx((most, most))


def test_without_one_of_the_ten_there_is_no_mean(of_ten: list[tuple[list[Filmed], list[Score]]]) -> None:
    films, _ = of_ten[2]
    for left_out in (0, 3, len(films) - 1):
        part = [film.case for number, film in enumerate(films) if number != left_out]
        scores = scored(part, alexnet=alexnets())[films[0].case.model]
        assert not any(score.value is not None and score.metric in ("mFR", "mT5D") for score in scores)


def test_without_rows_there_is_no_stability() -> None:
    for of in FILMED[:2]:
        scores = scored([of.case._replace(outcomes=of.case.outcomes[:0])])[of.case.model]
        assert scores and {score.value for score in scores} == {None}


def test_a_store_gives_the_same(tmp_path: Path) -> None:
    assert_same_from_disk(tmp_path, [of.case for of in FILMED[::25]])
