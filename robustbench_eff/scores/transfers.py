"""Attacks that were found on one of two compared models and judged on the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.registry.perturbation import TRANSFER

from .per_sample import SampleContributions


class Transfer(NamedTuple):
    """The accuracy of a model on images that were found on the other one."""

    benchmark: str
    attack: str
    """The attack without the model on which it was run."""
    found_on: int
    """Index of that model, 0 or 1."""
    right: int
    """Samples that the other model classifies correctly."""
    n: int
    low: float
    """Lower end of the exact 95 % interval of the accuracy."""
    high: float


def transfers(contributions: Sequence[Mapping[str, SampleContributions]], names: Sequence[str]) -> Iterator[Transfer]:
    """Yield every attack of either model that was found on the other one.

    Args:
        contributions: Contributions of both models, by key.
        names: Names of both models, as an attack names them.
    """
    for judge, of_model in enumerate(contributions):
        found_on = 1 - judge
        end = TRANSFER + names[found_on]
        for entry in of_model.values():
            if not (entry.perturbation.endswith(end) and entry.binary):
                continue
            right, n = int(entry.values.sum()), len(entry.values)
            low, high = proportion_interval(right, n)
            yield Transfer(entry.benchmark, entry.perturbation.removesuffix(end), found_on, right, n, low, high)
