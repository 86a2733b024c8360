"""Auto-PGD's ascent: projected gradient ascent that halves its own step size. Used by APGD and APGD-T.

Source: Croce & Hein 2020, arXiv:2003.01690, Algorithm 1; for L1 Croce & Hein 2021, arXiv:2103.01208, Algorithm 2;
constants as in pyautoattack 0.2.0.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from robustbench_eff.core.fused import fused
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat, steepest_ascent
from robustbench_eff.core.types import AllImages, Images, Labels, LiveImages, Logits, Mask, PerSample, SampleIndices

from .active_samples import map_chunks, select_rows
from .first_successes import FirstSuccesses
from .l1_steps import sparse_sign
from .losses import Loss
from .oracle import Oracle
from .random_starts import on_the_surface

FIRST_WINDOW, WINDOW_SHRINKS_BY, SMALLEST_WINDOW, L1_WINDOW = 0.22, 0.03, 0.06, 0.04
"""Distances between checkpoints, as fractions of all iterations."""
ROUGH_PART = 0.75
"""Fraction of the iterations that may follow bfloat16 gradients; the last steps decide about small margins."""
MOMENTUM = 0.75
L1_START_FRACTION, L1_SPARSER_BY, L1_SMALLEST_STEP, L1_STALL = 0.2, 1.5, 0.1, 0.95
L1_STAGES = ((3.0, 0.3), (2.0, 0.3), (1.0, 0.4))
"""Shrinking ball: radius as a multiple of eps, and fraction of the iterations, of each stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AscentSettings:
    """Settings of `ascend`."""

    threat: Threat
    loss: Loss
    """Maps logits and `Paths.classes` to the value to maximize."""
    iterations: int
    rho: float
    """A step is halved if fewer than this fraction of the steps since the last checkpoint increased the loss."""
    repeats: int = 1
    """Queries that each gradient averages over."""
    shrinking_ball: bool = False
    """L1 only: the first iterations run in larger balls, where a success does not count."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Ascents that run in parallel, one per row; several may belong to the same sample."""

    rows: SampleIndices
    """Index of the sample that each path belongs to."""
    clean: Images
    labels: Labels
    classes: Tensor
    """Second argument of the loss: labels, or labels and targets side by side."""


@dataclass(frozen=True, slots=True)
class _State:
    current: Images
    previous: Images
    gradient: Images
    loss: PerSample
    best: Images
    best_gradient: Images
    best_loss: PerSample
    best_at_check: PerSample
    raises: Tensor
    """Steps since the last checkpoint that increased the loss."""
    shortened: Mask
    """True if the last checkpoint halved the step."""
    step: PerSample
    fraction: PerSample
    """L1 only: fraction of the coordinates that a step moves."""
    sparsity: PerSample
    """L1 only: number of coordinates in which the best point differed from the clean image at the last checkpoint."""


def ascend(
    oracle: Oracle,
    settings: AscentSettings,
    paths: Paths,
    adversarial: AllImages,
    draws: RandomStreams,
    restart: int = 0,
) -> SampleIndices:
    """Run all paths from random starts.

    Args:
        oracle: Oracle of the attack.
        settings: Ball, loss and steps.
        paths: The paths to run.
        adversarial: Results of all samples; the first success of each sample is written into it.
        draws: Random streams of the paths.
        restart: Number of the restart, which selects the random starts.

    Returns:
        Indices of the samples for which no path succeeded.
    """
    stages = L1_STAGES if settings.shrinking_ball else ((1.0, 1.0),)
    lengths = [math.ceil(share * settings.iterations) for _, share in stages]
    lengths[-1] = settings.iterations - sum(lengths[:-1])
    norm, eps = settings.threat.norm, settings.threat.eps
    balls = [Threat(norm, factor * eps) for factor, _ in stages]
    point = on_the_surface(paths.clean, balls[0], draws, "apgd", restart)
    for ball, length in zip(balls, lengths, strict=True):
        ascent = _Ascent(oracle, ball, settings.loss, length, settings.rho, settings.repeats)
        start = ball.project(point, paths.clean)
        results = adversarial if ball is balls[-1] else None
        paths, point = ascent(paths, start, results, warm=settings.shrinking_ball)
    survivors: SampleIndices = paths.rows.unique()
    return survivors


