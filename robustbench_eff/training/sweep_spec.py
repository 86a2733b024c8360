"""An ablation: recipes times seeds, trained alike and evaluated alike; and what its values say."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import t as student

from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError
from robustbench_eff.registry.suite import Part, read_yaml


class Sweep(BaseModel):
    """What a sweep consists of, as its YAML says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    expected: str = ""
    """What was expected before anything was trained."""
    train: dict[str, Any] = {}
    """Fields of a training that all share: arch, benchmark, data, passes_per_image, schedule, limit, ..."""
    defense: str | None = None
    """A recipe whose fields the grid sets."""
    grid: dict[str, tuple[Any, ...]] = {}
    """Fields and their values; every combination is a row."""
    rows: dict[str, str] = {}
    """Further rows: names and recipes."""
    baseline: str | None = None
    """The row that the others are compared with; without, the first."""
    seeds: tuple[int, ...] = Field(min_length=1)
    evaluate: tuple[Part, ...] = Field(min_length=1)
    """Benchmarks and perturbations of every trained network."""
    data: dict[str, str] = {}
    """Where the images of those benchmarks are."""
    limit: int | None = None
    """Evaluate on the first so many samples of each."""

    @classmethod
    def parse(cls, text: str, name: str) -> Sweep:
        """Read YAML; UsageError that names the field in question."""
        sweep = read_yaml(cls, text, f"Sweep {name}", "See docs/training.md for the form.")
        if reserved := sorted({"defense", "seed", "out"} & set(sweep.train)):
            raise UsageError(f"Sweep {name}: {', '.join(reserved)} cannot stand under train.", "Each row has its own.")
        if sweep.grid and sweep.defense is None:
            raise UsageError(f"Sweep {name} has a grid, but no defense whose fields it sets.")
        if len(set(sweep.seeds)) < len(sweep.seeds):
            raise UsageError(f"Sweep {name} names a seed twice.")
        if not sweep.recipes():
            raise UsageError(f"Sweep {name} has no rows.", "Give rows, or a defense and a grid.")
        if sweep.baseline is not None and sweep.baseline not in sweep.recipes():
            raise UsageError(
                f"Sweep {name}: there is no row {sweep.baseline!r}.", f"Rows: {', '.join(sweep.recipes())}."
            )
        return sweep

    def located(self, train_data: Mapping[str, str], data: Mapping[str, str]) -> Sweep:
        """The same with images at these places."""
        train = self.train if not train_data else self.train | {"data": dict(train_data)}
        return self.model_copy(update={"train": train, "data": self.data | dict(data)})

    def recipes(self) -> dict[str, str]:
        """Rows by name, and the texts of their recipes: those that are named, then the grid's."""
        found = dict(self.rows)
        if self.defense is not None:
            parsed = spec.parse(self.defense)
            for values in itertools.product(*self.grid.values()):
                fields = parsed.arguments | dict(zip(self.grid, values, strict=True))
                shown = ", ".join(f"{key}={spec.literal(value)}" for key, value in fields.items())
                text = f"{parsed.name}({shown})"
                name = ", ".join(f"{key} {value}" for key, value in zip(self.grid, values, strict=True))
                found[name or parsed.name] = text
        return found

    @property
    def compared_with(self) -> str:
        """The name of the baseline's row."""
        return self.baseline or next(iter(self.recipes()))


def folder_name(row: str, seed: int) -> str:
    """Where a training of a row lies below the sweep's folder."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', row)}-seed{seed}"


@dataclass(frozen=True, slots=True)
class Summary:
    """A mean over seeds with its 95 % interval, which one seed does not have."""

    mean: float
    low: float | None
    high: float | None
    n: int


def over_seeds(values: Sequence[float]) -> Summary:
    """The mean and Student's t interval: what another set of seeds would give. ValueError for no values."""
    if not values:
        raise ValueError("There are no values.")
    mean = fmean(values)
    if len(values) == 1:
        return Summary(mean, None, None, 1)
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return Summary(mean, mean - half, mean + half, len(values))


Values = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Of every row and seed the value of every column."""


def summaries(values: Values) -> dict[str, dict[str, Summary]]:
    """Of every row and column the mean over the seeds that have it; intervals of fractions end at 0 and 1."""
    return {
        row: {
            column: _fraction(over_seeds([found[column] for found in seeds.values() if column in found]))
            for column in dict.fromkeys(column for found in seeds.values() for column in found)
        }
        for row, seeds in values.items()
        if seeds
    }


def _fraction(summary: Summary) -> Summary:
    if summary.low is None or summary.high is None:
        return summary
    return Summary(summary.mean, max(0.0, summary.low), min(1.0, summary.high), summary.n)


def differences(values: Values, baseline: str) -> dict[str, dict[str, Summary]]:
    """Of every other row and column the mean difference from the baseline with the same seed."""
    against = values.get(baseline, {})
    found: dict[str, dict[str, Summary]] = {}
    for row, seeds in values.items():
        if row == baseline:
            continue
        pairs: dict[str, list[float]] = {}
        for seed, columns in seeds.items():
            for column, value in columns.items():
                if column in against.get(seed, {}):
                    pairs.setdefault(column, []).append(value - against[seed][column])
        found[row] = {column: over_seeds(each) for column, each in pairs.items()}
    return found
