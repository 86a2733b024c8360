"""Contributions of every sample to the scores of one model, by which models are compared on the same samples."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError, did_you_mean
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.registry.metrics import metric_of
from robustbench_eff.storage.store import Store

from .alexnet import AlexNet, published
from .bounded_means import Contribution
from .build_score import Contributions, ScoreFlags, cell_flags, protocol_over
from .cell_groups import CellKind, CellOutcomes, cells_with_unique_names, comparable, seeds_of
from .certificates import certified, radii_of, radius_contribution
from .corruptions import corruption_contributions
from .distances import distances, number_unknown, survives
from .masking_checks import store_verdicts, suspicions
from .sequences import mean_sequence_contributions, stabilities, suffix
from .worst_case import Union, score_of_union, unions

Values = npt.NDArray[np.float64]
NOT_PAIRED = (
    "which is not a mean over samples that could be paired; "
    "`robust-eval leaderboard build` ranks median distances by their intervals, and `security_curve` can be compared"
)
"""Why a search for the closest adversarial image is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleContributions:
    """A score as the mean of one value per sample, or with weights as the sum of values over the sum of weights."""

    benchmark: str
    perturbation: str
    metric: str
    protocol: Protocol
    sample_ids: Sequence[str]
    values: Values
    """Shape (n,)."""
    weights: Values | None = None
    """Shape (n,); None for a plain mean."""
    bounds: tuple[float, float] = (0.0, 1.0)
    """The smallest and the largest value that a sample can have."""
    labels: Sequence[int] | None = None
    """Labels, where single predictions are compared."""
    predictions: Sequence[int] | None = None
    """Predictions, where single predictions are compared."""
    flags: tuple[str, ...] = ()

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is better."""
        return metric_of(self.metric).higher_is_better

    @property
    def value(self) -> float | None:
        """The score; None where a ratio has no denominator."""
        if self.weights is None:
            return float(self.values.mean())
        total = float(self.weights.sum())
        return float(self.values.sum()) / total if total else None

    @property
    def label_was_predicted(self) -> npt.NDArray[np.bool_] | None:
        """Whether the label (for cue-conflict images: the shape) was predicted, bool, shape (n,); None if unknown."""
        if self.labels is None or self.predictions is None:
            return None
        same: npt.NDArray[np.bool_] = np.asarray(self.labels) == np.asarray(self.predictions)
        return same

    @property
    def binary(self) -> bool:
        """Whether every sample is either right or wrong."""
        return self.weights is None and bool(np.isin(self.values, (0.0, 1.0)).all())


class Contributed(NamedTuple):
    """The contributions by which a model can be compared, and the cells for which there are none."""

    contributions: dict[str, SampleContributions]
    """By a key that is equal for the same samples, perturbations and seed."""
    left_out: list[str]
    """Sentences about cells that cannot be compared."""


def model_named(store: Store, name: str | None) -> str:
    """Return the name of a model of a store.

    Args:
        store: The store.
        name: The name; None for the only model that the store holds.

    Raises:
        UsageError: There is no such model, or no name was given and there are several.
    """
    names = list(dict.fromkeys(cell.model for cell in cells_with_unique_names(store).values()))
    if name in names or (name is None and len(names) == 1):
        return name or names[0]
    known = f"It holds {', '.join(names)}." if names else "It holds nothing."
    if name is None:
        raise UsageError(f"{store.place} holds several models: name one, as {store.place}::MODEL.", known)
    hint = f"{did_you_mean(name, names)}\n{known}".strip()
    raise UsageError(f"{store.place} does not hold a model {name!r}.", hint)


def sample_contributions(store: Store, model: str, alexnet: AlexNet | None = None) -> Contributed:
    """Return everything that a model can be compared by on the same samples.

    Unfinished cells are left out, and searches for the closest image without radii or with unknown distances. So are
    all but the first of cells that differ only in the precision of their attacks, which, like the size of the images,
    is the model's own.

    Args:
        store: The store.
        model: Name of the model.
        alexnet: Errors and flip probabilities of AlexNet; None for the published ones.
    """
    by_kind: dict[CellKind, list[CellOutcomes]] = defaultdict(list)
    left_out = []
    suspected = suspicions(store_verdicts(store))
    for cell in cells_with_unique_names(store).values():
        if cell.model != model:
            continue
        cell = replace(cell, flags=cell.flags + suspected.get(cell.id, ()))
        item = CellOutcomes(cell, store.outcomes(cell.id))
        if reason := _why_left_out(item):
            left_out.append(f"{cell.benchmark}, {cell.perturbation}: {reason}")
        if item.finished:
            by_kind[item.kind].append(item)
    contributions: dict[str, SampleContributions] = {}
    for key, entry in _all(by_kind, alexnet or published()):
        if not (len(entry.values) and np.isfinite(entry.values).all() and np.isfinite(entry.bounds).all()):
            left_out.append(f"{entry.benchmark}, {entry.perturbation}: {entry.metric} of {model} is not finite")
        elif contributions.setdefault(key, entry) is not entry:
            left_out.append(f"{entry.benchmark}, {entry.perturbation}: twice in {store.place}, the first counts")
    return Contributed(contributions, left_out)


def _why_left_out(item: CellOutcomes) -> str:
    """Why a cell cannot be compared; empty if it can."""
    cell = item.cell
    if not item.finished:
        return f"incomplete for {cell.model}, {len(item)} of {cell.samples} samples"
    if cell.is_minimum_norm and not cell.radii:
        return f"{cell.model} has only a median distance, {NOT_PAIRED}"
    unknown = number_unknown(item) if cell.is_minimum_norm else 0
    return f"unknown distances of {cell.model}: {unknown}" if unknown else ""


def _all(
    by_kind: Mapping[CellKind, Sequence[CellOutcomes]], alexnet: AlexNet
) -> Iterator[tuple[str, SampleContributions]]:
    for kind in _SINGLE:
        for item in by_kind.get(kind, ()):
            yield _of_cell(item)
    for item in by_kind.get("cue conflict", ()):
        yield _of_conflict(item)
    for item in by_kind.get("minimum norm", ()):
        if not _why_left_out(item):
            yield from _within_radii(item)
    for union in unions([*by_kind.get("attack", ()), *by_kind.get("minimum norm", ())]):
        yield _under_all_attacks(union)
    for item in by_kind.get("certificate", ()):
        yield from _of_certificates(item)
    for item in by_kind.get("sequence", ()):
        yield from _of_frames(item)
    for group in comparable(by_kind.get("corruption", ())):
        contributions, flags = corruption_contributions(group, alexnet)
        yield from _over_cells(group, contributions, flags)
    for group in comparable(by_kind.get("sequence", ())):
        contributions, flags = mean_sequence_contributions(group, alexnet)
        yield from _over_cells(group, contributions, flags)


_SINGLE: Sequence[CellKind] = ("clean", "attack", "smoothed attack", "corruption")
"""Kinds of cells of which each sample is right or wrong."""


def _of_cell(item: CellOutcomes) -> tuple[str, SampleContributions]:
    metric = "robust_accuracy" if item.cell.kind == "attack" else "accuracy"
    entry = _entry([item], item.cell.perturbation, metric, Contribution(item.right_shares))
    entry = replace(entry, **_answers(item))
    return _key([item], entry), entry


def _of_conflict(item: CellOutcomes) -> tuple[str, SampleContributions]:
    """Shape decisions among the shape and texture decisions."""
    shape, texture, guess = (item.column(name) for name in ("label", "texture", "prediction"))
    values = ((shape != texture) & (guess == shape)).astype(np.float64)
    weights = values + ((shape != texture) & (guess == texture))
    entry = _entry([item], item.cell.perturbation, "shape_bias", Contribution(values))
    entry = replace(entry, weights=weights, **_answers(item))
    return _key([item], entry), entry


def _answers(item: CellOutcomes) -> dict[str, Any]:
    return {name: item.outcomes[column].to_pylist() for name, column in _ANSWERS.items()}


_ANSWERS = {"labels": "label", "predictions": "prediction"}


def _under_all_attacks(union: Union) -> tuple[str, SampleContributions]:
    """Robust accuracy under all attacks in a ball."""
    score = score_of_union(union, ())
    entry = _entry(union.attacks, score.perturbation, score.metric, Contribution(union.shares))
    flags = dict.fromkeys(flag for item in union.attacks for flag in cell_flags(item))
    entry = replace(entry, protocol=score.protocol, flags=(*union.left_out, *flags))
    return _key(union.attacks, entry), entry


def _within_radii(item: CellOutcomes) -> Iterator[tuple[str, SampleContributions]]:
    """Robust accuracy at every radius of a security curve."""
    distance = distances(item)
    for eps in item.cell.radii:
        values = survives(distance, eps).astype(np.float64)
        entry = _entry([item], item.cell.perturbation, f"robust_accuracy@{spec.literal(eps)}", Contribution(values))
        yield _key([item], entry), entry


def _of_certificates(item: CellOutcomes) -> Iterator[tuple[str, SampleContributions]]:
    """Certified accuracy at the default radii, and the mean radius."""
    at_radii = {f"certified_accuracy@{spec.literal(radius)}": certified(item, radius) for radius in radii_of(item)}
    contributions = {metric: Contribution(values.astype(np.float64)) for metric, values in at_radii.items()}
    contributions["average_certified_radius"] = radius_contribution(item)
    for metric, added in contributions.items():
        entry = _entry([item], item.cell.perturbation, metric, added)
        yield _key([item], entry), entry


def _of_frames(item: CellOutcomes) -> Iterator[tuple[str, SampleContributions]]:
    """How stable predictions are over one sequence, and whether all its frames are correct."""
    stable = {f"{name}{suffix(difficulty)}": values for (name, difficulty), values in stabilities(item).items()}
    all_frames = Contribution(item.correct.astype(np.float64))
    for metric, added in {"accuracy_all_frames": all_frames, **stable}.items():
        entry = _entry([item], item.cell.perturbation, metric, added)
        yield _key([item], entry), entry


def _over_cells(
    group: Sequence[CellOutcomes],
    contributions: Contributions,
    flags: ScoreFlags,
) -> Iterator[tuple[str, SampleContributions]]:
    """Scores over corruptions or sequences."""
    for (perturbation, metric), added in contributions.items():
        entry = _entry(group, perturbation, metric, added)
        entry = replace(entry, flags=flags[perturbation, metric])
        yield _key(group, entry), entry


def _entry(group: Sequence[CellOutcomes], perturbation: str, metric: str, added: Contribution) -> SampleContributions:
    first = group[0]
    return SampleContributions(
        benchmark=first.cell.benchmark,
        perturbation=perturbation,
        metric=metric,
        protocol=protocol_over([item.cell for item in group]),
        sample_ids=first.outcomes["sample_id"].to_pylist(),
        values=added.values,
        bounds=(added.low, added.high),
        flags=cell_flags(first),
    )


KEY_FIELDS = ("benchmark", "classes", "images", "order of images", "perturbation", "metric", "seeds", "settings")
"""What the elements of a key are, which is a JSON list."""


def _key(group: Sequence[CellOutcomes], entry: SampleContributions) -> str:
    """Equal for what may be compared; published files are identified by their samples, others by their bytes too."""
    cell = group[0].cell
    samples = hashlib.blake2b("\n".join(entry.sample_ids).encode(), digest_size=16).hexdigest()
    identity = samples if cell.is_published else [cell.data, len(entry.sample_ids)]
    images = [cell.benchmark, cell.classes, identity, cell.protocol.stream]
    names = ("constants", "jpeg_quality", "surrogate", *(("version",) if len(group) == 1 else ()))
    made_with = {name: cell.configuration.get(name) for name in names}
    seeds = seeds_of([item.cell for item in group])
    made_with |= {"attacks": entry.protocol.attacks} if entry.protocol.attacks else {}
    return json.dumps([*images, entry.perturbation, entry.metric, seeds, made_with])
