"""The training loop: any recipe, one network, resumable to the last bit.

The resulting weights are a function of samples, recipe, schedule and seed, and of the device, whose sums are rounded
differently.
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
from .distributed import Processes
from .network import Dependencies, Network
from .recipe import Recipe
from .schedule import Schedule
from .training_batch import Batch, Samples, smoothed, steps
from .training_state import Checkpoint, Epoch, load, save

COLLAPSE = 0.2
"""Drop of robust accuracy between two validations that ends a training.

Source: locuslab/fast_adversarial 54f7287, which validates on one batch under PGD-5."""
OVERFITTING_GAP = 0.4
"""Difference between the accuracies under a single step and under many steps that ends a training, too."""
MAX_VALIDATIONS = 10
"""Approximate number of validations of a training whose recipe has no threat model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationMetrics:
    """Accuracies of the current network on validation images, as fractions."""

    clean: float
    """Accuracy on the images themselves."""
    robust: float
    """Accuracy under the validation attack."""
    one_step: float | None = None
    """Accuracy under a single step of the same radius; None if it was not measured."""


EvaluateFn = Callable[[nn.Module], ValidationMetrics]
"""Evaluates a network in eval mode on validation images."""
EpochCallback = Callable[[Epoch, int], None]
"""Receives the record of every finished epoch, and the number of epochs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Everything that decides the resulting weights, apart from the initial ones."""

    recipe: Recipe
    """The training recipe."""
    schedule: Schedule
    """Length, optimizer and augmentation."""
    samples: Samples
    """Training images and their labels."""
    mean: tuple[float, ...]
    """Mean of each color channel that the network's input is normalized with, in units of [0, 1] pixels."""
    std: tuple[float, ...]
    """Standard deviation of each color channel, likewise."""
    seed: int = 0
    """Seed of order, augmentation and attacks."""
    dependencies: Dependencies | None = None
    """The styliser and the teacher that the recipe requires."""

    def __post_init__(self) -> None:
        if len(self.samples) < self.schedule.batch_size:
            raise DataError(
                f"There are {len(self.samples)} images for batches of {self.schedule.batch_size}.",
                "Choose a smaller batch_size.",
            )

    @property
    def per_epoch(self) -> int:
        """Number of steps per epoch; the last samples of an epoch that do not fill a batch are left out."""
        return len(self.samples) // self.schedule.batch_size

    @property
    def num_steps(self) -> int:
        """Number of steps of the training, at least 1."""
        return max(1, round(self.schedule.epochs * self.per_epoch))

    @property
    def num_epochs(self) -> int:
        """Number of epochs, including an incomplete last one."""
        return math.ceil(self.num_steps / self.per_epoch)

    @property
    def passes(self) -> float:
        """Number of forward and backward passes of single samples in the whole training."""
        return self.num_steps * self.schedule.batch_size * self.recipe.passes


def train(
    module: nn.Module,
    training: Training,
    *,
    validate: EvaluateFn | None = None,
    on_epoch: EpochCallback | None = None,
    resume: Path | None = None,
    processes: Processes | None = None,
) -> tuple[nn.Module, list[Epoch]]:
    """Train a module on the device that it is on.

    Args:
        module: The network to train; it is modified and must not be used afterwards.
        training: Recipe, schedule, samples and seed.
        validate: Evaluates the network after every epoch if the recipe has a threat model, else about 10 times.
        on_epoch: Called after every epoch, in the first process only.
        resume: Checkpoint file. It is written after every epoch and resumed from if it exists, in which case it must
            belong to the same training.
        processes: The processes that share every batch; by default this process alone.

    Returns:
        The exported network in eval mode, and the records of all epochs.

    Raises:
        TrainingError: The loss is not finite, or the robust accuracy of a recipe with a threat model collapses between
            two validations (catastrophic overfitting). The checkpoint then holds the epoch before.
        UsageError: The batch size is not a multiple of the number of processes.
    """
    processes = processes or Processes()
    run = _Run(module, training, processes)
    if resume is not None and resume.exists():
        run.restore(load(resume))
    while run.step < training.num_steps:
        epoch = run.epoch(validate)
        if resume is not None and processes.first:
            save(resume, run.checkpoint())
        if on_epoch is not None and processes.first:
            on_epoch(epoch, training.num_epochs)
    return training.recipe.export(run.result).eval(), run.history


