"""Accuracy by corruption and severity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from robustbench_eff.leaderboards.perturbations import BySeverity, by_severity
from robustbench_eff.scores.score import Score

from ..measured_entries import result_of
from .content import Images
from .wording import NO_VALUE, share


class HeatCell(NamedTuple):
    """The accuracy at one severity; None and a dash where it was not measured."""

    text: str
    fraction: float | None


class HeatRow(NamedTuple):
    """One corruption."""

    corruption: str
    cells: Sequence[HeatCell]
    """One for each severity, then the mean over all, which is missing where one of them is."""


class HeatMap(NamedTuple):
    """The corruptions of one model on the same images."""

    model: str
    images: Images
    made_with: str
    """Arguments that all corruptions share; empty where they share none."""
    rows: Sequence[HeatRow]


def heat_maps(scores: Sequence[Score]) -> list[HeatMap]:
    """Return a heat map for every model and set of images with corruptions at severities.

    Args:
        scores: All scores of a store.
    """
    by_model: dict[str, list[Score]] = {}
    for score in scores:
        if score.kind == "corruption" and score.metric == "accuracy":
            by_model.setdefault(score.model, []).append(score)
    return [
        _heat_map(model, table)
        for model, of_model in by_model.items()
        for table in by_severity(map(result_of, of_model))
    ]


def _heat_map(model: str, table: BySeverity) -> HeatMap:
    arguments = {text.partition("(")[2].removesuffix(")") for text in table.corruptions}
    shared = arguments.pop() if len(arguments) == 1 else ""
    rows = [
        _row(text.partition("(")[0] if shared else text, [None if found is None else found.value for found in results])
        for text, results in table.corruptions.items()
    ]
    return HeatMap(model, Images(table.benchmark, table.protocol), shared, rows)


def _row(name: str, values: Sequence[float | None]) -> HeatRow:
    known = [value for value in values if value is not None]
    mean = sum(known) / len(known) if len(known) == len(values) else None
    return HeatRow(name.replace("_", " "), [_cell(value) for value in (*values, mean)])


def _cell(value: float | None) -> HeatCell:
    return HeatCell(NO_VALUE, None) if value is None else HeatCell(share(value), value)
