"""AdvProp: adversarial images as additional training images, with batch norms of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core.threat import Threat
from robustbench_eff.core.types import Images

from .auxiliary_batch_norm import WithAuxiliary, main_network
from .inner_maximization import Ascent, check_ascent, maximize_cross_entropy, random_start
from .network import Network
from .policies import augmented, policy
from .recipe import Recipe
from .training_batch import Batch

ADVERSARIAL = 1
"""Branch of adversarial images; clean images use the main branch, and augmented ones the branch after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvProp(Recipe):
    """AdvProp: the sum of the cross-entropies of clean and of adversarial images.

    Clean images use the main batch norms. Adversarial images are generated and classified with auxiliary ones, which
    are dropped at the end.

    Source: Xie et al. 2020, arXiv:1911.09665, algorithm 1 and section 5.1: PGD with a random start, eps + 1 steps of
    1/255 (one for eps = 1/255), which is unverified; with `augmentation` fine-grained AdvProp (section 4.3).
    Differs: the attack is in eval mode, with the auxiliary running statistics, as intended by tingxueronghua's
    reproduction d0f6b04.
    """

    version: ClassVar[int] = 1
    has_usual_radius: ClassVar[bool] = True

    eps: float = 4 / 255
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    steps: int | None = None
    """Number of gradient steps of the attack; None means the paper's, one more than the step sizes within eps, but a
    single one if there is one."""
    step_size: float = 1 / 255
    """Length of a step."""
    auxiliary: bool = True
    """False: all images form one batch and share the same batch norms."""
    images: Literal["adversarial", "noise", "copy"] = "adversarial"
    """Images to add to the clean ones. Controls: uniform noise of radius eps, and the clean images once more."""
    augmentation: str | None = None
    """`autoaugment` or `randaugment`: such images are added too, with a third set of batch norms."""

    def __post_init__(self) -> None:
        check_ascent(self.eps, "linf", self._steps, self.step_size)
        if self.augmentation is not None:
            policy(self.augmentation)

    @property
    def _steps(self) -> int:
        if self.steps is not None:
            return self.steps
        within = round(self.eps / self.step_size) if self.step_size > 0 else 1
        return within + 1 if within > 1 else 1

    @property
    def passes(self) -> float:
        """Two passes for each kind of images, in addition to those of the attack."""
        attack = 2 * self._steps if self.images == "adversarial" else 0
        return attack + 4 + (2 if self.augmentation else 0)

    def prepare(self, module: nn.Module) -> nn.Module:
        """Return the network with auxiliary batch norms, unless they are switched off.

        Args:
            module: The network to train.
        """
        return WithAuxiliary(module, 2 if self.augmentation else 1) if self.auxiliary else module

    def export(self, trained: nn.Module) -> nn.Module:
        """Return the network with its main batch norms.

        Args:
            trained: What `prepare` returned.
        """
        return main_network(trained)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the sum of the cross-entropies of clean, added and augmented images.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        images_of_branches = [batch.images, self._added_images(network, batch)]
        if self.augmentation is not None:
            images_of_branches.append(augmented(batch, policy(self.augmentation), self.augmentation))
        if self.auxiliary:
            outputs = [network(images, branch=branch) for branch, images in enumerate(images_of_branches)]
        else:
            outputs = list(network(torch.cat(images_of_branches)).chunk(len(images_of_branches)))
        losses = [functional.cross_entropy(logits, batch.targets) for logits in outputs]
        yield torch.stack(losses).sum()

    def _added_images(self, network: Network, batch: Batch) -> Images:
        if self.images == "copy":
            return batch.images
        threat = Threat("linf", self.eps)
        start = random_start(batch.images, batch.uniform("start"), threat)
        if self.images == "noise":
            return start
        ascent = Ascent(threat=threat, steps=self._steps, step_size=self.step_size)
        return maximize_cross_entropy(network, batch, start, ascent, branch=ADVERSARIAL if self.auxiliary else None)
