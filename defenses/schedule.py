"""The schedule of a training, which all recipes share: length, optimizer, learning rate and basic augmentation."""

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
    batch norms (3.1), cosine (4.1), label smoothing (4.2). Averaged weights: Polyak & Juditsky 1992, as in
    EfficientNet's training (Tan & Le 2019, arXiv:1905.11946).
    Differs: networks are initialized as their architecture defines; the average of the weights has the same decay from
    the first step on, so it needs a training of several times 1 / (1 - ema_decay) steps.
    """

    epochs: float = 40
    """Number of passes over the samples; a fraction ends within an epoch."""
    batch_size: int = 64
    """Samples per step, over all processes."""
    learning_rate: float = 0.1
    """Peak learning rate."""
    momentum: float = 0.9
    """Nesterov momentum, from 0 to 1."""
    weight_decay: float = 5e-4
    """L2 penalty on matrices and filters."""
    label_smoothing: float = 0.1
    """Probability that is spread evenly over all classes, from 0 to 1."""
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises."""
    ema_decay: float | None = None
    """Decay of an exponential moving average of the weights, which is then exported; None exports the weights."""
    max_shift: int = 2
    """Largest random shift of an image, in pixels."""
    mirror: bool = False
    """Flip half of the images horizontally; digits must not be flipped."""
    smallest_crop: float = 1.0
    """Smallest share of the area in a random crop; 1 does not crop."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """dtype of forward and backward passes; weights and losses are always float32."""

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
        """Return the optimizer of all trainable parameters; only matrices and filters have weight decay.

        Args:
            module: The module to train.
        """
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        groups = [
            {"params": [item for item in trained if item.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [item for item in trained if item.ndim <= 1], "weight_decay": 0.0},
        ]
        return SGD(groups, lr=self.learning_rate, momentum=self.momentum, nesterov=self.momentum > 0)

    def rates(self, optimizer: Optimizer, steps: int) -> LambdaLR:
        """Return the learning-rate scheduler, which is stepped after every step of the training.

        Args:
            optimizer: The optimizer whose learning rate to change.
            steps: Number of steps of the training.
        """
        return LambdaLR(optimizer, lambda step: self.rate(step / steps))

    def rate(self, share: float) -> float:
        """Return the factor on the peak learning rate.

        Args:
            share: Share of the steps that are finished, from 0 to 1.
        """
        if share < self.warmup:
            return (share + 1e-4) / (self.warmup + 1e-4)
        return 0.5 * (1 + math.cos(math.pi * (share - self.warmup) / max(1 - self.warmup, 1e-9)))
