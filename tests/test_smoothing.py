"""Randomised smoothing: exact on linear classifiers, right as often as it says, and independent of batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from robustbench_eff import load_classifier
from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import EvaluationError, SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.statistics import binomial_lower_bound, certified_radius
from robustbench_eff.models.class_map import ClassMap
from robustbench_eff.models.smoothing import Certificates, Smoothed, Smoothing

SIZE = 4
SHAPE = (3, SIZE, SIZE)


class HalfSpace(nn.Module):
    """Class 1 where w.x + b > 0, else class 0; w has a length of 2."""

    def __init__(self) -> None:
        super().__init__()
        normal = RandomStreams.of(0, ["w"]).normal((3 * SIZE * SIZE,), stream="normal")[0]
        self.register_buffer("weight", 2 * normal / normal.norm())
        self.register_buffer("bias", -(0.5 * self.weight).sum())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        score = images.flatten(1) @ self.weight + self.bias
        return torch.stack((torch.zeros_like(score), score), 1)

    def at_distance(self, distance: float, count: int = 1) -> torch.Tensor:
        """Images on the side of class 1, at this distance from the hyperplane."""
        image = 0.5 + distance * self.weight / self.weight.norm()
        return image.view(1, *SHAPE).expand(count, -1, -1, -1).clone()


def certify(
    smoothing: Smoothing, images: torch.Tensor, module: nn.Module | None = None, batch_size: int = 4096
) -> Certificates:
    classifier = load_classifier((module or HalfSpace()).eval(), input_size=SIZE, device="cpu")
    streams = RandomStreams.of(0, range(len(images)))
    return smoothing.certify(classifier, images, streams, "certificate", Batches(batch_size))


def test_the_bound_is_the_exact_binomial_one() -> None:
    for n in (10, 97, 1000):
        for successes in (0, 1, n // 2, n - 1, n):
            for alpha in (0.001, 0.05):
                exact = stats.binomtest(successes, n).proportion_ci(1 - 2 * alpha, "exact").low
                assert binomial_lower_bound(successes, n, alpha) == pytest.approx(exact, abs=1e-9)


def test_a_plain_implementation_counts_the_same_votes_and_finds_the_same_radii() -> None:
    smoothing = Smoothing(sigma=0.3, n=200, n0=20, alpha=0.01)
    module = HalfSpace()
    images = torch.cat([module.at_distance(distance) for distance in (-0.4, -0.05, 0.0, 0.1, 0.3, 2.0)])
    found = certify(smoothing, images, module)
    weight, bias = module.weight.double().numpy(), float(module.bias)
    for row, image in enumerate(images.double().numpy()):
        stream = RandomStreams.of(0, range(len(images)))[torch.tensor([row])]
        classes = []
        for draw in range(220):
            noise = stream.fork(torch.tensor([draw])).normal(SHAPE, stream="certificate")[0].double().numpy()
            classes.append(int(weight @ (image + 0.3 * noise).ravel() + bias > 0))
        selected = int(np.bincount(classes[:20], minlength=2).argmax())
        votes = np.bincount(classes[20:], minlength=2)
        bound = stats.beta.ppf(0.01, votes[selected], 200 - votes[selected] + 1) if votes[selected] else 0.0
        assert found.votes[row].tolist() == votes.tolist()
        assert found.selected[row] == selected
        if bound > 0.5:
            assert found.prediction[row] == selected
            assert found.radius[row] == pytest.approx(0.3 * stats.norm.ppf(bound), rel=1e-6)
        else:
            assert (found.prediction[row], found.radius[row]) == (-1, 0)
    assert -1 in found.prediction and 0 in found.prediction and 1 in found.prediction


def test_the_radius_approaches_the_distance_to_the_hyperplane_from_below() -> None:
    distance, gaps = 0.3, []
    for n in (100, 1_000, 10_000, 100_000):
        (radius,) = certify(Smoothing(sigma=0.25, n=n), HalfSpace().at_distance(distance)).radius.tolist()
        gaps.append(distance - radius)
    assert gaps == sorted(gaps, reverse=True)
    assert 0 < gaps[-1] < 0.01
    p, n = stats.norm.cdf(distance / 0.25), 100_000
    expected = distance - 0.25 * stats.norm.ppf(p - stats.norm.ppf(0.999) * math.sqrt(p * (1 - p) / n))
    assert gaps[-1] == pytest.approx(expected, abs=0.003), "the width of the bound"


def test_the_radius_exceeds_the_distance_exactly_as_often_as_the_binomial_distribution_says() -> None:
    """And so at most with probability alpha; 2,000 certificates of one image with independent noise."""
    distance, sigma, n, alpha, repeats = 0.2, 0.25, 100, 0.1, 2_000
    found = certify(Smoothing(sigma=sigma, n=n, n0=20, alpha=alpha), HalfSpace().at_distance(distance, repeats))
    wrong = int(((found.radius > distance) | (found.prediction == 0)).sum())
    votes = np.arange(1, n + 1)
    too_large = sigma * stats.norm.ppf(np.maximum(stats.beta.ppf(alpha, votes, n - votes + 1), 0.5)) > distance
    probability = stats.binom.pmf(votes[too_large], n, stats.norm.cdf(distance / sigma)).sum()
    assert 0.05 < probability <= alpha
    assert stats.binom.ppf(1e-4, repeats, probability) <= wrong <= stats.binom.ppf(1 - 1e-4, repeats, probability)


def test_it_abstains_on_the_decision_boundary_up_to_the_error_probability() -> None:
    found = certify(Smoothing(sigma=0.25, n=200, n0=20, alpha=0.01), HalfSpace().at_distance(0.0, 500))
    decided = int((found.prediction != -1).sum())
    assert decided <= stats.binom.ppf(1 - 1e-6, 500, 0.01)
    assert (found.radius[found.prediction == -1] == 0).all()


def test_unanimous_votes_give_the_largest_radius_and_it_is_never_rounded_up() -> None:
    smoothing = Smoothing(sigma=0.25, n=1000)
    (radius,) = certify(smoothing, HalfSpace().at_distance(50.0)).radius.tolist()
    exact = 0.25 * stats.norm.ppf(0.001 ** (1 / 1000))
    assert smoothing.largest_radius == pytest.approx(exact, rel=1e-9)
    assert exact * (1 - 2e-7) < radius <= exact
    votes = np.arange(501, 1001)
    exact_radii = certified_radius(votes, 1000, 0.001, 0.25)
    assert (exact_radii[1:] > exact_radii[:-1])[exact_radii[1:] > 0].all()


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
def test_neither_the_batch_size_nor_the_other_images_change_a_certificate(batch_size: int) -> None:
    smoothing = Smoothing(sigma=0.25, n=100, n0=10)
    images = torch.cat([HalfSpace().at_distance(distance) for distance in (0.05, 0.2, 0.4)])
    together = certify(smoothing, images)
    assert all(torch.equal(*pair) for pair in zip(together, certify(smoothing, images, None, batch_size), strict=True))
    alone = certify(smoothing, images[:1], None, batch_size)
    assert all(torch.equal(one, both[:1]) for one, both in zip(alone, together, strict=True))


class FullMemory(HalfSpace):
    """Fails for more than 16 images, as a CPU without memory does."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > 16:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        return super().forward(images)


