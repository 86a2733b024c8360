"""Corruption errors against section 4.2 of Hendrycks & Dietterich 2019, in loops over corruptions and severities."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from outcome_tables import cell, table
from reference_cases import Array
from robustbench_eff.scores import corruptions
from robustbench_eff.scores.alexnet import measured
from robustbench_eff.scores.score import Score
from scored_cells import Case, assert_same_from_disk, case, one, scored

CORRUPTIONS = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
)
SEVERITIES = (1, 2, 3, 4, 5)
ALEXNET = json.loads((files("robustbench_eff") / "facts" / "alexnet_normalisers.json").read_text())["imagenet_c"]
KINDS = ("random", "all right", "all wrong", "worse when clean", "duplicated samples", "harder when severe")
Right = Mapping[tuple[str, int], Array]
"""Which samples are right, or with votes the share that is, by corruption and severity."""


class Corrupted:
    """A model on all 75 sets of corrupted images."""

    def __init__(self, name: str, right: Right, clean: Array, *, votes: int = 0) -> None:
        """Make the cells; of `votes` each sample has so many, of which `right` says the share."""
        self.name, self.right, self.clean, self.votes = name, right, clean, votes

    def cases(self, without: tuple[str, int] | None = None, missing: int = 0) -> Iterator[Case]:
        for (corruption, severity), right in self.right.items():
            if (corruption, severity) == without:
                continue
            configuration: dict[str, Any] = {"corruption": corruption, "severity": severity, "constants": "imagenet"}
            given: dict[str, Any] = {"label": np.ones(len(right)), "clean_prediction": self.clean.astype(int)}
            if self.votes:
                configuration["votes_per_image"] = self.votes
                given["votes"] = [[vote < round(share * self.votes) for vote in range(self.votes)] for share in right]
            of = cell(len(right) + missing, f"{corruption}(severity={severity})", configuration=configuration)
            yield case(self.name, self.on_imagenet(of), table(len(right), correct=right > 0.5, **given))

    @staticmethod
    def on_imagenet(of: Any) -> Any:
        return type(of).from_record("", of.record() | {"benchmark": "imagenet-c"})

    def error(self, corruption: str, severity: int) -> float:
        return 1 - fmean(map(float, self.right[corruption, severity]))

    @property
    def clean_error(self) -> float:
        return fmean(not right for right in self.clean)


def corrupted(number: int, votes: int = 0) -> Corrupted:
    random, kind = np.random.default_rng(number), KINDS[number % len(KINDS)]
    n = (1, 2, 3, 12)[number % 4]
    right = {}
    for corruption in CORRUPTIONS:
        for severity in SEVERITIES:
            rate = 1 - severity / 6 if kind == "harder when severe" else random.random()
            drawn = random.binomial(votes or 1, rate, size=n) / (votes or 1)
            right[corruption, severity] = {"all right": np.ones(n), "all wrong": np.zeros(n)}.get(kind, drawn)
    clean = random.random(n) < (0.2 if kind == "worse when clean" else 0.9)
    if kind == "duplicated samples":
        same = random.integers(max(n // 2, 1), size=n)
        right, clean = {key: of[same] for key, of in right.items()}, clean[same]
    return Corrupted(f"{'voted' if votes else 'corrupted'} {number}", right, clean, votes=votes)


def corruption_error(model: Corrupted, corruption: str, alexnet: Mapping[str, Any] = ALEXNET) -> float:
    """CE_c = (sum_s E_{s,c}) / (sum_s E^AlexNet_{s,c})."""
    error, alexnets = 0.0, 0.0
    for severity in SEVERITIES:
        error += model.error(corruption, severity)
        alexnets += alexnet["per_severity"][corruption][severity - 1]
    return error / alexnets


def mean_corruption_error(model: Corrupted, alexnet: Mapping[str, Any] = ALEXNET) -> float:
    total = 0.0
    for corruption in CORRUPTIONS:
        total += corruption_error(model, corruption, alexnet)
    return total / len(CORRUPTIONS)


def relative_mean_corruption_error(model: Corrupted, alexnet: Mapping[str, Any] = ALEXNET) -> float:
    """The mean over c of (sum_s E_{s,c} - E_clean) / (sum_s E^AlexNet_{s,c} - E^AlexNet_clean)."""
    total = 0.0
    for corruption in CORRUPTIONS:
        added, alexnets = 0.0, 0.0
        for severity in SEVERITIES:
            added += model.error(corruption, severity) - model.clean_error
            alexnets += alexnet["per_severity"][corruption][severity - 1] - alexnet["clean_error"]
        total += added / alexnets
    return total / len(CORRUPTIONS)


def mean_accuracy(model: Corrupted, alexnet: Mapping[str, Any] = ALEXNET) -> float:
    return fmean(1 - model.error(corruption, severity) for corruption in CORRUPTIONS for severity in SEVERITIES)


REFERENCES = {
    "mCE": mean_corruption_error,
    "relative_mCE": relative_mean_corruption_error,
    "mean_accuracy": mean_accuracy,
}
MODELS = [corrupted(number) for number in range(12)] + [corrupted(number, votes=4) for number in range(4)]


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Score]]:
    return scored(of for model in MODELS for of in model.cases())


@pytest.mark.parametrize("metric", REFERENCES)
def test_means_over_corruptions_are_the_papers(metric: str, found: Mapping[str, list[Score]]) -> None:
    for model in MODELS:
        values = [s.value for s in found[model.name] if (s.metric, s.perturbation) == (metric, "imagenet_c")]
        if metric == "relative_mCE" and model.votes:
            assert values in ([], [None]), "the clean votes are unknown"
        else:
            assert values == [pytest.approx(REFERENCES[metric](model), abs=1e-9)], model.name


@pytest.mark.parametrize("metric", ["CE"])
def test_corruption_errors_are_the_papers(metric: str, found: Mapping[str, list[Score]]) -> None:
    for model in MODELS:
        for corruption in CORRUPTIONS:
            score = one(found[model.name], metric=metric, perturbation=corruption)
            assert score.value == pytest.approx(corruption_error(model, corruption), abs=1e-9)


def test_of_hundreds_of_models_the_functions_give_the_papers_numbers() -> None:
    """Of numbers of models, and of samples, whose mean is that of the model."""
    for model in map(corrupted, range(100, 300)):
        rows = {name: np.stack([model.right[name, severity] for severity in SEVERITIES]) for name in CORRUPTIONS}
        sums = {name: (1 - right).sum(axis=0) for name, right in rows.items()}
        means = {name: float(of.mean()) for name, of in sums.items()}
        expected = mean_corruption_error(model)
        assert corruptions.mean_corruption_error(means) == pytest.approx(expected)
        assert corruptions.mean_corruption_error(sums).mean() == pytest.approx(expected)
        expected = relative_mean_corruption_error(model)
        assert corruptions.relative_mean_corruption_error(means, model.clean_error) == pytest.approx(expected)
        assert corruptions.relative_mean_corruption_error(sums, ~model.clean).mean() == pytest.approx(expected)


def test_a_measured_alexnet_takes_the_place_of_the_published_one(tmp_path: Path) -> None:
    random = np.random.default_rng(40)
    drawn = {name: random.uniform(0.5, 0.99, size=5).tolist() for name in CORRUPTIONS}
    alexnet = {"clean_error": 0.4, "per_severity": drawn}
    (tmp_path / "alexnet.json").write_text(json.dumps({"imagenet_c": alexnet}))
    for model in MODELS[:6]:
        scores = scored(model.cases(), alexnet=measured(tmp_path / "alexnet.json"))[model.name]
        for metric, reference in REFERENCES.items():
            score = one(scores, metric=metric, perturbation="imagenet_c")
            assert score.value == pytest.approx(reference(model, alexnet), abs=1e-9)


@pytest.mark.parametrize("missing", ["a cell", "samples"])
def test_without_one_cell_there_is_no_mean(missing: str) -> None:
    for model in MODELS[3:5]:
        if missing == "a cell":
            cases = list(model.cases(without=("snow", 4)))
        else:
            cases = [*list(model.cases())[:-1], list(model.cases(missing=1))[-1]]
        scores = scored(cases)[model.name]
        assert not any(score.metric in ("mCE", "relative_mCE") and score.value is not None for score in scores)
        cells = [score for score in scores if score.metric == "accuracy"]
        assert len(cells) == (74 if missing == "a cell" else 75)


def test_a_store_gives_the_same(tmp_path: Path) -> None:
    assert_same_from_disk(tmp_path, MODELS[3].cases())
