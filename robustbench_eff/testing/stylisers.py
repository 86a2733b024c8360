"""The battery that every styliser passes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from robustbench_eff.core import spec
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images
from robustbench_eff.corruptions import Styliser

from .docstrings import class_names_its_source

SAMPLES = 5
SIZES = ((24, 24), (17, 30))
TOLERANCE = 1e-5
"""Largest difference between results from batches of different size."""
MIN_CHANGE = 0.01
"""Smallest mean change of the content at strength 0.3."""


class Pairs(NamedTuple):
    """Content images, style images and the random streams of each pair."""

    content: Images
    style: Images
    draws: RandomStreams


def example_pairs(height: int = 24, width: int = 24) -> Pairs:
    """Return 5 smooth content images with a little noise, and 5 rough style images.

    Args:
        height: Height of all images in pixels.
        width: Width of all images in pixels.
    """
    draws = RandomStreams.of(0, range(SAMPLES))
    coarse = draws.uniform((3, 5, 5), stream="content")
    smooth = nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    rough = draws.uniform((3, height, width), stream="style")
    fine = draws.uniform((3, height, width), stream="fine")
    return Pairs(0.7 * smooth + 0.3 * fine, 0.5 * rough + 0.3 * smooth.flip(0), draws)


def keeps_shape_and_range(styliser: Styliser) -> None:
    """Check that changed float32 images in [0, 1] of the same shape come back, and none from an empty batch.

    Args:
        styliser: The styliser to test.

    Raises:
        AssertionError: Shape, dtype or range differ, or the images equal the content.
    """
    for size in SIZES:
        content, style, draws = example_pairs(*size)
        for strength in (0.3, 1.0):
            images = styliser(content, style, strength, draws)
            assert images.shape == content.shape, f"returns shape {tuple(images.shape)}"
            assert images.dtype == torch.float32, f"returns {images.dtype}"
            assert images.min() >= 0, f"returns values down to {images.min():.3g}"
            assert images.max() <= 1, f"returns values up to {images.max():.3g}"
            assert (images - content).abs().mean() > MIN_CHANGE, f"changes nothing at strength {strength}"
        assert styliser(content[:0], style[:0], 1.0, draws[torch.arange(0)]).shape == (0, *content.shape[1:])


def leaves_content_and_style_unmodified(styliser: Styliser) -> None:
    """Check that both inputs keep their values.

    Args:
        styliser: The styliser to test.

    Raises:
        AssertionError: The styliser wrote to an input.
    """
    content, style, draws = example_pairs()
    before = content.clone(), style.clone()
    styliser(content, style, 1.0, draws)
    assert torch.equal(content, before[0]), "modifies the content"
    assert torch.equal(style, before[1]), "modifies the style"


def gives_the_same_images_in_any_batch(styliser: Styliser) -> None:
    """Check that an image is the same alone, among others, and in another order, within 1e-5.

    Args:
        styliser: The styliser to test.

    Raises:
        AssertionError: The result for an image depends on its batch.
    """
    content, style, draws = example_pairs()
    together = styliser(content, style, 1.0, draws)
    for part in torch.arange(SAMPLES).flip(0).split([1, 4]):
        images = styliser(content[part], style[part], 1.0, draws[part])
        assert (images - together[part]).abs().max() < TOLERANCE, f"a batch of {len(part)} gives other images"


def gives_the_same_images_for_the_same_seed(styliser: Styliser) -> None:
    """Check that draws decide the images, and that other seeds change them exactly if the styliser is stochastic.

    Args:
        styliser: The styliser to test.

    Raises:
        AssertionError: The images are not a function of the draws, or `stochastic` is wrong.
    """
    content, style, draws = example_pairs()
    first = styliser(content, style, 1.0, draws)
    assert torch.equal(first, styliser(content, style, 1.0, draws)), "draws outside of its random streams"
    assert torch.equal(first, styliser(content, style)), "without draws, seed 0 and the positions must be the key"
    other = styliser(content, style, 1.0, RandomStreams(draws.seed + 1, draws.keys))
    assert torch.equal(first, other) != styliser.stochastic, "stochastic is wrong"


def moves_further_with_more_strength(styliser: Styliser) -> None:
    """Check that the distance from the result at strength 0 grows with the strength.

    Args:
        styliser: The styliser to test.

    Raises:
        AssertionError: A larger strength does not change the images more.
    """
    content, style, draws = example_pairs()
    unchanged = styliser(content, style, 0.0, draws)
    distances = [
        float((styliser(content, style, strength, draws) - unchanged).abs().mean()) for strength in (0.25, 0.5, 1.0)
    ]
    assert 0 < distances[0] < distances[1] < distances[2], f"distances at strengths 0.25, 0.5 and 1: {distances}"


def is_a_frozen_styliser(styliser: Styliser) -> None:
    """Check that the object satisfies the protocol, and that its fields cannot be assigned.

    Args:
        styliser: The styliser to test.

    Raises:
        AssertionError: It is not a `Styliser`, or it can be changed after construction.
    """
    assert isinstance(styliser, Styliser), f"{type(styliser).__name__} does not satisfy the Styliser protocol"
    try:
        styliser.any_field = 1  # type: ignore[attr-defined]
    except (dataclasses.FrozenInstanceError, TypeError):
        return
    raise AssertionError(f"fields of {type(styliser).__name__} can be assigned")


def styliser_text_round_trips(styliser: Styliser) -> None:
    """Check that the text of the styliser builds an equal styliser.

    Args:
        styliser: The styliser to test.

    Raises:
        AssertionError: The text builds another styliser.
    """
    text = spec.text_of("any", styliser)
    assert spec.build(type(styliser), spec.parse(text)) == styliser, f"{text} builds another styliser"


def styliser_names_its_source(styliser: Styliser) -> None:
    """Check that the docstring of the class has the sections `Source:` and `Differs:`.

    Args:
        styliser: The styliser to test.

    Raises:
        AssertionError: A section is missing.
    """
    class_names_its_source(type(styliser))


STYLISER_CHECKS: tuple[Callable[[Styliser], None], ...] = (
    keeps_shape_and_range,
    leaves_content_and_style_unmodified,
    gives_the_same_images_in_any_batch,
    gives_the_same_images_for_the_same_seed,
    moves_further_with_more_strength,
    is_a_frozen_styliser,
    styliser_text_round_trips,
    styliser_names_its_source,
)
