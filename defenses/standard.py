"""Plain training: the baseline every defense is compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import nn

from robustbench_eff.types import Images, ImagesToLogits, Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """Cross-entropy, SGD with Nesterov momentum, linear warm-up and cosine decay.

    Source: He et al. 2019, "Bag of tricks", arXiv:1812.01187: warm-up and cosine (sections 3.1 and 4.1), no
    weight decay on biases and batch norm (3.1), label smoothing (4.2).
    Differs: shifts by up to `max_shift` pixels are the only augmentation; digits must not be mirrored.
    """

    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    warmup_epochs: int = 2
    max_shift: int = 2

    def __call__(self, module: nn.Module, classify: ImagesToLogits, images: Images, labels: Labels, seed: int) -> None:
        """Train `module` in place on `images` in [0, 1]; `classify` normalises and calls it.

        The order of samples and their shifts depend on `seed` alone.
        """
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.SGD(self._groups(module), lr=self.learning_rate, momentum=self.momentum, nesterov=True)
        batches = math.ceil(len(images) / self.batch_size)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self._rate(step / batches))
        module.train()
        for _ in range(self.epochs):
            order = torch.randperm(len(images), generator=generator)
            for rows in order.split(self.batch_size):
                logits = classify(self._shifted(images[rows], generator))
                loss = functional.cross_entropy(logits, labels[rows], label_smoothing=self.label_smoothing)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                scheduler.step()
        module.eval()

    def _rate(self, epoch: float) -> float:
        """Factor on the learning rate after `epoch` epochs."""
        if epoch < self.warmup_epochs:
            return (epoch + 1e-3) / self.warmup_epochs
        return 0.5 * (1 + math.cos(math.pi * (epoch - self.warmup_epochs) / (self.epochs - self.warmup_epochs)))

    def _groups(self, module: nn.Module) -> list[dict[str, object]]:
        decayed = [parameter for parameter in module.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in module.parameters() if parameter.ndim <= 1]
        return [
            {"params": decayed, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]

    def _shifted(self, images: Images, generator: torch.Generator) -> Images:
        """Each image moved by its own whole number of pixels, the edge filled with black."""
        reach, size = self.max_shift, images.shape[-1]
        padded = functional.pad(images, (reach,) * 4)
        offsets = torch.randint(2 * reach + 1, (len(images), 2), generator=generator).tolist()
        return torch.stack(
            [image[:, y : y + size, x : x + size] for image, (y, x) in zip(padded, offsets, strict=True)]
        )
