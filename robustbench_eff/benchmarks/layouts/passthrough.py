"""Perturbations of published files, which change nothing: the files are perturbed already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from robustbench_eff.core.errors import DataError, SpecError, UsageError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import FrameGenerator, ImageCorruption, Pixels

SEVERITIES = 5
"""Number of severities of a published corruption."""


@dataclass(frozen=True, slots=True)
class PublishedCorruption:
    """A corruption that is only read from published files. See `ImageCorruption`.

    Raises:
        SpecError: The severity is not from 1 to 5.
    """

    severity: int = 1
    """1 to 5."""
    constants: str = ""
    """Name of the constants of the published set."""
    name: str = field(kw_only=True, repr=False)
    """Name of the corruption in the published set."""

    def __post_init__(self) -> None:
        """Check the severity."""
        if self.severity not in range(1, SEVERITIES + 1):
            raise SpecError(f"severity must be 1 to {SEVERITIES}, got {self.severity}.")

    @property
    def configuration(self) -> dict[str, Any]:
        """Name, severity and constants."""
        return {"corruption": self.name, "severity": self.severity, "constants": self.constants}

    @property
    def stochastic(self) -> bool:
        """False: nothing is drawn."""
        return False

    def __call__(self, pixels: Pixels, draws: RandomStreams | None = None) -> Pixels:
        """Raise UsageError: these images cannot be generated."""
        del pixels, draws
        raise self.refusal()

    def refusal(self) -> UsageError:
        """Return the error for images that the corruption would have to be generated from."""
        return UsageError(
            f"{self.name} with constants={self.constants!r} is read from published files and cannot be generated.",
            "Name the published benchmark with --benchmark, and its folder with --data.",
        )


@dataclass(frozen=True, slots=True)
class Published:
    """A corruption that the files already have. See `ImageCorruption`."""

    of: ImageCorruption | FrameGenerator
    """The same perturbation as this package would generate it."""

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration that the files were made with, as far as their names tell."""
        generated = self.of.configuration
        known = {name: value for name, value in generated.items() if name not in ("version", "jpeg_quality")}
        return {**known, "published": True}

    @property
    def stochastic(self) -> bool:
        """False: nothing is drawn any more."""
        return False

    def __call__(self, pixels: Pixels, draws: RandomStreams | None = None) -> Pixels:
        """Return the images unchanged."""
        del draws
        return pixels


@dataclass(frozen=True, slots=True)
class PublishedFrames(Published):
    """A sequence whose frames the files already have. See `FrameGenerator`."""

    of: FrameGenerator
    """The same sequence as this package would generate it."""

    @property
    def frames(self) -> int:
        """Number of frames that a published sequence has."""
        return self.of.frames

    def __call__(self, picture: Any, size: int, draws: RandomStreams | None = None) -> Pixels:  # type: ignore[override]
        """Return the frames unchanged; raise DataError for another number of frames than the published set has."""
        del size, draws
        frames: Pixels = picture
        if len(frames) != self.frames:
            name = self.of.configuration["sequence"]
            raise DataError(
                f"A published {name} has {len(frames)} frames, not {self.frames}.", "Check that the file is complete."
            )
        return frames
