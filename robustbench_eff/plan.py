"""What a run consists of: cells, known by their content, and the shards they are worked in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from robustbench_eff.classifier import Classifier
from robustbench_eff.imageset import ImageSet
from robustbench_eff.types import Attack, Corrupts, CountingModel, Films

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


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Samples `start` to `stop` (exclusive) of a cell: the unit of work, storage and resume."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A cell with the objects it needs; the clean cell has nothing that changes its images.

    The attack, where there is one, queries `oracle`, which may be faster than the classifier; the referee asks the
    classifier.
    The two sizes change no outcome.
    """

    cell: Cell
    classifier: Classifier
    images: ImageSet
    attack: Attack | None
    corruption: Corrupts | None
    sequence: Films | None
    oracle: CountingModel | None
    batch_size: int
    shard_size: int

    @property
    def is_clean(self) -> bool:
        """Whether the images are left as they are."""
        return self.attack is None and self.corruption is None and self.sequence is None


def cell_of(
    classifier: Classifier,
    images: ImageSet,
    change: Attack | Corrupts | Films | None,
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
    if isinstance(change, Corrupts | Films):
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
        protocol=images.protocol,
        data=images.fingerprint,
        classes=classes,
        samples=len(images),
        perturbation=perturbation,
        configuration=configuration,
        seed=seed if change is not None and change.stochastic else None,
    )


def shards_of(samples: int, done: Iterable[Shard], size: int) -> Iterator[Shard]:
    """The shards of at most `size` samples that `done` leaves of `samples`."""
    position = 0
    for shard in [*sorted(done), Shard(samples, samples)]:
        for start in range(position, shard.start, size):
            yield Shard(start, min(start + size, shard.start))
        position = max(position, shard.stop)


def _fields(attack: Attack) -> dict[str, Any]:
    return {field.name: getattr(attack, field.name) for field in dataclasses.fields(attack)}  # type: ignore[arg-type]
