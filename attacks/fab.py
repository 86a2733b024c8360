"""Fast Adaptive Boundary attack."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FAB:
    """The smallest perturbation: steps onto the nearest of all linearised boundaries.

    Every step takes a gradient for each class but the label: with many classes FAB-T is the one to use.
    Source: Croce & Hein 2020, arXiv:1907.02044; constants and order of operations as in pyautoattack 0.2.0.
    Differs: with an eps a sample stops at its first misclassified point within eps; random starts for L1 are
    projected onto the ball, not scaled, and a start may be a success.
    """

    version: ClassVar[int] = 1

    eps: float | None = 4 / 255
    """Radius within which a point counts, in units of [0, 1] pixels; None looks for the nearest one anywhere."""
    norm: LpNorm = "linf"
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
        if min(self.iterations, self.restarts) < 1:
            raise SpecError("iterations and restarts must be >= 1.")
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
        """For up to 10 classes; each further one costs as much as these on average."""
        return self.restarts * (2 * 2 * 9 * self.iterations + 1)

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
                turning=True,
            )
            for rows in memory_chunks(images, 2):
                to_be_chosen = labels[rows, None]
                walk_from_starts(
                    walk, nearest, images, labels, rows, to_be_chosen, draws, restarts=self.restarts, eps=self.eps
                )
        return nearest.images
