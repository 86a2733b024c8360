"""Shape-texture debiased training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core.errors import SpecError

from .auxiliary_batch_norm import MAIN, WithAuxiliary, main_of
from .network import Network
from .recipe import Recipe
from .training_batch import Batch, Targets

STYLISED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Debiased(Recipe):
    """Each image once as it is and once with the texture of another of its batch, labelled with the classes of both;
    the mean cross-entropy over all, stylised ones through auxiliary batch norms.

    Source: Li et al. 2021, arXiv:2010.05981, equation 1: gamma 0.8, AdaIN at strength 0.5
    (LiYingwei/ShapeTextureDebiasedTraining afdb8b7).
    Differs: the styliser needs no weights unless AdaIN is named; it works at the size of the images, where the authors
    alternate smaller ones, and its images are clipped to [0, 1]; the other image is the one before in the shuffled
    batch.
    """

    version: ClassVar[int] = 1

    gamma: float = 0.8
    """Weight of the shape's class; 1 - gamma is that of the texture's."""
    styliser: str = "random_phase"
    """Text of a styliser; an evaluation should use another one."""
    strength: float = 0.5
    """How much of the texture, from 0 to 1."""
    auxiliary: bool = True
    """False: all images go through the same batch norms."""

    def __post_init__(self) -> None:
        for name in ("gamma", "strength"):
            if not 0 <= getattr(self, name) <= 1:
                raise SpecError(f"{name} must be from 0 to 1, got {getattr(self, name):g}.")

    @property
    def passes(self) -> float:
        return 4

    def prepare(self, module: nn.Module) -> nn.Module:
        return WithAuxiliary(module) if self.auxiliary else module

    def export(self, trained: nn.Module) -> nn.Module:
        return main_of(trained)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
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
    """gamma on the class of the shape, 1 - gamma on that of the texture."""
    return gamma * shapes + (1 - gamma) * textures
