"""Attacks on networks that draw at random: successes in many draws, averaged gradients, the best of what was tried."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_eff.attacks import APGD, PGD, Oracle, Square
from robustbench_eff.attacks.expectation import AGREEMENT, MOST_DRAWS, choose_draws, enough_draws, weakest
from robustbench_eff.attacks.random_outputs import Attempts

IMAGES, LABELS = torch.full((6, 3, 4, 4), 0.5), torch.zeros(6, dtype=torch.long)
ROWS = torch.arange(6)


class Coin(nn.Module):
    """Class 0 with the probability of the first pixel, else class 1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        right = torch.rand(len(images)) < images[:, 0, 0, 0]
        return torch.stack((right.float(), 1 - right.float()), 1) + 0 * images.sum((1, 2, 3))[:, None]


def with_rates(rates: list[float]) -> torch.Tensor:
    images = torch.zeros(len(rates), 3, 4, 4)
    images[:, 0, 0, 0] = torch.tensor(rates)
    return images


def drawing(model: nn.Module, draws: int = 1) -> Oracle:
    oracle = Oracle(model)
    oracle.draws = draws
    return oracle


def test_a_success_is_wrong_in_almost_all_draws_and_a_close_one_in_most() -> None:
    images = with_rates([0.0, 0.1, 0.2, 0.6, 1.0])
    labels, rows = torch.zeros(5, dtype=torch.long), torch.arange(5)
    oracle = drawing(Coin())
    oracle.watch(5)
    assert oracle.misclassified(images, labels, rows).tolist() == [True, False, False, False, False]
    assert oracle.misclassified(images, labels, rows, majority=True).tolist() == [True, True, True, False, False]
    assert oracle.effort.num_forwards.tolist() == [256 + 256, 32 + 256, 32 + 256, 32 + 32, 32 + 32]


class Slope(nn.Module):
    """Two logits, linear in the pixels, and in every query noise on the slope."""

    def __init__(self, noise: float) -> None:
        super().__init__()
        self.noise = noise

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        weights = 1 + self.noise * torch.randn(images.shape)
        value = (weights * (images - 0.2)).flatten(1).mean(1)
        return torch.stack((value, -value), 1)


def test_a_named_eot_wins_over_the_network_s_own_draws() -> None:
    for attack, backwards in ((PGD(steps=2, early_stop=False), 10), (PGD(steps=2, eot=3, early_stop=False), 6)):
        oracle = drawing(Slope(0.1).eval(), draws=5)
        attack(oracle, IMAGES, LABELS)
        assert oracle.effort.num_backwards.tolist() == [backwards] * 6


@pytest.mark.parametrize(("noise", "expected"), [(0.0, 1), (0.5, 4), (1.0, 16), (10.0, MOST_DRAWS)])
def test_draws_are_doubled_until_two_averages_agree(noise: float, expected: int) -> None:
    """With g = 1 + noise z the cosine of two averages over r draws is 1 / (1 + noise² / r)."""
    assert expected == next((r for r in (1, 2, 4, 8, 16) if 1 / (1 + noise**2 / r) >= AGREEMENT), MOST_DRAWS)
    shape = (4, 3, 32, 32)
    assert enough_draws(lambda r: 1 + noise * torch.randn(r, *shape).mean(0)) == expected
    oracle = Oracle(Slope(noise).eval())
    assert choose_draws(oracle, torch.full(shape, 0.5), torch.zeros(4, dtype=torch.long)) == expected
    assert oracle.draws is None


def test_a_network_without_gradients_gets_the_most_draws() -> None:
    class Detached(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.detach().flatten(1)

    assert choose_draws(Oracle(Detached().eval()), IMAGES, LABELS) == MOST_DRAWS


def test_attempts_keep_the_smallest_margin_of_each_sample_also_within_an_ensemble() -> None:
    attempts = Attempts(3)
    attempts.owners = torch.tensor([0, 2])
    images = torch.arange(4.0)[:, None, None, None].expand(4, 1, 2, 2)
    attempts.record(torch.tensor([1.0, 0.5, 3.0, 2.0]), images, torch.tensor([0, 0, 1, 1]))
    attempts.record(torch.tensor([0.7, 1.0]), images[2:], torch.tensor([0, 1]))
    assert attempts.margins is not None
    assert attempts.images is not None
    assert attempts.margins.tolist() == [0.5, float("inf"), 1.0]
    assert attempts.images[:, 0, 0, 0].tolist() == [1.0, 0.0, 3.0]


class Faded(nn.Module):
    """Right with a probability of 0.9 in the middle of the ball, of about 0.4 at its edge: no image is a success."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        chance = 0.9 - 5 * (images - 0.5).flatten(1).mean(1)
        lead = chance - torch.rand(len(images))
        return torch.stack((lead, -lead), 1)


@pytest.mark.parametrize(
    "attack",
    [APGD(eps=0.1, iterations=10), Square(eps=0.1, queries=100), PGD(eps=0.1, restarts=2)],
)
def test_an_attack_that_lowers_the_rate_without_a_success_is_not_forgotten(attack) -> None:
    oracle = drawing(Faded().eval(), draws=8)
    oracle.watch(6)
    proposed = attack(oracle, IMAGES, LABELS)
    found = weakest(oracle, proposed, IMAGES, LABELS)
    rates = 0.9 - 5 * (found - 0.5).flatten(1).mean(1)
    assert (rates < 0.6).all()
    assert ((found - IMAGES).abs() <= 0.1 + 1e-6).all()


def test_a_deterministic_network_keeps_what_the_attack_proposes_without_a_query() -> None:
    oracle = Oracle(nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).eval())
    oracle.watch(6)
    assert weakest(oracle, IMAGES + 0.1, IMAGES, LABELS) is not IMAGES
    assert oracle.effort.num_forwards.tolist() == [0] * 6
