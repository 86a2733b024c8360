"""FAB's walk along the decision boundary: project onto the linearised boundary, overshoot, step back.

Used by FAB-T, whose paths have a target each, and by FAB, whose paths turn to the class whose boundary is nearest.

Source: Croce & Hein 2020, arXiv:1907.02044, Algorithm 1; order of operations as in pyautoattack 0.2.0.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat, distance
from robustbench_eff.core.types import (
    AllImages,
    AllLabels,
    Images,
    Labels,
    LiveImages,
    LiveLogits,
    Logits,
    Mask,
    PerSample,
    SampleIndices,
)

from .active_samples import map_chunks, select_rows
from .closest_adversarial import Nearest
from .fab_projections import smallest_move
from .losses import targeted_margin
from .oracle import Oracle
from .random_starts import on_the_surface

RESTART_EPS = {"linf": 0.3, "l2": 1.0, "l1": 5.0}
"""Twice the length of random starts where there is no eps."""
SHORTEST_MOVE = 1e-8
"""Below which the lengths of two moves are not compared."""
SMALLEST_GAIN = 0.01
"""What a draw still has to gain, as a fraction of the largest logit."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where each path is; several may belong to the same sample."""

    rows: SampleIndices
    """Whose path it is."""
    clean: Images
    labels: Labels
    classes: Tensor
    """Label and target side by side; for FAB the target changes from step to step."""
    current: Images
    crossed: Mask
    """Whether the last point asked about was misclassified; then the next one probably is."""


@dataclass(frozen=True, slots=True)
class FabSearch:
    """So many steps of all paths of all samples."""

    oracle: Oracle
    norm: LpNorm
    steps: int
    alpha_max: float
    overshoot: float
    backward: float
    turning: bool = False
    """Whether each gradient is that of the class whose linearised boundary is nearest, as in untargeted FAB."""

    def __call__(self, paths: Paths, nearest: Nearest) -> SampleIndices:
        """Walk all `paths`, noting adversarial images in `nearest`; returns the samples that are left."""
        for step in range(self.steps + 1):
            if not len(paths.rows):
                break
            last = step == self.steps
            logits, gradient, asked, paths = self._ask(paths, everything_first=last)
            wrong = nearest.note(self.oracle, logits, paths.current, paths.labels, paths.rows)
            keep = ~nearest.finished[paths.rows]
            if last:
                paths = select_rows(paths, keep)
                break
            back = (1 - self.backward) * wrong[:, None, None, None]
            current = torch.lerp(paths.current, paths.clean, back.to(paths.current))
            paths = select_rows(dataclasses.replace(paths, current=current, crossed=wrong), keep)
            logits, gradient, again = logits[keep], gradient[keep], (wrong | ~asked)[keep]
            if again.any():
                logits[again], gradient[again], classes = self._gradient(paths, again)
                paths = _turned(paths, again, classes)
            moved = map_chunks(self._move, paths.current, paths.clean, gradient, _way_to_go(logits, paths))
            paths = dataclasses.replace(paths, current=moved)
        left: SampleIndices = paths.rows.unique()
        return left

    def _ask(self, paths: Paths, *, everything_first: bool) -> tuple[Logits, Images, Mask, Paths]:
        """Logits of all paths, and the gradient of those for which it will be of use, if they have not crossed."""
        only_logits = torch.ones_like(paths.crossed) if everything_first else paths.crossed
        if not only_logits.any():
            logits, gradient, classes = self._gradient(paths, ~only_logits)
            return logits, gradient, ~only_logits, dataclasses.replace(paths, classes=classes)
        some = self.oracle.logits(paths.current[only_logits], paths.rows[only_logits])
        logits = some.new_empty((len(paths.rows), some.shape[1]))
        gradient = torch.empty_like(paths.current)
        logits[only_logits] = some
        if not only_logits.all():
            logits[~only_logits], gradient[~only_logits], classes = self._gradient(paths, ~only_logits)
            paths = _turned(paths, ~only_logits, classes)
        return logits, gradient, ~only_logits, paths

    def _gradient(self, paths: Paths, which: Mask) -> tuple[LiveLogits, LiveImages, Tensor]:
        """Logits, gradient and classes of some paths."""
        chosen = select_rows(paths, which)
        if not self.turning:
            answer = self.oracle.gradient(chosen.current, chosen.classes, targeted_margin, chosen.rows)
            return *answer, chosen.classes
        nearest = torch.full_like(chosen.current[:, 0, 0, 0], math.inf)
        logits, gradient, classes = chosen.current[:, :0, 0, 0], chosen.current, chosen.classes
        count = self.oracle.num_classes(chosen.current)
        for step in range(1, count):  # every class but the label, counted on from it
            target = (chosen.labels + step) % count
            pair = torch.stack((chosen.labels, target), 1)
            logits, slope = self.oracle.gradient(chosen.current, pair, targeted_margin, chosen.rows)
            way = targeted_margin(logits, pair).abs() / (1e-12 + _dual_length(slope, self.norm))
            nearer = way < nearest
            nearest = torch.where(nearer, way, nearest)
            gradient = torch.where(nearer[:, None, None, None], slope, gradient)
            classes = torch.where(nearer[:, None], pair, classes)
        return logits, gradient, classes

    def _move(self, current: Images, clean: Images, gradient: Images, gain: PerSample) -> Images:
        """A step to the boundary's linearisation, drawn towards where it is nearest to the clean image."""
        from_clean = (gradient * (current - clean)).flatten(1).sum(1)
        moves = smallest_move(
            torch.cat((current, clean)),
            torch.cat((gradient, gradient)),
            torch.cat((gain, gain + from_clean)),
            self.norm,
        )
        short, long = distance(moves, torch.zeros_like(moves), self.norm).clamp_min(SHORTEST_MOVE).chunk(2)
        alpha = (short / (short + long)).clamp_max(self.alpha_max)[:, None, None, None]
        move, clean_move = moves.chunk(2)
        point, clean_point = current + self.overshoot * move, clean + self.overshoot * clean_move
        return torch.lerp(point, clean_point, alpha).clamp_(0, 1)


