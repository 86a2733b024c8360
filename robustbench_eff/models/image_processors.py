"""The image processor of a transformers model, as preprocessing of ours: measured on pictures, not believed.

What a processor does to colors is read off what it makes of plain pictures. How it resizes is guessed from its settings
and compared with what it makes of two pictures of noise; a guess that differs by more than rounding is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from robustbench_eff.core.errors import ModelError, reason
from robustbench_eff.core.preprocessing import Geometry, Preprocessing, Size
from robustbench_eff.core.resizing import resize

TOLERANCE = 0.75
"""Largest mean difference of a picture of noise from the processor's, in levels of 255: libraries round differently."""
MAX_SIDE = 8192
"""Largest side, in pixels, to which a processor may resize an image."""
_METHODS: Mapping[int, str] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of the filters that we have."""
_DIGITS = 7
"""Decimals of a mean or standard deviation: as many as 32-bit floats give back."""
_LEVIT = 256 / 224
"""Factor by which LeViT's processor enlarges the short side before the crop; it has no setting for it."""
OPTIONS = "Pass --input-size, --geometry, --mean and --std: they take its place."
"""What to do about a processor that cannot be read."""


class ReadProcessor(NamedTuple):
    """What a processor does."""

    preprocessing: Preprocessing
    """The same in our terms."""
    reverses_channels: bool
    """Whether the network gets blue, green, red."""


class _Colors(NamedTuple):
    mean: tuple[float, ...]
    std: tuple[float, ...]
    reverses: bool


def read_processor(processor: Any, size: Size | None, channels: int, name: str) -> ReadProcessor:
    """Return what an image processor does.

    Args:
        processor: An image processor of transformers.
        size: Size of the images that the network was built for, where the processor does not resize; None if unknown.
        channels: Number of channels that the network takes, 1 or 3.
        name: Name of the model, for messages.

    Raises:
        ModelError: It does something that a `Preprocessing` cannot do.
    """
    for key, value in vars(processor).items():
        sides = [side for side in (vars(value).values() if hasattr(value, "__dict__") else ()) if isinstance(side, int)]
        if key.endswith("size") and max(sides, default=0) > MAX_SIDE:
            raise ModelError(f"{name}: its {type(processor).__name__} has a {key} of {max(sides)} pixels.", OPTIONS)
    shape = _shape(processor, channels, name)
    resizes = shape is not None
    if shape is None:
        shape = _shape_of_network(processor, size, name)
    colors = _colors(processor, shape, channels, name)
    probes = [_noise(width, height) for width, height in (_sizes(shape) if resizes else [shape[::-1]])]
    targets = [_levels(_processed(processor, probe, channels, name), colors) for probe in probes]
    closest = math.inf
    for geometry in _geometries(processor, shape) if resizes else [Geometry(size=shape, mode="none")]:
        difference = max(
            float(np.abs(_ours(probe, geometry, channels) - target).mean())
            for probe, target in zip(probes, targets, strict=True)
        )
        if difference <= TOLERANCE:
            return ReadProcessor(Preprocessing(geometry=geometry, mean=colors.mean, std=colors.std), colors.reverses)
        closest = min(closest, difference)
    raise ModelError(
        f"{name}: its {type(processor).__name__} resizes in a way that is not known "
        f"(the closest one differs by {closest:.1f} of 255 levels on average).",
        OPTIONS,
    )


def _geometries(processor: Any, shape: tuple[int, int]) -> Iterator[Geometry]:
    """The ways to resize that the settings may mean, the most common ones first."""
    size: Any = getattr(processor, "size", None) or {}
    method = getattr(processor, "resample", None)
    interpolation: Any = _METHODS.get(int(2 if method is None else method), "bilinear")
    short, height, width = (_entry(size, key) for key in ("shortest_edge", "height", "width"))
    crop_pct = getattr(processor, "crop_pct", None)
    yield Geometry(size=shape, mode="squash", interpolation=interpolation)
    sides = [side for side in (short, height) if side]
    scales = [1.0, _LEVIT, *([1 / crop_pct] if crop_pct else [])]
    for resized in dict.fromkeys(int(side * scale) for side in sides for scale in scales):
        if resized >= max(shape):
            yield Geometry(size=shape, resize=resized, interpolation=interpolation)
    if height and width and height >= shape[0] and width >= shape[1]:
        yield Geometry(size=shape, mode="squash", resize=(height, width), interpolation=interpolation)


