"""Contract checks for corruption kernels."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from robustbench_eff.core import spec
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels
from robustbench_eff.corruptions import Corruption, Kernel


def gives_as_many_pixels(kernel: Kernel[Any]) -> None:
    """Check that the result is uint8 and has the input's shape, at every severity and for an empty batch.

    Args:
        kernel: The kernel.

    Raises:
        AssertionError: If it does not.
    """
    for corruption in _severities(kernel):
        pixels, draws = _pictures()
        corrupted = corruption(pixels, draws)
        assert corrupted.dtype == torch.uint8
        assert corrupted.shape == pixels.shape
        assert corruption(pixels[:0], draws[torch.arange(0)]).shape == pixels[:0].shape


def is_the_same_in_any_batch(kernel: Kernel[Any]) -> None:
    """Check that an image's bytes do not depend on the batch or its order.

    Args:
        kernel: The kernel.

    Raises:
        AssertionError: If they do.
    """
    for corruption in _severities(kernel):
        pixels, draws = _pictures()
        together = corruption(pixels, draws)
        for batch in torch.arange(len(pixels)).flip(0).split([1, 4, 2]):
            apart = corruption(pixels[batch], draws[batch])
            assert torch.equal(apart, together[batch]), f"{corruption} depends on its batch"


def is_drawn_from_its_seed(kernel: Kernel[Any]) -> None:
    """Check that equal draws give equal bytes, and other seeds other bytes if and only if the kernel draws.

    Args:
        kernel: The kernel.

    Raises:
        AssertionError: If they do not.
    """
    for corruption in _severities(kernel):
        pixels, draws = _pictures()
        first = corruption(pixels, draws)
        assert torch.equal(first, corruption(pixels, draws))
        other = corruption(pixels, RandomStreams(draws.seed + 1, draws.keys))
        assert torch.equal(first, other) != corruption.stochastic, f"{corruption}"


def has_five_severities(kernel: Kernel[Any]) -> None:
    """Check that each set of constants has five severities, and that spec texts distinguish them.

    Args:
        kernel: The kernel.

    Raises:
        AssertionError: If not.
    """
    for constants, values in kernel.severities.items():
        assert len(values) == SEVERITIES, f"{constants} has {len(values)}"
    for corruption in _severities(kernel):
        spec_text = spec.text_of(kernel.name, corruption)
        assert spec.build(type(corruption), spec.parse(spec_text), kernel=kernel) == corruption


def has_a_source(kernel: Kernel[Any]) -> None:
    """Check that the docstring of the kernel's module has `Source:`.

    Args:
        kernel: The kernel.

    Raises:
        AssertionError: If it is missing.
    """
    assert "Source:" in (inspect.getmodule(kernel.apply).__doc__ or ""), "no Source: in the module's docstring"


CORRUPTION_CHECKS: tuple[Callable[[Kernel[Any]], None], ...] = (
    gives_as_many_pixels,
    is_the_same_in_any_batch,
    is_drawn_from_its_seed,
    has_five_severities,
    has_a_source,
)
SEVERITIES, PICTURES, SIDE = 5, 7, 32


def _severities(kernel: Kernel[Any]) -> list[Corruption]:
    """Return the kernel at every severity, with its constants for small images."""
    constants = list(kernel.severities)[-1]
    return [kernel.at(severity, constants) for severity in range(1, SEVERITIES + 1)]


def _pictures() -> tuple[Pixels, RandomStreams]:
    """Return smooth colors with noise."""
    draws = RandomStreams.of(0, range(PICTURES))
    coarse = draws.uniform((3, 5, 5), stream="pictures")
    smooth = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    noisy = smooth + 0.1 * draws.normal((3, SIDE, SIDE), stream="pictures/noise")
    return (255 * noisy.clamp(0, 1)).to(torch.uint8).permute(0, 2, 3, 1).contiguous(), draws
