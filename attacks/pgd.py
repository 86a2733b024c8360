"""Projected gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat, steepest_ascent
from robustbench_eff.core.types import Images, ImagesToLogits, Labels, LiveImages

from .active_samples import record_successes
from .l1_steps import sparse_sign
from .losses import cross_entropy, margin
from .oracle import Oracle
from .random_starts import in_the_ball

L1_FRACTION = 0.01
"""Share of coordinates that a step in L1 moves."""

Live: TypeAlias = Int64[Tensor, "live"]
Survivors: TypeAlias = Int64[Tensor, "survivors"]
SurvivingImages: TypeAlias = Float[Tensor, "survivors channel height width"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PGD:
    """Steps along the gradient of the cross-entropy, each projected back into the ball and [0, 1].

    Source: Madry et al. 2018, arXiv:1706.06083; default step 2.5 eps / steps as in the MadryLab code. For L1 the
    step goes to the 1 % of coordinates with the largest gradient (Tramèr & Boneh 2019, arXiv:1904.13000).
    Differs: with `early_stop` a sample leaves the batch at its first misclassified iterate, which is what
    it returns; a restart works on the survivors only, and of the failed ones the lowest margin is kept.
    """

    version: ClassVar[int] = 1

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    steps: int = 10
    step_size: float | None = None
    """Length of a step in `norm`; None means 2.5 eps / steps."""
    random_start: bool = True
    """Start uniformly in the ball (L-infinity: in the cube), not at the image."""
    restarts: int = 1
    eot: int = 1
    """Queries that a gradient is averaged over, for networks that draw at random."""
    early_stop: bool = True
    """Whether a beaten sample stops; adversarial training wants all steps."""

    def __post_init__(self) -> None:
        Threat(self.norm, self.eps)
        if min(self.steps, self.restarts, self.eot) < 1:
            raise SpecError(f"steps, restarts and eot must be >= 1, got {self.steps}, {self.restarts} and {self.eot}.")
        if self.step_size is not None and not self.step_size > 0:
            raise SpecError(f"step_size must be > 0 in units of [0, 1] pixels, got {self.step_size:g}.")
        if self.restarts > 1 and not self.random_start:
            raise SpecError("restarts without random_start would all be the same.", "Set random_start=True.")

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.eps)

    @property
    def stochastic(self) -> bool:
        return self.random_start

    @property
    def max_passes(self) -> int:
        return 2 * self.eot * self.steps * self.restarts + (self.restarts if self.restarts > 1 else 0)

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """Adversarial images for `images` (float, [0, 1]).

        `draws` key the random starts, one per sample; without them the samples' positions and seed 0 do.
        Errors as Oracle.open.
        """
        draws = RandomStreams.given(draws, images)
        adversarial = images.clone()
        lowest = torch.full((len(images),), float("inf"), device=images.device)
        live = torch.arange(len(images), device=images.device)
        with Oracle.open(classifier, images, labels) as oracle:
            for restart in range(self.restarts):
                if not len(live):
                    break
                start = images[live]
                if self.random_start:
                    start = in_the_ball(start, self.threat, draws[live], "pgd", restart)
                live, final = pgd_steps(
                    oracle,
                    start,
                    images,
                    labels,
                    live,
                    adversarial,
                    threat=self.threat,
                    steps=self.steps,
                    step_size=2.5 * self.eps / self.steps if self.step_size is None else self.step_size,
                    repeats=self.eot,
                    early_stop=self.early_stop,
                )
                if self.restarts == 1:
                    adversarial[live] = final
                    break
                if not len(live):
                    break
                logits = oracle.logits(final, live)
                margins = margin(logits, labels[live])
                better = margins < lowest[live]
                adversarial[live[better]], lowest[live[better]] = final[better], margins[better]
                if self.early_stop:
                    live = live[
                        record_successes(adversarial, live, final, oracle.beaten(logits, final, labels[live], live))
                    ]
        return adversarial


def pgd_steps(
    oracle: Oracle,
    start: LiveImages,
    images: Images,
    labels: Labels,
    live: Live,
    adversarial: Images,
    *,
    threat: Threat,
    steps: int,
    step_size: float,
    repeats: int = 1,
    early_stop: bool = True,
) -> tuple[Survivors, SurvivingImages]:
    """All steps from `start`; beaten samples are written to `adversarial` and leave.

    Returns the rows that are still live and their last iterate, which nobody has classified yet.
    """
    current, clean, classes = start, images[live], labels[live]
    for _ in range(steps):
        logits, gradient = oracle.gradient(current, classes, cross_entropy, live, repeats)
        if early_stop:
            beaten = oracle.beaten(logits, current, classes, live)
            if beaten.any():
                keep = record_successes(adversarial, live, current, beaten)
                live, current, gradient = live[keep], current[keep], gradient[keep]
                clean, classes = clean[keep], classes[keep]
            if not len(live):
                break
        sparse = threat.norm == "l1"
        step = sparse_sign(gradient, L1_FRACTION) if sparse else steepest_ascent(gradient, threat.norm)
        current = threat.project(torch.add(current, step, alpha=step_size), clean)
    return live, current
