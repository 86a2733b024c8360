"""Square Attack's search: one move of a window after another, several of them in one pass where few samples are left.

Source: Andriushchenko et al. 2020, arXiv:1912.00049, Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from robustbench_eff.core.accelerators import steps_between_readings
from robustbench_eff.core.fused import fused
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import AllImages, AllLabels, Images, Labels, Logits, Mask, PerSample, SampleIndices

from .active_samples import record_successes, select_rows
from .first_successes import FirstSuccesses
from .losses import margin
from .oracle import Oracle
from .square_moves import move, numbers_per_step, start
from .square_windows import window_side

STEPS_PER_DRAW = 100
"""Steps whose random numbers are drawn together: a draw costs as much for one step as for a hundred."""
STEPS_AHEAD = 0.25
"""Steps that are queried ahead, as a fraction of the steps that it takes on average until a move is kept."""


class _Stretch(NamedTuple):
    """Consecutive steps with windows of one size, whose random numbers are drawn together."""

    draw: int
    first: int
    """Position of the first step among those of the draw."""
    stop: int
    """Position after the last step."""
    side: int
    """Side of the windows, in pixels."""


@dataclass(frozen=True, slots=True)
class SearchState:
    """The samples that are still searched; the first dimension of every tensor is theirs."""

    rows: SampleIndices
    """Index of each sample among the samples of the attack."""
    clean: Images
    labels: Labels
    best: Images
    margin: PerSample
    """Margin of the best image."""
    numbers: Tensor
    """Random numbers of the next steps, shape (batch, STEPS_PER_DRAW, numbers per step)."""
    position: Tensor
    """Number of the next step among those of `numbers`, int64, shape (batch,)."""
    kept: Tensor
    """Moves that were kept since the beginning of the stretch, int64, shape (batch,)."""

    @classmethod
    def begin(cls, images: Images, labels: AllLabels, rows: SampleIndices) -> SearchState:
        """Return the state before the first query.

        Args:
            images: Clean images of the attack, in [0, 1].
            labels: Their true classes.
            rows: Indices of the samples to search.
        """
        clean, zeros = images[rows], torch.zeros_like(rows)
        return cls(
            rows=rows,
            clean=clean,
            labels=labels[rows],
            best=clean,
            margin=clean.new_full((len(rows),), float("inf")),
            numbers=clean.new_empty((len(rows), 0, 0)),
            position=zeros,
            kept=zeros,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareSearch:
    """Settings of the search.

    While few samples are left, a pass holds the next moves of each, all from its best image. The first one with a
    smaller margin is kept, and those behind it, whose query was in vain, are not counted and tried again from there.
    So the images are those of a search with one query at a time, and so are the counts. On an accelerator, where the
    device would wait for every reading, a pass holds one move of each.
    """

    oracle: Oracle
    norm: LpNorm
    eps: float
    """Radius of the ball, in units of [0, 1] pixels."""
    queries: int
    """Forward passes per sample, including the start."""
    p_init: float
    """Fraction of the pixels that the first windows change, in (0, 1]."""
    early_stop: bool
    """Stop at the first misclassified image."""

    def run(self, state: SearchState, draws: RandomStreams, adversarial: AllImages, restart: int) -> SearchState:
        """Make all queries of one restart, and return what is left.

        Args:
            state: The samples to search.
            draws: Random streams of all samples of the attack.
            adversarial: Results of all samples; successes are written into it.
            restart: Number of the restart, which selects the random numbers.
        """
        images, threat, ahead = state.clean, self._threat, 1
        per_step, per_restart = numbers_per_step(threat, images.shape[1]), -(-self.queries // STEPS_PER_DRAW)
        everyone = torch.arange(len(state.rows), device=images.device)
        first = start(images, threat, draws[state.rows], restart)
        successes = self._read_late(adversarial, state.rows)
        if successes is None:
            state = self._keep_first(state, everyone, first, adversarial)
        else:
            state = self._keep_better(state, first, successes)
        for stretch in self._stretches(images):
            if not len(state.rows):
                break
            if stretch.first == 0:
                step = restart * per_restart + stretch.draw
                uniform = draws[state.rows].uniform((STEPS_PER_DRAW, per_step), stream="square/windows", step=step)
                state = replace(state, numbers=uniform.to(images), position=torch.zeros_like(state.position))
            if successes is not None:
                state = self._walk_in_step(state, stretch, successes)
                continue
            state = self._walk(replace(state, kept=torch.zeros_like(state.kept)), stretch, ahead, adversarial)
            if self.oracle.draws is None:  # with random draws in the network, another grouping is another answer
                steps = (stretch.stop - stretch.first) * len(state.rows)
                ahead = max(1, int(STEPS_AHEAD * steps / (1 + int(state.kept.sum()))))
        left = None if successes is None else successes.finish()
        return state if left is None else select_rows(state, left)

    def _read_late(self, adversarial: AllImages, rows: SampleIndices) -> FirstSuccesses | None:
        """Return the successes on an accelerator, where all samples walk in step and are read late; elsewhere None."""
        late = steps_between_readings(rows.device) > 1 and self.oracle.draws is None
        return FirstSuccesses(self.oracle, adversarial, rows) if late else None

    @property
    def _threat(self) -> Threat:
        return Threat(self.norm, self.eps)

    def _stretches(self, images: Images) -> Iterator[_Stretch]:
        def windows_of(step: int) -> tuple[int, int]:
            return step // STEPS_PER_DRAW, window_side(step, self.p_init, images, self.norm)

        for (draw, side), steps in groupby(range(self.queries - 1), windows_of):  # the start is a query, too
            positions = [step % STEPS_PER_DRAW for step in steps]
            yield _Stretch(draw, positions[0], positions[-1] + 1, side)

    def _walk(self, state: SearchState, stretch: _Stretch, ahead: int, adversarial: AllImages) -> SearchState:
        """Take the steps of a stretch, up to `ahead` of them in one pass."""
        step_of = move(self._threat, stretch.side, state.clean)
        while len(behind := (state.position < stretch.stop).nonzero()[:, 0]):
            together = max(1, min(ahead, self.oracle.batch_size // 2 // len(behind)))
            owner = behind.repeat_interleave(together)
            position = state.position[owner] + torch.arange(together, device=owner.device).repeat(len(behind))
            if together > 1:
                inside = position < stretch.stop
                owner, position = owner[inside], position[inside]
            moved = step_of(state.best[owner], state.clean[owner], state.numbers[owner, position])
            state = self._keep_first(state, owner, moved, adversarial)
        return state

    def _walk_in_step(self, state: SearchState, stretch: _Stretch, successes: FirstSuccesses) -> SearchState:
        """Take the steps of a stretch, one in each pass and all samples together, so that no step waits for another."""
        step_of = move(self._threat, stretch.side, state.clean)
        for position in range(stretch.first, stretch.stop):
            if not len(state.rows):
                break
            moved = step_of(state.best, state.clean, state.numbers[:, position])
            state = self._keep_better(state, moved, successes)
        return state

    def _keep_better(self, state: SearchState, moved: Images, successes: FirstSuccesses) -> SearchState:
        """Query one moved image of every sample, and keep those that have a smaller margin; see `_keep_first`."""
        logits = self.oracle.logits(moved, state.rows)
        best, smallest, better = _better(state.best, state.margin, moved, logits, state.labels)
        state = replace(state, best=best, margin=smallest)
        if not self.early_stop:
            return state
        left = successes.offer(logits, moved, state.labels, state.rows, among=better)
        return state if left is None else select_rows(state, left)

    def _keep_first(
        self, state: SearchState, owner: SampleIndices, moved: Images, adversarial: AllImages
    ) -> SearchState:
        """Query moved images, and keep the first of each sample that has a smaller margin than its best image.

        Samples that are misclassified leave. A success that the plain network refutes stays as the best image and is
        checked again when the margin decreases.

        Args:
            state: The samples.
            owner: Index in `state` of the sample that each moved image belongs to, ascending.
            moved: The next images of these samples, in the order of their steps.
            adversarial: Results of all samples.
        """
        logits = self.oracle.logits(moved, state.rows[owner])
        margins = margin(logits, state.labels[owner])
        order, last = torch.arange(len(owner), device=owner.device), len(owner)
        lower = margins < state.margin[owner]
        chosen = torch.full_like(state.rows, last).scatter_reduce(0, owner, torch.where(lower, order, last), "amin")
        used = order <= chosen[owner]
        self.oracle.uncount(state.rows[owner[~used]])
        kept, taken = chosen < last, torch.zeros_like(state.rows).index_add(0, owner, used.long())
        best, smallest = state.best.clone(), state.margin.clone()
        best[kept], smallest[kept] = moved[chosen[kept]], margins[chosen[kept]]
        state = replace(
            state, best=best, margin=smallest, position=state.position + taken, kept=state.kept + kept.long()
        )
        return self._without_successes(state, kept, logits[chosen[kept]], adversarial) if self.early_stop else state

    def _without_successes(
        self, state: SearchState, kept: Tensor, logits: Tensor, adversarial: AllImages
    ) -> SearchState:
        """Return the samples that are still classified correctly, given the logits of the images just kept."""
        # The best images of failed attacks on networks with random draws count, too.
        claimed = kept & (state.margin <= 0) if self.oracle.draws is None else kept
        if not claimed.any():
            return state
        success = claimed.clone()
        success[claimed] = self.oracle.successes(
            logits[claimed[kept]], state.best[claimed], state.labels[claimed], state.rows[claimed]
        )
        if not success.any():
            return state
        return select_rows(state, record_successes(adversarial, state.rows, state.best, success))


@fused
def _better(
    best: Images, smallest: PerSample, moved: Images, logits: Logits, labels: Labels
) -> tuple[Images, PerSample, Mask]:
    """Return the image with the smaller margin of each sample, that margin, and where it is the moved one."""
    margins = margin(logits, labels)
    better = margins < smallest
    return torch.where(better[:, None, None, None], moved, best), torch.where(better, margins, smallest), better
