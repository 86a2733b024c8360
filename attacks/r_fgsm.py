"""The fast gradient sign method from a random start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat, steepest_ascent
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels

from .losses import cross_entropy
from .oracle import Oracle
from .preconditions import attack_inputs
from .random_starts import in_the_ball


@dataclass(frozen=True, slots=True, kw_only=True)
class RFGSM:
    """One step along the gradient at a random point of the ball, projected back into it.

    Source: Wong et al. 2020, arXiv:2001.03994, Algorithm 3 (FGSM-RS); with start=sign Tramèr et al. 2018,
    arXiv:1705.07204, equation 7 (R+FGSM, alpha = eps/2).
    Differs: FGSM-RS does not clip its start to [0, 1] before computing the gradient, this attack does. In L2, which
    the papers do not define, the start is uniform in the ball.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "one gradient"
    stochastic: ClassVar[bool] = True

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: Literal["linf", "l2"] = "linf"
    start: Literal["uniform", "sign"] = "uniform"
    """Uniform in the ball, or (L-infinity) eps/2 with a random sign in every pixel."""
    step_size: float | None = None
    """Length of the step in `norm`; None means 1.25 eps, and eps/2 for start=sign."""

    def __post_init__(self) -> None:
        Threat(self.norm, self.eps)
        if self.norm not in ("linf", "l2"):
            raise SpecError(f"norm must be linf or l2, got {self.norm!r}.")
        if self.start not in ("uniform", "sign"):
            raise SpecError(f"start must be uniform or sign, got {self.start!r}.")
        if self.start == "sign" and self.norm != "linf":
            raise SpecError("start=sign requires norm=linf.")
        if self.step_size is not None and not self.step_size > 0:
            raise SpecError(f"step_size must be > 0 in units of [0, 1] pixels, got {self.step_size:g}.")

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
        """See `Attack`; `draws` determine the random starts."""
        images, labels = attack_inputs(images, labels)
        draws = RandomStreams.given(draws, images)
        if self.start == "uniform":
            start, step_size = in_the_ball(images, self.threat, draws, "r_fgsm"), 1.25 * self.eps
        else:
            signs = draws.normal(images.shape[1:], stream="r_fgsm/sign").to(images).sign()
            start, step_size = (images + self.eps / 2 * signs).clamp_(0, 1), self.eps / 2
        if self.step_size is not None:
            step_size = self.step_size
        with Oracle.open(classifier, images, labels) as oracle:
            rows = torch.arange(len(images), device=images.device)
            _, gradient = oracle.gradient(start, labels, cross_entropy, rows)
        return self.threat.project(start + step_size * steepest_ascent(gradient, self.norm), images)
