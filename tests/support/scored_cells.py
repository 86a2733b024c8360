"""Cells that are scored as those of a store are: in memory, where hundreds take no time, or written to a disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.score import Score
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell


class Case(NamedTuple):
    """A cell with its outcomes. Its model is named for the case, so that cases are never put together by accident."""

    cell: StoredCell
    outcomes: pa.Table

    @property
    def model(self) -> str:
        return self.cell.model

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The stored outcomes, one dict for each sample."""
        rows: list[dict[str, Any]] = self.outcomes.to_pylist()
        return rows


def case(name: str, cell: StoredCell, outcomes: pa.Table) -> Case:
    """A cell of a model of its own."""
    return Case(replace(cell, model=name, model_digest=name).identified(), outcomes)


class InMemory:
    """Cells in memory, which `store_scores` reads as it reads a store."""

    place = "memory"

    def __init__(self, cases: Iterable[Case]) -> None:
        self._cases = {case.cell.id: case for case in cases}

    def cells(self) -> dict[str, StoredCell]:
        return {cell_id: case.cell for cell_id, case in self._cases.items()}

    def runs(self) -> list[dict[str, Any]]:
        return []

    def outcomes(self, cell_id: str, columns: Sequence[str] | None = None) -> pa.Table:
        outcomes = self._cases[cell_id].outcomes
        return outcomes if columns is None else outcomes.select(list(dict.fromkeys(["index", *columns])))


def scored(cases: Iterable[Case], **options: Any) -> Mapping[str, list[Score]]:
    """The scores of cells by the name of the model."""
    return _by_model(store_scores(InMemory(cases), **options))  # type: ignore[arg-type]


def assert_same_from_disk(folder: Path, cases: Iterable[Case], **options: Any) -> None:
    """Write the cells into a store, some in two shards, and compare the scores that it gives."""
    cases, store = list(cases), Store(folder)
    with store.lock():
        for number, (cell, outcomes) in enumerate(cases):
            store.write_cell(cell)
            half = len(outcomes) // 2 if number % 2 else 0
            for part in (outcomes[half:], outcomes[:half]):
                if len(part):
                    store.write_shard(cell.id, part)
    expected, found = scored(cases, **options), _by_model(store_scores(Store.existing(folder), **options))
    assert expected.keys() == found.keys() and expected
    for model, scores in expected.items():
        values = {(one.benchmark, one.perturbation, one.metric): one.value for one in found[model]}
        assert values == {(one.benchmark, one.perturbation, one.metric): pytest.approx(one.value) for one in scores}


def one(scores: Sequence[Score], **fields: Any) -> Score:
    """The only score with these fields."""
    (score,) = (score for score in scores if all(getattr(score, name) == value for name, value in fields.items()))
    return score


def _by_model(scores: Sequence[Score]) -> Mapping[str, list[Score]]:
    by_model: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        by_model[score.model].append(score)
    return by_model