@dataclass(frozen=True, slots=True)
class _Ascent:
    """A number of iterations in one ball."""

    oracle: Oracle
    threat: Threat
    loss: Loss
    iterations: int
    rho: float
    repeats: int

    def __call__(
        self, paths: Paths, start: Images, adversarial: AllImages | None, *, warm: bool
    ) -> tuple[Paths, LiveImages]:
        """Return the remaining paths and their best points.

        With `adversarial`, samples leave at their first success, which is written into it. `warm` takes the initial
        sparsity of L1 steps from the start.
        """
        logits, gradient = self._gradient(start, paths, 0)
        state = self._begin(paths, start, self.loss(logits, paths.classes), gradient, warm=warm)
        successes = None if adversarial is None else FirstSuccesses(self.oracle, adversarial, paths.rows)
        if successes is not None:
            paths, state = _select(paths, state, successes.offer(logits, start, paths.labels, paths.rows))
        window, steps_in_window = self._first_window(), 0
        for iteration in range(self.iterations):
            if not len(paths.rows):
                break
            moved = self._step(state, paths.clean, first=iteration == 0)
            if successes is not None and iteration == self.iterations - 1:  # the last gradient is not needed
                logits, gradient = self.oracle.logits(moved, paths.rows), state.gradient
            else:
                logits, gradient = self._gradient(moved, paths, iteration)
            state = self._advance(state, moved, logits, paths.classes, gradient)
            if successes is not None:
                paths, state = _select(paths, state, successes.offer(logits, moved, paths.labels, paths.rows))
            steps_in_window += 1
            if steps_in_window == window:
                state = self._check_l1(state, paths.clean) if self.threat.norm == "l1" else self._check(state, window)
                window, steps_in_window = self._next_window(window), 0
        if successes is not None:
            paths, state = _select(paths, state, successes.finish())
        return paths, state.best

    def _gradient(self, points: Images, paths: Paths, iteration: int) -> tuple[Tensor, Images]:
        rough = iteration < ROUGH_PART * self.iterations
        return self.oracle.gradient(points, paths.classes, self.loss, paths.rows, self.repeats, rough=rough)

    def _begin(self, paths: Paths, start: Images, loss: PerSample, gradient: Images, *, warm: bool) -> _State:
        coordinates = start[:1].numel()
        moved = _coordinates_moved(start, paths.clean)
        sparse = torch.full_like(loss, L1_START_FRACTION)
        return _State(
            current=start,
            previous=start,
            gradient=gradient,
            loss=loss,
            best=start,
            best_gradient=gradient,
            best_loss=loss,
            best_at_check=loss,
            raises=torch.zeros_like(paths.rows),
            shortened=torch.ones_like(paths.rows, dtype=torch.bool),
            step=torch.full_like(loss, self._largest_step()),
            fraction=moved / coordinates / L1_SPARSER_BY if warm else sparse,
            sparsity=moved if warm else torch.full_like(loss, coordinates),
        )

    def _step(self, state: _State, clean: Images, *, first: bool) -> Images:
        size = state.step[:, None, None, None]
        if self.threat.norm == "l1":
            return map_chunks(self._sparse, state.current, state.gradient, clean, size, state.fraction)
        if first:
            first_step = partial(_first_step, threat=self.threat)
            return map_chunks(first_step, state.current, state.gradient, clean, size)
        step = partial(_step_with_momentum, threat=self.threat)
        return map_chunks(step, state.current, state.gradient, clean, size, state.previous)

    def _sparse(self, current: Images, gradient: Images, clean: Images, size: Tensor, fraction: PerSample) -> Images:
        return self.threat.project(current + size * sparse_sign(gradient, fraction), clean)

    def _check(self, state: _State, window: int) -> _State:
        """Halve the step and return to the best point where too few steps increased the loss or the best stalled."""
        stalled = ~state.shortened & (state.best_at_check >= state.best_loss)
        shorten = (state.raises <= self.rho * window) | stalled
        back = shorten[:, None, None, None]
        return dataclasses.replace(
            state,
            current=torch.where(back, state.best, state.current),
            gradient=torch.where(back, state.best_gradient, state.gradient),
            step=torch.where(shorten, state.step / 2, state.step),
            raises=torch.zeros_like(state.raises),
            shortened=shorten,
            best_at_check=state.best_loss,
        )

    def _check_l1(self, state: _State, clean: Images) -> _State:
        """Restart samples whose best point became sparser, with the full step; shorten the step of the others."""
        moved = _coordinates_moved(state.best, clean)
        sparser = moved / state.sparsity < L1_STALL
        back = sparser[:, None, None, None]
        full = self._largest_step()
        shorter = (state.step / L1_SPARSER_BY).clamp(L1_SMALLEST_STEP * full, full)
        return dataclasses.replace(
            state,
            current=torch.where(back, state.best, state.current),
            gradient=torch.where(back, state.best_gradient, state.gradient),
            step=torch.where(sparser, torch.full_like(shorter, full), shorter),
            fraction=moved / clean[:1].numel() / L1_SPARSER_BY,
            sparsity=moved,
        )

    def _advance(self, state: _State, moved: Images, logits: Logits, classes: Tensor, gradient: Images) -> _State:
        best = (state.best, state.best_gradient, state.best_loss)
        loss, (image, best_gradient, best_loss) = _best_of(moved, gradient, best, (logits, classes), self.loss)
        return dataclasses.replace(
            state,
            current=moved,
            previous=state.current,
            gradient=gradient,
            loss=loss,
            best=image,
            best_gradient=best_gradient,
            best_loss=best_loss,
            raises=state.raises + (loss > state.loss),
        )

    def _largest_step(self) -> float:
        return self.threat.eps if self.threat.norm == "l1" else 2 * self.threat.eps

    def _first_window(self) -> int:
        return max(1, int((L1_WINDOW if self.threat.norm == "l1" else FIRST_WINDOW) * self.iterations))

    def _next_window(self, window: int) -> int:
        if self.threat.norm == "l1":
            return window
        shrunk = window - max(1, int(WINDOW_SHRINKS_BY * self.iterations))
        return max(shrunk, 1, int(SMALLEST_WINDOW * self.iterations))


