"""A benchmark that is ready for one geometry: 8-bit pixels on disk, labels and stable sample ids."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from robustbench_eff.core.preprocessing import Geometry, Interpolation, size_text
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.types import Images, Labels, Pixels, RawImage

from .labelled_images import LabelledImages

LUMA = (19595, 38470, 7471)
"""Weights of red, green and blue in the brightness of a pixel, in 1/65536."""
GREY = "one channel (ITU-R 601 luma)"
"""Words of the protocol for images of one channel."""


@typing.runtime_checkable
class PixelRows(typing.Protocol):
    """Images by position: an array, usually memory-mapped, or an object that decodes them on access."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, 3)."""

    def __getitem__(self, rows: slice | list[int], /) -> npt.NDArray[np.uint8]:
        """Return the images of these rows, uint8 (n, H, W, 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """The samples of a benchmark at one geometry."""

    benchmark: str
    """Name of the benchmark."""
    label_space: str
    """Name of the classes that a model's outputs must stand for."""
    protocol: Protocol
    """Which images these are, and how the model sees them."""
    sample_ids: list[str]
    """Unique id of every sample, which seeds its random draws."""
    labels: npt.NDArray[np.int64]
    """Class index of every sample; int64 (N,)."""
    pixels: PixelRows
    """Pixels of every sample; uint8 (N, H, W, 3)."""
    fingerprint: str
    """Hash of ids, labels, textures and original bytes."""
    input_size: tuple[int, int]
    """Height and width in pixels of the images that the model sees."""
    full_image: Callable[[int], npt.NDArray[np.uint8]]
    """Decode the whole image that a sample is the centre of, uint8 (height, width, 3); or all frames of a published
    sequence, uint8 (frames, H, W, 3)."""
    textures: npt.NDArray[np.int64] | None = None
    """Class index of the texture of every cue-conflict image, int64 (N,); else None."""
    interpolation: Interpolation = "bicubic"
    """How images are resized to `input_size`, where they have another size."""
    channels: int = 3
    """Channels of the images that the model sees: 3, or 1 for grey."""
    flags: tuple[str, ...] = ()
    """What a reader must know before trusting a number on these images."""
    assumed: tuple[str, ...] = ()
    """What was assumed of the images, such as the order of their classes, one line each."""
    published: bool = False
    """True if others corrupted the images, so that their distance from clean images is unknown."""

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, start: int, stop: int, device: torch.device | str = "cpu") -> tuple[Images, Labels]:
        """Return a range of samples as the model sees them.

        Args:
            start: First sample.
            stop: Sample after the last one; may lie beyond the end of the set.
            device: Device of the result.

        Returns:
            Images, float32 (n, channels, H, W) in [0, 1], and labels, int64 (n,).
        """
        rows = np.arange(start, min(stop, len(self)))
        return self.to_model_input(self.bytes(rows).to(device)), self.labels_of(rows, device)

    def labels_of(self, rows: npt.NDArray[np.int64], device: torch.device | str = "cpu") -> Labels:
        """Return the labels of some samples, int64 (n,).

        Args:
            rows: Positions of the samples.
            device: Device of the result.
        """
        return torch.from_numpy(self.labels[rows]).to(device)

    def bytes(self, rows: npt.NDArray[np.int64]) -> Pixels:
        """Return the pixels of some samples before they are resized for the model, uint8 (n, H, W, 3).

        Args:
            rows: Positions of the samples; consecutive ascending rows are read fastest.
        """
        is_range = len(rows) and rows[-1] - rows[0] == len(rows) - 1
        selection = slice(int(rows[0]), int(rows[-1]) + 1) if is_range else rows.tolist()
        return torch.from_numpy(np.array(self.pixels[selection]))

    def picture(self, row: int, device: torch.device | str = "cpu") -> RawImage | Pixels:
        """Return the whole image that a sample is the centre of, at the scale of its pixels; or a published sequence.

        Args:
            row: Position of the sample.
            device: Device of the result.

        Returns:
            uint8 (height, width, 3), or (frames, H, W, 3) for a sequence.
        """
        return torch.from_numpy(np.array(self.full_image(row))).to(device)

    def to_model_input(self, pixels: Pixels) -> Images:
        """Return 8-bit images as the model sees them: at its size, float32 (n, channels, H, W) in [0, 1].

        Args:
            pixels: uint8 (n, H, W, 3).
        """
        if tuple(pixels.shape[1:3]) != self.input_size:
            pixels = self._resized(pixels)
        shown = pixels if self.channels == 3 else luma(pixels)
        return shown.permute(0, 3, 1, 2).contiguous().float() / 255

    def _resized(self, pixels: Pixels) -> Pixels:
        size, method = self.input_size[::-1], Image.Resampling[self.interpolation.upper()]
        pictures = (Image.fromarray(image) for image in pixels.cpu().numpy())
        resized = np.stack([np.asarray(picture.resize(size, method)) for picture in pictures])
        return torch.from_numpy(resized).to(pixels.device)


def luma(pixels: Pixels) -> UInt8[Tensor, "batch height width 1"]:
    """Return the brightness of RGB pixels; a grey pixel keeps its value exactly.

    Source: ITU-R BT.601-7, section 2.5.1, Y = 0.299 R + 0.587 G + 0.114 B; the weights in 1/65536 and the rounding are
    those of PIL's mode L.

    Args:
        pixels: uint8 (n, H, W, 3).
    """
    weights = torch.tensor(LUMA, dtype=torch.int32, device=pixels.device)
    weighted = (pixels.int() * weights).sum(-1, keepdim=True, dtype=torch.int32)
    return ((weighted + 2**15) >> 16).to(torch.uint8)


def protocol_of(opened: LabelledImages, count: int, decoded: Geometry, model: Geometry, channels: int = 3) -> Protocol:
    """Return the protocol of the first images of a source.

    Args:
        opened: The source.
        count: Number of images that are taken.
        decoded: Geometry at which the images are decoded.
        model: Geometry of the model.
        channels: Channels that the model takes: 3, or 1 for grey.
    """
    resized = "" if model.size == decoded.size else f"then {size_text(model.size)}, {model.interpolation}"
    return Protocol(
        split=opened.split,
        count=count,
        total=len(opened),
        excluded=opened.left_out,
        geometry=str(decoded),
        model_size=", ".join(part for part in (resized, GREY if channels == 1 else "") if part),
    )
