"""How a model's input is made from an image: geometry, applied once when images are decoded, and normalization."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from .errors import UsageError

Mode = Literal["crop", "squash", "none", "center"]
MODES: tuple[str, ...] = get_args(Mode)
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
PerChannel: TypeAlias = tuple[float, ...]
"""One value each for red, green and blue; or a single one for a network that takes one channel."""
Size: TypeAlias = int | tuple[int, int]
"""Side of a square, or height and width, in pixels."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How an image of any size becomes `size` pixels, which is a square or a height and a width.

    `crop` resizes the image so that it just covers `resize` and cuts out the center, `squash` resizes the whole image
    to `resize` regardless of its aspect ratio and cuts out the center, `none` requires images of that size,
    `center` cuts out the center without resizing and surrounds a smaller image with black.

    Raises:
        UsageError: The mode is unknown, `size` is less than 1, or the crop is larger than the resized image.
    """

    size: Size
    """Side of the result, or height and width, in pixels, at least 1."""
    mode: Mode = "crop"
    """How an image gets this shape."""
    resize: Size | None = None
    """Length of the short side before the crop, or the height and width to cover, in pixels, at least `size`; for
    `squash` the size before the crop. None means `size`."""
    interpolation: Interpolation = "bicubic"
    """Filter of the resizing."""
    border: int = 0
    """Number of pixels that are cut off on every side before anything else."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.mode not in MODES:
            raise UsageError(f"geometry must be one of {', '.join(MODES)}, got {self.mode!r}.")
        object.__setattr__(self, "size", _size(self.size))
        object.__setattr__(self, "resize", None if self.resize is None else _size(self.resize))
        if min(self.shape) < 1:
            raise UsageError(f"input size must be at least 1 pixel, got {self.size}.")
        if min(whole - part for whole, part in zip(self.covered, self.shape, strict=True)) < 0:
            raise UsageError(f"cannot crop {self.size} pixels out of a short side of {self.resize}.")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the result, in pixels."""
        return _height_and_width(self.size)

    @property
    def covered(self) -> tuple[int, int]:
        """Height and width that the resized image just covers before the crop, in pixels."""
        return _height_and_width(self.resize or self.size)

    @property
    def long_side(self) -> int:
        """The larger one of height and width, in pixels."""
        return max(self.shape)

    def __str__(self) -> str:
        """Return a description in words; it is part of protocols."""
        border, size = f"border of {self.border} cut off, " if self.border else "", size_text(self.size)
        match self.mode:
            case "none":
                return f"{border}{size} as it is"
            case "center":
                return f"{border}centre {size}, not resized"
            case "squash":
                cut = f", centre {size}" if self.covered != self.shape else ""
                return f"{border}squashed to {size_text(self.resize or self.size)}{cut}, {self.interpolation}"
            case "crop":
                resized = self.resize or self.size
                scaled = f"short side {resized}" if isinstance(resized, int) else f"covering {size_text(resized)}"
                return f"{border}{scaled}, centre {size}, {self.interpolation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """Geometry, and normalization of each channel: (pixel - mean) / std with pixels in [0, 1].

    Raises:
        UsageError: `mean` and `std` do not both have three values or both one, or a standard deviation is not positive.
    """

    geometry: Geometry
    """How an image gets the size of the input."""
    mean: PerChannel = (0.0, 0.0, 0.0)
    """Mean of each channel; a single value for a network that takes one channel."""
    std: PerChannel = (1.0, 1.0, 1.0)
    """Standard deviation of each channel, greater than 0."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
            raise UsageError(
                f"mean and std need three values, or one for one channel, got {len(self.mean)} and {len(self.std)}."
            )
        if min(self.std) <= 0:
            raise UsageError(f"std must be > 0, got {self.std}.")

    @property
    def channels(self) -> int:
        """Number of channels of the images that the network takes: 3, or 1 for grey."""
        return len(self.mean)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images that the network takes."""
        return (self.channels, *self.geometry.shape)

    def __str__(self) -> str:
        """Return a description in words."""
        mean, std = (" ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        channels = "one channel; " if self.channels == 1 else ""
        return f"{self.geometry}; {channels}mean {mean}, std {std}"


def size_text(size: Size) -> str:
    """Return a size for readers, such as `32×32` or `224×160 (height × width)`.

    Args:
        size: Side of a square, or height and width.
    """
    height, width = _height_and_width(size)
    return f"{height}×{width}" + ("" if height == width else " (height × width)")


def size_before_crop(size: Size, crop_pct: float) -> Size:
    """Return the size to which an image is resized before a crop, rounded down.

    Args:
        size: Size of the crop: side of a square, or height and width, in pixels.
        crop_pct: Size of the crop over that of the resized image, in (0, 1].
    """
    height, width = (math.floor(side / crop_pct) for side in _height_and_width(size))
    return _size((height, width))


def _size(size: Size | Sequence[int]) -> Size:
    """The side alone where height and width are equal, so that every size is written in one way."""
    if isinstance(size, int):
        return size
    if len(size) != 2:
        raise UsageError(f"input size must be one number, or height and width, got {size}.")
    height, width = size
    return height if height == width else (height, width)


def _height_and_width(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
