"""Sequences of frames against the libraries that the published ones were made with, and against each other."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustbench_eff.core.center_crop import center_crop, crop_corner
from robustbench_eff.core.errors import DataError, SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions import random as fields
from robustbench_eff.corruptions.sequence import FrameSequence
from robustbench_eff.corruptions.sequences import transform
from robustbench_eff.corruptions.sequences.perspective import warp_perspective
from robustbench_eff.corruptions.sequences.spatter import SPATTER, _run
from robustbench_eff.registry.build_corruption import parse_sequence
from robustbench_eff.registry.sequences import SEQUENCES
from robustbench_eff.testing.sequences import HEIGHT, SIDE, WIDTH, example_picture

ROOT = Path(__file__).parents[2]
NUMBA = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """The same as in scripts/golden_tilt.py."""
    return example_picture()


@pytest.fixture
def no_numba(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Calling it makes everything go through torch."""

    def leave() -> None:
        for module in ("random", "corruption", "spatter", "sequences.transform", "sequences.perspective"):
            monkeypatch.setattr(f"robustbench_eff.corruptions.{module}.can_compile", lambda: False)

    return leave


def sequence(name: str, **fields: object) -> FrameSequence:
    arguments = ", ".join(f"{key}={value!r}" for key, value in fields.items())
    return parse_sequence(f"{name}_sequence({arguments})")  # type: ignore[return-value]


