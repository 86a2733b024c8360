"""The fast gradient sign method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat, steepest_ascent
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels

from .losses import cross_entropy
from .oracle import Oracle
from .preconditions import attack_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class FGSM:
    """One step of length `eps` along the gradient of the cross-entropy, clipped to [0, 1].

    Source: Goodfellow, Shlens & Szegedy 2015, arXiv:1412.6572, section 4; for L2 and L1 the gradient divided by
    its own norm (Miyato et al. 2017, arXiv:1605.07725), as in Foolbox.
    Differs: nothing.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "one gradient"
    stochastic: ClassVar[bool] = False

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    """Norm of the ball."""

    def __post_init__(self) -> None:
        Threat(self.norm, self.eps)

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat(self.norm, self.eps)

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        return 2

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` are ignored."""
        images, labels = attack_inputs(images, labels)
        del draws
        with Oracle.open(classifier, images, labels) as oracle:
            rows = torch.arange(len(images), device=images.device)
            _, gradient = oracle.gradient(images, labels, cross_entropy, rows)
        if self.norm == "l1":
            step = gradient / gradient.abs().sum((1, 2, 3), keepdim=True).clamp_min(1e-12)
        else:
            step = steepest_ascent(gradient, self.norm)
        return self.threat.project(images + self.eps * step, images)
