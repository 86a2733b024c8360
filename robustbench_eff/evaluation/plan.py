"""What a run consists of: the stored cells and the shards of samples that workers evaluate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from robustbench_eff.attacks import Oracle
from robustbench_eff.attacks.expectation import weakest
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import Missing
from robustbench_eff.core.shuffle import shuffled
from robustbench_eff.core.stream import Stream
from robustbench_eff.core.types import Attack, FrameGenerator, ImageCorruption, Images, Labels, QueryCountingModel
from robustbench_eff.models.classifier import Classifier, Provenance
from robustbench_eff.models.smoothing import Smoothing
from robustbench_eff.registry.build_adaptation import NamedAdaptation
from robustbench_eff.registry.perturbation import Perturbation
from robustbench_eff.storage.answers import Answers
from robustbench_eff.storage.stored_cell import StoredCell

from .adapted_cells import stream_of

SampleIndices: TypeAlias = npt.NDArray[np.int64]
"""Positions of samples in their benchmark, ascending."""


ASSUMED = "assumed: "
"""Beginning of the lines on what nobody stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queried:
    """A classifier, and the network that an attack queries to fool it."""

    classifier: Classifier
    """The classifier that the referee asks, with the benchmark's classes for outputs."""
    classes: str
    """Hash of the map from outputs to classes; empty where they are the same."""
    oracle: QueryCountingModel | None = None
    """The query interface of the attacked network, which may be faster than the classifier; None without an attack."""
    precision: str = "float32"
    """Precision of the queried network. Another one finds other images, so it makes another cell."""
    surrogate: Classifier | None = None
    """The model that is attacked where it is not the classifier itself."""
    votes: int | None = None
    """How often the referee asks for each image, for a classifier that draws at random; None for once."""
    draws: int | None = None
    """Draws that every answer to an attack averages over; None where the attacked network does not draw at random."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRuntime:
    """A cell with the objects that compute it. Batch sizes change no outcome."""

    cell: StoredCell
    queried: Queried
    images: ImageSet
    perturbation: Perturbation
    batches: Batches
    """Batch size of the referee. Shared by all cells of a model, so that a size found after running out of memory is
    kept."""
    shards: Batches
    """Shard size for everything else; shared in the same way."""
    adaptation: NamedAdaptation | None = None
    """How the classifier adapts to the images; None if its answers do not depend on batch, order or past."""

    @property
    def classifier(self) -> Classifier:
        """The classifier that the referee asks."""
        return self.queried.classifier

    @property
    def oracle(self) -> QueryCountingModel | None:
        """The query interface of the attacked network; None without an attack."""
        return self.queried.oracle

    @property
    def attack(self) -> Attack | None:
        """The attack, or None."""
        return self.perturbation.attack if self.perturbation.kind == "attack" else None

    @property
    def corruption(self) -> ImageCorruption | None:
        """The corruption, or None."""
        return self.perturbation.corruption if self.perturbation.kind == "corruption" else None

    @property
    def sequence(self) -> FrameGenerator | None:
        """The frame sequence, or None."""
        return self.perturbation.sequence if self.perturbation.kind == "sequence" else None

    @property
    def smoothing(self) -> Smoothing | None:
        """The smoothed classifier that is certified, or attacked in place of the network; else None."""
        return self.perturbation.smoothing

    @property
    def is_clean(self) -> bool:
        """Whether the images are left as they are."""
        return self.perturbation.kind == "none"

    @property
    def stream(self) -> Stream | None:
        """The stream in which the images are evaluated; None where the answers do not depend on one."""
        return stream_of(self.adaptation)

    @property
    def per_shard_randomness(self) -> bool:
        """True if splitting a shard would change outcomes, so that it is never halved.

        Third-party attacks draw random numbers per shard, and the answers in a stream depend on the other images.
        """
        return self.perturbation.is_adapted or self.stream is not None

    @property
    def votes(self) -> int | None:
        """How often the referee asks for each image; None for once."""
        return self.queried.votes

    def best_of(self, proposed: Images, images: Images, labels: Labels) -> Images:
        """Return the images that an attack proposes, or better ones that it tried on a network that draws at random.

        Args:
            proposed: Result of the attack.
            images: Clean images of the attack.
            labels: Their true classes.
        """
        if isinstance(self.oracle, Oracle) and not (self.cell.is_minimum_norm or self.perturbation.is_adapted):
            return weakest(self.oracle, proposed, images, labels)
        return proposed

    @property
    def passes(self) -> int:
        """Largest number of forward and backward passes per sample."""
        if self.smoothing is not None:
            attack = 0 if self.attack is None else self.attack.max_passes * self.smoothing.draws
            return attack + self.smoothing.max_passes
        if self.attack is not None:
            return self.attack.max_passes * (self.queried.draws or 1) + (self.votes or 0)
        if self.stream is not None:
            return self.stream.num_orders
        return (self.votes or 1) if self.sequence is None else self.sequence.frames + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """Description of a cell that needs neither its model nor its images."""

    cell_index: int
    """Index among the requested cells, the same on driver and worker."""
    cell: StoredCell
    provenance: Provenance
    num_classes: int
    clean: str | None
    """Id of the cell whose predictions are the clean ones, evaluated first: that of the clean images, or for an attack
    on a smoothed classifier that of its certificates; None if there is none, or this is it."""
    clean_rows: SampleIndices | None
    """Position of each sample among the clean images, -1 where it has none; None where they are the same."""
    passes: int
    """Largest number of forward and backward passes per sample."""
    supports_early_stop: bool
    """Whether the cell's number is an accuracy, whose interval can end the cell early."""
    shard_size: int
    """Largest number of samples in a shard."""
    first_shard: int
    """Number of samples in the first shard, which takes no more than a minute even with the largest number of passes;
    later ones grow."""
    per_shard_randomness: bool
    """True if splitting a shard would change outcomes; see `CellRuntime`."""
    query_mode: str
    """How an attack queries the model: precision, folding, compilation; empty without an attack."""
    assumed: tuple[str, ...] = ()
    """What was assumed of the images and the perturbation, one line each."""

    @property
    def all_assumed(self) -> tuple[str, ...]:
        """What was assumed of the model, the images and the perturbation, one line each."""
        return (*(note for note in self.provenance.notes if note.startswith(ASSUMED)), *self.assumed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All cells of a run, clean ones before those that depend on them, and what had to be left out."""

    cells: list[PlannedCell]
    missing: list[Missing]
    hardware: dict[str, Any]
    """The device that evaluates them, for the run's manifest."""
    answers: Mapping[tuple[str, str], Answers] = dataclasses.field(default_factory=dict)
    """What the models answered to a few images, by digest and preprocessing."""


@dataclass(frozen=True, slots=True)
class Task:
    """A shard: some samples of a cell, the unit of work, storage and resume."""

    cell_index: int
    """Index among the requested cells, the same on driver and worker."""
    cell: StoredCell
    rows: SampleIndices
    clean_predictions: npt.NDArray[np.int32] | None
    """Clean prediction of each sample, -1 where its clean image is unknown; None in a cell of clean images."""
    has_gallery: bool
    """Whether a picture of the cell's adversarial examples is stored already."""

    def part(self, positions: slice) -> Task:
        """Return the task for some of its samples.

        Args:
            positions: Slice of `rows`.
        """
        predictions = None if self.clean_predictions is None else self.clean_predictions[positions]
        return dataclasses.replace(self, rows=self.rows[positions], clean_predictions=predictions)


def remaining_samples(samples: int, done: SampleIndices, *, drawn: bool = False) -> SampleIndices:
    """Return the positions of the samples that are not done, in the order in which they are evaluated.

    Args:
        samples: Number of samples of the cell.
        done: Positions of the finished samples.
        drawn: Take the samples in the order of `shuffled` instead of the benchmark's.
    """
    order = shuffled(samples) if drawn else np.arange(samples)
    return order[np.isin(order, done, invert=True)]
