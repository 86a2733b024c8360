"""Fast Adaptive Boundary attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels

from .active_samples import memory_chunks
from .closest_adversarial import Nearest
from .fab_search import FabSearch, search_from_starts
from .oracle import Oracle
from .preconditions import attack_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class FAB:
    """Minimum-norm attack: steps onto the nearest of all linearised decision boundaries.

    Every step takes one gradient for each class except the label; with many classes use FAB-T.
    Source: Croce & Hein 2020, arXiv:1907.02044; constants and order of operations as in pyautoattack 0.2.0.
    Differs: with an eps a sample stops at its first misclassified point within eps. Random starts for L1 are
    projected onto the ball, not scaled, and a start may be a success.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"

    eps: float | None = 4 / 255
    """Radius within which a point counts, in units of [0, 1] pixels; None searches for the closest one anywhere."""
    norm: LpNorm = "linf"
    """Norm of the ball."""
    iterations: int = 100
    """Number of steps of each restart."""
    restarts: int = 1
    """Number of starts: the clean image, then random points."""
    alpha_max: float = 0.1
    """Upper bound on the weight of the clean image's own projection in each step, in [0, 1]."""
    overshoot: float = 1.05
    """Length of a step, as a multiple of the distance to the linearised boundary."""
    backward: float = 0.9
    """Fraction of the perturbation that a misclassified point keeps before the next step."""

    def __post_init__(self) -> None:
        Threat.within(self.norm, self.eps)
        if min(self.iterations, self.restarts) < 1:
            raise SpecError("iterations and restarts must be >= 1.")
        if not (0 <= self.alpha_max <= 1 and 0 <= self.backward <= 1 and self.overshoot >= 1):
            raise SpecError("alpha_max and backward must lie in [0, 1], and overshoot must be >= 1.")

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat.within(self.norm, self.eps)

    @property
    def stochastic(self) -> bool:
        """See `Attack`."""
        return self.restarts > 1

    @property
    def max_passes(self) -> int:
        """See `Attack`; for up to 10 classes, and proportionally more for further ones."""
        return self.restarts * (2 * 2 * 9 * self.iterations + 1)

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` determine the random starts of restarts.

        Returns the closest adversarial images; where there is none, the clean image.
        """
        images, labels = attack_inputs(images, labels)
        draws = RandomStreams.given(draws, images)
        nearest = Nearest.begin(images, self.norm, self.eps)
        with Oracle.open(classifier, images, labels) as oracle:
            search = FabSearch(
                oracle=oracle,
                norm=self.norm,
                eps=self.eps,
                steps=self.iterations,
                restarts=self.restarts,
                alpha_max=self.alpha_max,
                overshoot=self.overshoot,
                backward=self.backward,
                untargeted=True,
            )
            for rows in memory_chunks(images, 2):
                placeholder = labels[rows, None]  # the search chooses the targets
                search_from_starts(search, nearest, labels, rows, placeholder, draws)
        return nearest.images
