"""Targeted Fast Adaptive Boundary attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from robustbench_eff.errors import SpecError
from robustbench_eff.rng import Draws
from robustbench_eff.threat import LpNorm, Threat
from robustbench_eff.types import Images, ImagesToLogits, Labels, Rows

from .fab_walk import Paths, Walk
from .live import groups
from .nearest import Nearest
from .oracle import Oracle
from .starts import on_the_surface
from .targets import likeliest_targets

RESTART_EPS = {"linf": 0.3, "l2": 1.0, "l1": 5.0}
"""Twice the length of random starts where eps is None."""


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
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: Draws | None = None
    ) -> Images:
        """The nearest adversarial images found for `images` (float, [0, 1]); where there is none, the clean image.

        `draws` key the random starts of restarts; without them the samples' positions and seed 0 do. Errors as
        Oracle.open.
        """
        draws = Draws.given(draws, images)
        nearest = Nearest.begin(images, self.norm, self.eps)
        with Oracle.open(classifier, images, labels) as oracle:
            walk = Walk(
                oracle=oracle,
                norm=self.norm,
                steps=self.iterations,
                alpha_max=self.alpha_max,
                overshoot=self.overshoot,
                backward=self.backward,
            )
            for rows in groups(images, 2 * self.targets):
                if len(rows):
                    self._attack(walk, images, labels, rows, draws, nearest)
        return nearest.images

    def _attack(self, walk: Walk, images: Images, labels: Labels, rows: Rows, draws: Draws, nearest: Nearest) -> None:
        targets = likeliest_targets(walk.oracle, images[rows], labels[rows], rows, self.targets, "fab-t")
        for restart in range(self.restarts):
            owners = rows.repeat_interleave(targets.shape[1])
            clean, start = images[owners], images[owners]
            if restart:
                number = torch.arange(targets.shape[1], device=rows.device).repeat(len(rows))
                start = on_the_surface(clean, self._start_ball, draws[owners].fork(number), "fab", restart)
            paths = Paths(
                rows=owners,
                clean=clean,
                labels=labels[owners],
                classes=torch.stack((labels[owners], targets.flatten()), 1),
                current=start,
                crossed=torch.zeros_like(owners, dtype=torch.bool),
            )
            alive = torch.isin(rows, walk(paths, nearest))
            rows, targets = rows[alive], targets[alive]
            if not len(rows):
                break

    @property
    def _start_ball(self) -> Threat:
        return Threat(self.norm, (RESTART_EPS[self.norm] if self.eps is None else self.eps) / 2)
