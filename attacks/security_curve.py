"""Accuracy against epsilon in one sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels

from .active_samples import LiveSamples
from .oracle import Oracle
from .pgd import PGDSettings, pgd_steps
from .preconditions import attack_inputs
from .random_starts import in_the_ball


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityCurve:
    """PGD in balls of increasing radius, each started where the previous one ended, until the first success.

    One run gives the accuracy at every radius: a sample is robust at all radii below the distance of its adversarial
    image.
    Source: curves as Biggio & Roli 2018, arXiv:1712.03141, section 4 request; steps as in PGD (Madry et al. 2018,
    arXiv:1706.06083).
    Differs: the warm start is ours.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"
    stochastic: ClassVar[bool] = True

    eps: tuple[float, ...] = (1 / 255, 2 / 255, 4 / 255, 8 / 255, 16 / 255)
    """Increasing radii, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    """Norm of the ball."""
    steps: int = 20
    """Gradient steps in each ball, of length 2.5 eps / steps."""

    def __post_init__(self) -> None:
        if not self.eps or list(self.eps) != sorted(set(self.eps)):
            raise SpecError(f"eps must be growing radii, got {self.eps}.", "Write eps=[1/255, 2/255, 4/255].")
        for eps in self.eps:
            Threat(self.norm, eps)
        if self.steps < 1:
            raise SpecError(f"steps must be >= 1, got {self.steps}.")

    @property
    def threat(self) -> Threat:
        """See `Attack`: the largest ball."""
        return Threat(self.norm, self.eps[-1])

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        return 2 * self.steps * len(self.eps) + 1

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; the result lies in the smallest ball in which a success was found.

        `draws` determine the start in the first ball.
        """
        images, labels = attack_inputs(images, labels)
        draws = RandomStreams.given(draws, images)
        adversarial = images.clone()
        samples = LiveSamples(torch.arange(len(images), device=images.device), images, labels)
        current = in_the_ball(images, Threat(self.norm, self.eps[0]), draws, "security curve")
        with Oracle.open(classifier, images, labels) as oracle:
            for eps in self.eps:
                if not len(samples.rows):
                    break
                ball = Threat(self.norm, eps)
                settings = PGDSettings(threat=ball, steps=self.steps, step_size=2.5 * eps / self.steps, majority=True)
                samples, current = pgd_steps(oracle, settings, samples, current, adversarial)
        adversarial[samples.rows] = current
        return adversarial
