"""Square Attack."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import (
    AllImages,
    AttackUses,
    Images,
    ImagesToLogits,
    Labels,
    PerSample,
    SampleIndices,
)

from .active_samples import memory_chunks, record_successes, select_rows
from .losses import margin
from .oracle import Oracle
from .preconditions import attack_inputs
from .square_moves import move, numbers_per_step, start
from .square_windows import window_side

STEPS_PER_DRAW = 100
"""Steps whose random numbers are drawn together: a draw costs as much for one step as for a hundred."""


@dataclass(frozen=True, slots=True)
class _State:
    rows: SampleIndices
    """Index of each sample among the samples of the attack."""
    clean: Images
    labels: Labels
    best: Images
    margin: PerSample
    """Margin of the best image."""
    numbers: Tensor
    """Random numbers of the next steps, shape (batch, STEPS_PER_DRAW, numbers per step)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """Random search without gradients: changes of a window are kept if they reduce the margin.

    Source: Andriushchenko et al. 2020, arXiv:1912.00049; L1: Croce & Hein 2021, arXiv:2103.01208; constants as in
    pyautoattack 0.2.0, whose windows shrink at the same steps whatever `queries` is.
    Differs: every sample has its own windows and signs, where the reference draws one for the whole batch. With
    `early_stop` a sample stops at its first misclassified image. The start is one of the queries. If 5 does not divide
    the side of the images, the tiles of the start (L2, L1) are centered.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "logits"
    stochastic: ClassVar[bool] = True

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    """Norm of the ball."""
    queries: int = 5000
    """Forward passes per sample in each restart, including the start."""
    p_init: float = 0.8
    """Fraction of the pixels that the first windows change, in (0, 1]."""
    restarts: int = 1
    """Number of independent searches."""
    early_stop: bool = True
    """Stop at the first misclassified image; False makes all queries, for the image with the smallest margin."""

    def __post_init__(self) -> None:
        Threat(self.norm, self.eps)
        if min(self.queries, self.restarts) < 1:
            raise SpecError(f"queries and restarts must be >= 1, got {self.queries} and {self.restarts}.")
        if not 0 < self.p_init <= 1:
            raise SpecError(f"p_init must be in (0, 1], got {self.p_init:g}.")

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat(self.norm, self.eps)

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        return self.restarts * self.queries

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` determine the windows.

        Where the attack fails, it returns the clean image, without `early_stop` the image with the smallest margin.
        """
        images, labels = attack_inputs(images, labels)
        draws = RandomStreams.given(draws, images)
        adversarial = images.clone()
        with Oracle.open(classifier, images, labels) as oracle:
            smallest = images.new_full((len(images),), float("inf"))
            for rows in memory_chunks(images, 1):
                for restart in range(self.restarts):
                    if len(rows):
                        state = self._search(oracle, _begin(images, labels, rows), draws, adversarial, restart)
                        rows = state.rows
                        if not self.early_stop:
                            smaller = state.margin < smallest[rows]
                            adversarial[rows[smaller]] = state.best[smaller]
                            smallest[rows] = torch.minimum(smallest[rows], state.margin)
        return adversarial

    def _search(
        self, oracle: Oracle, state: _State, draws: RandomStreams, adversarial: AllImages, restart: int
    ) -> _State:
        """Run one restart, write successes into `adversarial`, and return what is left."""
        threat, images, step_of, side = self.threat, state.clean, None, 0
        blocks, numbers = -(-self.queries // STEPS_PER_DRAW), numbers_per_step(threat, images.shape[1])
        state = self._try(oracle, state, start(images, threat, draws[state.rows], restart), adversarial)
        for step in range(self.queries - 1):
            if not len(state.rows):
                break
            block, position = divmod(step, STEPS_PER_DRAW)
            if position == 0:
                uniform = draws[state.rows].uniform(
                    (STEPS_PER_DRAW, numbers), stream="square/windows", step=restart * blocks + block
                )
                state = replace(state, numbers=uniform.to(images))
            side_before, side = side, window_side(step, self.p_init, images, self.norm)
            if step_of is None or side != side_before:
                step_of = move(threat, side, images)
            moved = step_of(state.best, state.clean, state.numbers[:, position])
            state = self._try(oracle, state, moved, adversarial)
        return state

    def _try(self, oracle: Oracle, state: _State, moved: Images, adversarial: AllImages) -> _State:
        """Keep the images with a smaller margin than the best; samples that are misclassified leave.

        A success that the plain network refutes stays as the best image and is checked again when the margin decreases.
        """
        logits = oracle.logits(moved, state.rows)
        margins = margin(logits, state.labels)
        better = margins < state.margin
        state = replace(
            state,
            best=torch.where(better[:, None, None, None], moved, state.best),
            margin=torch.where(better, margins, state.margin),
        )
        if not self.early_stop:
            return state
        claimed = (
            better & (margins <= 0) if oracle.draws is None else better
        )  # best images of failed attacks count, too
        if not claimed.any():
            return state
        success = claimed.clone()
        success[claimed] = oracle.successes(logits[claimed], moved[claimed], state.labels[claimed], state.rows[claimed])
        if not success.any():
            return state
        return select_rows(state, record_successes(adversarial, state.rows, moved, success))


def _begin(images: Images, labels: Labels, rows: SampleIndices) -> _State:
    clean = images[rows]
    return _State(
        rows=rows,
        clean=clean,
        labels=labels[rows],
        best=clean,
        margin=clean.new_full((len(rows),), float("inf")),
        numbers=clean.new_empty((len(rows), 0)),
    )
