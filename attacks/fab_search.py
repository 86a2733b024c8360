"""FAB's search along the decision boundary: project onto the linearised boundary, overshoot, step back.

Used by FAB-T, whose paths have one target each, and by FAB, whose paths target the class with the nearest boundary.

Source: Croce & Hein 2020, arXiv:1907.02044, Algorithm 1; order of operations as in pyautoattack 0.2.0.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat, distance
from robustbench_eff.core.types import (
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
"""Twice the length of random starts if no eps is given."""
SHORTEST_MOVE = 1e-8
"""Lower bound on lengths of moves, so that their ratio is defined."""
SMALLEST_GAIN = 0.01
"""Gain that a tie of label and target still requires, as a fraction of the largest logit."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Searches that run in parallel, one per row; several may belong to the same sample."""

    rows: SampleIndices
    """Index of the sample that each path belongs to."""
    clean: Images
    labels: Labels
    classes: Tensor
    """Label and target side by side; for FAB the target changes from step to step."""
    current: Images
    crossed: Mask
    """True if the last queried point was misclassified, which makes it likely that the next one is."""


class _Gradients(NamedTuple):
    logits: LiveLogits
    gradient: LiveImages
    classes: Tensor
    """Label and target that each gradient belongs to."""


class _Queried(NamedTuple):
    logits: Logits
    gradient: Images
    """Undefined where `has_gradient` is False."""
    has_gradient: Mask
    paths: Paths
    """The paths with the targets that the gradients belong to."""


@dataclass(frozen=True, slots=True)
class FabSearch:
    """Settings of the search."""

    oracle: Oracle
    norm: LpNorm
    eps: float | None
    """Radius within which a point counts; random starts lie on the sphere of half of it."""
    steps: int
    restarts: int
    """Number of starts: the clean image, then random points."""
    alpha_max: float
    overshoot: float
    backward: float
    untargeted: bool = False
    """True if each step targets the class whose linearised boundary is nearest, as in untargeted FAB."""

    def run(self, paths: Paths, nearest: Nearest) -> SampleIndices:
        """Take all steps of all paths.

        Args:
            paths: Paths with their starting points.
            nearest: Closest adversarial images; updated in place.

        Returns:
            Indices of the samples that are not finished.
        """
        for step in range(self.steps + 1):
            if not len(paths.rows):
                break
            last = step == self.steps
            logits, gradient, has_gradient, paths = self._query(paths, logits_first=last)
            wrong = nearest.update(self.oracle, logits, paths.current, paths.labels, paths.rows)
            keep = (~nearest.finished[paths.rows]).nonzero()[:, 0]
            if last:
                paths = select_rows(paths, keep)
                break
            back = (1 - self.backward) * wrong[:, None, None, None]
            current = torch.lerp(paths.current, paths.clean, back.to(paths.current))
            paths = select_rows(dataclasses.replace(paths, current=current, crossed=wrong), keep)
            logits, gradient = logits[keep], gradient[keep]
            again = (wrong | ~has_gradient)[keep].nonzero()[:, 0]
            if len(again):
                logits[again], gradient[again], classes = self._gradients(paths, again)
                paths = _with_classes(paths, again, classes)
            moved = map_chunks(self._move, paths.current, paths.clean, gradient, _required_gain(logits, paths))
            paths = dataclasses.replace(paths, current=moved)
        unfinished: SampleIndices = paths.rows.unique()
        return unfinished

    def _query(self, paths: Paths, *, logits_first: bool) -> _Queried:
        """Query the logits of all paths, and the gradient where it will be needed unless the point has crossed."""
        has_gradient = torch.zeros_like(paths.crossed) if logits_first else ~paths.crossed
        selected = has_gradient.nonzero()[:, 0]
        if len(selected) == len(paths.rows):
            logits, gradient, classes = self._gradients(paths, selected)
            return _Queried(logits, gradient, has_gradient, dataclasses.replace(paths, classes=classes))
        crossed = (~has_gradient).nonzero()[:, 0]
        crossed_logits = self.oracle.logits(paths.current[crossed], paths.rows[crossed])
        logits = crossed_logits.new_empty((len(paths.rows), crossed_logits.shape[1]))
        gradient = torch.empty_like(paths.current)
        logits[crossed] = crossed_logits
        if len(selected):
            logits[selected], gradient[selected], classes = self._gradients(paths, selected)
            paths = _with_classes(paths, selected, classes)
        return _Queried(logits, gradient, has_gradient, paths)

    def _gradients(self, paths: Paths, selected: SampleIndices) -> _Gradients:
        """Query logits and gradients of the selected paths."""
        chosen = select_rows(paths, selected)
        if not self.untargeted:
            logits, gradient = self.oracle.gradient(chosen.current, chosen.classes, targeted_margin, chosen.rows)
            return _Gradients(logits, gradient, chosen.classes)
        nearest = torch.full_like(chosen.current[:, 0, 0, 0], math.inf)
        logits, gradient, classes = chosen.current[:, :0, 0, 0], chosen.current, chosen.classes
        count = self.oracle.num_classes(chosen.current)
        for offset in range(1, count):  # every class except the label, starting after it
            target = (chosen.labels + offset) % count
            pair = torch.stack((chosen.labels, target), 1)
            logits, slope = self.oracle.gradient(chosen.current, pair, targeted_margin, chosen.rows)
            length = targeted_margin(logits, pair).abs() / (1e-12 + _dual_length(slope, self.norm))
            nearer = length < nearest
            nearest = torch.where(nearer, length, nearest)
            gradient = torch.where(nearer[:, None, None, None], slope, gradient)
            classes = torch.where(nearer[:, None], pair, classes)
        return _Gradients(logits, gradient, classes)

    def _move(self, current: Images, clean: Images, gradient: Images, gain: PerSample) -> Images:
        """Step to the linearised boundary, biased towards its point nearest to the clean image."""
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


