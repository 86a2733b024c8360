"""BlackBox: a network that another runtime computes, as a module from images to logits without gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.types import Images

Array = npt.NDArray[Any]
"""Images as a runtime takes them, or answers as it gives them; the batch comes first."""


class Runtime(Protocol):
    """A network with the library that computes it; it can be pickled, and its pickle holds all that decides answers."""

    library: str
    """Name of the library, such as `onnxruntime`."""

    def run(self, images: Array) -> list[Array]:
        """Return every output for a batch.

        Args:
            images: Images in the layout and type of the network.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFormat:
    """The images that a network takes."""

    batch: int | None
    """Number of images that it takes at once; None for any."""
    channels: int
    """Number of channels: 1 or 3."""
    channels_last: bool
    """Whether its layout is (batch, height, width, channels)."""
    dtype: str
    """NumPy's name of its type, such as `float32` or `int8`."""
    scale: float = 1.0
    """For whole numbers q: the value of one step; q stands for scale · (q - zero_point)."""
    zero_point: int = 0
    """For whole numbers: the one that stands for 0."""

    def encode(self, images: Images) -> Array:
        """Return images in the layout and type of the network; whole numbers are rounded, and clipped to their range.

        Args:
            images: Normalized images, shape (batch, channels, height, width).

        Raises:
            ModelError: They have another number of channels.
        """
        if images.shape[1] != self.channels:
            raise ModelError(f"The network takes images with {self.channels} channels, got {images.shape[1]}.")
        values: Array = images.detach().cpu().numpy()
        if self.channels_last:
            values = values.transpose(0, 2, 3, 1)
        dtype = np.dtype(self.dtype)
        if dtype.kind in "iu":
            bounds = np.iinfo(dtype)
            values = np.clip(np.rint(values / np.float32(self.scale)) + self.zero_point, bounds.min, bounds.max)
        return np.ascontiguousarray(values, dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFormat:
    """How the first output of a network becomes logits."""

    scale: float = 0.0
    """For whole numbers q: q stands for scale · (q - zero_point); 0 for floats, which stand for themselves."""
    zero_point: int = 0
    """For whole numbers: the one that stands for 0."""
    without_first: bool = False
    """Whether the first output, TensorFlow's class of the background, is left out."""
    least_probability: float = 0.0
    """Probabilities become their logarithms, those below this value as if they had it; 0 for logits."""

    def decode(self, answers: Array) -> Tensor:
        """Return the logits, shape (batch, classes).

        Args:
            answers: First output of the network. Dimensions of size 1 are removed from those of an image.
        """
        if self.scale:
            answers = (answers.astype(np.float32) - self.zero_point) * np.float32(self.scale)
        if answers.ndim > 2 and max(answers.shape[1:]) == np.prod(answers.shape[1:]):
            answers = answers.reshape(len(answers), -1)
        logits = torch.from_numpy(answers)
        if self.without_first:
            logits = logits[:, 1:]
        return logits.clamp_min(self.least_probability).log() if self.least_probability else logits


class BlackBox(nn.Module):
    """A network that another runtime computes; it works for images on any device, and computes on the CPU."""

    def __init__(self, runtime: Runtime, images: ImageFormat, answers: AnswerFormat) -> None:
        """Wrap a network, in eval mode.

        Args:
            runtime: The network and its library.
            images: The images that it takes.
            answers: How its first output becomes logits.
        """
        super().__init__()
        self.runtime, self.images, self.answers = runtime, images, answers
        self.outside_torch = runtime.library
        self.eval()

    def forward(self, images: Images) -> Tensor | tuple[Tensor, ...]:
        """Return the logits; with further outputs, a tuple that begins with them.

        Args:
            images: Normalized images, shape (batch, channels, height, width).
        """
        parts = [self.runtime.run(batch) for batch in _batches(self.images.encode(images), self.images.batch)]
        outputs = [np.concatenate(part)[: len(images)] for part in zip(*parts, strict=True)]
        logits = self.answers.decode(outputs[0]).to(images.device)
        return logits if len(outputs) == 1 else (logits, *map(torch.from_numpy, outputs[1:]))


def _batches(images: Array, size: int | None) -> Iterator[Array]:
    """The images in batches of exactly one size, the last one filled up with copies of its last image."""
    if size is None:
        yield images
        return
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        yield np.concatenate((batch, np.repeat(batch[-1:], size - len(batch), 0))) if len(batch) < size else batch
