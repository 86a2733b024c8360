"""The training loop: any recipe, one network, exactly resumable.

What comes out is a function of samples, recipe, schedule and seed; and of the device, whose sums differ.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from robustbench_eff.core import rng
from robustbench_eff.core.errors import DataError, TrainingError
from robustbench_eff.core.types import Images

from . import augment
from .checkpoint import Checkpoint, Epoch, load, save
from .distributed import Processes
from .network import Dependencies, Network
from .recipe import Recipe
from .schedule import Schedule
from .training_batch import Batch, Samples, smoothed, steps

COLLAPSE = 0.2
"""A fall of accuracy under attack from one look to the next that ends a training.

Source: locuslab/fast_adversarial 54f7287, which looks at one batch under PGD-5."""
OVERFITTING_GAP = 0.4
"""So much more accuracy under a single step than under many ends a training too."""
MAX_VALIDATIONS = 10
"""How often a training is looked at, where every epoch is not needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationMetrics:
    """How good the network is at the moment, on images it is not trained on."""

    clean: float
    """Accuracy."""
    robust: float
    """Accuracy under the attack of the look."""
    one_step: float | None = None
    """Accuracy under a single step of the same length."""


EvaluateFn = Callable[[nn.Module], ValidationMetrics]
"""Looks at a network in eval mode."""
Telling = Callable[[Epoch, int], None]
"""Hears of every epoch, and of how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Everything that decides which weights come out."""

    recipe: Recipe
    schedule: Schedule
    samples: Samples
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    """Of the pixels that the network gets."""
    seed: int = 0
    given: Dependencies | None = None

    def __post_init__(self) -> None:
        if len(self.samples) < self.schedule.batch_size:
            raise DataError(
                f"There are {len(self.samples)} images for batches of {self.schedule.batch_size}.",
                "Choose a smaller batch_size.",
            )

    @property
    def per_epoch(self) -> int:
        """Steps; of the samples of an epoch the last, which fill no batch, are left out."""
        return len(self.samples) // self.schedule.batch_size

    @property
    def num_steps(self) -> int:
        return max(1, round(self.schedule.epochs * self.per_epoch))

    @property
    def num_epochs(self) -> int:
        """The last may be a part of one."""
        return math.ceil(self.num_steps / self.per_epoch)

    @property
    def passes(self) -> float:
        """Forward and backward passes of samples, all together."""
        return self.num_steps * self.schedule.batch_size * self.recipe.passes


def train(
    module: nn.Module,
    training: Training,
    *,
    looking: EvaluateFn | None = None,
    telling: Telling | None = None,
    resume: Path | None = None,
    processes: Processes | None = None,
) -> tuple[nn.Module, list[Epoch]]:
    """Train `module`, which is used up, on the device it is on; returns the network that is kept, in eval mode.

    With `resume`, a file is written after every epoch and continued from; it must be of the same training.
    Raises TrainingError where the loss is not finite, or where a recipe for accuracy under attack loses it between two
    looks (catastrophic overfitting); the file then holds the epoch before.
    """
    processes = processes or Processes()
    run = _Run(module, training, processes)
    if resume is not None and resume.exists():
        run.restore(load(resume))
    while run.step < training.num_steps:
        epoch = run.epoch(looking)
        if resume is not None and processes.first:
            save(resume, run.checkpoint())
        if telling is not None and processes.first:
            telling(epoch, training.num_epochs)
    return training.recipe.export(run.kept).eval(), run.history


