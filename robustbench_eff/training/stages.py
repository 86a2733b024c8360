"""The trainings that a recipe takes: most one, Noisy Student one for each of its networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from robustbench_eff.core import rng
from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.preprocessing import Preprocessing
from robustbench_eff.core.types import ImagesToLogits
from robustbench_eff.defenses.checkpoint import Epoch
from robustbench_eff.defenses.distributed import Processes
from robustbench_eff.defenses.network import Dependencies, Network
from robustbench_eff.defenses.noisy_student import NoisyStudent, with_pseudo_labels
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.defenses.standard import Standard
from robustbench_eff.defenses.trainer import Training, ValidationMetrics
from robustbench_eff.defenses.trainer import train as run_training
from robustbench_eff.defenses.training_batch import Samples
from robustbench_eff.models import architectures
from robustbench_eff.registry import build_attack

from .data import IN_MEMORY, TrainingData, samples_of
from .settings import TrainSettings

VALIDATION_IMAGES, LOOKED_AT_LAST = 200, 1000
"""Images that a look is at, at most: during a training, and at the network that is kept."""
BATCH_SIZE = 250
"""Images that are classified at once outside of training."""

EpochCallback = Callable[[str, Epoch, int], None]
"""Hears of every epoch: what is trained, the epoch, and of how many."""


class Phases:
    """The trainings of a recipe, one after the other: most have one, Noisy Student one for each of its networks."""

    def __init__(
        self,
        settings: TrainSettings,
        recipe: Recipe,
        data: TrainingData,
        preprocessing: Preprocessing,
        given: Dependencies,
        device: str,
        processes: Processes,
        telling: EpochCallback | None,
    ) -> None:
        self.settings, self.recipe, self.data, self.given = settings, recipe, data, given
        self.preprocessing, self.device, self.processes, self.telling = preprocessing, device, processes, telling
        labelled, unlabelled = data.samples, data.samples
        if data.unlabelled is not None:
            unlabelled = samples_of(data.unlabelled, data.samples.num_classes)
        if device.startswith("cuda") and labelled.pixels.nbytes + unlabelled.pixels.nbytes <= IN_MEMORY:
            labelled, unlabelled = labelled.to(device), unlabelled.to(device)
        self.samples, self.unlabelled = labelled, unlabelled
        self.looked_at = data.held_out.batch(0, LOOKED_AT_LAST, device)

    def dry_run(self) -> None:
        """Build, prepare and classify once, so that what does not fit is said before any work.

        Raises ModelError, SpecError, DataError or UsageError.
        """
        settings, samples = self.settings, self.samples
        module = self.recipe.prepare(self._built())
        self._training(self.recipe, samples, self.settings.plan(self.recipe.passes))
        images = samples.images(torch.arange(2, device=samples.pixels.device)).to(self.device)
        if self.given.styliser is not None:
            self.given.styliser(images, images.flip(0))
        try:
            with torch.no_grad():
                shape = tuple(self._classify(module.eval())(images).shape)
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

    def run(self) -> tuple[nn.Module, list[Epoch], float]:
        """The network that is kept, what happened in its epochs, and the passes of all trainings together."""
        if not isinstance(self.recipe, NoisyStudent):
            return self._trained(0, "", self.recipe, self.samples, 1.0)
        trainings = self.recipe.iterations + (self.given.teacher is None)
        total, teacher, number = 0.0, self.given.teacher, 0
        if teacher is None:
            module, epochs, passes = self._trained(0, "teacher: ", Standard(), self.samples, 1 / trainings)
            teacher, total, number = self._classify(module), passes, 1
        for student in range(self.recipe.iterations):
            smoothing = self.settings.plan(2).label_smoothing
            samples = with_pseudo_labels(
                self.samples, self.unlabelled, self._labelled_by(teacher), self.recipe, smoothing
            )
            name = f"student {student + 1}: "
            module, epochs, passes = self._trained(number + student, name, self.recipe, samples, 1 / trainings)
            teacher, total = self._classify(module), total + passes + len(self.unlabelled)
        return module, epochs, total

    def _trained(
        self, number: int, name: str, recipe: Recipe, samples: Samples, share: float
    ) -> tuple[nn.Module, list[Epoch], float]:
        settings = self.settings
        per_sample = recipe.passes * len(samples) / len(self.samples)
        training = self._training(recipe, samples, settings.plan(per_sample, share))
        module, epochs = run_training(
            self._built(),
            training,
            looking=partial(self.validate, count=VALIDATION_IMAGES),
            telling=None if self.telling is None else partial(self.telling, name),
            resume=settings.out / f"training-{number}.pt",
            processes=self.processes,
        )
        return module, epochs, training.passes

    def _training(self, recipe: Recipe, samples: Samples, schedule: Schedule) -> Training:
        return Training(
            recipe=recipe,
            schedule=schedule,
            samples=samples,
            mean=self.preprocessing.mean,
            std=self.preprocessing.std,
            seed=self.settings.seed,
            given=self.given,
        )

    def _built(self) -> nn.Module:
        with rng.global_generators(self.settings.seed, "initialisation"):
            return architectures.build(self.settings.arch, self.samples.num_classes).to(self.device)

    def validate(self, module: nn.Module, count: int = LOOKED_AT_LAST) -> ValidationMetrics:
        """Accuracy on the first held-out images, as they are and attacked."""
        classify = self._classify(module)
        images, labels = (part[:count] for part in self.looked_at)
        attack = build_attack.attack(self.settings.validation_attack_text)
        threat = attack.threat
        changed = [images, attack(classify, images, labels)]
        if (
            self.settings.validation_attack is None
        ):  # at the recipe's own radius, where a step of that length is a fair one
            one_step = build_attack.attack(f"fgsm(eps={threat.eps}, norm={threat.norm})")
            changed.append(one_step(classify, images, labels))
        with torch.no_grad():
            logits = [torch.cat([classify(part) for part in each.split(BATCH_SIZE)]) for each in changed]
        right = [(each.argmax(1) == labels).float().mean().item() for each in logits]
        return ValidationMetrics(clean=right[0], robust=right[1], one_step=right[2] if len(right) > 2 else None)

    def _classify(self, module: nn.Module) -> ImagesToLogits:
        return Network(module, self.preprocessing.mean, self.preprocessing.std)

    def _labelled_by(self, teacher: ImagesToLogits) -> torch.Tensor:
        """The teacher's probabilities for all unlabelled images."""
        rows = torch.arange(len(self.unlabelled), device=self.unlabelled.pixels.device).split(BATCH_SIZE)
        with torch.no_grad():
            found = [teacher(self.unlabelled.images(part).to(self.device)).softmax(1) for part in rows]
        return torch.cat(found).to(self.unlabelled.pixels.device)
