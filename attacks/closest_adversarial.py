"""What attacks that look for the smallest perturbation keep: each sample's nearest confirmed adversarial image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from robustbench_eff.core.threat import LpNorm, distance
from robustbench_eff.core.types import Images, Labels, Logits, Mask, PerSample, SampleIndices

from .oracle import Oracle

NEARER = 1 - 1e-5
"""What counts as nearer: of points equally near the first stays, however their lengths are rounded."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest adversarial image of every sample so far; the clean one where there is none."""

    clean: Images
    images: Images
    distances: PerSample
    """Of the images found; before that, how near they have to be."""
    found: Mask
    norm: LpNorm
    first_ends: bool
    """Whether a sample is finished once something is found, as within a given eps."""

    @classmethod
    def begin(cls, images: Images, norm: LpNorm, eps: float | None) -> Nearest:
        """Nothing is found yet; with an `eps` only what is within it will count, and the first of it suffices."""
        return cls(
            clean=images,
            images=images.clone(),
            distances=images.new_full((len(images),), math.inf if eps is None else eps),
            found=torch.zeros(len(images), dtype=torch.bool, device=images.device),
            norm=norm,
            first_ends=eps is not None,
        )

    @property
    def finished(self) -> Mask:
        """Which samples cannot or need not be bettered."""
        return self.found & (self.distances == 0) if not self.first_ends else self.found

    def note(self, oracle: Oracle, logits: Logits, points: Images, labels: Labels, rows: SampleIndices) -> Mask:
        """Keep the points that are misclassified and nearer than what there was; returns which are misclassified.

        Only where it would count is the plain network asked; what it refutes is not misclassified.
        """
        wrong = logits.argmax(1) != labels
        if not wrong.any():
            return wrong
        lengths = distance(points, self.clean[rows], self.norm)
        limits = torch.where(self.found, self.distances * NEARER, self.distances)
        hopeful = (wrong & (lengths <= limits[rows])).nonzero()[:, 0]
        won = oracle.beaten(logits[hopeful], points[hopeful], labels[hopeful], rows[hopeful])
        wrong[hopeful] = won
        self._keep(rows[hopeful][won], points[hopeful][won], lengths[hopeful][won])
        return wrong

    def _keep(self, rows: SampleIndices, points: Images, lengths: PerSample) -> None:
        """The nearest of each sample's points, of equally near ones the first."""
        nearest = torch.full_like(self.distances, math.inf).scatter_reduce_(0, rows, lengths, "amin")
        order = torch.arange(len(rows), device=rows.device)
        chosen = lengths == nearest[rows]
        first = torch.full_like(self.distances, len(rows), dtype=torch.int64)
        first.scatter_reduce_(0, rows[chosen], order[chosen], "amin")
        better = nearest < math.inf
        self.images[better] = points[first[better]]
        self.distances[better] = nearest[better]
        self.found[better] = True
