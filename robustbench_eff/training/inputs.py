"""From `TrainSettings` to opened images, a recipe and its dependencies, with all checks that need no training."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Any

from robustbench_eff.core.errors import Missing, MissingInputs, UsageError
from robustbench_eff.core.preprocessing import Preprocessing
from robustbench_eff.defenses.network import Dependencies
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.models import aliases, architectures
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.sources.user_module import plain_preprocessing
from robustbench_eff.registry import build_model, build_styliser
from robustbench_eff.system import devices

from .data import TrainingData, missing_images, open_training_data
from .settings import TrainSettings

PROBE_NUM_CLASSES = 10
"""Number of classes of the network that is built to check the name of the architecture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingInputs:
    """Everything that a training consists of, opened and checked."""

    settings: TrainSettings
    """The user's settings."""
    recipe: Recipe
    """The training recipe."""
    schedule: Schedule
    """The schedule of a training with a single stage."""
    data: TrainingData
    """Training, validation and unlabelled images."""
    preprocessing: Preprocessing
    """Size and normalization of the images."""
    dependencies: Dependencies
    """The styliser and the teacher that the recipe requires."""
    device: str
    """Device of this process."""

    def provenance(self) -> dict[str, Any]:
        """Return everything that decides the resulting weights, as plain JSON values."""
        teacher = self.dependencies.teacher
        unlabelled = self.data.unlabelled
        fields = {
            "architecture": self.settings.arch,
            "defense": self.settings.defense_text,
            "recipe": {**dataclasses.asdict(self.recipe), "version": self.recipe.version},  # type: ignore[call-overload]
            "schedule": dataclasses.asdict(self.schedule),
            "benchmark": self.settings.benchmark,
            "data": self.data.images.fingerprint,
            "protocol": str(self.data.images.protocol),
            "held_out": self.data.held_out.fingerprint,
            "unlabelled": None if unlabelled is None else unlabelled.fingerprint,
            "preprocessing": dataclasses.asdict(self.preprocessing),
            "teacher": teacher.digest if isinstance(teacher, Classifier) else None,
            "validation_attack": self.settings.validation_attack_text,
            "seed": self.settings.seed,
        }
        plain: dict[str, Any] = json.loads(json.dumps(fields))
        return plain


def missing_inputs(settings: TrainSettings) -> list[Missing]:
    """Return the images and the teacher that a training needs and that do not exist.

    Args:
        settings: The settings of the training.

    Raises:
        SpecError: The recipe has an unknown name or field.
        UsageError: The benchmark is for testing only, or the teacher has an unknown name.
    """
    missing = missing_images(settings.benchmark, settings.data, settings.validation, settings.unlabelled)
    teacher = settings.recipe.requirements.teacher
    return missing if teacher is None else missing + build_model.missing(settings.request(teacher))


def open_inputs(settings: TrainSettings) -> TrainingInputs:
    """Open the images and load what the recipe requires.

    Args:
        settings: The settings of the training.

    Raises:
        MissingInputs: Images or the teacher do not exist; all of them are named.
        SpecError: A recipe, an architecture or a schedule has an unknown name or field.
        UsageError: The settings contradict each other.
        DataError: The images cannot be read, or do not fit.
        ModelError: The architecture cannot be built.
    """
    recipe = settings.recipe
    _check(settings, recipe)
    architectures.build(settings.arch, PROBE_NUM_CLASSES, settings.origin)  # before images are decoded
    schedule = settings.plan(recipe.passes)
    device = _device(settings.device)
    request = ModelRequest(name=settings.arch, input_size=settings.input_size, mean=(0.5,), std=(0.5,))
    preprocessing = plain_preprocessing(request)
    dependencies = _load(settings, preprocessing, device)
    data = open_training_data(
        settings.benchmark,
        settings.data,
        settings.validation,
        preprocessing.geometry,
        settings.limit,
        settings.unlabelled,
    )
    _check_teacher(dependencies, data)
    return TrainingInputs(
        settings=settings,
        recipe=recipe,
        schedule=schedule,
        data=data,
        preprocessing=preprocessing,
        dependencies=dependencies,
        device=device,
    )


def _check(settings: TrainSettings, recipe: Recipe) -> None:
    if missing := missing_inputs(settings):
        raise MissingInputs(missing)
    if settings.unlabelled is not None and not recipe.requirements.unlabelled:
        raise UsageError(
            f"{settings.defense_text} does not use unlabelled images.",
            "Omit them, or choose a recipe that does, such as noisy_student.",
        )
    if str(settings.out) in aliases.aliases():
        raise UsageError(
            f"{settings.out} is the name of a model, which an evaluation would use instead of the folder.",
            "Choose another --out.",
        )


def _device(name: str) -> str:
    """The device of this process: under torchrun each process has its own GPU."""
    device = devices.resolve_device(name)
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def _load(settings: TrainSettings, preprocessing: Preprocessing, device: str) -> Dependencies:
    styliser, teacher = settings.recipe.requirements.styliser, settings.recipe.requirements.teacher
    return Dependencies(
        styliser=None if styliser is None else build_styliser.styliser(styliser),
        teacher=None if teacher is None else _teacher(settings.request(teacher), preprocessing, device),
    )


def _teacher(request: ModelRequest, preprocessing: Preprocessing, device: str) -> Classifier:
    name = request.name
    teacher = build_model.load(request, device)
    size = teacher.preprocessing.geometry.size
    if size != preprocessing.geometry.size:
        raise UsageError(f"The teacher {name} wants images of {size} pixels.", f"Train with --input-size {size}.")
    if teacher.preprocessing.channels != preprocessing.channels:
        raise UsageError(f"The teacher {name} takes one channel, and networks are trained on three.")
    return teacher.requires_grad_(False)


def _check_teacher(dependencies: Dependencies, data: TrainingData) -> None:
    """Raise UsageError for a teacher with other classes."""
    teacher = dependencies.teacher
    if not isinstance(teacher, Classifier):
        return
    spaces = teacher.provenance.label_space, data.benchmark.label_space
    if teacher.num_classes != data.samples.num_classes or ("custom" not in spaces[0] and spaces[0] != spaces[1]):
        raise UsageError(
            f"The teacher {teacher.name} knows {teacher.num_classes} classes of {spaces[0]}; "
            f"{data.benchmark.name} has {data.samples.num_classes}.",
            "Name one of the same classes: teacher='MODEL'.",
        )
