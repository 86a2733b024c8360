"""Networks that draw random numbers in forward passes: how they are recognised, and how a run repeats their draws."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from robustbench_eff.core import rng
from robustbench_eff.core.types import Images

from .fingerprint import weights_sums

Generator: TypeAlias = torch.Generator | np.random.Generator | np.random.RandomState | random.Random
ROUNDING = 1e-4
"""Largest difference between two answers that rounding may cause, as a fraction of the logits' standard deviation."""
COPIES, CALLS = 16, 8
"""Copies of one image in a batch, and batches, by which draws that all images of a batch share are recognised."""
SHARED_RATIO = 2.0
"""Ratio of variances between and within batches above which draws count as shared; 1 is expected of independent ones,
and 2 is exceeded where batches share more than 6 % of the variance."""


def draws_at_random(model: nn.Module, images: Images) -> bool:
    """Return whether a network draws random numbers: whether a generator advances, or the answer changes.

    The state of the global generators and of those that a module holds shows draws that leave an answer unchanged by
    chance, such as the choice between two members of an ensemble. A network whose weights or buffers change with every
    query does not draw, it adapts. Noise that is seeded anew in every forward pass is no draw either.

    Args:
        model: Network in eval mode that takes images and returns logits.
        images: Images to ask for, twice in the same batch.
    """
    device = images.device
    with torch.no_grad(), seeded(model, 0, "random outputs", device):
        first = model(images)
        before = _states(model, device)
        again = model(images)
        if _states(model, device) != before:
            return True
        if (first - again).abs().max() <= ROUNDING * first.std():
            return False
        sums = weights_sums(model)
        model(images)
        return weights_sums(model) == sums


def shares_draws(model: nn.Module, image: Images) -> bool:
    """Return whether the images of a batch share what a network draws, such as one member of an ensemble per call.

    The answers to copies of one image then vary more between batches than within, or are all the same.

    Args:
        model: Network that draws at random.
        image: A single image, shape (1, channel, height, width).
    """
    with torch.no_grad(), seeded(model, 0, "shared draws", image.device):
        answers = torch.stack([model(image.expand(COPIES, -1, -1, -1)) for _ in range(CALLS)]).double()
    within = answers.var(1).mean(0).sum()
    between = COPIES * answers.mean(1).var(0).sum()
    rounding = (ROUNDING * answers.std()).square() * answers.shape[2]
    return bool(between > SHARED_RATIO * within or within <= rounding)


@contextmanager
def seeded(model: nn.Module, seed: int, stream: str, device: torch.device | str) -> Iterator[None]:
    """Seed all that a network is known to draw from within a `with` block, and restore it afterwards.

    These are the global generators of torch, NumPy and Python, and the generators that are attributes of a module.

    Args:
        model: The network.
        seed: Seed of the run.
        stream: Name of the stream; other names give independent draws.
        device: Device of the network.
    """
    own = _own_generators(model)
    states = [_state(generator) for generator in own]
    with rng.global_generators(seed, stream, device) as number:
        try:
            for index, generator in enumerate(own):
                _seed(generator, (number + index + 1) % 2**32)
            yield
        finally:
            for generator, state in zip(own, states, strict=True):
                _restore(generator, state)


def _own_generators(model: nn.Module) -> list[Generator]:
    """Generators that are attributes of the network's modules, each once."""
    kinds = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
    found = [value for module in model.modules() for value in vars(module).values() if isinstance(value, kinds)]
    return list({id(generator): generator for generator in found}.values())


def _states(model: nn.Module, device: torch.device) -> bytes:
    """State of everything that a network is known to draw from."""
    states: list[Any] = [torch.get_rng_state().numpy(), np.random.get_state(), random.getstate()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device).numpy())
    return pickle.dumps(states + [_state(generator) for generator in _own_generators(model)])


def _state(generator: Generator) -> Any:
    if isinstance(generator, torch.Generator):
        return generator.get_state().numpy()
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.get_state() if isinstance(generator, np.random.RandomState) else generator.getstate()


def _seed(generator: Generator, number: int) -> None:
    if isinstance(generator, torch.Generator):
        generator.set_state(rng.generator(number, "draws of a module", device=generator.device).get_state())
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = type(generator.bit_generator)(number).state
    else:
        generator.seed(number)


def _restore(generator: Generator, state: Any) -> None:
    if isinstance(generator, torch.Generator):
        generator.set_state(torch.from_numpy(state))
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.setstate(state)