class _Run:
    """The state of a running training."""

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
        self.network = Network(
            self.module, training.mean, training.std, precision=precision, dependencies=training.dependencies
        )
        self.device, self.step = device, 0
        self.history: list[Epoch] = []

    @property
    def result(self) -> nn.Module:
        """The module with the current weights, or with their moving average."""
        result: nn.Module = self.module if self.average is None else self.average.module
        return result

    def epoch(self, validate: EvaluateFn | None) -> Epoch:
        """Train on every sample once, then validate if that is due."""
        training, began = self.training, time.monotonic()
        number = self.step // training.per_epoch
        stop = min((number + 1) * training.per_epoch, training.num_steps)
        loss = self._steps(number, stop)
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss is not finite in epoch {number + 1}.", "Choose a smaller learning_rate, or float32."
            )
        self.step = stop
        metrics = self._validate(number, validate)
        if metrics is not None:
            self._check_robustness(metrics, number)
        epoch = Epoch(
            number=number + 1,
            loss=loss,
            clean=None if metrics is None else metrics.clean,
            robust=None if metrics is None else metrics.robust,
            seconds=time.monotonic() - began,
        )
        self.history.append(epoch)
        return epoch

    def _steps(self, number: int, stop: int) -> float:
        """The mean loss over the updates of an epoch, which ends before step `stop`."""
        training, updates = self.training, 0
        total = torch.zeros((), device=self.device)
        with rng.global_generators(training.seed, f"epoch/{number}/{self.processes.rank}", self.device):
            count, batch_size = len(training.samples), training.schedule.batch_size
            for step, rows in steps(count, batch_size, training.seed, self.step, stop):
                batch = self._batch(step, rows)
                for loss in training.recipe.losses(self.network, batch):
                    self._update(loss)
                    total, updates = total + loss.detach(), updates + 1
                self.rates.step()
        self.processes.average([total])
        # Batch norms of each process have only tracked its own images: from here on all have the same statistics.
        self.processes.average(buffer for buffer in self.module.buffers() if buffer.is_floating_point())
        return float(total) / updates

    def _batch(self, step: int, rows: Tensor) -> Batch:
        training, local_slice = self.training, self.processes.local_slice(len(rows))
        schedule, samples = training.schedule, training.samples
        rows = rows.to(samples.pixels.device)
        images = self._augmented(samples.images(rows).to(self.device), step)[local_slice]
        labels = samples.labels[rows[local_slice]].to(self.device)
        if samples.targets is not None:
            targets = samples.targets[rows[local_slice]].to(self.device)
        else:
            targets = smoothed(labels, samples.num_classes, schedule.label_smoothing)
        return Batch(
            images=images.contiguous(memory_format=torch.channels_last),
            labels=labels,
            targets=targets,
            seed=training.seed,
            step=step,
            local_slice=local_slice,
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

    def _validate(self, number: int, validate: EvaluateFn | None) -> ValidationMetrics | None:
        """The metrics after an epoch, measured in the first process; None if no validation is due."""
        epochs, recipe = self.training.num_epochs, self.training.recipe
        due = recipe.threat is not None or number % max(1, epochs // MAX_VALIDATIONS) == 0 or number + 1 == epochs
        if validate is None or not due:
            return None
        metrics = None
        if self.processes.first:
            self.result.eval()
            metrics = validate(recipe.export(self.result))
            self.module.train()
        shared: ValidationMetrics = self.processes.broadcast(metrics)
        return shared

    def _check_robustness(self, metrics: ValidationMetrics, number: int) -> None:
        if self.training.recipe.threat is None:
            return
        before = next((epoch.robust for epoch in reversed(self.history) if epoch.robust is not None), None)
        symptom = None
        if before is not None and before - metrics.robust > COLLAPSE:
            symptom = f"accuracy under attack fell from {before:.1%} to {metrics.robust:.1%}"
        elif metrics.one_step is not None and metrics.one_step - metrics.robust > OVERFITTING_GAP:
            symptom = f"accuracy is {metrics.one_step:.1%} under one step, but {metrics.robust:.1%} under many"
        if symptom is not None:
            raise TrainingError(
                f"Catastrophic overfitting in epoch {number + 1}: {symptom}.",
                "A single large step teaches the network to hide its gradients: take a smaller step_size, more steps "
                "(pgd_at), a smaller eps, or fewer epochs.",
            )

    def checkpoint(self) -> Checkpoint:
        """The state after the last finished epoch."""
        return Checkpoint(
            step=self.step,
            module=self.module.state_dict(),
            optimizer=self.optimizer.state_dict(),
            rates=self.rates.state_dict(),
            average=None if self.average is None else self.average.state_dict(),
            history=self.history,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Return to the state of a checkpoint."""
        self.step, self.history = checkpoint.step, checkpoint.history
        self.module.load_state_dict(checkpoint.module)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.rates.load_state_dict(checkpoint.rates)
        if self.average is not None and checkpoint.average is not None:
            self.average.load_state_dict(checkpoint.average)
