"""Tensor types and protocols that all rooms share."""

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
AllImages: TypeAlias = Float[Tensor, "samples channel height width"]  # all samples, next to a subset of them
AllLabels: TypeAlias = Int64[Tensor, "samples"]
LiveImages: TypeAlias = Float[Tensor, "live channel height width"]  # samples still under attack
LiveLogits: TypeAlias = Float[Tensor, "live classes"]
Pixels: TypeAlias = UInt8[Tensor, "batch height width 3"]  # 8-bit RGB, channels last
RawImage: TypeAlias = UInt8[Tensor, "tall wide 3"]  # 8-bit RGB of any size
Labels: TypeAlias = Int64[Tensor, "batch"]
Logits: TypeAlias = Float[Tensor, "batch classes"]
PerSample: TypeAlias = Float[Tensor, "batch"]
Counts: TypeAlias = Int64[Tensor, "batch"]
SampleIndices: TypeAlias = Int64[Tensor, "batch"]  # indices into the samples of an attack
Mask: TypeAlias = Bool[Tensor, "batch"]

ImagesToLogits: TypeAlias = Callable[[Images], Logits]

AttackUses = Literal["one gradient", "gradients", "logits", "decisions"]
"""What an attack uses of the model: a single gradient step (FGSM), gradients over many steps (PGD), logits without
gradients (Square), or predicted labels only (boundary attack)."""


@dataclass(slots=True)
class QueryStats:
    """Passes and events of one attack, counted for each sample."""

    num_forwards: Counts
    """Forward passes; -1 where they cannot be attributed to samples."""
    num_backwards: Counts
    """Backward passes; -1 where they cannot be attributed to samples."""
    zero_gradients: Counts
    """Gradients that were zero in every pixel, a symptom of gradient masking."""
    false_positives: Counts
    """Successes against the low-precision copy that the plain float32 network did not confirm."""
    won_by: list[str]
    """Name of the attack of an ensemble that succeeded on the sample; empty if none did."""
    notes: list[str]
    """Deviations from what the attack's name promises, with their reasons; they hold for all samples."""

    @classmethod
    def none(cls, samples: int, device: torch.device | str = "cpu") -> QueryStats:
        """Return statistics with all counts at zero.

        Args:
            samples: Number of samples of the attack.
            device: Device of the counts.
        """
        zeros = [torch.zeros(samples, dtype=torch.int64, device=device) for _ in range(4)]
        return cls(zeros[0], zeros[1], zeros[2], zeros[3], won_by=[""] * samples, notes=[])

    def counts(self) -> tuple[Counts, ...]:
        """Return forwards, backwards, zero gradients and false positives, in this order."""
        return self.num_forwards, self.num_backwards, self.zero_gradients, self.false_positives

    def add(self, other: QueryStats, rows: SampleIndices) -> None:
        """Add the counts and notes of an attack on a subset of the samples.

        Args:
            other: Its statistics; those of an attack that did not start are for another number of samples.
            rows: Indices of the subset.
        """
        for counts, spent in zip(self.counts(), other.counts(), strict=True):
            if len(spent) == len(rows):
                counts.index_add_(0, rows, spent)
        self.notes.extend(note for note in other.notes if note not in self.notes)


@runtime_checkable
class QueryCountingModel(Protocol):
    """A model that counts the queries of the last attack."""

    @property
    def effort(self) -> QueryStats:
        """Statistics of the attack that is running or ran last."""

    @property
    def query_mode(self) -> str:
        """Description of how the network is queried: precision, folding, compilation."""

    def watch(self, samples: int, device: torch.device | str = "cpu") -> None:
        """Start counting for a new attack.

        Args:
            samples: Number of samples of the attack.
            device: Device of the counts.
        """

    def __call__(self, images: Images) -> Logits:
        """Return the logits of `images`, shape (batch, classes).

        Args:
            images: Images in [0, 1], shape (batch, channel, height, width).
        """


@runtime_checkable
class NormalisedModel(Protocol):
    """A network that takes (images - mean) / std."""

    mean: Tensor
    """Mean of each channel, in units of [0, 1] pixels."""
    std: Tensor
    """Standard deviation of each channel, in units of [0, 1] pixels."""
    model: nn.Module
    """The network behind the normalisation."""


@runtime_checkable
class Attack(Protocol):
    """A frozen dataclass that proposes adversarial images; its fields are its hyper-parameters.

    An attack never judges its own success: the referee classifies its images again. An attribute `rough_gradients`
    that is true says that it takes so many steps that gradients may come from a bfloat16 copy, which is then part of
    the protocol; an attack without it is asked in float32.
    """

    version: ClassVar[int]
    """Increased whenever the same fields would produce other images."""

    @property
    def uses(self) -> AttackUses:
        """What the attack uses of the model; the gradient-masking checks compare attacks by it."""

    @property
    def threat(self) -> Threat:
        """The threat model: the set of images that the attack may return."""

    @property
    def stochastic(self) -> bool:
        """True if the images depend on the seed."""

    @property
    def max_passes(self) -> int:
        """Upper bound on forward plus backward passes per sample.

        Queries that confirm successes of a low-precision copy are not included.
        """

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """Return adversarial images, untargeted: any class but the label is a success.

        The result of a sample depends only on its image, its label, its draws and the model, not on the rest of the
        batch. The call leaves `images`, `labels` and the model as they were.

        Args:
            classifier: Maps images in [0, 1], unnormalised, to logits of shape (batch, classes): an `nn.Module` in
                eval mode, an `Oracle`, or any differentiable function.
            images: Clean images, float, in [0, 1], shape (batch, channel, height, width); may be empty.
            labels: True class of each image, int64, shape (batch,).
            draws: Random numbers of each sample. None uses seed 0 and the samples' positions. Deterministic attacks
                ignore it.

        Returns:
            One image per sample, inside `threat`, with the shape, dtype and device of `images`. Where the attack
            failed: the clean image, or the attack's last or best attempt.

        Raises:
            DataError: If the images are not float, not 4-dimensional or not in [0, 1], or the labels do not match.
            ModelError: If the model is in train mode, or if the attack needs gradients that the model does not give.
        """


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