def walk_from_starts(
    walk: FabSearch,
    nearest: Nearest,
    images: AllImages,
    labels: AllLabels,
    rows: SampleIndices,
    targets: Int64[Tensor, "batch targets"],
    draws: RandomStreams,
    *,
    restarts: int,
    eps: float | None,
) -> None:
    """Walk from the clean images of `rows` towards each of their targets, then from random starts.

    `draws` belong to all samples. Random starts lie on the sphere of half of `eps`.
    """
    ball = Threat(walk.norm, (RESTART_EPS[walk.norm] if eps is None else eps) / 2)
    for restart in range(restarts):
        if not len(rows):
            break
        owners = rows.repeat_interleave(targets.shape[1])
        clean = start = images[owners]
        if restart:
            number = torch.arange(targets.shape[1], device=rows.device).repeat(len(rows))
            start = on_the_surface(clean, ball, draws[owners].fork(number), "fab", restart)
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


def _turned(paths: Paths, which: Mask, classes: Tensor) -> Paths:
    both = paths.classes.clone()
    both[which] = classes
    return dataclasses.replace(paths, classes=both)


def _dual_length(gradient: Images, norm: LpNorm) -> PerSample:
    """How much the lead changes along the steepest step of length 1 in `norm`."""
    flat = gradient.flatten(1).abs()
    if norm == "linf":
        return flat.sum(1)
    return flat.square().sum(1).sqrt() if norm == "l2" else flat.amax(1)


def _way_to_go(logits: Logits, paths: Paths) -> PerSample:
    """How much the target's lead has to change until the boundary: a gain before it, a loss beyond it.

    Where the target leads, or draws, and the prediction is right nevertheless, which only coarse logits say, there
    is a small gain to be made still: a walk would stand there for ever.
    """
    lead = targeted_margin(logits, paths.classes)
    smallest = SMALLEST_GAIN * logits.abs().amax(1)
    return torch.where((lead >= 0) & ~paths.crossed, smallest, -lead)
