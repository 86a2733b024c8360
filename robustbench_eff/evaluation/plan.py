"""What a run consists of: cells, known by their content, and the shards of samples they are worked in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
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
from robustbench_eff.core.types import Attack, FrameGenerator, ImageCorruption, QueryCountingModel
from robustbench_eff.models.classifier import Classifier, Provenance

SampleIndices: TypeAlias = npt.NDArray[np.int64]
"""Positions of samples in their benchmark, ascending."""
CLEAN = "none"
"""The text of the perturbation that changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One classifier x one benchmark x one perturbation. Its id is a hash of all its fields but `model`."""

    model: str
    """As the user wrote it; a name is not part of the identity, the weights are."""
    model_source: str
    model_digest: str
    """Hash of the weights and of what built the model."""
    preprocessing: str
    benchmark: str
    protocol: str
    data: str
    """Hash of the samples' ids, labels and bytes."""
    classes: str
    """Hash of what the benchmark's classes are made of; empty where they are the model's own outputs."""
    samples: int
    perturbation: str
    """As spec text, defaults left out."""
    configuration: dict[str, Any]
    """Every field of the perturbation, its version and threat model, and the precision it was queried in."""
    seed: int | None
    """None where nothing is drawn."""

    @property
    def id(self) -> str:
        identity = dataclasses.asdict(self)
        del identity["model"]
        text = json.dumps(identity, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRuntime:
    """A cell with the objects it needs; the clean cell has nothing that changes its images.

    The attack, where there is one, queries `oracle`, which may be faster than the classifier; the referee asks the
    classifier. The size of a batch changes no outcome.
    """

    cell: Cell
    classifier: Classifier
    images: ImageSet
    attack: Attack | None
    corruption: ImageCorruption | None
    sequence: FrameGenerator | None
    oracle: QueryCountingModel | None
    batches: Batches
    """In which the referee asks the classifier; the same of all its cells, since they remember what fits."""
    shards: Batches
    """In which all else is done, likewise."""
    per_shard_randomness: bool
    """Whether that changes outcomes, so that memory has to do: other libraries' attacks draw for a whole shard."""

    @property
    def is_clean(self) -> bool:
        """Whether the images are left as they are."""
        return self.attack is None and self.corruption is None and self.sequence is None

    @property
    def passes(self) -> int:
        """Forward and backward passes that a sample costs at most."""
        if self.attack is not None:
            return self.attack.max_passes
        return 1 if self.sequence is None else self.sequence.frames + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """A cell as those know it who have neither its model nor its images."""

    cell_index: int
    """Its position among all that was asked for."""
    cell: Cell
    provenance: Provenance
    num_classes: int
    clean: str | None
    """Id of the cell of the clean images, which comes first; None where there is none, or this is it."""
    clean_rows: SampleIndices | None
    """Of every sample its position among the clean images, -1 where nobody has it; None where it is the same."""
    passes: int
    """Forward and backward passes that a sample costs at most."""
    supports_early_stop: bool
    """Whether the number of the cell is the share of samples that are right."""
    shard_size: int
    """Samples that are worked off together."""
    per_shard_randomness: bool
    """Whether that changes outcomes: other libraries' attacks draw for a whole shard."""
    query_mode: str
    """How an attack queries the model, in words; empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All cells of a run, every clean one before those that build on it, and what had to be left out."""

    cells: list[PlannedCell]
    missing: list[Missing]
    hardware: dict[str, Any]
    """What they will be worked on, for the manifest."""


@dataclass(frozen=True, slots=True)
class Task:
    """Some samples of a cell: the unit of work, storage and resume."""

    cell_index: int
    """Which of the plan's cells it is; worker and plan count alike."""
    cell: Cell
    rows: SampleIndices
    clean_predictions: npt.NDArray[np.int32] | None
    """Their clean predictions, -1 where nobody has the clean image; None in a cell of clean images."""
    has_gallery: bool
    """Whether there is a picture of the cell's successes already."""

    def part(self, positions: slice) -> Task:
        """The same of some of the samples."""
        known = None if self.clean_predictions is None else self.clean_predictions[positions]
        return dataclasses.replace(self, rows=self.rows[positions], clean_predictions=known)


def cell_of(
    classifier: Classifier,
    images: ImageSet,
    change: Attack | ImageCorruption | FrameGenerator | None,
    perturbation: str,
    seed: int,
    precision: str = "float32",
    surrogate: Classifier | None = None,
    classes: str = "",
) -> Cell:
    """The cell of these objects; `perturbation` is the spec text of what changes the images.

    `precision` is that of the network the attack queries, `surrogate` that network where it is not the classifier.
    Another one finds other images, so it is another cell.
    """
    configuration: dict[str, Any] = {}
    if isinstance(change, ImageCorruption | FrameGenerator):
        configuration = dict(change.configuration)
    elif change is not None:
        eps = change.threat.eps if math.isfinite(change.threat.eps) else None
        configuration = {
            **_fields(change),
            "version": change.version,
            "threat": {"norm": change.threat.norm, "eps": eps},
        }
        if precision != "float32":
            configuration["precision"] = precision
        if surrogate is not None:
            configuration["surrogate"] = surrogate.digest
    return Cell(
        model=classifier.name,
        model_source=classifier.provenance.source,
        model_digest=classifier.digest,
        preprocessing=str(classifier.preprocessing),
        benchmark=images.benchmark,
        protocol=str(images.protocol),
        data=images.fingerprint,
        classes=classes,
        samples=len(images),
        perturbation=perturbation,
        configuration=configuration,
        seed=seed if change is not None and change.stochastic else None,
    )


def shards_of(samples: int, done: SampleIndices, size: int, *, drawn: bool = False) -> Iterator[SampleIndices]:
    """What `done` leaves of `samples`, at most `size` at a time, in the order of the benchmark or of `shuffled`."""
    order = shuffled(samples) if drawn else np.arange(samples)
    left = order[np.isin(order, done, invert=True)]
    for start in range(0, len(left), size):
        yield np.sort(left[start : start + size])


def _fields(attack: Attack) -> dict[str, Any]:
    return {field.name: getattr(attack, field.name) for field in dataclasses.fields(attack)}  # type: ignore[arg-type]
