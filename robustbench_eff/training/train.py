"""`train`: a network, a recipe and labelled images to a folder that any evaluation takes for a model."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

from safetensors.torch import save
from torch import nn

from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core.disk import atomic_write
from robustbench_eff.core.errors import Missing, MissingInputs, UsageError
from robustbench_eff.core.preprocessing import Preprocessing
from robustbench_eff.defenses.checkpoint import Epoch
from robustbench_eff.defenses.distributed import process_group
from robustbench_eff.defenses.network import Dependencies
from robustbench_eff.defenses.noisy_student import NoisyStudent
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.sat import SmoothAdversarialTraining
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.generation.output_folder import write_or_check_provenance
from robustbench_eff.models import aliases, architectures
from robustbench_eff.models.card import CARD, WEIGHTS, Card
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.sources.user_module import plain_preprocessing
from robustbench_eff.registry import build, build_model
from robustbench_eff.system import devices, environment

from .data import TrainingData, missing_images, open_training_data
from .settings import TrainSettings
from .stages import EpochCallback, Phases

PROBE_NUM_CLASSES = 10
"""Of a network that is built to see whether it can be."""


def train(settings: TrainSettings, telling: EpochCallback | None = None) -> Card:
    """Train, or go on where a killed training stopped, or find that it was finished; returns the card.

    Under `torchrun` every process calls this, and the first writes. Raises UsageError, SpecError, DataError, ModelError
    and MissingInputs for bad input before any work; TrainingError as `defenses.trainer.train`; UsageError for a folder
    of another training.
    """
    recipe = build.defense(settings.defense)
    if lacking := missing(settings):
        raise MissingInputs(lacking)
    if settings.unlabelled is not None and not isinstance(recipe, NoisyStudent):
        raise UsageError(f"{settings.defense} has no use for unlabelled images.", "Only noisy_student has.")
    if str(settings.out) in aliases.aliases():
        raise UsageError(f"{settings.out} is the name of a model, which an evaluation would take.", "Choose another.")
    architectures.build(settings.arch, PROBE_NUM_CLASSES)  # before images are decoded
    schedule = settings.plan(recipe.passes)
    device = _device(settings.device)
    request = ModelRequest(name=settings.arch, input_size=settings.input_size, mean=(0.5,), std=(0.5,))
    preprocessing = plain_preprocessing(request)
    given = _given(recipe, preprocessing, device)
    data = open_training_data(
        settings.benchmark,
        settings.data,
        settings.validation,
        preprocessing.geometry,
        settings.limit,
        settings.unlabelled,
    )
    _check_teacher(given, data)
    made_from = _made_from(settings, recipe, schedule, given, data, preprocessing)
    with process_group(device) as processes, devices.threads(settings.input_size):
        phases = Phases(settings, recipe, data, preprocessing, given, device, processes, telling)
        phases.dry_run()
        refused = None
        if processes.first:
            try:
                write_or_check_provenance(settings.out, made_from)
            except UsageError as error:
                refused = error
        if (refused := processes.shared(refused)) is not None:  # nobody goes on before the folder is claimed
            raise refused
        if (settings.out / CARD).exists() and (settings.out / WEIGHTS).exists():
            return Card.read(settings.out / CARD)
        module, epochs, passes = phases.run()
        card = _card(settings, recipe, schedule, data, preprocessing, phases, module, epochs, passes)
        if processes.first:
            tensors = {name: value.cpu().clone().contiguous() for name, value in module.state_dict().items()}
            atomic_write(settings.out / WEIGHTS, save(tensors))
            atomic_write(settings.out / CARD, card.text().encode())
            for path in settings.out.glob("training-*.pt"):
                path.unlink()
    return card


def missing(settings: TrainSettings) -> list[Missing]:
    """The images and the teacher that the training needs and that are not there."""
    found = missing_images(settings.benchmark, settings.data, settings.validation, settings.unlabelled)
    teacher = getattr(build.defense(settings.defense), "teacher", None)
    return found if teacher is None else found + build_model.missing(ModelRequest(name=teacher))


def _device(name: str) -> str:
    """The device of this process: under torchrun each has its own GPU."""
    device = devices.resolve_device(name)
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def _given(recipe: Recipe, preprocessing: Preprocessing, device: str) -> Dependencies:
    """The styliser and the teacher that the recipe names."""
    styliser, teacher = getattr(recipe, "styliser", None), getattr(recipe, "teacher", None)
    return Dependencies(
        styliser=None if styliser is None else build.styliser(styliser),
        teacher=None if teacher is None else _teacher(teacher, preprocessing, device),
    )


def _check_teacher(given: Dependencies, data: TrainingData) -> None:
    """Raise UsageError for a teacher of other classes."""
    teacher = given.teacher
    if not isinstance(teacher, Classifier):
        return
    spaces = teacher.provenance.label_space, data.benchmark.label_space
    if teacher.num_classes != data.samples.num_classes or ("custom" not in spaces[0] and spaces[0] != spaces[1]):
        raise UsageError(
            f"The teacher {teacher.name} knows {teacher.num_classes} classes of {spaces[0]}; "
            f"{data.benchmark.name} has {data.samples.num_classes}.",
            "Name one of the same classes: teacher='MODEL'.",
        )


def _teacher(name: str, preprocessing: Preprocessing, device: str) -> Classifier:
    teacher = build_model.load(ModelRequest(name=name), device)
    size = teacher.preprocessing.geometry.size
    if size != preprocessing.geometry.size:
        raise UsageError(f"The teacher {name} wants images of {size} pixels.", f"Train with --input-size {size}.")
    return teacher.requires_grad_(False)


def _made_from(
    settings: TrainSettings,
    recipe: Recipe,
    schedule: Schedule,
    given: Dependencies,
    data: TrainingData,
    preprocessing: Preprocessing,
) -> dict[str, Any]:
    """Everything that decides which weights come out, as the folder's note says it."""
    fields = {
        "architecture": settings.arch,
        "defense": build.defense_text(settings.defense),
        "recipe": {**dataclasses.asdict(recipe), "version": recipe.version},  # type: ignore[call-overload]
        "schedule": dataclasses.asdict(schedule),
        "benchmark": settings.benchmark,
        "data": data.images.fingerprint,
        "protocol": str(data.images.protocol),
        "held_out": data.held_out.fingerprint,
        "unlabelled": None if data.unlabelled is None else data.unlabelled.fingerprint,
        "preprocessing": dataclasses.asdict(preprocessing),
        "teacher": given.teacher.digest if isinstance(given.teacher, Classifier) else None,
        "validation_attack": settings.validation_attack_text,
        "seed": settings.seed,
    }
    plain: dict[str, Any] = json.loads(json.dumps(fields))
    return plain


