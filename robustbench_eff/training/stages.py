"""The trainings that a recipe consists of, run one after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from robustbench_eff.core import rng
from robustbench_eff.core.errors import ModelError, UsageError
from robustbench_eff.core.types import ImagesToLogits
from robustbench_eff.defenses.distributed import Processes
from robustbench_eff.defenses.network import Network
from robustbench_eff.defenses.recipe import Recipe, Stage
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.defenses.trainer import Training, ValidationMetrics
from robustbench_eff.defenses.trainer import train as run_training
from robustbench_eff.defenses.training_batch import AllTargets, Samples
from robustbench_eff.defenses.training_state import Epoch
from robustbench_eff.models import architectures
from robustbench_eff.registry.perturbation import parse_attack

from .data import IN_MEMORY, samples_of
from .inputs import TrainingInputs

VALIDATION_IMAGES = 200
"""Largest number of images of a validation during the training."""
FINAL_VALIDATION_IMAGES = 1000
"""Largest number of images of the validation of the final network."""
BATCH_SIZE = 250
"""Batch size of inference outside of training."""

StageCallback = Callable[[str, Epoch, int], None]
"""Receives the name of the stage, the record of every finished epoch, and the number of epochs."""


class TrainedNetwork(NamedTuple):
    """The result of all stages."""

    module: nn.Module
    """The exported network of the last stage, in eval mode."""
    epochs: list[Epoch]
    """Records of the epochs of the last stage."""
    passes: float
    """Number of forward and backward passes of single samples in all stages, including those of teachers."""


class TrainingStages:
    """Runs the stages of a recipe; the network of a stage is the teacher of the next one."""

    def __init__(self, inputs: TrainingInputs, processes: Processes, on_epoch: StageCallback | None) -> None:
        """Put the images on the device if there is room.

        Args:
            inputs: The opened images, the recipe and its dependencies.
            processes: The processes that share every batch.
            on_epoch: Called after every epoch, in the first process only.
        """
        self.inputs, self.processes, self.on_epoch = inputs, processes, on_epoch
        data, device = inputs.data, inputs.device
        labelled, unlabelled = data.samples, data.samples
        if data.unlabelled is not None:
            unlabelled = samples_of(data.unlabelled, data.samples.num_classes)
        if device.startswith("cuda") and labelled.pixels.nbytes + unlabelled.pixels.nbytes <= IN_MEMORY:
            labelled, unlabelled = labelled.to(device), unlabelled.to(device)
        self.labelled, self.unlabelled = labelled, unlabelled
        self.validation_images, self.validation_labels = data.held_out.batch(0, FINAL_VALIDATION_IMAGES, device)

    def dry_run(self) -> None:
        """Build and prepare the network and classify two images, so that errors appear before any work.

        Raises:
            ModelError: The architecture does not fit the images, the classes or the recipe.
            SpecError: A spec text has an unknown name or field.
            DataError: There are fewer images than a batch needs.
            UsageError: The settings contradict each other.
        """
        settings, recipe, samples = self.inputs.settings, self.inputs.recipe, self.labelled
        module = recipe.prepare(self._build())
        self._training(recipe, samples, settings.plan(recipe.passes))
        images = samples.images(torch.arange(2, device=samples.pixels.device)).to(self.inputs.device)
        if self.inputs.dependencies.styliser is not None:
            self.inputs.dependencies.styliser(images, images.flip(0))
        try:
            with torch.no_grad():
                shape = tuple(self._classifier(module.eval())(images).shape)
        except Exception as error:
            raise ModelError(
                f"{settings.arch} fails on images of {settings.input_size} pixels: {type(error).__name__}: {error}",
                "Choose --input-size, or an architecture for images of this size.",
            ) from error
        if shape != (2, samples.num_classes):
            raise ModelError(
                f"{settings.arch} returns {shape} for two images of {samples.num_classes} classes.",
                f"It must return one logit for each: (2, {samples.num_classes}).",
            )

    def run(self) -> TrainedNetwork:
        """Run all stages, each with an equal share of the passes, and return the network of the last one.

        Raises:
            TrainingError: As `defenses.trainer.train`.
            DataError: A stage cannot build its samples.
            UsageError: A stage needs a teacher, and there is none.
        """
        stages = self.inputs.recipe.stages()
        teacher, passes = self.inputs.dependencies.teacher, 0.0
        for number, stage in enumerate(stages):
            samples = self._samples(stage, teacher)
            trained = self._train_stage(number, stage, samples, 1 / len(stages))
            teacher, passes = self._classifier(trained.module), passes + trained.passes
            if stage.build_samples is not None:
                passes += len(self.unlabelled)
        return trained._replace(passes=passes)

    def _samples(self, stage: Stage, teacher: ImagesToLogits | None) -> Samples:
        if stage.build_samples is None:
            return self.labelled
        if teacher is None:
            raise UsageError(
                f"{self.inputs.settings.defense_text}: {stage.name or 'the first stage'} needs a teacher.",
                "The recipe must require one, or train one in an earlier stage.",
            )
        smoothing = self.inputs.schedule.label_smoothing
        return stage.build_samples(self.labelled, self.unlabelled, self._predictions(teacher), smoothing)

    def _predictions(self, teacher: ImagesToLogits) -> AllTargets:
        """The teacher's class probabilities for all unlabelled images."""
        device = self.unlabelled.pixels.device
        rows_of_batches = torch.arange(len(self.unlabelled), device=device).split(BATCH_SIZE)
        with torch.no_grad():
            probabilities = [
                teacher(self.unlabelled.images(rows).to(self.inputs.device)).softmax(1) for rows in rows_of_batches
            ]
        return torch.cat(probabilities).to(device)

    def _train_stage(self, number: int, stage: Stage, samples: Samples, share: float) -> TrainedNetwork:
        settings = self.inputs.settings
        passes_per_image = stage.recipe.passes * len(samples) / len(self.labelled)
        training = self._training(stage.recipe, samples, settings.plan(passes_per_image, share))
        module, epochs = run_training(
            self._build(),
            training,
            validate=partial(self.validate, count=VALIDATION_IMAGES),
            on_epoch=None if self.on_epoch is None else partial(self.on_epoch, stage.name),
            resume=settings.out / f"training-{number}.pt",
            processes=self.processes,
        )
        return TrainedNetwork(module, epochs, training.passes)

    def _training(self, recipe: Recipe, samples: Samples, schedule: Schedule) -> Training:
        return Training(
            recipe=recipe,
            schedule=schedule,
            samples=samples,
            mean=self.inputs.preprocessing.mean,
            std=self.inputs.preprocessing.std,
            seed=self.inputs.settings.seed,
            dependencies=self.inputs.dependencies,
        )

    def _build(self) -> nn.Module:
        settings = self.inputs.settings
        with rng.global_generators(settings.seed, "initialisation"):
            return architectures.build(settings.arch, self.labelled.num_classes, settings.origin).to(self.inputs.device)

    def validate(self, module: nn.Module, count: int = FINAL_VALIDATION_IMAGES) -> ValidationMetrics:
        """Return the accuracy on held-out images, clean and under the validation attack.

        Args:
            module: A network in eval mode.
            count: Number of images, the first ones.
        """
        settings, classify = self.inputs.settings, self._classifier(module)
        images, labels = self.validation_images[:count], self.validation_labels[:count]
        attack = parse_attack(settings.validation_attack_text, settings.origin)
        threat = attack.threat
        variants = [images, attack(classify, images, labels)]
        if settings.validation_attack is None:  # only at the recipe's own radius is a step of that length fair
            one_step = parse_attack(f"fgsm(eps={threat.eps}, norm={threat.norm})")
            variants.append(one_step(classify, images, labels))
        accuracies = [_accuracy(classify, variant, labels) for variant in variants]
        return ValidationMetrics(
            clean=accuracies[0], robust=accuracies[1], one_step=accuracies[2] if len(accuracies) > 2 else None
        )

    def _classifier(self, module: nn.Module) -> ImagesToLogits:
        return Network(module, self.inputs.preprocessing.mean, self.inputs.preprocessing.std)


def _accuracy(classify: ImagesToLogits, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        logits = torch.cat([classify(batch) for batch in images.split(BATCH_SIZE)])
    return (logits.argmax(1) == labels).float().mean().item()