def _select(paths: Paths, state: _State, kept: SampleIndices | None) -> tuple[Paths, _State]:
    return (paths, state) if kept is None else (select_rows(paths, kept), select_rows(state, kept))


@fused
def _first_step(current: Images, gradient: Images, clean: Images, size: Tensor, threat: Threat) -> Images:
    return threat.project(current + size * steepest_ascent(gradient, threat.norm), clean)


@fused
def _step_with_momentum(
    current: Images, gradient: Images, clean: Images, size: Tensor, previous: Images, threat: Threat
) -> Images:
    moved = _first_step.plain(current, gradient, clean, size, threat)
    ahead = MOMENTUM * (moved - current) + (1 - MOMENTUM) * (current - previous)
    return threat.project(current + ahead, clean)


@fused
def _best_of(
    moved: Images,
    gradient: Images,
    best: tuple[Images, Images, PerSample],
    answers: tuple[Logits, Tensor],
    loss: Loss,
) -> tuple[PerSample, tuple[Images, Images, PerSample]]:
    """Return the loss of the points that were moved to, and image, gradient and loss of the best points so far."""
    losses = loss(*answers)
    better = losses > best[2]
    pixels = better[:, None, None, None]
    points = torch.where(pixels, moved, best[0]), torch.where(pixels, gradient, best[1])
    return losses, (*points, torch.where(better, losses, best[2]))


def _coordinates_moved(images: Images, clean: Images) -> PerSample:
    return (images != clean).flatten(1).sum(1).to(images.dtype)
