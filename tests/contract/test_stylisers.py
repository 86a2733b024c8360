"""Every row of the table of stylisers passes the battery, the battery can fail, and wrong input is refused."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import adain_weights
from robustbench_eff.core.errors import DataError, SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions.stylise import Styliser
from robustbench_eff.registry import build_styliser
from robustbench_eff.registry.stylisers import STYLISERS, WITHOUT_WEIGHTS
from robustbench_eff.testing import STYLISER_CHECKS
from robustbench_eff.testing.stylisers import example_pairs


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return adain_weights.write(tmp_path_factory.mktemp("adain"))


@pytest.fixture(params=STYLISERS)
def styliser(request: pytest.FixtureRequest, files: tuple[Path, Path]) -> Styliser:
    made = build_styliser.styliser(request.param)
    if request.param in WITHOUT_WEIGHTS:
        return made
    return dataclasses.replace(made, encoder=str(files[0]), decoder=str(files[1]))


@pytest.mark.parametrize("check", STYLISER_CHECKS, ids=lambda check: check.__name__)
def test_every_styliser_keeps_the_contract(styliser: Styliser, check: Callable[[Styliser], None]) -> None:
    check(styliser)


def test_strength_0_gives_the_content_where_no_network_decodes_it(styliser: Styliser) -> None:
    content, style, draws = example_pairs()
    if not hasattr(styliser, "decoder"):
        assert torch.equal(styliser(content, style, 0.0, draws), content)


@dataclasses.dataclass(frozen=True)
class Broken:
    """Brightens images and keeps to the contract except for one deed.

    Source: this test.
    Differs: in what `deed` names.
    """

    deed: str = ""

    @property
    def stochastic(self) -> bool:
        return False

    def __call__(
        self, content: Tensor, style: Tensor, strength: float = 1.0, draws: RandomStreams | None = None
    ) -> Tensor:
        images = torch.lerp(content, style, strength)
        match self.deed:
            case "range":
                return images + 2
            case "input":
                content.mul_(0.9)
            case "batch":
                return images * (1 - images.mean())
            case "seed":
                return (images * torch.rand(1, generator=torch.Generator().manual_seed(next(COUNTER)))).clamp(0, 1)
            case "strength":
                return style.clone()
        return images


COUNTER = itertools.count()


@dataclasses.dataclass(eq=False)
class Thawed:
    anything: int = 0


Thawed.__doc__ = ""
BROKEN = {
    "keeps_shape_and_range": Broken("range"),
    "leaves_content_and_style_unmodified": Broken("input"),
    "gives_the_same_images_in_any_batch": Broken("batch"),
    "gives_the_same_images_for_the_same_seed": Broken("seed"),
    "moves_further_with_more_strength": Broken("strength"),
    "is_a_frozen_styliser": Thawed(),
    "styliser_text_round_trips": Thawed(),
    "styliser_names_its_source": Thawed(),
}


@pytest.mark.parametrize("check", STYLISER_CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Callable[[Styliser], None]) -> None:
    check(Broken())
    with pytest.raises(AssertionError):
        check(BROKEN[check.__name__])


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
def test_wrong_input_is_refused(
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
        build_styliser.styliser(text)