class _Run:
    """A training under way."""

    def __init__(self, module: nn.Module, training: Training, processes: Processes) -> None:
        self.training, self.processes = training, processes
        schedule = training.schedule
        device = next(module.parameters()).device
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.module = training.recipe.prepare(module).train()
        self.optimizer = schedule.optimizer(self.module)
        self.rates = schedule.rates(self.optimizer, training.num_steps)
        self.average: AveragedModel | None = None
        if schedule.ema_decay is not None:
            mean = get_ema_multi_avg_fn(schedule.ema_decay)
            self.average = AveragedModel(self.module, multi_avg_fn=mean, use_buffers=True)
        precision = getattr(torch, schedule.precision)
        self.network = Network(self.module, training.mean, training.std, precision=precision, given=training.given)
        self.device, self.step = device, 0
        self.history: list[Epoch] = []

    @property
    def kept(self) -> nn.Module:
        """The weights, or their mean."""
        kept: nn.Module = self.module if self.average is None else self.average.module
        return kept

    def epoch(self, looking: EvaluateFn | None) -> Epoch:
        """Every sample once, then a look where one is due."""
        training, began = self.training, time.monotonic()
        number = self.step // training.per_epoch
        last = min((number + 1) * training.per_epoch, training.num_steps)
        total = torch.zeros((), device=self.device)
        updates = 0
        with rng.global_generators(training.seed, f"epoch/{number}/{self.processes.rank}", self.device):
            samples, batch_size = training.samples, training.schedule.batch_size
            for step, rows in steps(len(samples), batch_size, training.seed, self.step, last):
                batch = self._batch(step, rows)
                for loss in training.recipe.losses(self.network, batch):
                    self._update(loss)
                    total, updates = total + loss.detach(), updates + 1
                self.rates.step()
        self.processes.average([total])
        # Each process has seen its own images: from here on all have the same statistics.
        self.processes.average(buffer for buffer in self.module.buffers() if buffer.is_floating_point())
        loss_value = float(total) / updates
        if not math.isfinite(loss_value):
            raise TrainingError(
                f"The loss is not finite in epoch {number + 1}.", "Choose a smaller learning_rate, or float32."
            )
        self.step = last
        look = self._look(number, looking)
        if look is not None:
            self._check(look, number)
        epoch = Epoch(
            number=number + 1,
            loss=loss_value,
            clean=None if look is None else look.clean,
            robust=None if look is None else look.robust,
            seconds=time.monotonic() - began,
        )
        self.history.append(epoch)
        return epoch

    def _batch(self, step: int, rows: Tensor) -> Batch:
        training, part = self.training, self.processes.part(len(rows))
        schedule, samples = training.schedule, training.samples
        rows = rows.to(samples.pixels.device)
        images = self._augmented(samples.images(rows).to(self.device), step)[part]
        labels = samples.labels[rows[part]].to(self.device)
        if samples.targets is not None:
            targets = samples.targets[rows[part]].to(self.device)
        else:
            targets = smoothed(labels, samples.num_classes, schedule.label_smoothing)
        return Batch(
            images=images.contiguous(memory_format=torch.channels_last),
            labels=labels,
            targets=targets,
            seed=training.seed,
            step=step,
            part=part,
            total=len(rows),
        )

    def _augmented(self, images: Images, step: int) -> Images:
        schedule = self.training.schedule
        generator = rng.generator(self.training.seed, "augment", step)
        images = augment.cropped(images, schedule.smallest_crop, generator)
        images = augment.shifted(images, schedule.max_shift, generator)
        return augment.mirrored(images, generator) if schedule.mirror else images

    def _update(self, loss: Tensor) -> None:
        loss.backward()
        self.processes.average(parameter.grad for parameter in self.module.parameters())
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.module)

    def _look(self, number: int, looking: EvaluateFn | None) -> ValidationMetrics | None:
        epochs = self.training.num_epochs
        due = (
            self.training.recipe.adversarial or number % max(1, epochs // MAX_VALIDATIONS) == 0 or number + 1 == epochs
        )
        if looking is None or not due:
            return None
        look = None
        if self.processes.first:
            self.kept.eval()
            look = looking(self.training.recipe.export(self.kept))
            self.module.train()
        shared: ValidationMetrics = self.processes.shared(look)
        return shared

    def _check(self, look: ValidationMetrics, number: int) -> None:
        if not self.training.recipe.adversarial:
            return
        before = next((epoch.robust for epoch in reversed(self.history) if epoch.robust is not None), None)
        found = None
        if before is not None and before - look.robust > COLLAPSE:
            found = f"accuracy under attack fell from {before:.1%} to {look.robust:.1%}"
        elif look.one_step is not None and look.one_step - look.robust > OVERFITTING_GAP:
            found = f"accuracy is {look.one_step:.1%} under one step, but {look.robust:.1%} under many"
        if found is not None:
            raise TrainingError(
                f"Catastrophic overfitting in epoch {number + 1}: {found}.",
                "A single large step teaches the network to hide its gradients: take a smaller step_size, more steps "
                "(pgd_at), a smaller eps, or fewer epochs.",
            )

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(
            step=self.step,
            module=self.module.state_dict(),
            optimizer=self.optimizer.state_dict(),
            rates=self.rates.state_dict(),
            average=None if self.average is None else self.average.state_dict(),
            history=self.history,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        self.step, self.history = checkpoint.step, checkpoint.history
        self.module.load_state_dict(checkpoint.module)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.rates.load_state_dict(checkpoint.rates)
        if self.average is not None and checkpoint.average is not None:
            self.average.load_state_dict(checkpoint.average)
