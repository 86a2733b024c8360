"""Every row of the table of sequences passes the battery, and the battery can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions.sequence import SequenceKernel
from robustbench_eff.corruptions.sequences import GAUSSIAN_NOISE
from robustbench_eff.registry.build_corruption import parse_sequence
from robustbench_eff.registry.sequences import SEQUENCES
from robustbench_eff.testing import SEQUENCE_CHECKS


@pytest.mark.parametrize("check", SEQUENCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SEQUENCES)
def test_every_sequence_keeps_the_contract(name: str, check: Callable[[SequenceKernel], None]) -> None:
    check(SEQUENCES[name].load())


@pytest.mark.parametrize("name", SEQUENCES)
def test_only_noise_has_three_difficulties(name: str) -> None:
    kernel = SEQUENCES[name].load()
    assert kernel.name == name
    for difficulties in kernel.difficulties.values():
        assert len(difficulties) == (3 if kernel.noise else 1)
    assert parse_sequence(name) == kernel.at()


def film(deed: str) -> Callable[..., torch.Tensor]:
    """Noise that keeps to the contract except for one deed."""

    def filmed(picture: torch.Tensor, size: int, deviation: float, draws: RandomStreams) -> torch.Tensor:
        if deed == "input":
            picture.mul_(0)
        frames = GAUSSIAN_NOISE.film(picture, size, deviation, draws)
        match deed:
            case "dtype":
                return frames.float()
            case "seed":
                return torch.randint(0, 256, frames.shape, dtype=torch.uint8)
            case "repeat":
                return frames[:1].expand_as(frames).clone()
        return frames

    filmed.__doc__ = None if deed == "source" else "Source: this test."
    return filmed


DEEDS = {
    "films_every_frame": "dtype",
    "leaves_the_picture_unmodified": "input",
    "gives_the_same_frames_for_the_same_seed": "seed",
    "changes_from_frame_to_frame": "repeat",
    "sequence_text_round_trips": "text",
    "sequence_names_its_source": "source",
}


@pytest.mark.parametrize("check", SEQUENCE_CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Callable[[SequenceKernel], None]) -> None:
    check(replace(GAUSSIAN_NOISE, film=film("")))
    deed = DEEDS[check.__name__]
    broken = replace(GAUSSIAN_NOISE, film=film(deed))
    if deed == "text":
        broken = replace(GAUSSIAN_NOISE, name="two words")
    with pytest.raises((AssertionError, SpecError)):
        check(broken)
