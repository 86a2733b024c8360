"""What every sample adds to the scores of one model: what models are compared by, on the same samples."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError, did_you_mean
from robustbench_eff.storage.outcomes import as_numpy
from robustbench_eff.storage.store import Store

from .alexnet import AlexNet, published
from .build_score import protocol_over, seeds_of
from .cell_groups import Kind, cells_with_unique_names, comparable, kind_of
from .corruptions import corruption_shares
from .cue_conflict import has_conflict
from .distances import distances, radii_of, survives
from .sequences import RATES, mean_sequence_shares, stabilities, suffix

Values = npt.NDArray[np.float64]
Cell = tuple[dict[str, Any], pa.Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleContributions:
    """A score is the mean of `values` (samples,), or where there are `weights` their sum over that of those."""

    benchmark: str
    perturbation: str
    metric: str
    protocol: str
    sample_ids: Sequence[str]
    values: Values
    weights: Values | None = None
    higher_is_better: bool = True
    labels: Sequence[int] | None = None
    """With `predictions`: where single answers are compared."""
    predictions: Sequence[int] | None = None
    flags: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        """The score; None where a ratio has no denominator."""
        if self.weights is None:
            return float(self.values.mean())
        total = float(self.weights.sum())
        return float(self.values.sum()) / total if total else None

    @property
    def named(self) -> npt.NDArray[np.bool_] | None:
        """Where the label was predicted: of cue-conflict images the shape."""
        if self.labels is None or self.predictions is None:
            return None
        named: npt.NDArray[np.bool_] = np.asarray(self.labels) == np.asarray(self.predictions)
        return named

    @property
    def binary(self) -> bool:
        """Whether every sample is right or wrong and nothing between."""
        return self.weights is None and bool(np.isin(self.values, (0.0, 1.0)).all())


def model_named(store: Store, name: str | None) -> str:
    """The model of that name, or the only one there is; UsageError where that is none or several."""
    names = list(dict.fromkeys(cell["model"] for cell in cells_with_unique_names(store).values()))
    if name in names or (name is None and len(names) == 1):
        return name or str(names[0])
    known = f"It holds {', '.join(names)}." if names else "It holds nothing."
    if name is None:
        raise UsageError(f"{store.place} holds several models: name one, as {store.place}::MODEL.", known)
    raise UsageError(f"{store.place} holds no model {name!r}.", f"{did_you_mean(name, names)}\n{known}".strip())


def measures(
    store: Store, model: str, alexnet: AlexNet | None = None
) -> tuple[dict[str, SampleContributions], list[str]]:
    """Everything a model can be compared by, under keys that are equal for the same samples, changes and seed.

    Also in words what cannot: unfinished cells, searches for the nearest image without radii, and all but the first of
    cells that differ only in the precision of their attacks. That and the size of images are the model's own.
    """
    kinds: dict[Kind, list[Cell]] = defaultdict(list)
    left_out = []
    for cell_id, cell in cells_with_unique_names(store).items():
        if cell["model"] != model:
            continue
        outcomes = store.outcomes(cell_id)
        kind = kind_of(cell)
        if not 0 < outcomes.num_rows == cell["samples"]:
            left_out.append(f"{cell['benchmark']}, {cell['perturbation']}: incomplete in {store.place}")
        elif kind == "searched" and not radii_of(cell):
            left_out.append(f"{cell['benchmark']}, {cell['perturbation']}: only a median distance")
        else:
            kinds[kind].append((cell, outcomes))
    found: dict[str, SampleContributions] = {}
    for key, measure in _all(kinds, alexnet or published()):
        if found.setdefault(key, measure) is not measure:
            left_out.append(f"{measure.benchmark}, {measure.perturbation}: twice in {store.place}, the first counts")
    return found, left_out


def _all(kinds: Mapping[Kind, Sequence[Cell]], alexnet: AlexNet) -> Iterator[tuple[str, SampleContributions]]:
    for cell in kinds.get("clean", ()):
        yield _of_cell(*cell, conflicting=has_conflict(cell[1]))
    for cell in [*kinds.get("attacked", ()), *kinds.get("corrupted", ())]:
        yield _of_cell(*cell)
    for cell in kinds.get("searched", ()):
        yield from _within_radii(*cell)
    for cell in kinds.get("filmed", ()):
        yield from _of_frames(*cell)
    for group in comparable(kinds.get("corrupted", ())):
        yield from _over_cells(group, *corruption_shares(group, alexnet))
    for group in comparable(kinds.get("filmed", ())):
        shares, flags = mean_sequence_shares(group, alexnet)
        yield from _over_cells(group, shares, flags, dict.fromkeys(RATES.values(), alexnet.flags))


def _of_cell(cell: dict[str, Any], outcomes: pa.Table, *, conflicting: bool = False) -> tuple[str, SampleContributions]:
    values, weights = as_numpy(outcomes["correct"]).astype(np.float64), None
    metric = "robust_accuracy" if "threat" in cell["configuration"] else "accuracy"
    if conflicting:
        shape, texture, guess = (as_numpy(outcomes[name]) for name in ("label", "texture", "prediction"))
        values = ((shape != texture) & (guess == shape)).astype(np.float64)
        weights = values + ((shape != texture) & (guess == texture))
        metric = "shape_bias"
    measure = replace(
        _measure([(cell, outcomes)], cell["perturbation"], metric, values),
        weights=weights,
        labels=outcomes["label"].to_pylist(),
        predictions=outcomes["prediction"].to_pylist(),
    )
    return _key([cell], measure), measure


def _within_radii(cell: dict[str, Any], outcomes: pa.Table) -> Iterator[tuple[str, SampleContributions]]:
    """Robust accuracy at every radius of a security curve."""
    found = distances(cell, outcomes)
    for eps in radii_of(cell):
        values = survives(found, eps).astype(np.float64)
        measure = _measure([(cell, outcomes)], cell["perturbation"], f"robust_accuracy@{spec.literal(eps)}", values)
        yield _key([cell], measure), measure


def _of_frames(cell: dict[str, Any], outcomes: pa.Table) -> Iterator[tuple[str, SampleContributions]]:
    """How stable predictions are over one sequence, and whether all its frames are right."""
    right = as_numpy(outcomes["correct"]).astype(np.float64)
    values = {f"{name}{suffix(difficulty)}": of for (name, difficulty), of in stabilities(cell, outcomes).items()}
    for metric, of in {"accuracy_all_frames": right, **values}.items():
        measure = _measure([(cell, outcomes)], cell["perturbation"], metric, of)
        measure = replace(measure, higher_is_better=metric == "accuracy_all_frames")
        yield _key([cell], measure), measure


def _over_cells(
    cells: Sequence[Cell],
    shares: Mapping[tuple[str, str], Values],
    flags: tuple[str, ...],
    of_metric: Mapping[str, tuple[str, ...]] | None = None,
) -> Iterator[tuple[str, SampleContributions]]:
    """Scores over corruptions or sequences, with flags for all and for single metrics."""
    for (perturbation, metric), values in shares.items():
        measure = replace(
            _measure(cells, perturbation, metric, values),
            higher_is_better=metric == "mean_accuracy",
            flags=flags + (of_metric or {}).get(metric, ()),
        )
        yield _key([cell for cell, _ in cells], measure), measure


def _measure(cells: Sequence[Cell], perturbation: str, metric: str, values: Values) -> SampleContributions:
    cell, outcomes = cells[0]
    return SampleContributions(
        benchmark=cell["benchmark"],
        perturbation=perturbation,
        metric=metric,
        protocol=protocol_over([cell for cell, _ in cells]),
        sample_ids=outcomes["sample_id"].to_pylist(),
        values=values,
    )


def _key(cells: Sequence[Mapping[str, Any]], measure: SampleContributions) -> str:
    """Equal for what may be compared; published files are known by their samples, others by their bytes too."""
    cell = cells[0]
    published = cell["configuration"].get("published", False)
    samples = hashlib.blake2b("\n".join(measure.sample_ids).encode(), digest_size=16).hexdigest()
    images = [cell["benchmark"], cell["classes"], samples if published else cell["data"]]
    made_with = {name: cell["configuration"].get(name) for name in ("constants", "jpeg_quality", "surrogate")}
    if len(cells) == 1:
        made_with["version"] = cell["configuration"].get("version")
    return json.dumps([*images, measure.perturbation, measure.metric, seeds_of(cells), made_with])
