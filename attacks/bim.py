"""The basic iterative method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels

from .pgd import PGD
from .preconditions import attack_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class BIM:
    """FGSM in small steps, each projected back into the ball: PGD that starts at the clean image.

    Source: Kurakin, Goodfellow & Bengio 2017, arXiv:1607.02533, section 2.2 (also called I-FGSM); L2 and L1 steps as
    in PGD.
    Differs: the paper takes min(eps + 4, 1.25 eps) steps of 1/255, with eps in units of 1/255; the default step size
    here is eps / steps. With `early_stop` a sample stops at its first misclassified iterate.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"
    stochastic: ClassVar[bool] = False

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    """Norm of the ball."""
    steps: int = 10
    """Number of gradient steps."""
    step_size: float | None = None
    """Length of a step in `norm`; None means eps / steps."""
    early_stop: bool = True
    """Stop a sample at its first misclassified iterate."""

    def __post_init__(self) -> None:
        self._pgd()

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat(self.norm, self.eps)

    @property
    def rough_gradients(self) -> bool:
        """See `Attack`."""
        return self._pgd().rough_gradients

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        return 2 * self.steps

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` are ignored."""
        images, labels = attack_inputs(images, labels)
        return self._pgd()(classifier, images, labels, draws)

    def _pgd(self) -> PGD:
        """Return the equivalent PGD, which also validates the fields: steps=0 must reach it without a division."""
        default = self.eps / max(1, self.steps)
        return PGD(
            eps=self.eps,
            norm=self.norm,
            steps=self.steps,
            step_size=default if self.step_size is None else self.step_size,
            random_start=False,
            early_stop=self.early_stop,
        )
