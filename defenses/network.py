"""The network that is trained, as recipes call it: pixels in, logits out, in the mode and precision of the moment."""

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
        """float32 (N, 3, H, W) in [0, 1], as both must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What a recipe cannot make itself and receives."""

    styliser: StyleTransfer | None = None
    teacher: ImagesToLogits | None = None
    """A network in eval mode that is not trained."""


class Network:
    """A module that gets (images - mean) / std; what else is given goes to its forward."""

    def __init__(
        self,
        module: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        precision: torch.dtype = torch.float32,
        given: Dependencies | None = None,
    ) -> None:
        device = next(module.parameters()).device
        self.module, self._precision = module, precision
        self._mean, self._std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (mean, std))
        self._given = given or Dependencies()

    def __call__(self, images: Images, **options: Any) -> Logits:
        """Logits in float32, of the module in the mode it is in."""
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
        """The one received; UsageError without."""
        if self._given.styliser is None:
            raise UsageError("This recipe needs a styliser, and none was given.")
        return self._given.styliser

    @property
    def teacher(self) -> ImagesToLogits:
        """The one received; UsageError without."""
        if self._given.teacher is None:
            raise UsageError("This recipe needs a teacher, and none was given.", "Name a model: teacher='MODEL'.")
        return self._given.teacher

    @contextmanager
    def attacked(self, mode: str = "eval") -> Iterator[None]:
        """The mode in which an attack queries the network: `eval`, or `train` as it is; train mode afterwards."""
        self.module.train(mode == "train")
        try:
            yield
        finally:
            self.module.train()