def _card(
    settings: TrainSettings,
    recipe: Recipe,
    schedule: Schedule,
    data: TrainingData,
    preprocessing: Preprocessing,
    phases: Phases,
    module: nn.Module,
    epochs: list[Epoch],
    passes: float,
) -> Card:
    smooth = isinstance(recipe, SmoothAdversarialTraining) and recipe.where == "everywhere"
    activation = recipe.activation if smooth and recipe.activation != "relu" else None  # type: ignore[attr-defined]
    look = phases.validate(module)
    count = len(phases.looked_at[1])
    looked_at = f"{_words(data.held_out)}, {count if count == len(data.held_out) else f'first {count}'} images"
    notes = []
    if isinstance(recipe, NoisyStudent):
        whose = "the training images themselves" if data.unlabelled is None else f"{len(data.unlabelled)} other images"
        notes.append(f"pseudo-labels were given to {whose}")
    return Card(
        name=settings.out.name,
        architecture=settings.arch,
        num_classes=data.samples.num_classes,
        label_space=data.benchmark.label_space,
        activation=activation,
        preprocessing=preprocessing,
        defense=build.defense_text(settings.defense),
        recipe=dataclasses.asdict(recipe),  # type: ignore[call-overload]
        schedule=dataclasses.asdict(schedule),
        seed=settings.seed,
        benchmark=settings.benchmark,
        data=str(data.images.protocol),
        data_fingerprint=data.images.fingerprint,
        passes_per_sample=round(passes / len(data.samples), 3),
        accuracy={looked_at: look.clean, f"{looked_at}, {settings.validation_attack_text}": look.robust},
        epochs=[dataclasses.asdict(epoch) for epoch in epochs],
        notes=tuple(notes),
        environment={"device": phases.device, "versions": environment.versions()},
    )


def _words(images: ImageSet) -> str:
    return f"{images.benchmark} {images.protocol.split}"
