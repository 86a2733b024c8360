"""Targeted Fast Adaptive Boundary attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import Images, ImagesToLogits, Labels

from .active_samples import memory_chunks
from .closest_adversarial import Nearest
from .fab_search import FabSearch, walk_from_starts
from .oracle import Oracle
from .targets import likeliest_targets


@dataclass(frozen=True, slots=True, kw_only=True)
class FABT:
    """The smallest perturbation: steps onto the linearised boundary between the label and each likely class.

    Source: Croce & Hein 2020, arXiv:1907.02044, targeted as in Croce & Hein 2020, arXiv:2003.01690; constants and
    order of operations as in pyautoattack 0.2.0.
    Differs: all targets of a sample are walked side by side; with an eps a sample stops at its first misclassified
    point within eps; random starts for L1 are projected onto the ball, not scaled, and a start may be a success;
    a point where label and target draw moves on by a small gain; with fewer classes than targets there are fewer
    (noted).
    """

    version: ClassVar[int] = 1

    eps: float | None = 4 / 255
    """Radius within which a point counts, in units of [0, 1] pixels; None looks for the nearest one anywhere."""
    norm: LpNorm = "linf"
    targets: int = 9
    iterations: int = 100
    restarts: int = 1
    alpha_max: float = 0.1
    """How far at most each step is drawn towards the clean image's own projection, as a fraction."""
    overshoot: float = 1.05
    """How far a step goes, in multiples of the way to the linearised boundary."""
    backward: float = 0.9
    """What is left of the perturbation of a misclassified point before the next step."""

    def __post_init__(self) -> None:
        Threat.within(self.norm, self.eps)
        if min(self.targets, self.iterations, self.restarts) < 1:
            raise SpecError("targets, iterations and restarts must be >= 1.")
        if not (0 <= self.alpha_max <= 1 and 0 <= self.backward <= 1 and self.overshoot >= 1):
            raise SpecError("alpha_max and backward must lie in [0, 1], and overshoot must be >= 1.")

    @property
    def threat(self) -> Threat:
        return Threat.within(self.norm, self.eps)

    @property
    def stochastic(self) -> bool:
        return self.restarts > 1

    @property
    def max_passes(self) -> int:
        # A step asks for a gradient, and for another one where the point is misclassified and steps back.
        return 1 + self.targets * self.restarts * (4 * self.iterations + 1)

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """The nearest adversarial images found for `images` (float, [0, 1]); where there is none, the clean image.

        `draws` key the random starts of restarts; without them the samples' positions and seed 0 do. Errors as
        Oracle.open.
        """
        draws = RandomStreams.given(draws, images)
        nearest = Nearest.begin(images, self.norm, self.eps)
        with Oracle.open(classifier, images, labels) as oracle:
            walk = FabSearch(
                oracle=oracle,
                norm=self.norm,
                steps=self.iterations,
                alpha_max=self.alpha_max,
                overshoot=self.overshoot,
                backward=self.backward,
            )
            for rows in memory_chunks(images, 2 * self.targets):
                if len(rows):
                    targets = likeliest_targets(oracle, images[rows], labels[rows], rows, self.targets, "fab-t")
                    walk_from_starts(
                        walk, nearest, images, labels, rows, targets, draws, restarts=self.restarts, eps=self.eps
                    )
        return nearest.images
