"""The battery that every corruption passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from robustbench_eff.core import spec
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels
from robustbench_eff.corruptions import Corruption, Kernel

from .docstrings import kernel_names_its_source

SEVERITIES, SAMPLES, SIDE = 5, 7, 32


class Batch(NamedTuple):
    """Images with their random streams."""

    pixels: Pixels
    draws: RandomStreams


def example_batch() -> Batch:
    """Return 7 images of 32 x 32 pixels: smooth colours with some noise on them."""
    draws = RandomStreams.of(0, range(SAMPLES))
    coarse = draws.uniform((3, 5, 5), stream="pictures")
    smooth = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    noisy = smooth + 0.1 * draws.normal((3, SIDE, SIDE), stream="pictures/noise")
    return Batch((255 * noisy.clamp(0, 1)).to(torch.uint8).permute(0, 2, 3, 1).contiguous(), draws)


def keeps_shape_and_dtype(kernel: Kernel[Any]) -> None:
    """Check that uint8 images of the same shape come back at every severity, and none from an empty batch.

    Args:
        kernel: The corruption to test.

    Raises:
        AssertionError: The shape or the dtype differs.
    """
    for corruption in _all_severities(kernel):
        pixels, draws = example_batch()
        corrupted = corruption(pixels, draws)
        assert corrupted.dtype == torch.uint8, f"{corruption} returns {corrupted.dtype}"
        assert corrupted.shape == pixels.shape, f"{corruption} returns shape {tuple(corrupted.shape)}"
        assert corruption(pixels[:0], draws[torch.arange(0)]).shape == pixels[:0].shape


def leaves_pixels_unmodified(kernel: Kernel[Any]) -> None:
    """Check that the input keeps its values at every severity.

    Args:
        kernel: The corruption to test.

    Raises:
        AssertionError: The corruption wrote to its input.
    """
    for corruption in _all_severities(kernel):
        pixels, draws = example_batch()
        before = pixels.clone()
        corruption(pixels, draws)
        assert torch.equal(pixels, before), f"{corruption} modifies its input"


def gives_the_same_pixels_in_any_batch(kernel: Kernel[Any]) -> None:
    """Check that an image's bytes are the same alone, among others, and in another order.

    Args:
        kernel: The corruption to test.

    Raises:
        AssertionError: The result for an image depends on its batch.
    """
    for corruption in _all_severities(kernel):
        pixels, draws = example_batch()
        together = corruption(pixels, draws)
        for part in torch.arange(len(pixels)).flip(0).split([1, 4, 2]):
            corrupted = corruption(pixels[part], draws[part])
            assert torch.equal(corrupted, together[part]), f"{corruption} depends on the batch"


def gives_the_same_pixels_for_the_same_seed(kernel: Kernel[Any]) -> None:
    """Check that draws decide the bytes, and that other seeds change them exactly if the kernel samples something.

    Args:
        kernel: The corruption to test.

    Raises:
        AssertionError: The result is not a function of the draws, or `stochastic` is wrong.
    """
    for corruption in _all_severities(kernel):
        pixels, draws = example_batch()
        first = corruption(pixels, draws)
        assert torch.equal(first, corruption(pixels, draws)), f"{corruption} draws outside of its random streams"
        other = corruption(pixels, RandomStreams(draws.seed + 1, draws.keys))
        assert torch.equal(first, other) != corruption.stochastic, f"{corruption}: stochastic is wrong"


def has_five_severities(kernel: Kernel[Any]) -> None:
    """Check that every set of constants has five severities, and that the text of each builds it again.

    Args:
        kernel: The corruption to test.

    Raises:
        AssertionError: The number of severities differs, or a text builds another corruption.
    """
    for constants, values in kernel.severities.items():
        assert len(values) == SEVERITIES, f"{constants} has {len(values)} severities"
    for corruption in _all_severities(kernel):
        text = spec.text_of(kernel.name, corruption)
        assert spec.build(type(corruption), spec.parse(text), kernel=kernel) == corruption


def corruption_names_its_source(kernel: Kernel[Any]) -> None:
    """Check that the docstring of `apply`, or of its module, has a section `Source:`.

    Args:
        kernel: The corruption to test.

    Raises:
        AssertionError: Neither docstring names a source.
    """
    kernel_names_its_source(kernel.apply)


CORRUPTION_CHECKS: tuple[Callable[[Kernel[Any]], None], ...] = (
    keeps_shape_and_dtype,
    leaves_pixels_unmodified,
    gives_the_same_pixels_in_any_batch,
    gives_the_same_pixels_for_the_same_seed,
    has_five_severities,
    corruption_names_its_source,
)


def _all_severities(kernel: Kernel[Any]) -> list[Corruption]:
    """The kernel at every severity, with the constants that it lists last: those for small images if it has them."""
    constants = list(kernel.severities)[-1]
    return [kernel.at(severity, constants) for severity in range(1, SEVERITIES + 1)]
