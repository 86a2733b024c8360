"""Shape-texture debiased training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core.errors import SpecError

from .auxiliary_batch_norm import MAIN, WithAuxiliary, main_network
from .network import Network
from .recipe import Recipe, Requirements
from .training_batch import Batch, Targets

STYLISED = 1
"""Branch of the stylised images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Debiased(Recipe):
    """Shape-texture debiased training: each image as it is, and with the texture of another image of its batch.

    A stylised image is labelled with the classes of both its shape and its texture. The loss is the mean cross-entropy
    over all images; stylised ones use auxiliary batch norms.

    Source: Li et al. 2021, arXiv:2010.05981, equation 1: gamma 0.8, AdaIN at strength 0.5
    (LiYingwei/ShapeTextureDebiasedTraining afdb8b7).
    Differs: the styliser needs no weights unless AdaIN is named; it works at the size of the images, where the authors
    alternate smaller ones, and its images are clipped to [0, 1]; the other image is the one before in the shuffled
    batch.
    """

    version: ClassVar[int] = 1

    gamma: float = 0.8
    """Weight of the class of the shape; 1 - gamma is the weight of the class of the texture."""
    styliser: str = "random_phase"
    """Spec text of a styliser; an evaluation should use a different one."""
    strength: float = 0.5
    """How much of the texture to use, from 0 to 1."""
    auxiliary: bool = True
    """False: all images share the same batch norms."""

    def __post_init__(self) -> None:
        for name in ("gamma", "strength"):
            if not 0 <= getattr(self, name) <= 1:
                raise SpecError(f"{name} must be from 0 to 1, got {getattr(self, name):g}.")

    @property
    def passes(self) -> float:
        """Two passes for the clean and two for the stylised image."""
        return 4

    @property
    def requirements(self) -> Requirements:
        """The styliser."""
        return Requirements(styliser=self.styliser)

    def prepare(self, module: nn.Module) -> nn.Module:
        """Return the network with auxiliary batch norms, unless they are switched off.

        Args:
            module: The network to train.
        """
        return WithAuxiliary(module) if self.auxiliary else module

    def export(self, trained: nn.Module) -> nn.Module:
        """Return the network with its main batch norms.

        Args:
            trained: What `prepare` returned.
        """
        return main_network(trained)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the mean of the cross-entropies of clean and of stylised images.

        Args:
            network: The network in training, with a styliser.
            batch: Images and targets of the step.
        """
        with torch.no_grad():
            styles = batch.images.roll(1, 0)
            stylised = network.styliser(batch.images, styles, self.strength, batch.draws())
        both = two_hot(batch.targets, batch.targets.roll(1, 0), self.gamma)
        if self.auxiliary:
            clean, other = network(batch.images, branch=MAIN), network(stylised, branch=STYLISED)
        else:
            clean, other = network(torch.cat((batch.images, stylised))).chunk(2)
        yield (functional.cross_entropy(clean, batch.targets) + functional.cross_entropy(other, both)) / 2


def two_hot(shapes: Targets, textures: Targets, gamma: float) -> Targets:
    """Return a mixture of two targets.

    Args:
        shapes: Class probabilities of the shape, weighted by `gamma`.
        textures: Class probabilities of the texture, weighted by 1 - `gamma`.
        gamma: Weight from 0 to 1.
    """
    return gamma * shapes + (1 - gamma) * textures
