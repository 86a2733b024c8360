"""Auto-PGD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import Images, ImagesToLogits, Labels

from .active_samples import memory_chunks
from .apgd_ascent import Paths, climb
from .losses import cross_entropy, difference_of_logits_ratio, negative_margin
from .oracle import Loss, Oracle


@dataclass(frozen=True, slots=True, kw_only=True)
class APGD:
    """Projected gradient ascent whose step size halves itself; no step size to tune.

    Source: Croce & Hein 2020, arXiv:2003.01690; L1: Croce & Hein 2021, arXiv:2103.01208; constants as in
    pyautoattack 0.2.0.
    Differs: a sample stops at its first misclassified iterate; the first step's gain is measured against the
    start, not against zero; below 3 classes DLR has no denominator and the margin is climbed instead (noted).
    """

    version: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    loss: Literal["ce", "dlr"] = "ce"
    iterations: int = 100
    restarts: int = 1
    rho: float = 0.75
    """A step is halved when fewer than this fraction of the last ones raised the loss."""
    eot: int = 1
    """Queries that a gradient is averaged over, for networks that draw at random."""
    shrinking_ball: bool = False
    """L1 only: 30 % of the iterations at 3 eps, 30 % at 2 eps, 40 % at eps."""

    def __post_init__(self) -> None:
        Threat(self.norm, self.eps)
        if min(self.iterations, self.restarts, self.eot) < 1:
            raise SpecError(
                f"iterations, restarts and eot must be >= 1, got {self.iterations}, {self.restarts} and {self.eot}."
            )
        if self.shrinking_ball and self.norm != "l1":
            raise SpecError("shrinking_ball goes with norm=l1.")

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.eps)

    @property
    def max_passes(self) -> int:
        return self.restarts * 2 * self.eot * (self.iterations + (3 if self.shrinking_ball else 1))

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """Adversarial images for `images` (float, [0, 1]); where none was found, the clean image.

        `draws` key the random starts; without them the samples' positions and seed 0 do. Errors as Oracle.open.
        """
        draws = RandomStreams.given(draws, images)
        adversarial = images.clone()
        with Oracle.open(classifier, images, labels) as oracle:
            for rows in memory_chunks(images, 1):
                loss = self._loss(oracle, images[rows])
                for restart in range(self.restarts):
                    if not len(rows):
                        break
                    paths = Paths(rows=rows, clean=images[rows], labels=labels[rows], classes=labels[rows])
                    rows = climb(
                        oracle,
                        paths,
                        adversarial,
                        draws[rows],
                        threat=self.threat,
                        loss=loss,
                        iterations=self.iterations,
                        rho=self.rho,
                        repeats=self.eot,
                        stages=self.shrinking_ball,
                        restart=restart,
                    )
        return adversarial

    def _loss(self, oracle: Oracle, images: Images) -> Loss:
        if self.loss == "ce":
            return cross_entropy
        if len(images) and oracle.num_classes(images) < 3:
            oracle.note("apgd-dlr climbed the margin: DLR needs 3 classes")
            return negative_margin
        return difference_of_logits_ratio
