"""Square Attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels

from .active_samples import memory_chunks
from .oracle import Oracle
from .preconditions import attack_inputs
from .square_search import SearchState, SquareSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """Random search without gradients: changes of a window are kept if they reduce the margin.

    Source: Andriushchenko et al. 2020, arXiv:1912.00049; L1: Croce & Hein 2021, arXiv:2103.01208; constants as in
    pyautoattack 0.2.0, whose windows shrink at the same steps whatever `queries` is.
    Differs: every sample has its own windows and signs, where the reference draws one for the whole batch. With
    `early_stop` a sample stops at its first misclassified image. The start is one of the queries. If 5 does not divide
    the side of the images, the tiles of the start (L2, L1) are centered. Where few samples are left, several of their
    next moves are queried in one pass, with the outcomes and counts of one query at a time.
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
            search = SquareSearch(
                oracle=oracle,
                norm=self.norm,
                eps=self.eps,
                queries=self.queries,
                p_init=self.p_init,
                early_stop=self.early_stop,
            )
            for rows in memory_chunks(images, 1):
                for restart in range(self.restarts):
                    if len(rows):
                        state = search.run(SearchState.begin(images, labels, rows), draws, adversarial, restart)
                        rows = state.rows
                        if not self.early_stop:
                            smaller = state.margin < smallest[rows]
                            adversarial[rows[smaller]] = state.best[smaller]
                            smallest[rows] = torch.minimum(smallest[rows], state.margin)
        return adversarial
