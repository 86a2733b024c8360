"""Networks that draw at random end at their expected accuracy, with a flag; nothing changes for those that do not."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from random_networks import KINDS, Drawing, noisy
from robustbench_eff import Settings, evaluate, load_classifier
from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.evaluation.device_runtime import DeviceRuntime
from robustbench_eff.evaluation.referee import judge
from robustbench_eff.evaluation.votes import ask, votes_for
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.scores.score import Score
from robustbench_eff.storage.store import Store

EPS = 24 / 255


def loaded(model: nn.Module) -> Classifier:
    return load_classifier(model, input_size=32)


def digits(samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    settings = Settings(benchmarks=["digits"], limit=samples, attacks=["fgsm"])
    runtime = DeviceRuntime([load_classifier("digits_standard")], settings, "cpu")
    runtime.plan()
    return runtime._runtime(0).images.batch(0, samples)


def scored(model: nn.Module, folder: Path, **options: object) -> dict[tuple[str, str], Score]:
    result = evaluate(loaded(model), benchmarks=["digits"], store=folder / "store", **options)
    return {(score.perturbation, score.metric): score for score in result.scores}


@torch.no_grad()
def accuracy_by_loop(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, draws: int) -> float:
    return float(torch.stack([(model(images).argmax(1) == labels).double().mean() for _ in range(draws)]).mean())


def attacked_by_loop(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int) -> torch.Tensor:
    """PGD as in Madry et al. with gradients averaged over 40 draws, written without the package."""
    point = (images + EPS * (2 * torch.rand_like(images) - 1)).clamp(0, 1)
    for _ in range(steps):
        total = torch.zeros_like(images)
        for _ in range(40):
            pixels = point.clone().requires_grad_(True)
            nn.functional.cross_entropy(model(pixels), labels, reduction="sum").backward()
            assert pixels.grad is not None
            total += pixels.grad
        point = (point + EPS / 4 * total.sign()).clamp(images - EPS, images + EPS).clamp(0, 1)
    return point


@pytest.mark.slow
def test_pgd_without_options_ends_at_the_truth(tmp_path: Path) -> None:
    """Noise of 0.35: one lucky draw at each step and a single vote gave 48.4 %."""
    model, (images, labels) = noisy(0.35), digits(64)
    clean = accuracy_by_loop(model, images, labels, 1000)
    robust = accuracy_by_loop(model, attacked_by_loop(model, images, labels, 10), labels, 500)
    assert 0.82 < clean < 0.87
    assert robust < 0.005
    scores = scored(model, tmp_path, limit=64, attacks=["pgd(eps=24/255)"])
    found = scores["pgd(eps=24/255)", "robust_accuracy"]
    assert scores["none", "accuracy"].value == pytest.approx(clean, abs=0.01)
    assert found.value == pytest.approx(robust, abs=0.01)
    assert found.flags == ("draws at random: 32 draws per gradient, 151 votes per image",)
    assert scores["none", "accuracy"].flags == ("draws at random: 151 votes per image",)


def test_scores_are_means_of_the_stored_votes_and_a_rerun_repeats_them(tmp_path: Path) -> None:
    options = {"limit": 12, "attacks": ["pgd(eps=24/255, steps=2)"], "votes": 21}
    scores = scored(noisy(0.35), tmp_path / "a", **options)
    again = scored(noisy(0.35), tmp_path / "b", **options)
    assert {key: score.value for key, score in scores.items()} == {key: score.value for key, score in again.items()}
    store = Store.existing(tmp_path / "a" / "store")
    for cell in store.cells().values():
        outcomes = store.outcomes(cell.id)
        votes = np.array(outcomes["votes"].to_pylist())
        assert votes.shape == (12, 21)
        metric = "accuracy" if cell.kind == "none" else "robust_accuracy"
        score, strict = (scores[cell.perturbation, name] for name in (metric, f"{metric}_every_vote"))
        assert score.value == pytest.approx(votes.mean())
        assert (score.low, score.high) == pytest.approx(proportion_interval(votes.mean() * 12, 12))
        assert strict.value == votes.all(axis=1).mean()
        right = (votes.mean(axis=1) > 0.5) & (np.array(outcomes["clean_prediction"]) == np.array(outcomes["label"]))
        assert outcomes["correct"].to_pylist() == right.tolist()
        assert cell.configuration["votes_per_image"] == 21
        assert ("draws_per_gradient" in cell.configuration) == (cell.kind == "attack")


@pytest.mark.parametrize("kind", ["one of two members", "a generator of its own"])
def test_clean_accuracy_is_the_mean_over_draws_also_where_a_batch_shares_them(tmp_path: Path, kind: str) -> None:
    model, (images, labels) = KINDS[kind][0](), digits(8)
    expected = accuracy_by_loop(model, images, labels, 1000)
    scores = scored(model, tmp_path, limit=8, votes=400, attacks=["fgsm(eps=1/255)"])
    assert scores["none", "accuracy"].value == pytest.approx(expected, abs=0.04)


def test_a_batch_that_shares_its_draws_is_judged_image_by_image() -> None:
    sizes: list[int] = []

    def member(_: Drawing, images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        return images if random.random() < 0.5 else images.flip(3)

    classifier, images, labels = loaded(Drawing(member).eval()), torch.rand(3, 3, 32, 32), torch.zeros(3).long()
    sizes.clear()
    verdict = judge(classifier, images, labels, images, None, Batches(8), votes=5)
    assert set(sizes) == {1}
    assert np.array(verdict.votes).shape == (3, 5)


def test_the_prediction_is_the_most_frequent_one_and_confidences_are_means() -> None:
    answers = iter(torch.tensor([[[2.0, 0, 0]], [[0, 2.0, 0]], [[0, 3.0, 0]]]))
    found = ask(lambda _: next(answers), torch.zeros(1, 3, 2, 2), torch.tensor([0]), 3)
    probabilities = torch.tensor([[2.0, 0, 0], [0, 2.0, 0], [0, 3.0, 0]]).softmax(1).mean(0)
    assert found.prediction.tolist() == [1]
    assert found.right.tolist() == [[True, False, False]]
    assert found.correct.tolist() == [False]
    assert found.confidence.item() == pytest.approx(probabilities[0].item())
    assert found.prediction_confidence.item() == pytest.approx(probabilities[1].item())
    assert found.margin.item() == pytest.approx((2 - 2 - 3) / 3)


def test_draws_move_an_accuracy_by_at_most_a_point() -> None:
    assert [votes_for(samples) for samples in (5, 64, 1000, 50_000)] == [1000, 151, 10, 10]
    generator = np.random.default_rng(0)
    moved = generator.binomial(64 * votes_for(64), 0.5, size=20_000) / (64 * votes_for(64)) - 0.5
    assert 0.94 < (np.abs(moved) <= 0.01).mean() < 0.96


class Counting(nn.Module):
    """The shipped network, counting the images that pass."""

    def __init__(self) -> None:
        super().__init__()
        self.body = load_classifier("digits_standard")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        Counting.images += len(images)
        return self.body(images)

    images = 0


def test_a_deterministic_network_costs_no_further_pass(tmp_path: Path) -> None:
    classifier = loaded(Counting().eval())
    Counting.images = 0
    evaluate(
        classifier, benchmarks=["digits"], limit=40, attacks=["fgsm(eps=8/255)"], store=tmp_path, precision="float32"
    )
    store = Store.existing(tmp_path)
    clean, attacked = (store.outcomes(cell.id) for cell in store.cells().values())
    asked_twice, copied = 2 * 2, 4 + 4 + 4  # of the clean images every 32nd; the copy, made from noise, is compared
    right = sum(clean["correct"].to_pylist())
    judged = 40 + 40 + right  # clean, attacked, and attacked images in 8 bits
    checked = 4 * 8 + 2 * 8 + 2 * 8  # that answers depend on the image alone; images and noise, to recognise the model
    assert Counting.images == checked + asked_twice + copied + judged + sum(attacked["num_forwards"].to_pylist())
    assert {tuple(votes) for table in (clean, attacked) for votes in table["votes"].to_pylist()} == {()}
    assert not any("votes_per_image" in cell.configuration for cell in store.cells().values())


def test_noise_on_the_benchmark_s_images_only_is_refused_with_the_way_out(tmp_path: Path) -> None:
    bordered = loaded(Drawing(lambda _, x: x + np.random.rand() if (x == 0).any() else x).eval())
    assert not bordered.draws
    options = {"benchmarks": ["digits"], "limit": 8, "attacks": ["fgsm(eps=1/255)"], "store": tmp_path}
    with pytest.raises(ModelError, match="on some images only") as refused:
        evaluate(bordered, **options)
    assert "--votes 100" in str(refused.value.hint)
    for score in evaluate(bordered, votes=100, **options).scores:
        assert any(flag.endswith("100 votes per image") for flag in score.flags)


def test_noise_on_a_single_image_is_flagged_until_votes_judge_it(tmp_path: Path) -> None:
    total = digits(33)[0][32].sum()

    def change(_: Drawing, images: torch.Tensor) -> torch.Tensor:
        chosen = images.sum((1, 2, 3)).isclose(total)
        return images + np.random.rand() * chosen[:, None, None, None] if chosen.any() else images

    classifier = loaded(Drawing(change).eval())
    options = {"benchmarks": ["digits"], "limit": 33, "attacks": ["fgsm(eps=1/255)"], "store": tmp_path}
    once = evaluate(classifier, **options)
    found = {verdict.check: verdict for verdict in once.verdicts}["random_outputs"]
    assert (found.finding, found.evidence) == ("suspect", "1 samples got other logits when asked twice")
    assert "--votes 100" in found.remedy
    for score in once.scores:
        assert "masking suspected: random_outputs" in score.flags
    for score in evaluate(classifier, votes=10, **options).scores:
        assert not any("suspected" in flag for flag in score.flags)


def test_a_search_for_the_closest_image_ends_where_most_draws_are_wrong(tmp_path: Path) -> None:
    attacks = ["fmn(eps=none, steps=10)"]
    scored(noisy(0.1), tmp_path, limit=4, attacks=attacks, votes=100)
    store = Store.existing(tmp_path / "store")
    (attacked,) = (store.outcomes(cell.id) for cell in store.cells().values() if cell.kind == "attack")
    rates = np.array(attacked["votes"].to_pylist()).mean(axis=1)
    assert (rates <= 0.5).all()
    assert attacked["correct"].to_pylist() == [False] * 4
    assert attacked["distance_linf"].to_numpy().max() < 0.5
