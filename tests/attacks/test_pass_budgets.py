"""No attack passes more images through the network than it does now: where none falls, and where all do.

A change that lowers a count lowers its budget here. The counts are those of the network itself, not the attack's own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from robustbench_eff.attacks import Oracle
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.registry.attacks import ATTACKS
from robustbench_eff.registry.perturbation import parse_attack

SAMPLES, CLASSES, SIDE = 4, 5, 8


class Passes(NamedTuple):
    """Images that passed through the network."""

    forwards: int
    backwards: int


class Network(nn.Module):
    """A network of one hidden layer with fixed weights that counts images."""

    def __init__(self) -> None:
        super().__init__()
        draws = RandomStreams.of(0, range(3 * SIDE * SIDE))
        self.first = nn.Parameter(draws.normal((16,), stream="first") / 8)
        self.last = nn.Parameter(draws[:16].normal((CLASSES,), stream="last"))
        self.forwards = self.backwards = 0

    def forward(self, images: Tensor) -> Tensor:
        self.forwards += len(images)
        hidden = (Returning.apply(images, self).flatten(1) - 0.5) @ self.first
        return hidden.tanh() @ self.last


class Returning(torch.autograd.Function):
    """The identity, which counts the images whose gradients come back."""

    @staticmethod
    def forward(context: Any, images: Tensor, network: Network) -> Tensor:
        context.network = network
        return images.clone()

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        context.network.backwards += len(slopes[0])
        return slopes[0], None


NONE, ALL = 1e-6, 0.9
"""Radii at which no sample falls, and at which all do."""
BUDGETS = {
    ("fgsm(eps={})", NONE): Passes(4, 4),
    ("r_fgsm(eps={})", NONE): Passes(4, 4),
    ("pgd(eps={}, steps=20)", NONE): Passes(80, 80),
    ("pgd(eps={}, steps=20, norm=l2)", NONE): Passes(80, 80),
    ("bim(eps={}, steps=20)", NONE): Passes(80, 80),
    ("mi_fgsm(eps={}, steps=20)", NONE): Passes(80, 80),
    ("security_curve(eps=[{}], steps=20)", NONE): Passes(80, 80),
    ("apgd(eps={}, iterations=20)", NONE): Passes(84, 80),
    ("apgd_t(eps={}, iterations=20)", NONE): Passes(341, 320),
    ("fab(eps={}, iterations=10)", NONE): Passes(213, 176),
    ("fab_t(eps={}, iterations=10)", NONE): Passes(324, 178),
    ("square(eps={}, queries=100)", NONE): Passes(404, 0),
    ("autoattack(eps={})", NONE): Passes(25810, 3618),
    ("pgd(eps={}, steps=20)", ALL): Passes(4, 4),
    ("pgd(eps={}, steps=20, norm=l2)", ALL): Passes(10, 10),
    ("bim(eps={}, steps=20)", ALL): Passes(8, 8),
    ("mi_fgsm(eps={}, steps=20)", ALL): Passes(8, 8),
    ("security_curve(eps=[{}], steps=20)", ALL): Passes(5, 5),
    ("apgd(eps={}, iterations=20)", ALL): Passes(4, 4),
    ("apgd_t(eps={}, iterations=20)", ALL): Passes(21, 16),
    ("fab(eps={}, iterations=10)", ALL): Passes(33, 32),
    ("fab_t(eps={}, iterations=10)", ALL): Passes(36, 32),
    ("square(eps={}, queries=100)", ALL): Passes(4, 0),
    ("autoattack(eps={})", ALL): Passes(8, 4),
}
"""Images of four samples."""
SEARCHES = {
    "one_pixel(population=20, generations=10)": Passes(280, 0),
    "fmn(steps=20)": Passes(80, 76),
    "carlini_wagner(binary_search_steps=2, iterations=20)": Passes(57, 57),
}
"""Attacks without a radius."""


def passes(text: str) -> tuple[Passes, int]:
    """The passes of an attack, and how many samples fall."""
    network = Network().eval()
    images = RandomStreams.of(1, range(SAMPLES)).uniform((3, SIDE, SIDE), stream="images")
    with torch.no_grad():
        labels = network(images).argmax(1)
    network.forwards = 0
    adversarial: Any = parse_attack(text)(Oracle(network), images, labels, RandomStreams.of(0, range(SAMPLES)))
    counted = Passes(network.forwards, network.backwards)
    with torch.no_grad():
        return counted, int((network(adversarial).argmax(1) != labels).sum())


@pytest.mark.parametrize(("run", "budget"), BUDGETS.items(), ids=[f"{text} {eps}" for text, eps in BUDGETS])
def test_an_attack_with_a_radius(run: tuple[str, float], budget: Passes) -> None:
    text, eps = run
    counted, fallen = passes(text.format(eps))
    assert fallen == (0 if eps == NONE else SAMPLES)
    assert counted.forwards <= budget.forwards
    assert counted.backwards <= budget.backwards


@pytest.mark.parametrize(("text", "budget"), SEARCHES.items())
def test_a_search(text: str, budget: Passes) -> None:
    counted, _ = passes(text)
    assert counted.forwards <= budget.forwards
    assert counted.backwards <= budget.backwards


def test_every_attack_has_a_budget() -> None:
    assert {text.partition("(")[0] for text in [*SEARCHES, *(text for text, _ in BUDGETS)]} == set(ATTACKS)


def test_passes_are_counted() -> None:
    """A control: without early stopping every step of every sample counts, and what falls at once costs the same."""
    assert passes(f"pgd(eps={ALL}, steps=7, early_stop=False)") == (Passes(28, 28), SAMPLES)