def test_batches_are_halved_where_memory_runs_out_and_no_certificate_changes() -> None:
    smoothing, images = Smoothing(sigma=0.25, n=100, n0=10), HalfSpace().at_distance(0.2, 2)
    with pytest.warns(UserWarning, match="Memory ran out"):
        found = certify(smoothing, images, FullMemory())
    assert all(torch.equal(*pair) for pair in zip(found, certify(smoothing, images), strict=True))


def test_votes_of_a_network_with_a_class_map_are_votes_for_the_classes_of_the_benchmark() -> None:
    class Three(HalfSpace):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            zero, one = super().forward(images).unbind(1)
            return torch.stack((zero - 9, one, zero), 1)

    network = load_classifier(Three().eval(), input_size=SIZE, device="cpu")
    mapped = network.with_class_map(ClassMap(members=((1,), (2,)), outputs=3))
    streams = RandomStreams.of(0, range(1))
    images = HalfSpace().at_distance(0.3)
    smoothing = Smoothing(sigma=0.25, n=100, n0=10)
    votes = smoothing.certify(mapped, images, streams, "certificate", Batches(64)).votes
    plain = certify(smoothing, images).votes
    assert votes.tolist() == plain.flip(1).tolist()


def test_a_network_that_returns_nan_for_noisy_images_is_refused() -> None:
    class Root(HalfSpace):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images.sqrt())

    with pytest.raises(EvaluationError, match=r"NaN or infinite logits for an image with noise of sigma 0\.5"):
        certify(Smoothing(sigma=0.5, n=100, n0=10), HalfSpace().at_distance(0.1), Root())


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ({"sigma": 0.0}, "sigma must be > 0", ""),
        ({"sigma": -0.25}, "sigma must be > 0", ""),
        ({"sigma": math.nan}, "sigma must be > 0", ""),
        ({"sigma": 64.0}, "got 64", "Did you mean 64/255"),
        ({"alpha": 0.0}, "must be in \\(0, 1\\)", "0.001"),
        ({"alpha": 1.0}, "must be in \\(0, 1\\)", "0.001"),
        ({"n0": 0}, "must be >= 1", ""),
        ({"n": 50}, "n must be at least n0", "n0 draws only select"),
        ({"n": 9, "n0": 5}, "always abstains, even if all draws agree", "Set n to at least 10"),
    ],
)
def test_fields_that_make_no_sense_are_refused(fields: dict[str, float], message: str, hint: str) -> None:
    with pytest.raises(SpecError, match=message) as error:
        Smoothing(**fields)
    assert hint in error.value.hint


def test_the_smallest_n_that_the_hint_names_can_certify() -> None:
    for alpha in (0.3, 0.05, 0.001, 1e-6):
        with pytest.raises(SpecError, match="always abstains") as error:
            Smoothing(n=1, n0=1, alpha=alpha)
        enough = int(error.value.hint.split()[-1].strip("."))
        assert Smoothing(n=enough, n0=1, alpha=alpha).largest_radius > 0
        with pytest.raises(SpecError, match="always abstains"):
            Smoothing(n=enough - 1, n0=1, alpha=alpha)


def test_the_soft_smoothed_classifier_is_the_mean_probability_over_its_noise() -> None:
    module = HalfSpace().eval()
    soft = Smoothed(module, 0.25, 5, torch.Size(SHAPE))
    images = torch.cat([module.at_distance(distance) for distance in (0.1, 0.3)]).requires_grad_()
    noise = [0.25 * RandomStreams.of(0, [draw]).normal(SHAPE, stream="smoothed")[0] for draw in range(5)]
    mean = sum(module(images + one).softmax(1) for one in noise) / 5
    logits = soft(images)
    assert torch.allclose(logits, mean.log(), atol=1e-6)
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), images)
    (expected,) = torch.autograd.grad(mean.log()[:, 0].sum(), images)
    assert torch.allclose(gradient, expected, atol=1e-6)
    assert torch.equal(soft(images), soft(images))
