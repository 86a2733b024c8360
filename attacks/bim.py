"""The basic iterative method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import Images, ImagesToLogits, Labels

from .pgd import PGD


@dataclass(frozen=True, slots=True, kw_only=True)
class BIM:
    """FGSM in small steps, each projected back into the ball: PGD from the image itself.

    Source: Kurakin, Goodfellow & Bengio 2017, arXiv:1607.02533, section 2.2 (also called I-FGSM); L2 and L1 steps as
    in PGD.
    Differs: the paper has steps of 1/255 and min(eps + 4, 1.25 eps) of them, eps in units of 1/255; the default here
    is eps / steps, and with `early_stop` a sample stops at its first misclassified iterate.
    """

    version: ClassVar[int] = 1
    stochastic: ClassVar[bool] = False

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    steps: int = 10
    step_size: float | None = None
    """Length of a step in `norm`; None means eps / steps."""
    early_stop: bool = True
    """Whether a beaten sample stops."""

    def __post_init__(self) -> None:
        self._pgd()

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.eps)

    @property
    def max_passes(self) -> int:
        return 2 * self.steps

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """Adversarial images for `images` (float, [0, 1]); `draws` are not used. Errors as Oracle.open."""
        return self._pgd()(classifier, images, labels, draws)

    def _pgd(self) -> PGD:
        """Which also says what is wrong with these fields, so a division by zero steps must not come first."""
        default = self.eps / max(1, self.steps)
        return PGD(
            eps=self.eps,
            norm=self.norm,
            steps=self.steps,
            step_size=default if self.step_size is None else self.step_size,
            random_start=False,
            early_stop=self.early_stop,
        )
