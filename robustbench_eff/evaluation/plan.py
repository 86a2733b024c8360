"""What a run consists of: the stored cells and the shards of samples that workers evaluate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import Missing
from robustbench_eff.core.shuffle import shuffled
from robustbench_eff.core.source_code import code_digest
from robustbench_eff.core.types import Attack, FrameGenerator, ImageCorruption, QueryCountingModel
from robustbench_eff.models.classifier import Classifier, Provenance
from robustbench_eff.registry.perturbation import Perturbation
from robustbench_eff.storage.stored_cell import StoredCell

SampleIndices: TypeAlias = npt.NDArray[np.int64]
"""Positions of samples in their benchmark, ascending."""


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
    def is_clean(self) -> bool:
        """Whether the images are left as they are."""
        return self.perturbation.kind == "none"

    @property
    def per_shard_randomness(self) -> bool:
        """True if splitting a shard would change outcomes: third-party attacks draw random numbers per shard.

        Such a shard is never halved.
        """
        return self.perturbation.is_adapted

    @property
    def passes(self) -> int:
        """Largest number of forward and backward passes per sample."""
        if self.attack is not None:
            return self.attack.max_passes
        return 1 if self.sequence is None else self.sequence.frames + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """Description of a cell that needs neither its model nor its images."""

    cell_index: int
    """Index among the requested cells, the same on driver and worker."""
    cell: StoredCell
    provenance: Provenance
    num_classes: int
    clean: str | None
    """Id of the cell of clean images that is evaluated first; None if there is none, or this is it."""
    clean_rows: SampleIndices | None
    """Position of each sample among the clean images, -1 where it has none; None where they are the same."""
    passes: int
    """Largest number of forward and backward passes per sample."""
    supports_early_stop: bool
    """Whether the cell's number is an accuracy, whose interval can end the cell early."""
    shard_size: int
    """Number of samples in a shard."""
    per_shard_randomness: bool
    """True if splitting a shard would change outcomes: third-party attacks draw random numbers per shard."""
    query_mode: str
    """How an attack queries the model: precision, folding, compilation; empty without an attack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All cells of a run, clean ones before those that depend on them, and what had to be left out."""

    cells: list[PlannedCell]
    missing: list[Missing]
    hardware: dict[str, Any]
    """The device that evaluates them, for the run's manifest."""


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


def cell_of(queried: Queried, images: ImageSet, perturbation: Perturbation, seed: int) -> StoredCell:
    """Return the cell of a classifier on a set of images under a perturbation.

    Args:
        queried: The classifier, and the network that an attack queries.
        images: The benchmark, decoded for the classifier.
        perturbation: What changes the images; a published set says so in its component's configuration.
        seed: Seed of the random draws, recorded only where something is drawn.
    """
    component = perturbation.component
    classifier = queried.classifier
    return StoredCell(
        model=classifier.name,
        model_source=classifier.provenance.source,
        model_digest=classifier.digest,
        preprocessing=str(classifier.preprocessing),
        benchmark=images.benchmark,
        protocol=images.protocol,
        data=images.fingerprint,
        classes=queried.classes,
        samples=len(images),
        perturbation=perturbation.text,
        kind=perturbation.kind,
        uses=perturbation.attack.uses if perturbation.kind == "attack" else None,
        configuration=_configuration(queried, perturbation),
        seed=seed if component is not None and component.stochastic else None,
        flags=(*classifier.provenance.flags, *_surrogate_flags(queried.surrogate)),
    ).identified()


def _surrogate_flags(surrogate: Classifier | None) -> tuple[str, ...]:
    return () if surrogate is None else tuple(f"{surrogate.name}: {flag}" for flag in surrogate.provenance.flags)


def _configuration(queried: Queried, perturbation: Perturbation) -> dict[str, Any]:
    """Everything that decides which images come out, the seed aside."""
    if perturbation.kind == "none":
        return {}
    if perturbation.kind != "attack":
        component = perturbation.corruption if perturbation.kind == "corruption" else perturbation.sequence
        return dict(component.configuration)
    attack = perturbation.attack
    eps = attack.threat.eps if math.isfinite(attack.threat.eps) else None
    optional = {
        "precision": None if queried.precision == "float32" else queried.precision,
        "surrogate": None if queried.surrogate is None else queried.surrogate.digest,
        "code": code_digest([type(attack)]) or None,
    }
    return {
        **{item.name: getattr(attack, item.name) for item in dataclasses.fields(attack)},  # type: ignore[arg-type]
        "version": attack.version,
        "threat": {"norm": attack.threat.norm, "eps": eps},
        **{name: value for name, value in optional.items() if value is not None},
    }


def shards_of(samples: int, done: SampleIndices, size: int, *, drawn: bool = False) -> Iterator[SampleIndices]:
    """Yield the samples that are not done in shards.

    Args:
        samples: Number of samples of the cell.
        done: Positions of the finished samples.
        size: Largest number of samples in a shard.
        drawn: Take the samples in the order of `shuffled` instead of the benchmark's.
    """
    order = shuffled(samples) if drawn else np.arange(samples)
    remaining = order[np.isin(order, done, invert=True)]
    for start in range(0, len(remaining), size):
        yield np.sort(remaining[start : start + size])
