"""A corruption: a kernel at one of five severities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor

from robustbench_eff.core.errors import DataError, SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .random import can_compile

Constants: TypeAlias = Literal["imagenet", "cifar10"]
"""Which set of constants: that of ImageNet-C (224 x 224 pixels) or of CIFAR-10-C (32 x 32)."""
Size: TypeAlias = tuple[int, int]
"""Height and width in pixels."""
RandomParameters: TypeAlias = tuple[Tensor, ...]
"""Random parameters of a batch; the first dimension of each tensor counts the images."""
Value = TypeVar("Value")

SEVERITIES = 5
TORCH_CHUNK_PIXELS, COMPILED_CHUNK_PIXELS = 4 * 224 * 224, 64 * 224 * 224
"""Pixels that a CPU processes at once: by torch, so few that intermediate results stay in its cache, and by compiled
loops."""


def no_parameters(draws: RandomStreams, size: Size, value: Any) -> RandomParameters:
    """Sample no parameters: the `sample` of deterministic corruptions.

    Args:
        draws: Ignored.
        size: Ignored.
        value: Ignored.

    Returns:
        An empty tuple.
    """
    del draws, size, value
    return ()


def no_files() -> Mapping[str, str]:
    """Return an empty mapping: the `files` of corruptions that read none."""
    return {}


class Program(NamedTuple):
    """The implementation of a kernel that is fastest for some images."""

    apply: Callable[..., Pixels]
    """apply(pixels, constants, *sampled), as `Kernel.apply`."""
    chunk_size: int
    """Number of images to pass at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel(Generic[Value]):
    """A corruption at all its severities, with sampling separated from the deterministic rest."""

    name: str
    severities: Mapping[Constants, Sequence[Value]]
    """For each set of constants, the values at severities 1 to 5."""
    apply: Callable[..., Pixels]
    """apply(pixels, constants, *sampled) returns the corrupted images, uint8 and of the same shape."""
    sample: Callable[[RandomStreams, Size, Value], RandomParameters] = no_parameters
    """sample(draws, size, constants) returns the random parameters of one image per draw."""
    compiled: Callable[..., Pixels] | None = None
    """Compiled loops for a CPU that return the same bytes as `apply`."""
    files: Callable[[], Mapping[str, str]] = no_files
    """Returns a hash of every file that the kernel reads besides the images, by name; the configuration contains them.

    Raises DataError if a file does not exist."""
    version: int = 1
    """Increased whenever the same draws would give other images."""

    def at(self, severity: int, constants: Constants = "imagenet") -> Corruption:
        """Return the corruption at one severity.

        Args:
            severity: 1 to 5.
            constants: The set of constants.

        Raises:
            SpecError: The kernel does not define that severity or those constants.
            DataError: A file that the kernel reads does not exist.
        """
        return Corruption(severity, constants, kernel=self)

    def program(self, pixels: Pixels) -> Program:
        """Return the fastest implementation for these images.

        Args:
            pixels: Images, of which only the device and the shape count.
        """
        if pixels.device.type != "cpu":
            return Program(self.apply, max(1, len(pixels)))
        height, width = pixels.shape[1:3]
        if self.compiled is not None and can_compile():
            return Program(self.compiled, max(1, COMPILED_CHUNK_PIXELS // (height * width)))
        return Program(self.apply, max(1, TORCH_CHUNK_PIXELS // (height * width)))

    def applied(self, pixels: Pixels, value: Value, *sampled: Tensor) -> Pixels:
        """Corrupt images with given constants and random parameters, by the fastest program for their device.

        Args:
            pixels: Images to corrupt.
            value: Constants as in `severities`.
            *sampled: Random parameters as `sample` returns them, one per image.

        Returns:
            Corrupted images of the same shape.
        """
        apply, chunk_size = self.program(pixels)
        chunks = zip(*(tensor.split(chunk_size) for tensor in (pixels, *sampled)), strict=True)
        return torch.cat([apply(chunk[0], value, *chunk[1:]) for chunk in chunks])


@dataclass(frozen=True, slots=True)
class Corruption:
    """A kernel at one severity. See `ImageCorruption`.

    Raises:
        SpecError: The kernel does not define that severity or those constants.
        DataError: A file that the kernel reads does not exist.
    """

    severity: int = 1
    """1 to 5."""
    constants: Constants = "imagenet"
    """The set of constants."""
    kernel: Kernel[Any] = field(kw_only=True, repr=False)
    """The row of the table; it is not part of the spec text."""

    def __post_init__(self) -> None:
        if self.severity not in range(1, SEVERITIES + 1):
            raise SpecError(f"severity must be 1 to {SEVERITIES}, got {self.severity}.")
        if self.constants not in self.kernel.severities:
            defined = ", ".join(self.kernel.severities)
            raise SpecError(
                f"{self.kernel.name} does not define constants for {self.constants!r}.", f"Defined: {defined}."
            )
        self.kernel.files()

    @property
    def stochastic(self) -> bool:
        """True if the images depend on the seed."""
        return self.kernel.sample is not no_parameters

    @property
    def configuration(self) -> dict[str, Any]:
        """Everything that decides which images come out, except the seed."""
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
        """Corrupt uint8 images (N, H, W, 3); every severity has random streams of its own. See `ImageCorruption`."""
        if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[-1] != 3:
            raise DataError(
                f"A corruption takes uint8 images of shape (N, H, W, 3), got {pixels.dtype} {tuple(pixels.shape)}.",
                "Pass 8-bit levels, channels last, before any normalisation.",
            )
        severities = torch.full((len(pixels),), self.severity, device=pixels.device)
        draws = RandomStreams.given(draws, pixels).fork(severities)
        size = (pixels.shape[1], pixels.shape[2])
        apply, chunk_size = self.kernel.program(pixels)
        corrupted = []
        for start in range(0, len(pixels), chunk_size):
            chunk = slice(start, start + chunk_size)
            sampled = self.kernel.sample(draws[chunk], size, self.value)
            corrupted.append(apply(pixels[chunk], self.value, *sampled))
        return corrupted[0].contiguous() if len(corrupted) == 1 else torch.cat((pixels[:0], *corrupted))
