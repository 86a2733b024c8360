"""Gradient ascent inside the L-infinity ball, in its simplest form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientAscent:
    """Signed gradient steps on the cross-entropy, projected onto the ball after each of them.

    Source: Kurakin et al. 2017, arXiv:1607.02533.
    Differs: nothing.
    """

    eps: float = 8 / 255
    """Radius in units of [0, 1] pixels, above 0."""
    steps: int = 10
    """Number of gradients."""
    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"
    stochastic: ClassVar[bool] = False

    @property
    def threat(self) -> Threat:
        """The L-infinity ball."""
        return Threat("linf", self.eps)

    @property
    def max_passes(self) -> int:
        """One forward and one backward pass per step."""
        return 2 * self.steps

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """Return adversarial images for `images`. See `robustbench_eff.core.types.Attack`."""
        del draws
        adversarial = images.clone()
        for _ in range(self.steps):
            adversarial.requires_grad_(True)
            loss = nn.functional.cross_entropy(classifier(adversarial), labels, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, adversarial)
            step = adversarial.detach() + 2.5 * self.eps / self.steps * gradient.sign()
            adversarial = self.threat.project(step, images)
        return adversarial.detach()
