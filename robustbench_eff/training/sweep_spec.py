"""An ablation as YAML: recipes and seeds that are trained and evaluated alike; and the statistics of its values."""

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
from robustbench_eff.registry.usual_radius import defense_on

from .settings import BENCHMARK


class Sweep(BaseModel):
    """The contents of a sweep, with the field names of its YAML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    """Heading of the tables."""
    expected: str = ""
    """The hypothesis, written down before anything is trained."""
    train: dict[str, Any] = {}
    """Fields that all trainings share: arch, benchmark, data, passes_per_image, schedule, limit, ..."""
    defense: str | None = None
    """A recipe whose fields the grid sets."""
    grid: dict[str, tuple[Any, ...]] = {}
    """Fields and their values; every combination is a row."""
    rows: dict[str, str] = {}
    """Further rows: names and recipes."""
    baseline: str | None = None
    """The row to compare the others with; None means the first one."""
    seeds: tuple[int, ...] = Field(min_length=1)
    """Seeds of the trainings of each row."""
    evaluate: tuple[Part, ...] = Field(min_length=1)
    """Benchmarks and perturbations to evaluate every trained network on."""
    data: dict[str, str] = {}
    """Locations of the images of those benchmarks."""
    limit: int | None = None
    """Number of samples of each benchmark to evaluate on; None means all."""

    @classmethod
    def parse(cls, text: str, name: str) -> Sweep:
        """Read a sweep from YAML.

        Args:
            text: Contents of the file.
            name: Name of the file, for error messages.

        Raises:
            UsageError: The text is not YAML, or a field is missing, unknown or wrong; the message names the field.
        """
        sweep = read_yaml(cls, text, f"Sweep {name}", "See docs/training.md for the form.")
        if reserved := sorted({"defense", "seed", "out"} & set(sweep.train)):
            raise UsageError(f"Sweep {name}: {', '.join(reserved)} cannot stand under train.", "Each row has its own.")
        if sweep.grid and sweep.defense is None:
            raise UsageError(f"Sweep {name} has a grid, but no defense whose fields it sets.")
        if len(set(sweep.seeds)) < len(sweep.seeds):
            raise UsageError(f"Sweep {name} names a seed twice.")
        rows = sweep.recipes()
        if not rows:
            raise UsageError(f"Sweep {name} does not contain any rows.", "Give rows, or a defense and a grid.")
        if sweep.baseline is not None and sweep.baseline not in rows:
            raise UsageError(
                f"Sweep {name}: the baseline {sweep.baseline!r} is not a row.", f"Rows: {', '.join(rows)}."
            )
        return sweep

    def located(self, train_data: Mapping[str, str], data: Mapping[str, str]) -> Sweep:
        """Return a copy with locations of images.

        Args:
            train_data: Locations of training images by benchmark; if empty, the sweep's own are kept.
            data: Locations of the images to evaluate on by benchmark, in addition to the sweep's own.
        """
        train = self.train if not train_data else self.train | {"data": dict(train_data)}
        return self.model_copy(update={"train": train, "data": self.data | dict(data)})

    def recipes(self) -> dict[str, str]:
        """Return the spec texts of the recipes, with their radii, by row: first named rows, then those of the grid."""
        return {row: text for row, (text, _) in self._stated().items()}

    def assumed(self) -> list[str]:
        """Return the lines on the radii of recipes whose texts state none."""
        return sorted({line for _, line in self._stated().values() if line})

    def _stated(self) -> dict[str, tuple[str, str]]:
        recipes = dict(self.rows)
        if self.defense is not None:
            parsed = spec.parse(self.defense)
            for values in itertools.product(*self.grid.values()):
                fields = parsed.arguments | dict(zip(self.grid, values, strict=True))
                arguments = ", ".join(f"{key}={spec.literal(value)}" for key, value in fields.items())
                name = ", ".join(f"{key} {value}" for key, value in zip(self.grid, values, strict=True))
                recipes[name or parsed.name] = f"{parsed.name}({arguments})"
        benchmark = str(self.train.get("benchmark", BENCHMARK))
        return {row: defense_on(text, benchmark) for row, text in recipes.items()}

    @property
    def compared_with(self) -> str:
        """The name of the baseline's row."""
        return self.baseline or next(iter(self.recipes()))


def folder_name(row: str, seed: int) -> str:
    """Return the name of a training's folder inside the folder of the sweep.

    Args:
        row: Name of the row.
        seed: Seed of the training.
    """
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', row)}-seed{seed}"


@dataclass(frozen=True, slots=True)
class Summary:
    """A mean over seeds with its 95 % confidence interval, which a single seed and equal values do not have."""

    mean: float
    """Mean over the seeds."""
    low: float | None
    """Lower end of the interval."""
    high: float | None
    """Upper end of the interval."""
    n: int
    """Number of seeds."""


def over_seeds(values: Sequence[float]) -> Summary:
    """Return the mean and Student's t interval, which covers the variation between seeds.

    Equal values have no interval: the number of images is too small to show how seeds differ.

    Args:
        values: One value per seed.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("There are no values.")
    mean = fmean(values)
    if max(values) - min(values) < 1e-12:  # equal but for rounding
        return Summary(mean, None, None, len(values))
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return Summary(mean, mean - half, mean + half, len(values))


Values = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Values by row, seed and column."""


def summaries(values: Values) -> dict[str, dict[str, Summary]]:
    """Return means over seeds by row and column, with intervals clipped to [0, 1].

    Args:
        values: Fractions by row, seed and column. A seed without a column is left out of that column's mean.
    """
    table: dict[str, dict[str, Summary]] = {}
    for row, seeds in values.items():
        by_column: dict[str, list[float]] = {}
        for columns in seeds.values():
            for column, value in columns.items():
                by_column.setdefault(column, []).append(value)
        if seeds:
            table[row] = {column: _clipped(over_seeds(of_seeds)) for column, of_seeds in by_column.items()}
    return table


def _clipped(summary: Summary) -> Summary:
    if summary.low is None or summary.high is None:
        return summary
    return Summary(summary.mean, max(0.0, summary.low), min(1.0, summary.high), summary.n)


def differences(values: Values, baseline: str) -> dict[str, dict[str, Summary]]:
    """Return mean differences from the baseline with the same seed, by row and column.

    Args:
        values: Fractions by row, seed and column.
        baseline: Name of the row to subtract, which is not in the result.
    """
    baseline_values = values.get(baseline, {})
    table: dict[str, dict[str, Summary]] = {}
    for row, seeds in values.items():
        if row == baseline:
            continue
        pairs: dict[str, list[float]] = {}
        for seed, columns in seeds.items():
            for column, value in columns.items():
                if column in baseline_values.get(seed, {}):
                    pairs.setdefault(column, []).append(value - baseline_values[seed][column])
        table[row] = {column: over_seeds(of_seeds) for column, of_seeds in pairs.items()}
    return table
