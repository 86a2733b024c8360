"""Networks that draw random numbers are recognised when they are loaded, and their draws can be repeated."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from random_networks import KINDS, Drawing
from robustbench_eff import load_classifier
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.randomness import seeded


def loaded(model: nn.Module) -> Classifier:
    return load_classifier(model, input_size=32)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_draw_is_seen_and_whether_a_batch_shares_it(kind: str) -> None:
    build, shared = KINDS[kind]
    classifier = loaded(build())
    assert classifier.draws
    assert classifier.shares_draws == shared


class Adapting(nn.Module):
    """A network that changes a buffer with every query."""

    def __init__(self) -> None:
        super().__init__()
        self.body = load_classifier("digits_standard")
        self.register_buffer("queries", torch.zeros(()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.queries += 1
        return self.body(images) + self.queries * torch.arange(10)


def _seeded_inside(_: Drawing, images: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(0)
    return images + 0.3 * torch.randn_like(images)


@pytest.mark.parametrize("model", [Adapting(), Drawing(_seeded_inside), Drawing(lambda _, images: images)])
def test_networks_that_adapt_or_repeat_their_noise_do_not_draw(model: nn.Module) -> None:
    assert not loaded(model.eval()).draws


def test_noise_on_some_images_only_is_not_seen_in_images_of_noise() -> None:
    """Its clean cell says so: see `test_random_networks`."""
    bright = Drawing(lambda _, images: images + np.random.rand() if images.mean() > 0.9 else images)
    assert not loaded(bright.eval()).draws


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "a hidden generator"])
def test_a_seed_repeats_the_draws_and_leaves_every_generator_as_it_was(kind: str) -> None:
    classifier = loaded(KINDS[kind][0]())
    images = torch.rand(4, 3, 32, 32)

    def answers(stream: str) -> torch.Tensor:
        with torch.no_grad(), seeded(classifier, 0, stream, "cpu"):
            return torch.stack([classifier(images) for _ in range(20)])

    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    first, second, other = answers("a"), answers("a"), answers("b")
    assert torch.equal(first, second)
    if kind != "a member that is rarely chosen":
        assert not torch.equal(first, other)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), str(np.random.get_state()))
