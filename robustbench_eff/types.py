"""The shapes and the few contracts that rooms share."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from robustbench_eff.rng import Draws
from robustbench_eff.threat import Threat

Images: TypeAlias = Float[Tensor, "batch channel height width"]  # in [0, 1]
Labels: TypeAlias = Int64[Tensor, "batch"]
Logits: TypeAlias = Float[Tensor, "batch classes"]
PerSample: TypeAlias = Float[Tensor, "batch"]
Counts: TypeAlias = Int64[Tensor, "batch"]
Rows: TypeAlias = Int64[Tensor, "batch"]  # which samples of an attack these are
Mask: TypeAlias = Bool[Tensor, "batch"]

ImagesToLogits: TypeAlias = Callable[[Images], Logits]


@runtime_checkable
class CountingModel(Protocol):
    """A model that counts the passes the last attack spent on each of its samples."""

    num_forwards: Counts
    num_backwards: Counts

    def watch(self, samples: int, device: torch.device | str = "cpu") -> None:
        """Set the counters to zero for an attack on that many samples."""

    def __call__(self, images: Images) -> Logits:
        """Logits of `images`."""


@runtime_checkable
class Attack(Protocol):
    """A frozen dataclass that proposes adversarial images; its fields are its hyper-parameters."""

    version: ClassVar[int]
    """Raised whenever the same fields would give other images."""

    @property
    def threat(self) -> Threat:
        """The set of images the attack may return."""

    @property
    def stochastic(self) -> bool:
        """Whether the images depend on the seed."""

    @property
    def max_passes(self) -> int:
        """Forward and backward passes that a sample costs at most."""

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: Draws | None = None
    ) -> Images:
        """Adversarial images for `images` in [0, 1], of the same shape, inside `threat`."""
