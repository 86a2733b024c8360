"""Result of minimum-norm attacks: each sample's closest confirmed adversarial image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from robustbench_eff.core.threat import LpNorm, distance
from robustbench_eff.core.types import Images, Labels, Logits, Mask, PerSample, SampleIndices

from .oracle import Oracle

CLOSER_FACTOR = 1 - 1e-5
"""A point replaces another only if its distance is smaller by this factor, so that rounding of equal distances never
decides: the first point stays."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The closest adversarial image of every sample so far; the clean image where there is none."""

    clean: Images
    images: Images
    distances: PerSample
    """Distance of each adversarial image; before the first one, the largest distance that counts."""
    found: Mask
    """True for samples with an adversarial image."""
    norm: LpNorm
    first_suffices: bool
    """True if a sample is finished with its first adversarial image, as within a given eps."""

    @classmethod
    def begin(cls, images: Images, norm: LpNorm, eps: float | None) -> Nearest:
        """Return the state before the attack, without adversarial images.

        Args:
            images: Clean images.
            norm: Norm of the distances.
            eps: Radius within which a point counts, in units of [0, 1] pixels; a sample is then finished with its
                first adversarial image. None searches for the closest one anywhere.
        """
        return cls(
            clean=images,
            images=images.clone(),
            distances=images.new_full((len(images),), math.inf if eps is None else eps),
            found=torch.zeros(len(images), dtype=torch.bool, device=images.device),
            norm=norm,
            first_suffices=eps is not None,
        )

    @property
    def finished(self) -> Mask:
        """Samples whose result cannot or need not be improved."""
        return self.found if self.first_suffices else self.found & (self.distances == 0)

    def update(self, oracle: Oracle, logits: Logits, points: Images, labels: Labels, rows: SampleIndices) -> Mask:
        """Keep the points that are misclassified and closer than the closest ones so far.

        The plain network confirms only points that would be kept.

        Args:
            oracle: Oracle of the attack.
            logits: Logits of the points.
            points: Candidate images; several may belong to the same sample.
            labels: True class of each point.
            rows: Index of the sample that each point belongs to.

        Returns:
            True for misclassified points; those that the plain network refutes are False.
        """
        wrong = logits.argmax(1) != labels
        if not wrong.any():
            return wrong
        lengths = distance(points, self.clean[rows], self.norm)
        limits = torch.where(self.found, self.distances * CLOSER_FACTOR, self.distances)
        candidates = (wrong & (lengths <= limits[rows])).nonzero()[:, 0]
        # Of a network that draws at random the closest image is one that most draws get wrong.
        success = oracle.successes(
            logits[candidates],
            points[candidates],
            labels[candidates],
            rows[candidates],
            majority=not self.first_suffices,
        )
        wrong[candidates] = success
        kept = candidates[success]
        self._keep(rows[kept], points[kept], lengths[kept])
        return wrong

    def _keep(self, rows: SampleIndices, points: Images, lengths: PerSample) -> None:
        """Keep the closest of each sample's points; of equally close ones the first."""
        nearest = torch.full_like(self.distances, math.inf).scatter_reduce_(0, rows, lengths, "amin")
        order = torch.arange(len(rows), device=rows.device)
        chosen = (lengths == nearest[rows]).nonzero()[:, 0]
        first = torch.full_like(self.distances, len(rows), dtype=torch.int64)
        first.scatter_reduce_(0, rows[chosen], order[chosen], "amin")
        better = (nearest < math.inf).nonzero()[:, 0]
        self.images[better] = points[first[better]]
        self.distances[better] = nearest[better]
        self.found[better] = True
