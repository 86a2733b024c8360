"""What a corruption is: a kernel at one of five severities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import torch
from torch import Tensor

from robustbench_eff.core.errors import DataError, SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .random import can_compile

Constants: TypeAlias = Literal["imagenet", "cifar10"]
"""Of ImageNet-C (224 x 224 pixels) or of CIFAR-10-C (32 x 32)."""
Size: TypeAlias = tuple[int, int]
"""Height and width in pixels."""
RandomParameters: TypeAlias = tuple[Tensor, ...]
"""Random parameters, one entry per image along the first dimension of each."""
Value = TypeVar("Value")

SEVERITIES = 5
TORCH_CHUNK_PIXELS, COMPILED_CHUNK_PIXELS = 4 * 224 * 224, 64 * 224 * 224
"""Pixels that a CPU works on at once: by torch, so few that what is between stays in its cache; in compiled loops."""


def nothing(draws: RandomStreams, size: Size, value: Any) -> RandomParameters:
    """What a corruption samples of which nothing is random."""
    del draws, size, value
    return ()


def no_files() -> Mapping[str, str]:
    """What a corruption reads that needs none of the user's files."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel(Generic[Value]):
    """A corruption at all its severities; what is random stands apart from what is done with it."""

    name: str
    severities: Mapping[Constants, Sequence[Value]]
    """What its constants are at severity 1 to 5."""
    apply: Callable[..., Pixels]
    """apply(pixels, constants, *sampled): corrupted images, uint8 as they came."""
    sample: Callable[[RandomStreams, Size, Value], RandomParameters] = nothing
    """sample(draws, size, constants): the random parameters of as many images as there are draws."""
    compiled: Callable[..., Pixels] | None = None
    """The same as `apply`, byte for byte, in compiled loops for a CPU."""
    files: Callable[[], Mapping[str, str]] = no_files
    """What it reads beside the images, by name, with a hash: part of what decides which images come out.

    DataError where that is not there."""
    version: int = 1
    """Raised whenever the same draws would give other images."""

    def at(self, severity: int, constants: Constants = "imagenet") -> Corruption:
        """The corruption of that severity, 1 to 5."""
        return Corruption(severity, constants, kernel=self)

    def program(self, pixels: Pixels) -> tuple[Callable[..., Pixels], int]:
        """What corrupts these images on their device, and how many of them at once."""
        if pixels.device.type != "cpu":
            return self.apply, max(1, len(pixels))
        height, width = pixels.shape[1:3]
        if self.compiled is not None and can_compile():
            return self.compiled, max(1, COMPILED_CHUNK_PIXELS // (height * width))
        return self.apply, max(1, TORCH_CHUNK_PIXELS // (height * width))

    def applied(self, pixels: Pixels, value: Value, *sampled: Tensor) -> Pixels:
        """Images corrupted with these constants and random parameters, by the fastest program for their device."""
        apply, at_once = self.program(pixels)
        parts = zip(*(tensor.split(at_once) for tensor in (pixels, *sampled)), strict=True)
        return torch.cat([apply(part[0], value, *part[1:]) for part in parts])


@dataclass(frozen=True, slots=True)
class Corruption:
    """A kernel at one severity.

    Raises SpecError for a severity or constants that it does not have, DataError where files that it needs are not
    there.
    """

    severity: int = 1
    constants: Constants = "imagenet"
    kernel: Kernel[Any] = field(kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if self.severity not in range(1, SEVERITIES + 1):
            raise SpecError(f"severity must be 1 to {SEVERITIES}, got {self.severity}.")
        if self.constants not in self.kernel.severities:
            known = ", ".join(self.kernel.severities)
            raise SpecError(f"{self.kernel.name} has no constants for {self.constants!r}.", f"Known: {known}.")
        self.kernel.files()

    @property
    def stochastic(self) -> bool:
        """Whether the images depend on the seed."""
        return self.kernel.sample is not nothing

    @property
    def configuration(self) -> dict[str, Any]:
        """All that decides which images come out, the seed aside."""
        return {
            "corruption": self.kernel.name,
            "version": self.kernel.version,
            "severity": self.severity,
            "constants": self.constants,
            **self.kernel.files(),
        }

    @property
    def value(self) -> Any:
        """The kernel's constants at this severity."""
        return self.kernel.severities[self.constants][self.severity - 1]

    def __call__(self, pixels: Pixels, draws: RandomStreams | None = None) -> Pixels:
        """Corrupted images for uint8 `pixels` (N, H, W, 3), of the same shape and on the same device.

        `draws` key what is random; without them the images' positions and seed 0 do. Every severity has its own.
        Raises DataError for any other dtype or shape.
        """
        if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[-1] != 3:
            raise DataError(
                f"A corruption takes uint8 images of shape (N, H, W, 3), got {pixels.dtype} {tuple(pixels.shape)}.",
                "Pass 8-bit levels, channels last, before any normalisation.",
            )
        severities = torch.full((len(pixels),), self.severity, device=pixels.device)
        draws = RandomStreams.given(draws, pixels).fork(severities)
        size = (pixels.shape[1], pixels.shape[2])
        apply, at_once = self.kernel.program(pixels)
        parts = []
        for start in range(0, len(pixels), at_once):
            piece = slice(start, start + at_once)
            parts.append(apply(pixels[piece], self.value, *self.kernel.sample(draws[piece], size, self.value)))
        return parts[0].contiguous() if len(parts) == 1 else torch.cat((pixels[:0], *parts))