def search_from_starts(
    search: FabSearch,
    nearest: Nearest,
    labels: AllLabels,
    rows: SampleIndices,
    targets: Int64[Tensor, "batch targets"],
    draws: RandomStreams,
) -> None:
    """Search from the clean images towards each of their targets, then again from random starts.

    Args:
        search: Settings of the search.
        nearest: Clean and closest adversarial images of all samples; updated in place.
        labels: True classes of all samples.
        rows: Indices of the samples to attack.
        targets: Target classes of each of `rows`.
        draws: Random streams of all samples.
    """
    ball = Threat(search.norm, (RESTART_EPS[search.norm] if search.eps is None else search.eps) / 2)
    for restart in range(search.restarts):
        if not len(rows):
            break
        owners = rows.repeat_interleave(targets.shape[1])
        clean = start = nearest.clean[owners]
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
        alive = torch.isin(rows, search.run(paths, nearest))
        rows, targets = rows[alive], targets[alive]


def _with_classes(paths: Paths, selected: SampleIndices, classes: Tensor) -> Paths:
    all_classes = paths.classes.clone()
    all_classes[selected] = classes
    return dataclasses.replace(paths, classes=all_classes)


def _dual_length(gradient: Images, norm: LpNorm) -> PerSample:
    """Return the dual norm of the gradient: the change of the loss along the steepest step of length 1 in `norm`."""
    flat = gradient.flatten(1).abs()
    if norm == "linf":
        return flat.sum(1)
    return flat.square().sum(1).sqrt() if norm == "l2" else flat.amax(1)


def _required_gain(logits: Logits, paths: Paths) -> PerSample:
    """Return how much the target's lead must change to reach the boundary: positive before it, negative beyond it.

    Low-precision logits can show a lead or a tie of the target while the prediction is correct. A small gain is then
    still required, or the search would never move on.
    """
    lead = targeted_margin(logits, paths.classes)
    smallest = SMALLEST_GAIN * logits.abs().amax(1)
    return torch.where((lead >= 0) & ~paths.crossed, smallest, -lead)
