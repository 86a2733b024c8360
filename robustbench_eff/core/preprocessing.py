"""How a model's input is made from an image: geometry, applied once when images are decoded, and normalization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from .errors import UsageError

Mode = Literal["crop", "squash", "none"]
MODES: tuple[str, ...] = get_args(Mode)
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
PerChannel: TypeAlias = tuple[float, float, float]
"""One value each for red, green and blue."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How an image of any size becomes `size` x `size` pixels.

    `crop` resizes the short side to `resize` and cuts out the center, `squash` resizes the whole image regardless of
    its aspect ratio, `none` requires images of that size.

    Raises:
        UsageError: The mode is unknown, `size` is less than 1, or the crop is larger than the resized image.
    """

    size: int
    """Side of the result, in pixels, at least 1."""
    mode: Mode = "crop"
    """How an image becomes square."""
    resize: int | None = None
    """Length of the short side before the crop, in pixels, at least `size`; None means `size`."""
    interpolation: Interpolation = "bicubic"
    """Filter of the resizing."""
    border: int = 0
    """Number of pixels that are cut off on every side before anything else."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.mode not in MODES:
            raise UsageError(f"geometry must be one of {', '.join(MODES)}, got {self.mode!r}.")
        if self.size < 1:
            raise UsageError(f"input size must be at least 1 pixel, got {self.size}.")
        if self.resize is not None and self.resize < self.size:
            raise UsageError(f"cannot crop {self.size} pixels out of a short side of {self.resize}.")

    def __str__(self) -> str:
        """Return a description in words; it is part of protocols."""
        border = f"border of {self.border} cut off, " if self.border else ""
        match self.mode:
            case "none":
                return f"{border}{self.size}×{self.size} as it is"
            case "squash":
                return f"{border}squashed to {self.size}×{self.size}, {self.interpolation}"
            case "crop":
                center = f"centre {self.size}×{self.size}, {self.interpolation}"
                return f"{border}short side {self.resize or self.size}, {center}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """Geometry, and normalization of each channel: (pixel - mean) / std with pixels in [0, 1].

    Raises:
        UsageError: `mean` or `std` does not have three values, or a standard deviation is not positive.
    """

    geometry: Geometry
    """How an image becomes square."""
    mean: PerChannel = (0.0, 0.0, 0.0)
    """Mean of each channel."""
    std: PerChannel = (1.0, 1.0, 1.0)
    """Standard deviation of each channel, greater than 0."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if len(self.mean) != 3 or len(self.std) != 3:
            raise UsageError(f"mean and std need three values, got {len(self.mean)} and {len(self.std)}.")
        if min(self.std) <= 0:
            raise UsageError(f"std must be > 0, got {self.std}.")

    def __str__(self) -> str:
        """Return a description in words."""
        mean, std = (" ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        return f"{self.geometry}; mean {mean}, std {std}"
