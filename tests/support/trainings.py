"""A small network, a batch and short trainings on digits, for tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from robustbench_eff.benchmarks.definitions.digits import open_digits
from robustbench_eff.core import rng
from robustbench_eff.defenses.network import Dependencies, Network
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.defenses.trainer import Training
from robustbench_eff.defenses.training_batch import Batch, Samples, smoothed
from robustbench_eff.models.small_cnn import SmallCNN

HALF = (0.5, 0.5, 0.5)


def small_net(width: int = 4) -> SmallCNN:
    with rng.global_generators(0, "initialisation"):
        return SmallCNN(width=width)


def digits(count: int = 96) -> Samples:
    opened = open_digits("train")
    pixels = np.stack([opened.read(row) for row in range(count)])
    return Samples(pixels=torch.from_numpy(pixels), labels=torch.tensor(opened.labels[:count]), num_classes=10)


def a_batch(count: int = 20, part: slice | None = None) -> Batch:
    samples, part = digits(count), part or slice(0, count)
    return Batch(
        images=samples.images(torch.arange(count))[part].contiguous(),
        labels=samples.labels[part],
        targets=smoothed(samples.labels, 10, 0.1)[part],
        seed=0,
        step=3,
        local_slice=part,
        total=count,
    )


def network(module: nn.Module, **dependencies) -> Network:
    """As the trainer makes it."""
    return Network(module.train(), HALF, HALF, dependencies=Dependencies(**dependencies))


def training(
    recipe, *, samples: Samples | None = None, dependencies: Dependencies | None = None, **schedule
) -> Training:
    return Training(
        recipe=recipe,
        schedule=Schedule(**{"epochs": 2, "batch_size": 32, **schedule}),
        samples=samples or digits(),
        mean=HALF,
        std=HALF,
        dependencies=dependencies,
    )


class Counted(nn.Module):
    """A network that counts the samples of its forward and backward passes."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.passes = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.passes += len(images)
        logits = self.module(images)
        if logits.requires_grad:
            logits.register_hook(self._went_back)
        return logits

    def _went_back(self, gradient: torch.Tensor) -> None:
        self.passes += len(gradient)
