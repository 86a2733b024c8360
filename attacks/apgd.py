"""Auto-PGD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels

from .active_samples import memory_chunks
from .apgd_ascent import AscentSettings, Paths, ascend
from .losses import Loss, cross_entropy, difference_of_logits_ratio, negative_margin
from .oracle import Oracle
from .preconditions import attack_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class APGD:
    """Projected gradient ascent that halves its own step size, so that none has to be tuned.

    Source: Croce & Hein 2020, arXiv:2003.01690; L1: Croce & Hein 2021, arXiv:2103.01208; constants as in
    pyautoattack 0.2.0.
    Differs: a sample stops at its first misclassified iterate. The gain of the first step is measured against the
    start, not against zero. With fewer than 3 classes DLR is undefined, and the attack maximizes the negative margin
    instead (noted).
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"
    stochastic: ClassVar[bool] = True
    rough_gradients: ClassVar[bool] = True

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    """Norm of the ball."""
    loss: Literal["ce", "dlr"] = "ce"
    """Cross-entropy, or the difference of logits ratio."""
    iterations: int = 100
    """Number of gradient steps of each restart."""
    restarts: int = 1
    """Number of random starts."""
    rho: float = 0.75
    """A step is halved if fewer than this fraction of the steps since the last checkpoint increased the loss."""
    eot: int = 1
    """Queries that each gradient averages over; 1 for as many as a network that draws random numbers needs."""
    shrinking_ball: bool = False
    """L1 only: 30 % of the iterations at 3 eps, 30 % at 2 eps, 40 % at eps."""

    def __post_init__(self) -> None:
        Threat(self.norm, self.eps)
        if min(self.iterations, self.restarts, self.eot) < 1:
            raise SpecError(
                f"iterations, restarts and eot must be >= 1, got {self.iterations}, {self.restarts} and {self.eot}."
            )
        if self.shrinking_ball and self.norm != "l1":
            raise SpecError("shrinking_ball requires norm=l1.")

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat(self.norm, self.eps)

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        return self.restarts * 2 * self.eot * (self.iterations + (3 if self.shrinking_ball else 1))

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` determine the random starts. Where the attack fails, it returns the clean image."""
        images, labels = attack_inputs(images, labels)
        draws = RandomStreams.given(draws, images)
        adversarial = images.clone()
        with Oracle.open(classifier, images, labels) as oracle:
            for rows in memory_chunks(images, 1):
                settings = AscentSettings(
                    threat=self.threat,
                    loss=self._loss(oracle, images[rows]),
                    iterations=self.iterations,
                    rho=self.rho,
                    repeats=self.eot,
                    shrinking_ball=self.shrinking_ball,
                )
                for restart in range(self.restarts):
                    if not len(rows):
                        break
                    paths = Paths(rows=rows, clean=images[rows], labels=labels[rows], classes=labels[rows])
                    rows = ascend(oracle, settings, paths, adversarial, draws[rows], restart)
        return adversarial

    def _loss(self, oracle: Oracle, images: Images) -> Loss:
        if self.loss == "ce":
            return cross_entropy
        if len(images) and oracle.num_classes(images) < 3:
            oracle.note("apgd-dlr maximized the negative margin: DLR needs 3 classes")
            return negative_margin
        return difference_of_logits_ratio
