"""The kernels of ImageNet-C-bar and CIFAR-10-C-bar give the stored bytes, and what they are said to do holds.

After a change that means to give other bytes: python tests/corruptions/test_imagenet_c_bar.py
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions.blue_noise_sample import BLUE_NOISE_SAMPLE
from robustbench_eff.corruptions.brownish_noise import BROWNISH_NOISE
from robustbench_eff.corruptions.caustic_refraction import CAUSTIC_REFRACTION
from robustbench_eff.corruptions.checkerboard_cutout import CHECKERBOARD_CUTOUT
from robustbench_eff.corruptions.circular_motion_blur import CIRCULAR_MOTION_BLUR
from robustbench_eff.corruptions.cocentric_sine_waves import COCENTRIC_SINE_WAVES
from robustbench_eff.corruptions.corruption import Constants, Kernel
from robustbench_eff.corruptions.cubic_spline import coefficients, taps
from robustbench_eff.corruptions.inverse_sparkles import INVERSE_SPARKLES
from robustbench_eff.corruptions.lines import LINES
from robustbench_eff.corruptions.perlin_noise import PERLIN_NOISE
from robustbench_eff.corruptions.pinch_and_twirl import PINCH_AND_TWIRL
from robustbench_eff.corruptions.plasma_noise import PLASMA_NOISE
from robustbench_eff.corruptions.ripple import RIPPLE
from robustbench_eff.corruptions.single_frequency_greyscale import SINGLE_FREQUENCY_GREYSCALE
from robustbench_eff.corruptions.sparkles import SPARKLES
from robustbench_eff.corruptions.transverse_chromatic_abberation import TRANSVERSE_CHROMATIC_ABBERATION

GOLDEN = Path(__file__).parents[1] / "golden" / "imagenet_c_bar.json"
IMAGENET_C_BAR = (
    CAUSTIC_REFRACTION,
    INVERSE_SPARKLES,
    SPARKLES,
    PERLIN_NOISE,
    BLUE_NOISE_SAMPLE,
    PLASMA_NOISE,
    CHECKERBOARD_CUTOUT,
    COCENTRIC_SINE_WAVES,
    SINGLE_FREQUENCY_GREYSCALE,
    BROWNISH_NOISE,
)
CIFAR_10_C_BAR = (
    BLUE_NOISE_SAMPLE,
    CHECKERBOARD_CUTOUT,
    INVERSE_SPARKLES,
    PINCH_AND_TWIRL,
    RIPPLE,
    BROWNISH_NOISE,
    CIRCULAR_MOTION_BLUR,
    LINES,
    SPARKLES,
    TRANSVERSE_CHROMATIC_ABBERATION,
)
SETS = {"imagenet": IMAGENET_C_BAR, "cifar10": CIFAR_10_C_BAR}
CASES = [(kernel, constants) for constants, kernels in SETS.items() for kernel in kernels]
each_kernel = pytest.mark.parametrize(
    ("kernel", "constants"), CASES, ids=[f"{kernel.name}-{constants}" for kernel, constants in CASES]
)


def pictures(count: int, height: int, width: int) -> Tensor:
    """Slopes of another steepness in each channel; no two neighbours are equal, so that no last bit decides a level."""
    image = torch.arange(count).view(-1, 1, 1, 1)
    row, column = torch.arange(height).view(1, -1, 1, 1), torch.arange(width).view(1, 1, -1, 1)
    down, across = torch.tensor([2, 1, 3]), torch.tensor([1, 3, 2])
    return ((40 * image + down * row + across * column) % 251).to(torch.uint8)


def digests(kernel: Kernel, constants: Constants) -> dict[str, str]:
    """Of two corrupted images, by severity."""
    draws = RandomStreams.of(0, ["first", "second"])
    return {
        f"{kernel.name} {constants} {severity}": hashlib.blake2b(
            kernel.at(severity, constants)(pictures(2, 64, 64), draws).numpy().tobytes(), digest_size=8
        ).hexdigest()
        for severity in range(1, 6)
    }


@each_kernel
def test_the_bytes_are_those_that_are_stored(kernel: Kernel, constants: Constants) -> None:
    stored = json.loads(GOLDEN.read_text())
    found = digests(kernel, constants)
    assert found == {name: stored[name] for name in found}
    assert len(set(found.values())) == 5, "severities differ"


def test_no_bytes_are_stored_of_what_there_is_no_more() -> None:
    assert len(json.loads(GOLDEN.read_text())) == 5 * len(CASES)


@each_kernel
def test_constants_are_those_of_the_published_sets_and_no_others(kernel: Kernel, constants: Constants) -> None:
    assert set(kernel.severities) == {name for name, kernels in SETS.items() if kernel in kernels}
    assert list(kernel.severities[constants]) == sorted(kernel.severities[constants])


@each_kernel
@pytest.mark.parametrize("size", [(40, 56), (33, 33)])
def test_images_keep_type_and_size_whatever_their_shape(
    kernel: Kernel, constants: Constants, size: tuple[int, int]
) -> None:
    images = pictures(2, *size)
    corrupted = kernel.at(3, constants)(images)
    assert corrupted.dtype == torch.uint8
    assert corrupted.shape == images.shape
    assert not torch.equal(corrupted, images)


@each_kernel
def test_an_image_is_the_same_alone_and_among_others(kernel: Kernel, constants: Constants) -> None:
    images, draws = pictures(5, 48, 48), RandomStreams.of(3, range(5))
    order = torch.tensor([3, 0, 4, 2, 1])
    corruption = kernel.at(4, constants)
    alone = torch.cat([corruption(images[[one]], draws[torch.tensor([one])]) for one in range(5)])
    assert torch.equal(corruption(images[order], draws[order]), alone[order])


@each_kernel
def test_the_highest_severity_changes_more_than_the_lowest(kernel: Kernel, constants: Constants) -> None:
    images, draws = pictures(8, 64, 64), RandomStreams.of(1, range(8))
    change = [(kernel.at(one, constants)(images, draws).double() - images).abs().mean() for one in (1, 5)]
    assert change[1] > 1.1 * change[0]


def test_squares_of_an_upright_checkerboard_are_where_they_belong() -> None:
    hidden = torch.zeros(1, 32, 32, dtype=torch.bool)
    hidden[0, 1, :] = True
    images = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    angle, side = torch.zeros(1, dtype=torch.float64), torch.full((1,), 8.0, dtype=torch.float64)
    grey = CHECKERBOARD_CUTOUT.apply(images, 5.0, angle, side, hidden)[0, ..., 0] == 128
    assert grey[8:16].any(0).tolist() == [False] * 8 + [True] * 8 + [False] * 8 + [True] * 8
    assert grey.sum() == 2 * 8 * 8


def test_an_upright_line_is_one_pixel_wide_and_grey() -> None:
    images = torch.full((1, 32, 32, 3), 255, dtype=torch.uint8)
    centre = torch.tensor([[[10.5, 20.5]]], dtype=torch.float64)
    drawn = LINES.apply(images, 0.5, centre, torch.zeros(1, 1, dtype=torch.float64))[0, ..., 0]
    assert (drawn[:, 20] == 128).all()
    assert (drawn[:, :20] == 255).all()
    assert (drawn[:, 21:] == 255).all()


def test_outside_its_circles_pinch_and_twirl_leaves_the_image() -> None:
    images = pictures(1, 30, 30)
    changed = (PINCH_AND_TWIRL.apply(images, 10.0, torch.ones(1, 3, 3, dtype=torch.float64)) != images).any(-1)[0]
    down, across = torch.meshgrid(*(torch.arange(30) % 10 - 5.0,) * 2, indexing="ij")
    inside = (down**2 + across**2 < 25) & (down**2 + across**2 > 0)
    assert torch.equal(changed, changed & inside)
    assert changed.sum() > 0.8 * inside.sum()


def test_a_cubic_spline_goes_through_the_pixels_it_is_made_of() -> None:
    image = torch.rand(2, 12, 9, 3, dtype=torch.float64)
    spline = coefficients(image)
    for dim in (1, 2):
        index, weights = taps(torch.arange(image.shape[dim], dtype=torch.float64), image.shape[dim])
        lines = spline.movedim(dim, -1)[..., index]
        spline = (lines * weights).sum(-1).movedim(-1, dim)
    assert torch.allclose(spline, image, atol=1e-12)


if __name__ == "__main__":
    stored = {name: digest for case in CASES for name, digest in digests(*case).items()}
    GOLDEN.write_text(json.dumps(stored, indent=2) + "\n")
