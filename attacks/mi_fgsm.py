"""The momentum iterative fast gradient sign method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat, steepest_ascent
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels

from .active_samples import record_successes
from .losses import cross_entropy
from .oracle import Oracle
from .pgd import STEPS_THAT_FORGIVE_ROUNDING
from .preconditions import attack_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class MIFGSM:
    """Steps along the decaying sum of past gradients, each divided by its L1 norm before it is added.

    Source: Dong et al. 2018, arXiv:1710.06081, Algorithm 1; L2 as in its section 3.2.
    Differs: a sample stops at its first misclassified iterate, which is its result. Without `early_stop` every
    sample takes all steps, which makes perturbations that transfer better to other networks.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"
    stochastic: ClassVar[bool] = False

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: Literal["linf", "l2"] = "linf"
    steps: int = 10
    """Number of gradient steps."""
    step_size: float | None = None
    """Length of a step in `norm`; None means eps / steps."""
    momentum: float = 1.0
    """Factor on the sum of past gradients before the next one is added."""
    early_stop: bool = True
    """Stop a sample at its first misclassified iterate."""

    def __post_init__(self) -> None:
        Threat(self.norm, self.eps)
        if self.norm not in ("linf", "l2"):
            raise SpecError(f"norm must be linf or l2, got {self.norm!r}.")
        if self.steps < 1 or self.momentum < 0:
            raise SpecError(f"steps must be >= 1 and momentum >= 0, got {self.steps} and {self.momentum:g}.")
        if self.step_size is not None and not self.step_size > 0:
            raise SpecError(f"step_size must be > 0 in units of [0, 1] pixels, got {self.step_size:g}.")

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat(self.norm, self.eps)

    @property
    def rough_gradients(self) -> bool:
        """See `Attack`."""
        return self.steps >= STEPS_THAT_FORGIVE_ROUNDING

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        return 2 * self.steps

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` are ignored."""
        images, labels = attack_inputs(images, labels)
        del draws
        step_size = self.eps / self.steps if self.step_size is None else self.step_size
        adversarial = images.clone()
        live = torch.arange(len(images), device=images.device)
        current, velocity = images, torch.zeros_like(images)
        with Oracle.open(classifier, images, labels) as oracle:
            for _ in range(self.steps):
                if not len(live):
                    break
                logits, gradient = oracle.gradient(
                    current, labels[live], cross_entropy, live, rough=self.rough_gradients
                )
                if self.early_stop:
                    success = oracle.successes(logits, current, labels[live], live)
                    keep = record_successes(adversarial, live, current, success)
                    live, current, gradient, velocity = live[keep], current[keep], gradient[keep], velocity[keep]
                length = gradient.abs().sum((1, 2, 3), keepdim=True).clamp_min(1e-12)
                velocity = self.momentum * velocity + gradient / length
                step = steepest_ascent(velocity, self.norm)
                current = self.threat.project(current + step_size * step, images[live])
        adversarial[live] = current
        return adversarial
