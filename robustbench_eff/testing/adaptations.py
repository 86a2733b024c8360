"""The battery that every adaptation passes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import torch
from torch import nn

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.stream import Stream
from robustbench_eff.core.types import Images, Logits
from robustbench_eff.models.adaptation.adaptation import Adaptation

BATCH = 12
CLASSES = 5


def example_network() -> nn.Module:
    """Return a small network with a batch norm, in eval mode, always with the same weights."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, CLASSES))
    with torch.no_grad():
        for name, value in network.named_parameters():
            draws = RandomStreams.of(0, [name]).normal((value.numel(),), stream="weights")
            value.copy_(draws.reshape(value.shape) / value[0].numel() ** 0.5)
    return network.eval()


def example_batches(count: int = 2) -> list[Images]:
    """Return batches of 12 normalized images, shape (12, 3, 8, 8).

    Args:
        count: Number of batches.
    """
    return [RandomStreams.of(0, range(BATCH)).normal((3, 8, 8), stream="batch", step=step) for step in range(count)]


def is_a_frozen_dataclass_with_a_stream(adaptation: Adaptation) -> None:
    """Check that the fields cannot change, and that `version` and `stream` are there.

    Args:
        adaptation: The adaptation to test.

    Raises:
        AssertionError: One of them is not so.
    """
    parameters = getattr(adaptation, "__dataclass_params__", None)
    assert dataclasses.is_dataclass(adaptation), "is not a dataclass"
    assert parameters is not None, "is not a dataclass"
    assert parameters.frozen, "is not frozen"
    assert isinstance(adaptation.version, int), "has no version"
    assert isinstance(adaptation.stream, Stream), "has no stream"


def returns_finite_logits(adaptation: Adaptation) -> None:
    """Check that every batch gets logits of its own shape, while no gradients are recorded outside.

    Args:
        adaptation: The adaptation to test.

    Raises:
        AssertionError: Shape or values are wrong, or the logits carry a gradient.
    """
    for logits in _answers(adaptation, example_batches()):
        assert logits.shape == (BATCH, CLASSES), f"returns shape {tuple(logits.shape)}"
        assert logits.isfinite().all(), "returns NaN or infinite logits"
        assert not logits.requires_grad, "returns logits with a history"


def starts_anew_at_every_call(adaptation: Adaptation) -> None:
    """Check that what one adapted network learns is unknown to the next, as at the start of a cell.

    Args:
        adaptation: The adaptation to test.

    Raises:
        AssertionError: The second network answers otherwise than the first.
    """
    first, second = (_answers(adaptation, example_batches(3)) for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one, two), "remembers what an earlier network has learnt"


def leaves_images_unmodified(adaptation: Adaptation) -> None:
    """Check that images keep their values.

    Args:
        adaptation: The adaptation to test.

    Raises:
        AssertionError: It wrote to them.
    """
    batches = example_batches()
    _answers(adaptation, batches)
    assert all(map(torch.equal, batches, example_batches())), "changes its images"


def _answers(adaptation: Adaptation, batches: list[Images]) -> list[Logits]:
    network = adaptation(copy.deepcopy(example_network()))
    with torch.no_grad():
        return [network(batch) for batch in batches]


ADAPTATION_CHECKS: tuple[Callable[[Adaptation], None], ...] = (
    is_a_frozen_dataclass_with_a_stream,
    returns_finite_logits,
    starts_anew_at_every_call,
    leaves_images_unmodified,
)
"""Checks of an adaptation."""