def _shape(processor: Any, channels: int, name: str) -> tuple[int, int] | None:
    """Height and width of what comes out; None where that depends on what goes in."""
    found = {_processed(processor, _noise(*size), channels, name).shape[-2:] for size in ((640, 480), (480, 640))}
    if len(found) > 1:
        return None
    height, width = found.pop()
    return int(height), int(width)


def _shape_of_network(processor: Any, size: Size | None, name: str) -> tuple[int, int]:
    if size is None or getattr(processor, "do_resize", True) or getattr(processor, "do_pad", False):
        raise ModelError(f"{name}: its {type(processor).__name__} gives images of different sizes.", OPTIONS)
    return Geometry(size=size).shape


def _sizes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Width and height of a wide and of a high picture, no multiples of what becomes of them."""
    height, width = shape
    return [(5 * width // 2 + 7, 3 * height // 2 + 2), (9 * width // 8 + 9, 2 * height + 5)]


def _colors(processor: Any, shape: tuple[int, int], channels: int, name: str) -> _Colors:
    """Mean and standard deviation from what becomes of black and of each full color."""
    height, width = shape
    plain = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)] if channels == 3 else [(0,) * 3, (255,) * 3]
    middles = []
    for color in plain:
        made = _processed(processor, Image.new("RGB", (2 * width, 2 * height), color), channels, name)
        middles.append(made[:, made.shape[1] // 2, made.shape[2] // 2])
    black = middles[0]
    scales = np.stack([middle - black for middle in middles[1:]], 1)  # (output channel, color)
    reverses = channels == 3 and bool(np.isclose(scales[0, 0], 0)) and not np.isclose(scales[0, 2], 0)
    scales, black = (scales[::-1], black[::-1]) if reverses else (scales, black)
    factors = np.diagonal(scales)
    if not np.allclose(scales, np.diag(factors), atol=1e-5) or factors.min() <= 0:
        raise ModelError(f"{name}: its {type(processor).__name__} mixes or inverts the color channels.", OPTIONS)
    mean, std = -black / factors, 1 / factors
    return _Colors(_rounded(mean), _rounded(std), reverses)


def _rounded(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), _DIGITS) + 0.0 for value in values)


def _levels(made: npt.NDArray[np.float64], colors: _Colors) -> npt.NDArray[np.float64]:
    """Pixels in levels from 0 to 255, channels in the order red, green, blue."""
    made = made[::-1] if colors.reverses else made
    column = (slice(None), None, None)
    levels: npt.NDArray[np.float64] = 255 * (made * np.array(colors.std)[column] + np.array(colors.mean)[column])
    return levels


def _ours(picture: Image.Image, geometry: Geometry, channels: int) -> npt.NDArray[np.float64]:
    """The picture at a geometry; an odd margin is halved downwards, as transformers does and torchvision does not."""
    resized, (height, width) = resize(picture, geometry, "picture"), geometry.shape
    left, top = (resized.width - width) // 2, (resized.height - height) // 2
    pixels = np.asarray(resized.crop((left, top, left + width, top + height)), dtype=np.float64).transpose(2, 0, 1)
    return pixels[:channels]


def _processed(processor: Any, picture: Image.Image, channels: int, name: str) -> npt.NDArray[np.float64]:
    """What a processor makes of a picture: channels, height, width."""
    try:
        made = processor(picture if channels == 3 else picture.convert("L"), return_tensors="np")["pixel_values"]
        pixels = np.asarray(made, dtype=np.float64)
    except Exception as error:  # a processor of a repository's own may raise anything
        raise ModelError(f"{name}: its {type(processor).__name__} fails: {reason(error)}.", OPTIONS) from error
    pixels = pixels[0] if pixels.ndim == 4 and len(pixels) == 1 else pixels
    if pixels.ndim != 3 or len(pixels) != channels:
        raise ModelError(
            f"{name}: its {type(processor).__name__} makes an array of shape {pixels.shape} of one image, "
            f"where the network takes {channels} channels.",
            OPTIONS,
        )
    return pixels


def _noise(width: int, height: int) -> Image.Image:
    """Grey noise, the same in every process: every filter and every shift changes it."""
    values = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (height, width, 1), dtype=np.uint8)
    return Image.fromarray(np.repeat(values, 3, 2))


def _entry(size: Any, key: str) -> int | None:
    value = size.get(key) if isinstance(size, Mapping) else getattr(size, key, None)
    return int(value) if value else None
