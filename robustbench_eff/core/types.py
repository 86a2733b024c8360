"""The shapes and the few contracts that rooms share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from .rng import RandomStreams
from .threat import Threat

Images: TypeAlias = Float[Tensor, "batch channel height width"]  # in [0, 1]
AllImages: TypeAlias = Float[Tensor, "samples channel height width"]  # of all samples, beside those of some
AllLabels: TypeAlias = Int64[Tensor, "samples"]
LiveImages: TypeAlias = Float[Tensor, "live channel height width"]  # of those that are left
LiveLogits: TypeAlias = Float[Tensor, "live classes"]
Pixels: TypeAlias = UInt8[Tensor, "batch height width 3"]  # 8-bit RGB, channels last
RawImage: TypeAlias = UInt8[Tensor, "tall wide 3"]  # 8-bit RGB, of any size
Labels: TypeAlias = Int64[Tensor, "batch"]
Logits: TypeAlias = Float[Tensor, "batch classes"]
PerSample: TypeAlias = Float[Tensor, "batch"]
Counts: TypeAlias = Int64[Tensor, "batch"]
SampleIndices: TypeAlias = Int64[Tensor, "batch"]  # which samples of an attack these are
Mask: TypeAlias = Bool[Tensor, "batch"]

AttackUses = Literal["one gradient", "gradients", "logits", "decisions"]
"""What an attack uses of a model: a single gradient, gradients over many steps, logits, or predicted labels alone."""

ImagesToLogits: TypeAlias = Callable[[Images], Logits]


@dataclass(slots=True)
class QueryStats:
    """What an attack spent on each of its samples, and what it met with."""

    num_forwards: Counts
    num_backwards: Counts
    zero_gradients: Counts
    """How many of its gradients were zero everywhere: what a masked model gives."""
    false_positives: Counts
    """How often a success of the faster twin was none for the plain float32 network."""
    won_by: list[str]
    """Which part of an ensemble beat the sample, or empty."""
    notes: list[str]
    """What was done otherwise than the attack's name says, and why; for all samples."""

    @classmethod
    def none(cls, samples: int, device: torch.device | str = "cpu") -> QueryStats:
        zeros = [torch.zeros(samples, dtype=torch.int64, device=device) for _ in range(4)]
        return cls(zeros[0], zeros[1], zeros[2], zeros[3], won_by=[""] * samples, notes=[])

    def counts(self) -> tuple[Counts, Counts, Counts, Counts]:
        return self.num_forwards, self.num_backwards, self.zero_gradients, self.false_positives


@runtime_checkable
class QueryCountingModel(Protocol):
    """A model that keeps account of the last attack."""

    effort: QueryStats
    query_mode: str
    """How the network is queried, in words: precision, folding, compilation."""

    def watch(self, samples: int, device: torch.device | str = "cpu") -> None:
        """Begin the account of an attack on that many samples."""

    def __call__(self, images: Images) -> Logits:
        """Logits of `images`."""


@runtime_checkable
class NormalisedModel(Protocol):
    """A network that gets (images - mean) / std."""

    mean: Tensor
    std: Tensor
    model: nn.Module


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
        """Forward and backward passes that a sample costs at most, confirmations of a twin's successes aside."""

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """Adversarial images for `images` in [0, 1], of the same shape, inside `threat`."""


@runtime_checkable
class ImageCorruption(Protocol):
    """Changes images without knowing a model or a label."""

    @property
    def configuration(self) -> Mapping[str, Any]:
        """All that decides which images come out, the seed aside."""

    @property
    def stochastic(self) -> bool:
        """Whether the images depend on the seed."""

    def __call__(self, pixels: Pixels, draws: RandomStreams | None = None) -> Pixels:
        """Corrupted images for `pixels`, of the same shape."""


@runtime_checkable
class FrameGenerator(Protocol):
    """Makes a sequence of frames of a picture without knowing a model or a label."""

    @property
    def frames(self) -> int:
        """How many there are."""

    @property
    def configuration(self) -> Mapping[str, Any]:
        """All that decides which frames come out, the seed aside, and how they are compared."""

    @property
    def stochastic(self) -> bool:
        """Whether the frames depend on the seed."""

    def __call__(self, picture: Any, size: int, draws: RandomStreams | None = None) -> Pixels:
        """Frames of `size` x `size` pixels of the middle of a Picture; or those that are there already, as they are."""
