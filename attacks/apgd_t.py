"""Targeted Auto-PGD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import AllImages, AttackUses, Images, ImagesToLogits, Labels, SampleIndices

from .active_samples import memory_chunks
from .apgd_ascent import AscentSettings, Paths, ascend
from .losses import targeted_difference_of_logits_ratio, targeted_margin
from .oracle import Oracle
from .preconditions import attack_inputs
from .targets import likeliest_targets


@dataclass(frozen=True, slots=True, kw_only=True)
class APGDT:
    """Auto-PGD on the targeted DLR loss, towards each of the classes with the largest logits.

    Source: Croce & Hein 2020, arXiv:2003.01690; constants as in pyautoattack 0.2.0.
    Differs: all targets of a sample are attacked in parallel and stop when one succeeds. A model with fewer other
    classes than `targets` gets fewer targets; with fewer than 4 classes targeted DLR is undefined, and the attack
    maximizes the targeted margin instead (both noted).
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"
    stochastic: ClassVar[bool] = True
    rough_gradients: ClassVar[bool] = True

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    """Norm of the ball."""
    targets: int = 9
    """Number of target classes."""
    iterations: int = 100
    """Number of gradient steps of each restart, for each target."""
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
        if min(self.targets, self.iterations, self.restarts, self.eot) < 1:
            raise SpecError("targets, iterations, restarts and eot must be >= 1.")
        if self.shrinking_ball and self.norm != "l1":
            raise SpecError("shrinking_ball requires norm=l1.")

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat(self.norm, self.eps)

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        passes = 2 * self.eot * (self.iterations + (3 if self.shrinking_ball else 1))
        return 1 + self.targets * self.restarts * passes

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` determine the random starts. Where the attack fails, it returns the clean image."""
        images, labels = attack_inputs(images, labels)
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
        adversarial: AllImages,
    ) -> None:
        targets = likeliest_targets(oracle, images[rows], labels[rows], rows, self.targets, "apgd-t")
        has_ratio = oracle.num_classes(images) >= 4
        if not has_ratio:
            oracle.note("apgd-t maximized the targeted margin: targeted DLR needs 4 classes")
        settings = AscentSettings(
            threat=self.threat,
            loss=targeted_difference_of_logits_ratio if has_ratio else targeted_margin,
            iterations=self.iterations,
            rho=self.rho,
            repeats=self.eot,
            shrinking_ball=self.shrinking_ball,
        )
        for restart in range(self.restarts):
            owners = rows.repeat_interleave(targets.shape[1])
            classes = torch.stack((labels[owners], targets.flatten()), 1)
            paths = Paths(rows=owners, clean=images[owners], labels=labels[owners], classes=classes)
            number = torch.arange(targets.shape[1], device=rows.device).repeat(len(rows))
            survivors = ascend(oracle, settings, paths, adversarial, draws[owners].fork(number), restart)
            alive = torch.isin(rows, survivors)
            rows, targets = rows[alive], targets[alive]
            if not len(rows):
                break
