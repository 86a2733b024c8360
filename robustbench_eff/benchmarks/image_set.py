"""A benchmark made ready for one geometry: 8-bit pixels on disk, labels and stable sample ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from robustbench_eff.core.preprocessing import Interpolation
from robustbench_eff.core.types import Images, Labels, Pixels, RawImage


@runtime_checkable
class PixelRows(Protocol):
    """Images by position: an array, usually memory-mapped, or what decodes them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, 3)."""

    def __getitem__(self, rows: slice | list[int], /) -> npt.NDArray[np.uint8]:
        """uint8 (n, H, W, 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """`pixels` is uint8 (N, H, W, 3); `labels` int64 (N,)."""

    benchmark: str
    label_space: str
    protocol: str
    """What a number on these images means: split, how many of how many, geometry."""
    sample_ids: list[str]
    labels: npt.NDArray[np.int64]
    pixels: PixelRows
    fingerprint: str
    """Hash of ids, labels, textures and original bytes."""
    input_size: int
    """Side in pixels at which the model sees them."""
    full_image: Callable[[int], npt.NDArray[np.uint8]]
    """The picture that a sample is the centre of, uint8 (tall, wide, 3), decoded anew; or all frames of a published
    sequence."""
    textures: npt.NDArray[np.int64] | None = None
    """Of cue-conflict images the class of each texture; int64 (N,)."""
    interpolation: Interpolation = "bicubic"
    """How they are brought to it, where it is not their own."""
    published: bool = False
    """Whether the images were corrupted by others, so that nobody knows how far they are from clean ones."""

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, start: int, stop: int, device: torch.device | str = "cpu") -> tuple[Images, Labels]:
        """Samples `start` to `stop` as the model sees them, float32 (n, 3, H, W) in [0, 1], and their labels."""
        rows = np.arange(start, min(stop, len(self)))
        return self.to_model_input(self.bytes(rows).to(device)), self.labels_of(rows, device)

    def labels_of(self, rows: npt.NDArray[np.int64], device: torch.device | str = "cpu") -> Labels:
        """Labels of these samples."""
        return torch.from_numpy(self.labels[rows]).to(device)

    def bytes(self, rows: npt.NDArray[np.int64]) -> Pixels:
        """The pixels of these samples, before the model's own size; ascending rows that leave none out are fastest."""
        together = len(rows) and rows[-1] - rows[0] == len(rows) - 1
        chosen = slice(int(rows[0]), int(rows[-1]) + 1) if together else rows.tolist()
        return torch.from_numpy(np.array(self.pixels[chosen]))

    def picture(self, row: int, device: torch.device | str = "cpu") -> RawImage | Pixels:
        """All of the picture that a sample is the centre of, at the scale of its pixels; or a published sequence."""
        return torch.from_numpy(np.array(self.full_image(row))).to(device)

    def to_model_input(self, pixels: Pixels) -> Images:
        """8-bit pixels as the model sees them: at its size, float32 (n, 3, H, W) in [0, 1]."""
        if pixels.shape[1] != self.input_size:
            pixels = self._resized(pixels)
        return pixels.permute(0, 3, 1, 2).contiguous().float() / 255

    def _resized(self, pixels: Pixels) -> Pixels:
        size, method = (self.input_size, self.input_size), Image.Resampling[self.interpolation.upper()]
        pictures = (Image.fromarray(image) for image in pixels.cpu().numpy())
        resized = np.stack([np.asarray(picture.resize(size, method)) for picture in pictures])
        return torch.from_numpy(resized).to(pixels.device)
