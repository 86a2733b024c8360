"""`train`: from settings to a folder with trained weights, which any evaluation accepts as a model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Unpack

from safetensors.torch import save
from torch import nn

from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core.disk import atomic_write, store_errors
from robustbench_eff.core.errors import UsageError
from robustbench_eff.defenses.distributed import Processes, process_group
from robustbench_eff.defenses.trainer import ValidationMetrics
from robustbench_eff.generation.output_folder import write_or_check_provenance
from robustbench_eff.models.card import CARD, WEIGHTS, Card
from robustbench_eff.system import devices, environment

from .inputs import TrainingInputs, open_inputs
from .settings import TrainOptions, TrainSettings
from .stages import FINAL_VALIDATION_IMAGES, StageCallback, TrainedNetwork, TrainingStages


def train(
    settings: TrainSettings | None = None, on_epoch: StageCallback | None = None, **options: Unpack[TrainOptions]
) -> Card:
    """Train a network with a defense; an interrupted training resumes, and a finished one is not repeated.

    Under `torchrun` every process calls this, and the first one writes.

    Args:
        settings: What to train and how.
        on_epoch: Called after every epoch with the name of the stage, the record of the epoch, and the number of
            epochs.
        options: The fields of `TrainSettings`, instead of `settings`.

    Returns:
        The card of the trained network, which is also written to the folder.

    Raises:
        UsageError: The settings are wrong, or the folder belongs to another training or cannot be written.
        SpecError: A spec text has an unknown name or field.
        DataError: The images cannot be read, or do not fit.
        ModelError: The architecture does not fit the images, the classes or the recipe.
        MissingInputs: Images or a teacher do not exist. This and all of the above are raised before any work.
        TrainingError: As `defenses.trainer.train`.
        StoreError: The disk is full, or the folder cannot be written any more.
    """
    settings = _settings(settings, options)
    inputs = open_inputs(settings)
    provenance = inputs.provenance()
    with process_group(inputs.device) as processes, devices.threads(settings.input_size):
        stages = TrainingStages(inputs, processes, on_epoch)
        stages.dry_run()
        _claim_folder(settings.out, provenance, processes)
        if (settings.out / CARD).exists() and (settings.out / WEIGHTS).exists():
            return Card.read(settings.out / CARD)
        trained = stages.run()
        card = _card(inputs, trained, stages.validate(trained.module))
        if processes.first:
            _write(settings.out, trained.module, card)
    return card


def _settings(settings: TrainSettings | None, options: TrainOptions) -> TrainSettings:
    if settings is not None:
        if options:
            raise UsageError(f"Give settings or {', '.join(options)}, not both.")
        return settings
    if "out" not in options:
        raise UsageError("train needs a folder for the weights.", "Pass out=Path(...).")
    return TrainSettings(**options)


def _claim_folder(out: Path, provenance: dict[str, Any], processes: Processes) -> None:
    """Let the first process record the provenance; raise its UsageError in every process."""
    refusal = None
    if processes.first:
        try:
            write_or_check_provenance(out, provenance)
        except UsageError as error:
            refusal = error
    if (refusal := processes.broadcast(refusal)) is not None:
        raise refusal


def _write(out: Path, module: nn.Module, card: Card) -> None:
    """Write weights and card, then delete the checkpoints."""
    tensors = {name: value.cpu().clone().contiguous() for name, value in module.state_dict().items()}
    with store_errors(out):
        atomic_write(out / WEIGHTS, save(tensors), synced=True)
        atomic_write(out / CARD, card.text().encode(), synced=True)
    for path in out.glob("training-*.pt"):
        path.unlink()


def _card(inputs: TrainingInputs, trained: TrainedNetwork, metrics: ValidationMetrics) -> Card:
    settings, recipe, data = inputs.settings, inputs.recipe, inputs.data
    validated_on = _validation_description(data.held_out)
    return Card(
        name=settings.out.name,
        architecture=settings.arch,
        num_classes=data.samples.num_classes,
        label_space=data.benchmark.label_space,
        class_names=data.images.protocol.class_names,
        activation=recipe.exported_activation,
        preprocessing=inputs.preprocessing,
        defense=settings.defense_text,
        recipe=dataclasses.asdict(recipe),  # type: ignore[call-overload]
        schedule=dataclasses.asdict(inputs.schedule),
        seed=settings.seed,
        benchmark=settings.benchmark,
        data=str(data.images.protocol),
        data_fingerprint=data.images.fingerprint,
        passes_per_sample=round(trained.passes / len(data.samples), 3),
        accuracy={validated_on: metrics.clean, f"{validated_on}, {settings.validation_attack_text}": metrics.robust},
        epochs=[dataclasses.asdict(epoch) for epoch in trained.epochs],
        notes=_notes(inputs),
        environment={"device": inputs.device, "versions": environment.versions()},
    )


def _validation_description(held_out: ImageSet) -> str:
    count = min(len(held_out), FINAL_VALIDATION_IMAGES)
    number = f"{count}" if count == len(held_out) else f"first {count}"
    return f"{held_out.benchmark} {held_out.protocol.split}, {number} images"


def _notes(inputs: TrainingInputs) -> tuple[str, ...]:
    notes = (inputs.settings.assumed,) if inputs.settings.assumed else ()
    if not inputs.recipe.requirements.unlabelled:
        return notes
    unlabelled = inputs.data.unlabelled
    whose = "the training images themselves" if unlabelled is None else f"{len(unlabelled)} other images"
    return (*notes, f"pseudo-labels were given to {whose}")