def torchvision_in_2018(angle: float, translate: tuple[int, int], scale: float, shear: float) -> list[float]:
    """The inverse matrix that torchvision 0.2 gave Pillow."""
    turn, lean, centre = math.radians(angle), math.radians(shear), (WIDTH * 0.5 + 0.5, HEIGHT * 0.5 + 0.5)
    determinant = math.cos(turn + lean) * math.cos(turn) + math.sin(turn + lean) * math.sin(turn)
    matrix = [math.cos(turn + lean), math.sin(turn + lean), 0, -math.sin(turn), math.cos(turn), 0]
    matrix = [1.0 / scale / determinant * entry for entry in matrix]
    for start in (0, 3):
        matrix[start + 2] += matrix[start] * (-centre[0] - translate[0])
        matrix[start + 2] += matrix[start + 1] * (-centre[1] - translate[1])
        matrix[start + 2] += centre[start // 3]
    return matrix


def moved(
    picture: torch.Tensor, *, nearest: bool = False, angle=0.0, translate=(0, 0), scale=1.0, shear=0.0
) -> np.ndarray:
    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    matrix = torchvision_in_2018(angle, translate, scale, shear)
    whole = Image.fromarray(picture.numpy()).transform((WIDTH, HEIGHT), Image.Transform.AFFINE, matrix, how)
    return center_crop(torch.from_numpy(np.array(whole))[None], SIDE)[0].numpy()


MOVES: dict[tuple[str, str], Callable[[int], dict[str, object]]] = {
    ("rotate", "imagenet"): lambda i: {"angle": i - 15},
    ("rotate", "cifar10"): lambda i: {"angle": i - 15},
    ("shear", "imagenet"): lambda i: {"shear": i - 15},
    ("scale", "imagenet"): lambda i: {"scale": (i * 2.5 + 40) / 100.0},
    ("scale", "cifar10"): lambda i: {"scale": (i * 2 + 70) / 100.0},
    ("translate", "imagenet"): lambda i: {"translate": (i - 20, 0), "nearest": True},
    ("translate", "cifar10"): lambda i: {"translate": (i - 7, 0), "nearest": True},
}


@pytest.mark.parametrize("by_torch", [False, True])
@pytest.mark.parametrize(("name", "constants"), MOVES)
def test_moved_frames_are_pillows(
    name: str, constants: str, by_torch: bool, picture: torch.Tensor, no_numba: Callable[[], None]
) -> None:
    if by_torch:
        no_numba()
    frames = sequence(name, constants=constants)(picture, SIDE)
    for number, frame in enumerate(frames.numpy()):
        np.testing.assert_array_equal(frame, moved(picture, **MOVES[name, constants](number)))


@pytest.mark.parametrize("by_torch", [False, True])
@pytest.mark.parametrize("constants", ["imagenet", "cifar10"])
def test_tilted_frames_are_those_of_opencv_4(
    constants: str, by_torch: bool, picture: torch.Tensor, no_numba: Callable[[], None]
) -> None:
    if by_torch:
        no_numba()
    stored = json.loads((ROOT / "tests" / "golden" / "tilt.json").read_text())["digests"]
    frames = sequence("tilt", constants=constants)(picture, SIDE)
    assert hashlib.blake2b(frames.numpy().tobytes(), digest_size=8).hexdigest() == stored[constants]


def test_zoomed_frames_are_running_means(picture: torch.Tensor) -> None:
    frames = sequence("zoom_blur")(picture, SIDE)
    total = center_crop(picture[None], SIDE)[0].numpy().astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(frames[0].numpy(), center_crop(picture[None], SIDE)[0].numpy())
    for number in range(1, 31):
        total = total + moved(picture, scale=1 + 0.004 * number).astype(np.float32) / np.float32(255)
        np.testing.assert_array_equal(frames[number].numpy(), (total / np.float32(number + 1) * 255).astype(np.uint8))


def test_brighter_and_blurred_frames_are_scikit_images(picture: torch.Tensor) -> None:
    colour, filters = pytest.importorskip("skimage.color"), pytest.importorskip("skimage.filters")
    clean = center_crop(picture[None], SIDE)[0].numpy() / 255.0
    bright, blurred = sequence("brightness")(picture, SIDE), sequence("gaussian_blur")(picture, SIDE)
    for number in range(31):
        values = colour.rgb2hsv(clean)
        values[..., 2] = np.clip(values[..., 2] + (number - 15) * 2 / 100.0, 0, 1)
        np.testing.assert_array_equal(bright[number].numpy(), np.uint8(colour.hsv2rgb(values) * 255))
        smooth = filters.gaussian(clean, sigma=0.25 + 0.035 * number, truncate=6.0, channel_axis=-1)
        np.testing.assert_array_equal(blurred[number].numpy(), np.uint8(255 * smooth))


def test_noisy_frames_are_the_clean_one_and_draws(picture: torch.Tensor) -> None:
    draws = RandomStreams.of(0, ["a"])
    own = draws.fork(torch.arange(31))[1:]
    clean = center_crop(picture[None], SIDE)
    noise = fields.normals(own, (SIDE, SIDE, 3), "gaussian_noise_sequence")
    frames = sequence("gaussian_noise", difficulty=3)(picture, SIDE, draws)
    assert torch.equal(frames[0], clean[0])
    assert torch.equal(frames[1:], (((clean.float() / 255) + 0.08 * noise).clamp(0, 1) * 255).to(torch.uint8))
    speckle = fields.normals(own, (SIDE, SIDE, 3), "speckle_noise_sequence").double()
    values = clean.double() / 255
    frames = sequence("speckle_noise", difficulty=2)(picture, SIDE, draws)
    assert torch.equal(frames[1:], ((values + values * (speckle * 0.1)).clamp(0, 1) * 255).to(torch.uint8))


@pytest.mark.parametrize(("difficulty", "photons"), [(1, 300), (2, 120), (3, 60)])
def test_shot_noise_has_the_variance_of_photons(difficulty: int, photons: int) -> None:
    grey = torch.full((64, 64, 3), 51, dtype=torch.uint8)
    frames = sequence("shot_noise", difficulty=difficulty)(grey, 64)[1:].double() / 255
    assert frames.mean() == pytest.approx(0.2 - 0.5 / 255, abs=0.001)
    assert frames.var() == pytest.approx(0.2 / photons, rel=0.03)


def test_the_blur_turns_as_the_reference_does(picture: torch.Tensor) -> None:
    reference = pytest.importorskip("reference_corruptions", reason="the reference package is not installed").reference
    frames = sequence("motion_blur")(picture, SIDE)
    clean = center_crop(picture[None], SIDE)[0].numpy()
    for number in (0, 7, 29, 30):
        blurred = reference._motion_blur(clean, radius=10, sigma=3, angle=(number - 30) * 4)
        np.testing.assert_array_equal(frames[number].numpy(), np.clip(blurred, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("shares", [(0.05, 0.1, 0.15, 0.7), (0.2, 0.8)])
def test_drops_run_as_numpy_convolves(shares: tuple[float, ...]) -> None:
    liquid = np.random.default_rng(0).random((20, 7))
    expected = np.stack([np.convolve(column, shares, mode="same") for column in liquid.T], axis=1)
    np.testing.assert_allclose(_run(torch.from_numpy(liquid)[None], shares)[0].numpy(), expected, rtol=1e-14)


def test_wet_frames_are_opencvs(picture: torch.Tensor) -> None:
    cv2 = pytest.importorskip("cv2")
    filters = pytest.importorskip("skimage.filters")
    draws = RandomStreams.of(3, ["a"])
    noise = fields.normals(draws, (SIDE, SIDE), "spatter_sequence")[0].double().numpy()
    liquid = filters.gaussian(0.65 + 0.27 * noise, sigma=3.7)
    liquid[liquid < 0.69] = 0
    image = center_crop(picture[None], SIDE)[0].numpy().astype(np.float32) / 255.0
    frames = sequence("spatter")(picture, SIDE, draws)
    assert SPATTER.difficulties["imagenet"][0].drops.sigma == 3.7
    for number in range(31):
        layer = (liquid * 255).astype(np.uint8)
        away = cv2.distanceTransform(255 - cv2.Canny(layer, 50, 150), cv2.DIST_L2, 5)
        _, away = cv2.threshold(away, 20, 20, cv2.THRESH_TRUNC)
        away = cv2.equalizeHist(cv2.blur(away, (3, 3)).astype(np.uint8))
        away = cv2.filter2D(away, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
        shine = layer * cv2.blur(away, (3, 3)).astype(np.float32)
        shine = (shine / shine.max() * 0.6)[..., None]
        wet = image + shine * (np.array([175, 238, 238]) / 255.0).astype(np.float32)
        off = np.abs(frames[number].numpy().astype(int) - (np.clip(wet, 0, 1) * 255).astype(np.uint8))
        assert off.max() <= 1
        assert (off > 0).mean() < 0.01
        liquid = np.apply_along_axis(np.convolve, 0, liquid, [0.05, 0.1, 0.15, 0.7], mode="same")


@NUMBA
def test_both_programs_find_the_same_pixels_at_the_edges(picture: torch.Tensor, no_numba: Callable[[], None]) -> None:
    """Half pixels, whole pixels and what lies outside."""
    maps = [[[1.0, 0.0, shift], [0.0, 1.0, -shift]] for shift in (0.0, 0.5, -0.5, 40.0, 200.0)]
    homographies = [np.array([[1, 0, shift], [0, 1, 0], [0.001, 0, 1]]) for shift in (0, 10, 300)]
    compiled = transform.warp_affine(picture, maps, SIDE), warp_perspective(picture, homographies, SIDE)
    no_numba()
    assert torch.equal(transform.warp_affine(picture, maps, SIDE), compiled[0])
    assert torch.equal(warp_perspective(picture, homographies, SIDE), compiled[1])


@pytest.mark.parametrize("name", SEQUENCES)
def test_every_sequence_is_the_same_without_compiled_loops(
    name: str, picture: torch.Tensor, no_numba: Callable[[], None]
) -> None:
    compiled = parse_sequence(name)(picture, SIDE)
    no_numba()
    assert torch.equal(parse_sequence(name)(picture, SIDE), compiled)


def test_only_noise_has_difficulties_of_its_own() -> None:
    with pytest.raises(SpecError, match="difficulty must be 1, got 2"):
        sequence("rotate", difficulty=2)
    with pytest.raises(SpecError, match="difficulty must be 1 to 3, got 4"):
        sequence("shot_noise", difficulty=4)


def test_input_that_is_not_a_picture_is_refused(picture: torch.Tensor) -> None:
    with pytest.raises(DataError, match="uint8 picture of shape"):
        sequence("rotate")(picture[None], SIDE)
    with pytest.raises(DataError, match="smaller than a frame of 100×100"):
        sequence("rotate")(picture, 100)


def test_the_crop_is_that_of_torchvision() -> None:
    assert crop_corner(256, 341, 224) == (16, 58)
    assert crop_corner(256, 339, 224) == (16, 58)
    assert crop_corner(32, 32, 32) == (0, 0)
