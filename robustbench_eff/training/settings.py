"""What to train and how: the one place of every default."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.registry import build, build_attack


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """Command line, Python and sweeps all speak these fields."""

    out: Path
    """Folder of the weights, their card and, meanwhile, what a repeated command goes on from."""
    defense: str = "standard"
    """Text of a recipe."""
    arch: str = "small_cnn(width=16)"
    """Text of an architecture."""
    benchmark: str = "digits"
    data: Mapping[str, str] = field(default_factory=dict)
    """Of the benchmark, where its training images are."""
    validation: str | None = None
    """Where the images are that are looked at; None: the benchmark's own, or one in ten of those trained on."""
    unlabelled: str | None = None
    """Where further images are that a Noisy Student's teacher labels; None: those that are trained on."""
    schedule: str = ""
    """Fields of the Schedule, as `epochs=20, mirror=true`."""
    passes_per_image: float | None = None
    """Forward and backward passes for every training image, from which the epochs follow."""
    limit: int | None = None
    """Train on so many images."""
    validation_attack: str | None = None
    """Attack that the accuracy is looked at under; None: PGD-10 at the recipe's own radius, or at 8/255."""
    input_size: int = 32
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.passes_per_image is not None and not 0 < self.passes_per_image < math.inf:
            raise UsageError(f"passes_per_image must be > 0, got {self.passes_per_image:g}.")
        if self.passes_per_image is not None and "epochs" in self._schedule_fields:
            raise UsageError("Epochs follow from passes_per_image.", "Give one of them.")
        for name in ("limit", "input_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, got {value}.")

    @property
    def validation_attack_text(self) -> str:
        """The canonical text of that attack; UsageError for one that has no radius, or no gradient step."""
        recipe = build.defense(self.defense)
        eps, norm = (recipe.eps, getattr(recipe, "norm", "linf")) if recipe.adversarial else (8 / 255, "linf")  # type: ignore[attr-defined]
        text = build_attack.attack_text(self.validation_attack or f"pgd(eps={eps}, norm={norm}, steps=10)")
        threat = build_attack.attack(text).threat
        if threat.eps == math.inf or threat.norm not in ("linf", "l2"):
            raise UsageError(f"{text} cannot be looked at.", "Choose an attack in linf or l2 with an eps, as pgd.")
        return text

    @property
    def _schedule_fields(self) -> dict[str, Any]:
        return spec.parse(f"schedule({self.schedule})").arguments

    def plan(self, passes: float, share: float = 1.0) -> Schedule:
        """The schedule, for a share of the passes."""
        schedule = spec.build(Schedule, spec.Spec("schedule", self._schedule_fields))
        if self.passes_per_image is None:
            return schedule
        return dataclasses.replace(schedule, epochs=self.passes_per_image * share / passes)
