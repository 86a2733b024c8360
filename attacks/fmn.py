"""The Fast Minimum-Norm attack."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat, distance, steepest_ascent
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels, Mask, PerSample, SampleIndices

from .active_samples import memory_chunks, select_rows
from .closest_adversarial import Nearest
from .fab_projections import meeting_time
from .losses import margin, negative_margin
from .oracle import Oracle
from .preconditions import attack_inputs


@dataclass(frozen=True, slots=True)
class _State:
    """Samples that are still under attack."""

    rows: SampleIndices
    current: Images
    radius: PerSample
    """Radius of the ball around the clean image: shrinks while the sample is misclassified, grows otherwise."""
    best: PerSample
    """Length of the shortest misclassified perturbation, confirmed or not; at first the longest that the box allows."""
    crossed: Mask
    """True if the sample has been misclassified, confirmed or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FMN:
    """Minimum-norm attack: gradient steps inside a ball whose radius follows the decision boundary.

    Source: Pintor et al. 2021, arXiv:2102.12827, Algorithm 1; constants as in Foolbox 3.3.4.
    Differs: the first ball reaches past the linearised boundary by a fraction gamma, not just to it, where rounding
    would decide, and grows by at least gamma. The last iterate needs no gradient. With an eps a sample stops at its
    first misclassified iterate within eps. Foolbox's L2 attack does not project (its factor is always 1); this one
    does.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"
    stochastic: ClassVar[bool] = False

    eps: float | None = None
    """Radius within which a point counts, in units of [0, 1] pixels; None searches for the closest one anywhere."""
    norm: LpNorm = "linf"
    """Norm of the ball."""
    steps: int = 100
    """Number of iterates."""
    step_size: float = 1.0
    """L2 length of the first step; decreases as a cosine to `last_step_size`."""
    last_step_size: float = 0.01
    """L2 length of the last step."""
    gamma: float = 0.05
    """Relative change of the radius at the first step; decreases as a cosine to `last_gamma`."""
    last_gamma: float = 0.001
    """Relative change of the radius at the last step."""

    def __post_init__(self) -> None:
        Threat.within(self.norm, self.eps)
        if self.steps < 1:
            raise SpecError(f"steps must be >= 1, got {self.steps}.")
        if not (0 < self.last_step_size <= self.step_size and 0 < self.last_gamma <= self.gamma < 1):
            raise SpecError("Required: 0 < last_step_size <= step_size and 0 < last_gamma <= gamma < 1.")

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat.within(self.norm, self.eps)

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        return 2 * self.steps - 1

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` are ignored.

        Returns the closest adversarial images; where there is none, the clean image.
        """
        images, labels = attack_inputs(images, labels)
        del draws
        nearest = Nearest.begin(images, self.norm, self.eps)
        with Oracle.open(classifier, images, labels) as oracle:
            for rows in memory_chunks(images, 2):
                if len(rows):
                    self._attack(oracle, images, labels, rows, nearest)
        return nearest.images

    def _attack(self, oracle: Oracle, images: Images, labels: Labels, rows: SampleIndices, nearest: Nearest) -> None:
        clean = images[rows]
        longest = distance(torch.where(clean > 0.5, 0.0, 1.0), clean, self.norm)
        state = _State(rows, clean, torch.full_like(longest, math.inf), longest, torch.zeros_like(longest).bool())
        for step in range(self.steps):
            if step == self.steps - 1:
                logits, gradient = oracle.logits(state.current, state.rows), state.current
            else:
                logits, gradient = oracle.gradient(state.current, labels[state.rows], negative_margin, state.rows)
            wrong = nearest.update(oracle, logits, state.current, labels[state.rows], state.rows)
            keep = (~nearest.finished[state.rows]).nonzero()[:, 0]
            state = select_rows(state, keep)
            if step == self.steps - 1 or not len(state.rows):
                break
            gaps = margin(logits[keep], labels[state.rows]).abs()
            state = self._move(state, images[state.rows], wrong[keep], gaps, gradient[keep], step)

    def _move(self, state: _State, clean: Images, wrong: Mask, gaps: PerSample, gradient: Images, step: int) -> _State:
        """Update the radius (Algorithm 1, lines 6 to 12), then take a step and project it onto the ball and the box."""
        share = (1 + math.cos(math.pi * step / self.steps)) / 2
        gamma = self.last_gamma + (self.gamma - self.last_gamma) * share
        size = self.last_step_size + (self.step_size - self.last_step_size) * share
        lengths = distance(state.current, clean, self.norm)
        best = torch.where(wrong, torch.minimum(lengths, state.best), state.best)
        crossed = state.crossed | wrong
        dual = {"linf": 1, "l2": 2, "l1": math.inf}[self.norm]
        to_boundary = gaps / torch.linalg.vector_norm(gradient.flatten(1), dual, dim=1).clamp_min(1e-12)
        # At least by gamma: coarse logits can show a margin of zero before the boundary, which would stop the growth.
        first = torch.maximum(lengths + (1 + gamma) * to_boundary, lengths * (1 + gamma))
        outwards = torch.where(crossed, state.radius * (1 + gamma), first)
        radius = torch.where(wrong, torch.minimum(state.radius * (1 - gamma), best), outwards)
        radius = torch.minimum(radius, distance(torch.where(clean > 0.5, 0.0, 1.0), clean, self.norm))
        delta = state.current - clean + size * steepest_ascent(gradient, "l2")
        current = (clean + _inside(delta, radius, self.norm)).clamp_(0, 1)
        return _State(state.rows, current, radius, best, crossed)


def _inside(delta: Images, radius: PerSample, norm: LpNorm) -> Images:
    """Project each perturbation onto the ball of its radius."""
    bound = radius[:, None, None, None]
    if norm == "linf":
        return delta.clamp(-bound, bound)
    if norm == "l2":
        length = torch.linalg.vector_norm(delta, dim=(1, 2, 3), keepdim=True)
        shrink: Tensor = (bound / length.clamp_min(1e-12)).clamp_max(1)
        return delta * shrink
    size = delta.flatten(1).abs()
    excess = (size.sum(1) - radius).clamp_min(0)[:, None]
    threshold = meeting_time(size, size, torch.ones_like(size), excess)  # coordinates shrink by it, and stop at zero
    shrunk = (size - threshold).clamp_min(0)
    return torch.copysign(shrunk.view_as(delta), delta)
