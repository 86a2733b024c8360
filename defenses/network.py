"""The network in training, as recipes call it: images in [0, 1] in, float32 logits out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images, ImagesToLogits, Logits


@runtime_checkable
class StyleTransfer(Protocol):
    """Gives content images the texture of style images."""

    def __call__(
        self, content: Images, style: Images, strength: float = 1.0, draws: RandomStreams | None = None
    ) -> Images:
        """Return the stylised images, float32 (N, 3, H, W) in [0, 1].

        Args:
            content: Images whose shapes are kept, float32 (N, 3, H, W) in [0, 1].
            style: Images whose textures are used, of the same shape and range.
            strength: How much of the texture to use, from 0 to 1.
            draws: Random numbers for a styliser that needs them.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The loaded objects for the `Requirements` of a recipe."""

    styliser: StyleTransfer | None = None
    """Transfers textures between images."""
    teacher: ImagesToLogits | None = None
    """A network in eval mode whose weights do not change."""


class Network:
    """Calls a module on (images - mean) / std, in the mode that the module is in."""

    def __init__(
        self,
        module: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        precision: torch.dtype = torch.float32,
        dependencies: Dependencies | None = None,
    ) -> None:
        """Wrap a module.

        Args:
            module: The network; its parameters decide the device.
            mean: Mean of each color channel, in units of [0, 1] pixels.
            std: Standard deviation of each color channel, in the same units.
            precision: dtype of the forward and backward passes; weights stay float32.
            dependencies: The styliser and the teacher of the recipe.
        """
        device = next(module.parameters()).device
        self.module, self._precision = module, precision
        self._mean, self._std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (mean, std))
        self._dependencies = dependencies or Dependencies()

    def __call__(self, images: Images, **options: Any) -> Logits:
        """Return the logits in float32.

        Args:
            images: Images in [0, 1].
            options: Further arguments of the module's `forward`, such as `branch`.
        """
        # As large as an image: the three values of a pixel alone are a loop too short to be fast.
        mean, std = (
            values.expand_as(images[:1]).contiguous(memory_format=torch.channels_last)
            for values in (self._mean, self._std)
        )
        normalised = (images - mean) / std
        with torch.autocast(images.device.type, self._precision, enabled=self._precision != torch.float32):
            logits: Tensor = self.module(normalised, **options)
        return logits.float()

    @property
    def styliser(self) -> StyleTransfer:
        """The styliser of the recipe; raises UsageError if none was given."""
        if self._dependencies.styliser is None:
            raise UsageError("This recipe needs a styliser, and none was given.")
        return self._dependencies.styliser

    @property
    def teacher(self) -> ImagesToLogits:
        """The teacher of the recipe; raises UsageError if none was given."""
        if self._dependencies.teacher is None:
            raise UsageError("This recipe needs a teacher, and none was given.", "Name a model: teacher='MODEL'.")
        return self._dependencies.teacher

    @contextmanager
    def attacked(self, mode: str = "eval") -> Iterator[None]:
        """Set the mode in which an attack queries the network, and return to train mode afterwards.

        Args:
            mode: `eval` uses the running statistics of batch norms; `train` uses those of the batch and updates the
                running ones.
        """
        self.module.train(mode == "train")
        try:
            yield
        finally:
            self.module.train()
