"""The contract of a training recipe: its losses, what it needs, and the stages it consists of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn

from robustbench_eff.core.threat import Threat

from .network import Network
from .training_batch import AllTargets, Batch, Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Inputs that a recipe needs besides labelled images; the caller loads them into `Dependencies`."""

    teacher: str | None = None
    """Name of a model, as in an evaluation; None for a recipe without a teacher, or one that trains its own."""
    styliser: str | None = None
    """Spec text of a styliser; None for a recipe without one."""
    unlabelled: bool = False
    """True if the recipe also learns from unlabelled images, which are the training images by default."""


@runtime_checkable
class SampleBuilder(Protocol):
    """Builds the samples of a stage from what the teacher predicts."""

    def __call__(
        self, labelled: Samples, unlabelled: Samples, probabilities: AllTargets, label_smoothing: float
    ) -> Samples:
        """Return the samples to train on.

        Args:
            labelled: The labelled training images.
            unlabelled: The images that the teacher has classified.
            probabilities: The teacher's class probabilities for every unlabelled image.
            label_smoothing: Label smoothing of the schedule, from 0 to 1.
        """


@runtime_checkable
class Recipe(Protocol):
    """A training recipe: a frozen dataclass whose fields are its hyper-parameters.

    Subclass this protocol to get the defaults of everything but `version`, `passes` and `losses`. Length, optimizer
    and augmentation of a training belong to the `Schedule`.
    """

    version: ClassVar[int]
    """Increased whenever the same fields would give other weights."""
    has_usual_radius: ClassVar[bool] = False
    """True if a text without `eps` stands for the benchmark's usual radius."""

    @property
    def passes(self) -> float:
        """Forward and backward passes per training sample, including those through a teacher."""

    @property
    def threat(self) -> Threat | None:
        """The threat model that the recipe trains against, or None.

        A recipe with a threat model is validated after every epoch, and a collapse of its robust accuracy ends the
        training.
        """
        return None

    @property
    def requirements(self) -> Requirements:
        """Inputs that the recipe needs besides labelled images."""
        return Requirements()

    @property
    def exported_activation(self) -> str | None:
        """Name of the activation that replaces every non-smooth one in the exported network, or None."""
        return None

    def stages(self) -> tuple[Stage, ...]:
        """Return the trainings that the recipe consists of, in order; by default a single one with this recipe."""
        return (Stage(recipe=self),)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield one loss per update of the weights.

        The trainer calls `backward` on each loss. An update uses the gradients of all backward passes since the
        previous one, so a recipe may also call `backward` itself.

        Args:
            network: The network in training, in train mode.
            batch: Images in [0, 1], labels and targets of this step.
        """

    def prepare(self, module: nn.Module) -> nn.Module:
        """Return the module to train in place of `module`; by default `module` itself.

        Args:
            module: A new network of the chosen architecture, which may be modified.

        Raises:
            ModelError: The recipe does not work with this architecture.
        """
        return module

    def export(self, trained: nn.Module) -> nn.Module:
        """Return the network to save: one of the original architecture, apart from its activations.

        Args:
            trained: The module that `prepare` returned, or a copy with averaged weights.
        """
        return trained


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One training of a recipe. The network of a stage is the teacher of the next one."""

    recipe: Recipe
    """Provides the losses of this stage."""
    name: str = ""
    """Prefix of progress messages, such as `teacher: `."""
    build_samples: SampleBuilder | None = None
    """Builds the samples from the teacher's predictions; None trains on the labelled images."""
