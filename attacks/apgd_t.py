"""Targeted Auto-PGD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import Images, ImagesToLogits, Labels, SampleIndices

from .active_samples import memory_chunks
from .apgd_ascent import Paths, climb
from .losses import targeted_difference_of_logits_ratio, targeted_margin
from .oracle import Oracle
from .targets import likeliest_targets


@dataclass(frozen=True, slots=True, kw_only=True)
class APGDT:
    """Auto-PGD on the targeted DLR loss, towards each of the classes with the largest logits.

    Source: Croce & Hein 2020, arXiv:2003.01690; constants as in pyautoattack 0.2.0.
    Differs: all targets of a sample are climbed side by side and stop when one succeeds; with fewer classes than
    targets there are fewer; below 4 classes DLR has no denominator and the margin is climbed instead (both noted).
    """

    version: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    targets: int = 9
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
        if min(self.targets, self.iterations, self.restarts, self.eot) < 1:
            raise SpecError("targets, iterations, restarts and eot must be >= 1.")
        if self.shrinking_ball and self.norm != "l1":
            raise SpecError("shrinking_ball goes with norm=l1.")

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.eps)

    @property
    def max_passes(self) -> int:
        passes = 2 * self.eot * (self.iterations + (3 if self.shrinking_ball else 1))
        return 1 + self.targets * self.restarts * passes

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """Adversarial images for `images` (float, [0, 1]); where none was found, the clean image.

        `draws` key the random starts; without them the samples' positions and seed 0 do. Errors as Oracle.open.
        """
        draws = RandomStreams.given(draws, images)
        adversarial = images.clone()
        with Oracle.open(classifier, images, labels) as oracle:
            for rows in memory_chunks(images, self.targets):
                if len(rows):
                    self._attack(oracle, images, labels, rows, draws, adversarial)
        return adversarial

    def _attack(
        self,
        oracle: Oracle,
        images: Images,
        labels: Labels,
        rows: SampleIndices,
        draws: RandomStreams,
        adversarial: Images,
    ) -> None:
        targets = likeliest_targets(oracle, images[rows], labels[rows], rows, self.targets, "apgd-t")
        has_ratio = oracle.num_classes(images) >= 4
        if not has_ratio:
            oracle.note("apgd-t climbed the margin: targeted DLR needs 4 classes")
        for restart in range(self.restarts):
            owners = rows.repeat_interleave(targets.shape[1])
            classes = torch.stack((labels[owners], targets.flatten()), 1)
            paths = Paths(rows=owners, clean=images[owners], labels=labels[owners], classes=classes)
            number = torch.arange(targets.shape[1], device=rows.device).repeat(len(rows))
            left = climb(
                oracle,
                paths,
                adversarial,
                draws[owners].fork(number),
                threat=self.threat,
                loss=targeted_difference_of_logits_ratio if has_ratio else targeted_margin,
                iterations=self.iterations,
                rho=self.rho,
                repeats=self.eot,
                stages=self.shrinking_ball,
                restart=restart,
            )
            alive = torch.isin(rows, left)
            rows, targets = rows[alive], targets[alive]
            if not len(rows):
                break
