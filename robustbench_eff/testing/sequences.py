"""The battery that every sequence of frames passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from robustbench_eff.core import spec
from robustbench_eff.core.center_crop import center_crop
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import RawImage
from robustbench_eff.corruptions.sequence import FrameSequence, SequenceKernel

from .docstrings import kernel_names_its_source

HEIGHT, WIDTH, SIDE = 96, 130, 64
MIN_CHANGED_FRAMES = 0.8
"""Share of the frames that must differ from the one before."""


def example_picture() -> RawImage:
    """Return a picture of 96 x 130 pixels with a slope of another direction in each channel."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    slopes = np.stack((2 * row + column, row + 3 * column, 3 * row + 2 * column), axis=-1)
    return torch.from_numpy(np.abs(slopes % 510 - 255).astype(np.uint8))


def films_every_frame(kernel: SequenceKernel[Any]) -> None:
    """Check that as many uint8 frames of the requested size come out as the kernel declares.

    Args:
        kernel: The sequence to test.

    Raises:
        AssertionError: The number of frames, their size or their dtype differs.
    """
    for sequence in _all_difficulties(kernel):
        frames = sequence(example_picture(), SIDE, _draws(0))
        assert frames.dtype == torch.uint8, f"{sequence} returns {frames.dtype}"
        assert frames.shape == (sequence.frames, SIDE, SIDE, 3), f"{sequence} returns shape {tuple(frames.shape)}"


def leaves_the_picture_unmodified(kernel: SequenceKernel[Any]) -> None:
    """Check that the picture keeps its values.

    Args:
        kernel: The sequence to test.

    Raises:
        AssertionError: The sequence wrote to its input.
    """
    for sequence in _all_difficulties(kernel):
        picture = example_picture()
        sequence(picture, SIDE, _draws(0))
        assert torch.equal(picture, example_picture()), f"{sequence} modifies its input"


def gives_the_same_frames_for_the_same_seed(kernel: SequenceKernel[Any]) -> None:
    """Check that draws decide the frames, and that other seeds change them exactly if the kernel is stochastic.

    Args:
        kernel: The sequence to test.

    Raises:
        AssertionError: The frames are not a function of the draws, or `stochastic` is wrong.
    """
    for sequence in _all_difficulties(kernel):
        frames = sequence(example_picture(), SIDE, _draws(0))
        again, other = (sequence(example_picture(), SIDE, _draws(seed)) for seed in (0, 1))
        assert torch.equal(frames, again), f"{sequence} draws outside of its random streams"
        assert torch.equal(frames, other) != sequence.stochastic, f"{sequence}: stochastic is wrong"


def changes_from_frame_to_frame(kernel: SequenceKernel[Any]) -> None:
    """Check that at least 80 % of the frames differ from the one before, and that noise starts with a clean frame.

    Args:
        kernel: The sequence to test.

    Raises:
        AssertionError: Frames repeat, or the first frame of a noise sequence is not the centre of the picture.
    """
    for sequence in _all_difficulties(kernel):
        frames = sequence(example_picture(), SIDE, _draws(0))
        steps = (frames[1:].int() - frames[:-1].int()).abs().flatten(1).amax(1)
        assert (steps > 0).float().mean() > MIN_CHANGED_FRAMES, f"{sequence} repeats frames"
        if kernel.noise:
            clean = center_crop(example_picture()[None], SIDE)[0]
            assert torch.equal(frames[0], clean), f"{sequence} does not start with the clean frame"


def sequence_text_round_trips(kernel: SequenceKernel[Any]) -> None:
    """Check that the text of a sequence builds an equal sequence, for all constants and difficulties.

    Args:
        kernel: The sequence to test.

    Raises:
        AssertionError: A text builds another sequence.
    """
    for sequence in _all_difficulties(kernel):
        text = spec.text_of(kernel.name, sequence)
        assert spec.build(FrameSequence, spec.parse(text), kernel=kernel) == sequence


def sequence_names_its_source(kernel: SequenceKernel[Any]) -> None:
    """Check that the docstring of `film`, or of its module, has a section `Source:`.

    Args:
        kernel: The sequence to test.

    Raises:
        AssertionError: Neither docstring names a source.
    """
    kernel_names_its_source(kernel.film)


SEQUENCE_CHECKS: tuple[Callable[[SequenceKernel[Any]], None], ...] = (
    films_every_frame,
    leaves_the_picture_unmodified,
    gives_the_same_frames_for_the_same_seed,
    changes_from_frame_to_frame,
    sequence_text_round_trips,
    sequence_names_its_source,
)


def _all_difficulties(kernel: SequenceKernel[Any]) -> list[FrameSequence]:
    return [
        kernel.at(difficulty, constants)
        for constants, values in kernel.difficulties.items()
        for difficulty in range(1, len(values) + 1)
    ]


def _draws(seed: int) -> RandomStreams:
    return RandomStreams.of(seed, ["a"])
