"""What a model expects to see: geometry (applied once, when images are decoded) and normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from .errors import UsageError

Mode = Literal["crop", "squash", "none"]
MODES: tuple[str, ...] = get_args(Mode)
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How a picture of any size becomes `size` x `size` pixels.

    `crop`: the short side is resized to `resize`, then the centre is cut out; `squash`: the whole picture
    is resized, whatever its aspect; `none`: it must have that size already.
    """

    size: int
    mode: Mode = "crop"
    resize: int | None = None
    """Length of the short side before the crop, in pixels; None means `size`."""
    interpolation: Interpolation = "bicubic"
    border: int = 0
    """Pixels that are cut off on every side before anything else."""

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f"geometry must be one of {', '.join(MODES)}, got {self.mode!r}.")
        if self.size < 1:
            raise UsageError(f"input size must be at least 1 pixel, got {self.size}.")
        if self.resize is not None and self.resize < self.size:
            raise UsageError(f"cannot crop {self.size} pixels out of a short side of {self.resize}.")

    def __str__(self) -> str:
        border = f"border of {self.border} cut off, " if self.border else ""
        match self.mode:
            case "none":
                return f"{border}{self.size}×{self.size} as it is"
            case "squash":
                return f"{border}squashed to {self.size}×{self.size}, {self.interpolation}"
            case "crop":
                centre = f"centre {self.size}×{self.size}, {self.interpolation}"
                return f"{border}short side {self.resize or self.size}, {centre}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """Geometry and the per-channel normalisation (pixels in [0, 1] minus mean, divided by std)."""

    geometry: Geometry
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if len(self.mean) != 3 or len(self.std) != 3:
            raise UsageError(f"mean and std need three values, got {len(self.mean)} and {len(self.std)}.")
        if min(self.std) <= 0:
            raise UsageError(f"std must be > 0, got {self.std}.")

    def __str__(self) -> str:
        mean, std = (" ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        return f"{self.geometry}; mean {mean}, std {std}"
