"""How long and how fast a recipe is trained: what all recipes share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from robustbench_eff.core.errors import SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """SGD with Nesterov momentum, linear warm-up and cosine decay.

    Source: He et al. 2019, "Bag of tricks", arXiv:1812.01187: warm-up (section 3.1), no weight decay on biases and
    batch norms (3.1), cosine (4.1), label smoothing (4.2). Means of weights: Polyak & Juditsky 1992, as in
    EfficientNet's training (Tan & Le 2019, arXiv:1905.11946).
    Differs: networks come with the initialisation of their own; the mean of weights has the same decay from the first
    step on, so it needs a training of several times 1 / (1 - ema_decay) steps.
    """

    epochs: float = 40
    """How often every sample is seen; fractions are steps."""
    batch_size: int = 64
    """Samples of a step, of all processes together."""
    learning_rate: float = 0.1
    """At its peak."""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises."""
    ema_decay: float | None = None
    """Of an exponential mean of the weights, which is then what is kept; None: the weights themselves."""
    max_shift: int = 2
    """Pixels by which images are moved at random."""
    mirror: bool = False
    """Whether half of the images are mirrored; digits must not be."""
    smallest_crop: float = 1.0
    """Smallest share of the area in a random crop; 1: none."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of forward and backward passes; weights and losses are always float32."""

    def __post_init__(self) -> None:
        positive = ("epochs", "batch_size", "learning_rate", "smallest_crop")
        for name in positive:
            if not 0 < getattr(self, name) < math.inf:
                raise SpecError(f"{name} must be > 0, got {getattr(self, name):g}.")
        for name in ("momentum", "weight_decay", "label_smoothing", "warmup", "max_shift"):
            if not getattr(self, name) >= 0:
                raise SpecError(f"{name} must be >= 0, got {getattr(self, name):g}.")
        for name in ("momentum", "label_smoothing", "warmup", "smallest_crop"):
            if getattr(self, name) > 1:
                raise SpecError(f"{name} must be at most 1, got {getattr(self, name):g}.")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise SpecError(f"ema_decay must be between 0 and 1, got {self.ema_decay:g}.")

    def optimizer(self, module: nn.Module) -> Optimizer:
        """Over all parameters; matrices and filters decay, biases and norms do not."""
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        groups = [
            {"params": [item for item in trained if item.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [item for item in trained if item.ndim <= 1], "weight_decay": 0.0},
        ]
        return SGD(groups, lr=self.learning_rate, momentum=self.momentum, nesterov=self.momentum > 0)

    def rates(self, optimizer: Optimizer, steps: int) -> LambdaLR:
        """The learning rate of each of `steps` steps."""
        return LambdaLR(optimizer, lambda step: self.rate(step / steps))

    def rate(self, share: float) -> float:
        """Factor on the learning rate after that share of the steps."""
        if share < self.warmup:
            return (share + 1e-4) / (self.warmup + 1e-4)
        return 0.5 * (1 + math.cos(math.pi * (share - self.warmup) / max(1 - self.warmup, 1e-9)))
