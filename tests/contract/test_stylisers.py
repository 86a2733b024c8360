"""What holds for every row of the table of stylisers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

import adain_weights
from robustbench_eff.core import spec
from robustbench_eff.core.errors import DataError, SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions.stylise import Styliser
from robustbench_eff.registry import build
from robustbench_eff.registry.stylisers import STYLISERS, WITHOUT_WEIGHTS

SAMPLES = 5


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return adain_weights.write(tmp_path_factory.mktemp("adain"))


@pytest.fixture(params=STYLISERS)
def styliser(request: pytest.FixtureRequest, files: tuple[Path, Path]) -> Styliser:
    made = build.styliser(request.param)
    if request.param in WITHOUT_WEIGHTS:
        return made
    return dataclasses.replace(made, encoder=str(files[0]), decoder=str(files[1]))


def pictures(height: int = 24, width: int = 24) -> tuple[Tensor, Tensor, RandomStreams]:
    """Content with a little noise on it, a rough style."""
    draws = RandomStreams.of(0, range(SAMPLES))
    coarse = draws.uniform((3, 5, 5), stream="content")
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    rough = draws.uniform((3, height, width), stream="style")
    fine = draws.uniform((3, height, width), stream="fine")
    return 0.7 * smooth + 0.3 * fine, 0.5 * rough + 0.3 * smooth.flip(0), draws


@pytest.mark.parametrize("size", [(24, 24), (17, 30)])
def test_images_keep_their_shape_and_range(styliser: Styliser, size: tuple[int, int]) -> None:
    content, style, draws = pictures(*size)
    before = content.clone(), style.clone()
    for strength in (0.3, 1.0):
        found = styliser(content, style, strength, draws)
        assert found.shape == content.shape
        assert found.dtype == torch.float32
        assert found.min() >= 0
        assert found.max() <= 1
        assert (found - content).abs().mean() > 0.01
    assert torch.equal(content, before[0])
    assert torch.equal(style, before[1])
    assert styliser(content[:0], style[:0], 1.0, draws[torch.arange(0)]).shape == (0, *content.shape[1:])


def test_an_image_is_the_same_in_any_batch(styliser: Styliser) -> None:
    content, style, draws = pictures()
    together = styliser(content, style, 1.0, draws)
    for part in torch.arange(SAMPLES).flip(0).split([1, 4]):
        apart = styliser(content[part], style[part], 1.0, draws[part])
        assert (apart - together[part]).abs().max() < 1e-5


def test_images_are_a_function_of_the_draws(styliser: Styliser) -> None:
    content, style, draws = pictures()
    first = styliser(content, style, 1.0, draws)
    assert torch.equal(first, styliser(content, style, 1.0, draws))
    assert torch.equal(first, styliser(content, style))
    other = styliser(content, style, 1.0, RandomStreams(1, draws.keys))
    assert torch.equal(first, other) != styliser.stochastic


def test_more_strength_is_further_from_the_content(styliser: Styliser) -> None:
    content, style, draws = pictures()
    none = styliser(content, style, 0.0, draws)
    if not hasattr(styliser, "decoder"):
        assert torch.equal(none, content)
    away = [(styliser(content, style, strength, draws) - none).abs().mean() for strength in (0.25, 0.5, 1.0)]
    assert 0 < away[0] < away[1] < away[2]


def test_it_is_a_frozen_component_that_names_its_source(styliser: Styliser) -> None:
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        styliser.anything = 1
    assert "Source:" in type(styliser).__doc__
    assert "Differs:" in type(styliser).__doc__
    assert isinstance(styliser, Styliser)
    assert spec.build(type(styliser), spec.parse(spec.text_of("any", styliser))) == styliser


@pytest.mark.parametrize(
    ("content", "style", "strength", "words"),
    [
        (torch.zeros(2, 3, 9, 9, dtype=torch.uint8), torch.zeros(2, 3, 9, 9), 1.0, "Content images must be float32"),
        (torch.zeros(2, 3, 9, 9), torch.zeros(2, 1, 9, 9), 1.0, "Style images must be float32 of shape"),
        (torch.zeros(2, 3, 9, 9), torch.full((2, 3, 9, 9), 255.0), 1.0, r"in \[0, 1\], got 255 to 255"),
        (torch.full((2, 3, 9, 9), torch.nan), torch.zeros(2, 3, 9, 9), 1.0, r"in \[0, 1\], got nan"),
        (torch.zeros(2, 3, 9, 9), torch.zeros(1, 3, 9, 9), 1.0, "Every content image needs a style image of its size"),
        (torch.zeros(2, 3, 9, 9), torch.zeros(2, 3, 9, 9), 1.5, "strength must be from 0 to 1, got 1.5"),
    ],
)
def test_what_it_cannot_take_is_said(
    styliser: Styliser, content: Tensor, style: Tensor, strength: float, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        styliser(content, style, strength)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("random_fase", "Did you mean 'random_phase'"),
        ("fourier(gamma=1)", "does not have a field 'gamma'"),
        ("fourier(beta=0.6)", "beta must be above 0 and at most 0.5"),
        ("random_phase(scale=0)", "scale must be above 0"),
    ],
)
def test_a_wrong_text_is_refused(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        build.styliser(text)
