"""What every sample adds to the scores of one model: what models are compared by, on the same samples."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from robustbench_eff import spec
from robustbench_eff.errors import UsageError, did_you_mean
from robustbench_eff.store import Store

from .alexnet import AlexNet
from .cells import Kind, comparable, kind_of, shown
from .corruptions import corruption_shares
from .cue_conflict import has_conflict
from .distances import distances, radii_of
from .sequences import mean_sequence_shares

Values = npt.NDArray[np.float64]
Cell = tuple[dict[str, Any], pa.Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
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
    names = list(dict.fromkeys(cell["model"] for cell in shown(store).values()))
    if name in names or (name is None and len(names) == 1):
        return name or str(names[0])
    known = f"It holds {', '.join(names)}." if names else "It holds nothing."
    if name is None:
        raise UsageError(f"{store.folder} holds several models: name one, as {store.folder}::MODEL.", known)
    raise UsageError(f"{store.folder} holds no model {name!r}.", f"{did_you_mean(name, names)}\n{known}".strip())


def measures(store: Store, model: str, alexnet: AlexNet | None = None) -> tuple[dict[str, Measure], list[str]]:
    """Everything a model can be compared by, under keys that are equal for the same samples, changes and seed.

    Also in words what cannot: unfinished cells, and searches for the nearest image without radii. The model's own
    size and the precision of its attacks may differ: they are the model's.
    """
    kinds: dict[Kind, list[Cell]] = defaultdict(list)
    left_out = []
    for cell_id, cell in shown(store).items():
        if cell["model"] != model:
            continue
        outcomes = store.outcomes(cell_id)
        if 0 < outcomes.num_rows == cell["samples"]:
            kinds[kind_of(cell)].append((cell, outcomes))
        else:
            left_out.append(f"{cell['benchmark']}, {cell['perturbation']}: incomplete in {store.folder}")
    found: dict[str, Measure] = {}
    for cell, outcomes in kinds["clean"] + kinds["attacked"] + kinds["corrupted"]:
        found[_key(cell, outcomes, cell["perturbation"])] = _of_cell(cell, outcomes)
    for cell, outcomes in kinds["searched"]:
        within = dict(_within_radii(cell, outcomes))
        found |= within
        if not within:
            left_out.append(f"{cell['benchmark']}, {cell['perturbation']}: only a median distance")
    for cells, shares_of in (("corrupted", corruption_shares), ("filmed", mean_sequence_shares)):
        for group in comparable(kinds[cells]):  # type: ignore[index]
            found |= dict(_over_cells(group, *shares_of(group, alexnet)))
    return found, left_out


def _of_cell(cell: Mapping[str, Any], outcomes: pa.Table) -> Measure:
    correct = outcomes["correct"].to_numpy(zero_copy_only=False).astype(np.float64)
    metric, values, weights = "accuracy", correct, None
    if "threat" in cell["configuration"]:
        metric = "robust_accuracy"
    elif has_conflict(outcomes):
        shape, texture, guess = (outcomes[name].to_numpy() for name in ("label", "texture", "prediction"))
        values = ((shape != texture) & (guess == shape)).astype(np.float64)
        weights = values + ((shape != texture) & (guess == texture))
        metric = "shape_bias"
    return Measure(
        benchmark=cell["benchmark"],
        perturbation=cell["perturbation"],
        metric=metric,
        protocol=cell["protocol"],
        sample_ids=outcomes["sample_id"].to_pylist(),
        values=values,
        weights=weights,
        labels=outcomes["label"].to_pylist(),
        predictions=outcomes["prediction"].to_pylist(),
    )


def _within_radii(cell: dict[str, Any], outcomes: pa.Table) -> Iterator[tuple[str, Measure]]:
    """Robust accuracy at every radius of a security curve."""
    found = distances(cell, outcomes)
    for eps in radii_of(cell):
        text = f"{cell['perturbation']} at {spec.literal(eps)}"
        measure = Measure(
            benchmark=cell["benchmark"],
            perturbation=text,
            metric="robust_accuracy",
            protocol=cell["protocol"],
            sample_ids=outcomes["sample_id"].to_pylist(),
            values=(found > eps).astype(np.float64),
        )
        yield _key(cell, outcomes, text), measure


def _over_cells(
    cells: Sequence[Cell], shares: Mapping[tuple[str, str], Values], flags: tuple[str, ...]
) -> Iterator[tuple[str, Measure]]:
    """Scores over corruptions or sequences."""
    cell, outcomes = cells[0]
    for (perturbation, metric), values in shares.items():
        measure = Measure(
            benchmark=cell["benchmark"],
            perturbation=perturbation,
            metric=metric,
            protocol=cell["protocol"],
            sample_ids=outcomes["sample_id"].to_pylist(),
            values=values,
            higher_is_better=metric == "mean_accuracy",
            flags=flags,
        )
        yield _key(cell, outcomes, f"{perturbation} {metric}"), measure


def _key(cell: Mapping[str, Any], outcomes: pa.Table, what: str) -> str:
    """Equal for what may be compared; published files are known by their samples, others by their bytes too."""
    published = cell["configuration"].get("published", False)
    samples = hashlib.blake2b("\n".join(outcomes["sample_id"].to_pylist()).encode(), digest_size=16).hexdigest()
    made_with = {
        name: cell["configuration"].get(name) for name in ("constants", "jpeg_quality", "version", "surrogate")
    }
    same = [cell["benchmark"], cell["classes"], samples if published else cell["data"], what, cell["seed"], made_with]
    return json.dumps(same)
