"""Projected gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.fused import fused
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat, steepest_ascent
from robustbench_eff.core.types import (
    AllImages,
    AttackUses,
    Images,
    ImagesToLogits,
    Labels,
    LiveImages,
    LiveLogits,
)

from .active_samples import LiveSamples, record_successes, select_rows
from .first_successes import FirstSuccesses
from .l1_steps import sparse_sign
from .losses import cross_entropy, margin
from .oracle import Oracle
from .preconditions import attack_inputs
from .random_starts import in_the_ball

STEPS_THAT_FORGIVE_ROUNDING = 20
"""Steps from which on an attack may follow bfloat16 gradients."""
L1_FRACTION = 0.01
"""Fraction of the coordinates that an L1 step moves."""

SurvivingImages: TypeAlias = Float[Tensor, "survivors channel height width"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PGD:
    """Steps along the gradient of the cross-entropy, each projected back into the ball and [0, 1].

    Source: Madry et al. 2018, arXiv:1706.06083; default step 2.5 eps / steps as in the MadryLab code. An L1 step
    moves the 1 % of coordinates with the largest gradient (Tramèr & Boneh 2019, arXiv:1904.13000).
    Differs: with `early_stop` a sample stops at its first misclassified iterate, which is its result. Restarts attack
    the surviving samples only; the result of a sample that survives all of them is the one with the lowest margin.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    """Norm of the ball."""
    steps: int = 10
    """Number of gradient steps of each restart."""
    step_size: float | None = None
    """Length of a step in `norm`; None means 2.5 eps / steps."""
    random_start: bool = True
    """Start uniformly in the ball (L-infinity: in the cube), not at the clean image."""
    restarts: int = 1
    """Number of random starts."""
    eot: int = 1
    """Queries that each gradient averages over; 1 for as many as a network that draws random numbers needs."""
    early_stop: bool = True
    """Stop a sample at its first misclassified iterate; adversarial training needs all steps."""

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
        """See `Attack`."""
        return Threat(self.norm, self.eps)

    @property
    def stochastic(self) -> bool:
        """See `Attack`."""
        return self.random_start

    @property
    def rough_gradients(self) -> bool:
        """See `Attack`."""
        return self.steps >= STEPS_THAT_FORGIVE_ROUNDING

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        return 2 * self.eot * self.steps * self.restarts + (self.restarts if self.restarts > 1 else 0)

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` determine the random starts."""
        images, labels = attack_inputs(images, labels)
        draws = RandomStreams.given(draws, images)
        adversarial = images.clone()
        lowest = torch.full((len(images),), float("inf"), device=images.device)
        samples = LiveSamples(torch.arange(len(images), device=images.device), images, labels)
        settings = PGDSettings(
            threat=self.threat,
            steps=self.steps,
            step_size=2.5 * self.eps / self.steps if self.step_size is None else self.step_size,
            repeats=self.eot,
            early_stop=self.early_stop,
            rough=self.rough_gradients,
        )
        with Oracle.open(classifier, images, labels) as oracle:
            for restart in range(self.restarts):
                if not len(samples.rows):
                    break
                start = samples.clean
                if self.random_start:
                    start = in_the_ball(start, self.threat, draws[samples.rows], "pgd", restart)
                samples, final = pgd_steps(oracle, settings, samples, start, adversarial)
                if self.restarts == 1:
                    adversarial[samples.rows] = final
                elif len(samples.rows):
                    logits = _record_lowest_margins(oracle, samples, final, adversarial, lowest)
                    if self.early_stop:
                        success = oracle.successes(logits, final, samples.labels, samples.rows)
                        samples = select_rows(samples, record_successes(adversarial, samples.rows, final, success))
        return adversarial


def _record_lowest_margins(
    oracle: Oracle,
    samples: LiveSamples,
    final: LiveImages,
    adversarial: AllImages,
    lowest: Float[Tensor, samples],
) -> LiveLogits:
    """Write iterates whose margin is below `lowest` into `adversarial`; return the logits of all iterates."""
    logits = oracle.logits(final, samples.rows)
    margins = margin(logits, samples.labels)
    better = margins < lowest[samples.rows]
    adversarial[samples.rows[better]], lowest[samples.rows[better]] = final[better], margins[better]
    return logits


@dataclass(frozen=True, slots=True, kw_only=True)
class PGDSettings:
    """Settings of `pgd_steps`."""

    threat: Threat
    steps: int
    step_size: float
    """Length of a step in the threat model's norm, in units of [0, 1] pixels."""
    repeats: int = 1
    """Queries that each gradient averages over."""
    early_stop: bool = True
    """Stop a sample at its first misclassified iterate."""
    majority: bool = False
    """See `Oracle.misclassified`."""
    rough: bool = False
    """See `Oracle.gradient`."""


def pgd_steps(
    oracle: Oracle, settings: PGDSettings, samples: LiveSamples, start: LiveImages, adversarial: AllImages
) -> tuple[LiveSamples, SurvivingImages]:
    """Take all steps from the given starting points.

    Args:
        oracle: Oracle of the attack.
        settings: Ball and steps.
        samples: The samples to attack.
        start: Starting point of each sample, inside the ball.
        adversarial: Results of all samples; with `early_stop`, successes are written into it.

    Returns:
        The samples that remain, and their last iterates, which have not been classified yet.
    """
    current = start
    move = _move(settings, samples.clean)
    successes = FirstSuccesses(oracle, adversarial, samples.rows, majority=settings.majority)
    for _ in range(settings.steps):
        logits, gradient = oracle.gradient(
            current, samples.labels, cross_entropy, samples.rows, settings.repeats, rough=settings.rough
        )
        if settings.early_stop:
            kept = successes.offer(logits, current, samples.labels, samples.rows)
            if kept is not None:
                samples, current, gradient = select_rows(samples, kept), current[kept], gradient[kept]
                move = _move(settings, samples.clean)
            if not len(samples.rows):
                break
        current = move(current, gradient)
    kept = successes.finish()
    return (samples, current) if kept is None else (select_rows(samples, kept), current[kept])


def _move(settings: PGDSettings, clean: LiveImages) -> Callable[[LiveImages, LiveImages], LiveImages]:
    """Return the step from an iterate along its gradient, for one set of clean images."""
    norm = settings.threat.norm
    if norm == "l1":
        project = settings.threat.projection(clean)
        return lambda current, gradient: project(
            torch.add(current, sparse_sign(gradient, L1_FRACTION), alpha=settings.step_size)
        )
    if norm == "linf":
        return partial(_linf_step, bounds=settings.threat.bounds(clean), size=settings.step_size)
    return partial(_l2_step, clean=clean, threat=settings.threat, size=settings.step_size)


@fused
def _linf_step(current: Images, gradient: Images, bounds: tuple[Images, Images], size: float) -> Images:
    return torch.add(current, gradient.sign(), alpha=size).clamp_(*bounds)


@fused
def _l2_step(current: Images, gradient: Images, clean: Images, threat: Threat, size: float) -> Images:
    return threat.project(torch.add(current, steepest_ascent(gradient, "l2"), alpha=size), clean)
