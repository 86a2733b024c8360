"""Carlini and Wagner's L2 attack."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat
from robustbench_eff.core.types import (
    AttackUses,
    Images,
    ImagesToLogits,
    Labels,
    Logits,
    Mask,
    PerSample,
    SampleIndices,
)

from .active_samples import memory_chunks, select_rows
from .closest_adversarial import Nearest
from .losses import margin
from .oracle import Oracle
from .preconditions import attack_inputs

INSIDE = 0.999999
"""Factor that moves images towards mid-grey, so that black and white have a finite inverse hyperbolic tangent."""
CHECKS, PROGRESS = 10, 0.9999
"""Number of progress checks of a search, and the factor by which the loss must have decreased since the last one."""
ADAM_MEAN, ADAM_SQUARE, ADAM_SMALL = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class _Search:
    """State of Adam at one trade-off constant, for the samples that are still searched."""

    rows: SampleIndices
    constant: PerSample
    start: Images
    """The image in tanh space."""
    current: Images
    mean: Images
    square: Images
    loss_at_check: PerSample


@dataclass(frozen=True, slots=True, kw_only=True)
class CarliniWagner:
    """Adam on |perturbation|^2 + c max(0, margin + confidence) in tanh space, with a search for the smallest c.

    Source: Carlini & Wagner 2017, arXiv:1608.04644, section VI (untargeted); Adam's constants and the early end of
    searches as in Foolbox 3.3.4.
    Differs: the defaults are 5 searches of 100 iterations with step 0.02, starting at c = 0.1, at the cost of PGD-500.
    The authors' settings are binary_search_steps=9, iterations=1000, step_size=0.01, initial_constant=0.001. Progress
    is measured per sample, not over the batch. With an eps a sample stops at its first success within eps.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"
    stochastic: ClassVar[bool] = False

    eps: float | None = None
    """L2 radius within which a point counts, in units of [0, 1] pixels; None searches for the closest one anywhere."""
    binary_search_steps: int = 5
    """Number of searches, each at another constant."""
    iterations: int = 100
    """Adam steps of each search."""
    step_size: float = 0.02
    """Adam's learning rate, in tanh space."""
    initial_constant: float = 0.1
    """The first value of c."""
    confidence: float = 0.0
    """Lead over the label that another class must have, in units of logits."""
    abort_early: bool = True
    """End a search when a tenth of its iterations made no progress."""

    def __post_init__(self) -> None:
        Threat.within("l2", self.eps)
        if min(self.binary_search_steps, self.iterations) < 1:
            raise SpecError("binary_search_steps and iterations must be >= 1.")
        if not (self.step_size > 0 and self.initial_constant > 0 and self.confidence >= 0):
            raise SpecError("step_size and initial_constant must be > 0, confidence >= 0.")

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat.within("l2", self.eps)

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        return 2 * self.binary_search_steps * self.iterations

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` are ignored.

        Returns the closest adversarial images; where there is none, the clean image.
        """
        images, labels = attack_inputs(images, labels)
        del draws
        nearest = Nearest.begin(images, "l2", self.eps)
        with Oracle.open(classifier, images, labels) as oracle:
            for rows in memory_chunks(images, 8):
                self._attack(oracle, images, labels, rows, nearest)
        return nearest.images

    def _attack(self, oracle: Oracle, images: Images, labels: Labels, rows: SampleIndices, nearest: Nearest) -> None:
        """Multiply the constant by 10 until the search succeeds, then bisect."""
        low = torch.zeros(len(rows), dtype=images.dtype, device=images.device)
        high, constant = torch.full_like(low, math.inf), torch.full_like(low, self.initial_constant)
        for _ in range(self.binary_search_steps):
            if not len(rows):
                break
            success = self._search(oracle, images, labels, rows, constant, nearest)
            high, low = torch.where(success, constant, high), torch.where(success, low, constant)
            constant = torch.where(high.isinf(), 10 * constant, (low + high) / 2)
            live = ~nearest.finished[rows]
            rows, low, high, constant = rows[live], low[live], high[live], constant[live]

    def _search(
        self, oracle: Oracle, images: Images, labels: Labels, rows: SampleIndices, constant: PerSample, nearest: Nearest
    ) -> Mask:
        """Minimise at these constants; return which of `rows` were misclassified at some iterate."""
        start = torch.atanh((2 * images[rows] - 1) * INSIDE)
        zeros = torch.zeros_like(start)
        search = _Search(rows, constant, start, start, zeros, zeros, torch.full_like(constant, math.inf))
        succeeded = torch.zeros(len(images), dtype=torch.bool, device=images.device)
        check_interval = math.ceil(self.iterations / CHECKS)
        for step in range(self.iterations):
            if not len(search.rows):
                break
            classes = labels[search.rows]
            tanh = torch.tanh(search.current)
            points = (tanh + 1) / 2
            logits, slope = oracle.gradient(points, classes, margin, search.rows)
            shifted = _add_to_label(logits, classes, self.confidence)
            wrong = nearest.update(oracle, shifted, points, classes, search.rows)
            succeeded.index_fill_(0, search.rows[wrong], True)
            delta = points - (torch.tanh(search.start) + 1) / 2
            hinge = margin(shifted, classes).clamp_min(0)
            pull = (search.constant * (hinge > 0))[:, None, None, None]
            keep = ~nearest.finished[search.rows]
            if self.abort_early and step % check_interval == 0:
                loss = delta.square().sum((1, 2, 3)) + search.constant * hinge
                keep &= loss <= PROGRESS * search.loss_at_check
                search = replace(search, loss_at_check=loss)
            gradient = (2 * delta + pull * slope) * (1 - tanh.square()) / 2
            kept = keep.nonzero()[:, 0]
            search = _adam(select_rows(search, kept), gradient[kept], self.step_size, step + 1)
        return succeeded[rows]


def _add_to_label(logits: Logits, labels: Labels, confidence: float) -> Logits:
    """Raise the label's logit, so that another class must lead by `confidence` to win."""
    return logits.scatter_add(1, labels[:, None], torch.full_like(logits[:, :1], confidence))


def _adam(search: _Search, gradient: Images, step_size: float, step: int) -> _Search:
    """Take one Adam step (Kingma & Ba 2015, arXiv:1412.6980)."""
    mean = torch.lerp(gradient, search.mean, ADAM_MEAN)
    square = torch.lerp(gradient.square(), search.square, ADAM_SQUARE)
    unbiased = mean / (1 - ADAM_MEAN**step)
    spread = (square / (1 - ADAM_SQUARE**step)).sqrt_().add_(ADAM_SMALL)
    moved = torch.addcdiv(search.current, unbiased, spread, value=-step_size)
    return replace(search, current=moved, mean=mean, square=square)
