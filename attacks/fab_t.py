"""Targeted Fast Adaptive Boundary attack."""

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
from .targets import likeliest_targets


@dataclass(frozen=True, slots=True, kw_only=True)
class FABT:
    """Minimum-norm attack: steps onto the linearised boundary between the label and each likely class.

    Source: Croce & Hein 2020, arXiv:1907.02044, targeted as in Croce & Hein 2020, arXiv:2003.01690; constants and
    order of operations as in pyautoattack 0.2.0.
    Differs: all targets of a sample are attacked in parallel. With an eps a sample stops at its first misclassified
    point within eps. Random starts for L1 are projected onto the ball, not scaled, and a start may be a success. A
    point at which label and target tie moves on by a small gain. A model with fewer other classes than `targets` gets
    fewer targets (noted).
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"

    eps: float | None = 4 / 255
    """Radius within which a point counts, in units of [0, 1] pixels; None searches for the closest one anywhere."""
    norm: LpNorm = "linf"
    """Norm of the ball."""
    targets: int = 9
    """Number of target classes."""
    iterations: int = 100
    """Number of steps of each restart, for each target."""
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
        if min(self.targets, self.iterations, self.restarts) < 1:
            raise SpecError("targets, iterations and restarts must be >= 1.")
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
        """See `Attack`."""
        # Each step takes one gradient, and a second one where the point is misclassified and steps back.
        return 1 + self.targets * self.restarts * (4 * self.iterations + 1)

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
            )
            for rows in memory_chunks(images, 2 * self.targets):
                if len(rows):
                    targets = likeliest_targets(oracle, images[rows], labels[rows], rows, self.targets, "fab-t")
                    search_from_starts(search, nearest, labels, rows, targets, draws)
        return nearest.images
