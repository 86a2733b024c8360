"""The settings of a training, and all their defaults."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from robustbench_eff.core import spec
from robustbench_eff.core.code_origin import CodeOrigin
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.threat import Threat
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import build_defense
from robustbench_eff.registry.perturbation import parse_attack, parse_perturbation
from robustbench_eff.registry.usual_radius import EPS, defense_on, with_radius

DEFAULT_THREAT = Threat("linf", 8 / 255)
"""Threat model of the validation attack for a recipe without one."""


BENCHMARK = "digits"
"""Benchmark to train on where none is named."""


class TrainOptions(TypedDict, total=False):
    """The fields of `TrainSettings` as keyword arguments of `train`; see there."""

    out: Path
    defense: str | Recipe
    arch: str
    benchmark: str
    data: Mapping[str, str]
    validation: str | None
    unlabelled: str | None
    schedule: str
    passes_per_image: float | None
    limit: int | None
    validation_attack: str | None
    input_size: int
    seed: int
    device: str
    trust_code: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """The settings of a training; the command line and sweeps use the same names."""

    out: Path
    """Folder for the weights, their card and, until the training is finished, its checkpoints."""
    defense: str | Recipe = "standard"
    """Spec text of a recipe, such as `pgd_at(eps=4/255)`, or a recipe of your own. A text that states no radius has the
    usual one of the benchmark."""
    arch: str = "small_cnn(width=16)"
    """Name of an architecture, with its arguments."""
    benchmark: str = BENCHMARK
    """Name of the benchmark whose classes are learned."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Location of the training images, by the name of the benchmark."""
    validation: str | None = None
    """Location of validation images; None uses the benchmark's own, or holds out one training image in ten."""
    unlabelled: str | None = None
    """Location of unlabelled images for a recipe that uses them; None uses the training images."""
    schedule: str = ""
    """Fields of the `Schedule`, such as `epochs=20, mirror=true`."""
    passes_per_image: float | None = None
    """Forward and backward passes per training image, which set the number of epochs."""
    limit: int | None = None
    """Train on only this many images."""
    validation_attack: str | None = None
    """Spec text of the attack to validate with; None means PGD-10 at the recipe's own radius, or at 8/255."""
    input_size: int = 32
    """Height and width of the images, in pixels."""
    seed: int = 0
    """Seed of initialization, order, augmentation and attacks."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""
    trust_code: bool = False
    """Run the programs that files name: a sweep an architecture, an attack or a teacher, a teacher's folder its
    architecture."""
    named_in: str = ""
    """The file that holds these settings, such as a sweep; empty where the user does."""

    def __post_init__(self) -> None:
        if not isinstance(self.defense, str) and not _is_recipe(self.defense):
            raise UsageError(
                f"defense must be the text of a recipe or a recipe, got {self.defense!r}.",
                "A recipe is an instance of a frozen dataclass that subclasses robustbench_eff.defenses.recipe.Recipe.",
            )
        if self.passes_per_image is not None and not 0 < self.passes_per_image < math.inf:
            raise UsageError(f"passes_per_image must be > 0, got {self.passes_per_image:g}.")
        if self.passes_per_image is not None and "epochs" in self._schedule_fields:
            raise UsageError("passes_per_image already sets the number of epochs.", "Give one of them.")
        for name in ("limit", "input_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, got {value}.")

    @property
    def origin(self) -> CodeOrigin:
        """Who names the programs in the settings."""
        return CodeOrigin(self.named_in, self.trust_code)

    def request(self, name: str) -> ModelRequest:
        """Return the request for a model that the settings name.

        Args:
            name: Name of the model.
        """
        return ModelRequest(name=name, named_in=self.named_in, trust_code=self.trust_code)

    @property
    def recipe(self) -> Recipe:
        """The recipe; raises SpecError for a text with an unknown name or field."""
        return build_defense.defense(self._stated[0]) if isinstance(self.defense, str) else self.defense

    @property
    def defense_text(self) -> str:
        """The canonical spec text of the recipe, which states its radius."""
        text = build_defense.defense_text(self._stated[0] if isinstance(self.defense, str) else self.defense)
        states_all = not self.recipe.has_usual_radius or EPS in spec.parse(text).arguments
        return text if states_all else with_radius(text, getattr(self.recipe, EPS))

    @property
    def assumed(self) -> str:
        """The line on the radius of the recipe, if its text does not state it; empty if it does."""
        return self._stated[1]

    @property
    def _stated(self) -> tuple[str, str]:
        """The text of the recipe with its radius, and what was assumed."""
        return defense_on(self.defense, self.benchmark) if isinstance(self.defense, str) else ("", "")

    @property
    def validation_attack_text(self) -> str:
        """The canonical spec text of the validation attack, which needs linf or l2 and an eps (else UsageError)."""
        recipe = self.recipe
        at_its_radius = Threat("linf", getattr(recipe, EPS)) if recipe.has_usual_radius else DEFAULT_THREAT
        own = recipe.threat or at_its_radius
        written = self.validation_attack or f"pgd(eps={own.eps}, norm={own.norm}, steps=10)"
        text = parse_perturbation(written, self.origin).text
        threat = parse_attack(text, self.origin).threat
        if threat.eps == math.inf or threat.norm not in ("linf", "l2"):
            raise UsageError(
                f"{text} cannot be used for validation.", "Choose an attack in linf or l2 with an eps, such as pgd."
            )
        return text

    @property
    def _schedule_fields(self) -> dict[str, Any]:
        return spec.parse(f"schedule({self.schedule})").arguments

    def plan(self, passes: float, share: float = 1.0) -> Schedule:
        """Return the schedule, with the number of epochs that `passes_per_image` allows.

        Args:
            passes: Forward and backward passes per image and epoch.
            share: Share of `passes_per_image` to spend, from 0 to 1.

        Raises:
            SpecError: The schedule has an unknown field or a wrong value.
        """
        schedule = spec.build(Schedule, spec.Spec("schedule", self._schedule_fields))
        if self.passes_per_image is None:
            return schedule
        return dataclasses.replace(schedule, epochs=self.passes_per_image * share / passes)


def _is_recipe(item: object) -> bool:
    return dataclasses.is_dataclass(item) and not isinstance(item, type) and isinstance(item, Recipe)
