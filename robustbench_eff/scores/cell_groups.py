"""Cells with their outcomes: which kind they are of, whose they are, and which of them belong together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from robustbench_eff.storage.outcomes import as_numpy, right_shares
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

CellKind = Literal[
    "clean", "cue conflict", "corruption", "sequence", "attack", "minimum norm", "certificate", "smoothed attack"
]
"""What was done to the images, and for attacks, whether they search inside a ball or for the closest image, or attack a
smoothed classifier."""
BASE_COLUMNS = ("label", "clean_prediction", "correct", "note", "flag")
"""Columns of the outcomes that are read of every cell."""


@dataclass(frozen=True, slots=True)
class CellOutcomes:
    """A cell with its outcomes, or with those columns of them that were read."""

    cell: StoredCell
    outcomes: pa.Table

    @property
    def finished(self) -> bool:
        """Whether all its samples are stored."""
        return 0 < len(self) == self.cell.samples

    @property
    def kind(self) -> CellKind:
        """The kind of the cell; clean cue-conflict images are a kind of their own."""
        kind = kind_of(self.cell)
        return "cue conflict" if kind == "clean" and has_conflict(self.outcomes) else kind

    @property
    def correct(self) -> np.ndarray:
        """Whether each sample is classified correctly, of several votes by more than half, bool, shape (n,)."""
        return self.column("correct")

    @property
    def has_votes(self) -> bool:
        """Whether every sample was judged by several votes, because the network draws at random."""
        return "votes_per_image" in self.cell.configuration

    @property
    def right_shares(self) -> np.ndarray:
        """The fraction of votes that are right, in [0, 1], shape (n,); without votes 1 where correct, else 0."""
        return right_shares(self.outcomes)

    @property
    def votes(self) -> np.ndarray:
        """Whether each vote is right, or each order of a stream; without votes `correct`; bool, shape (n, votes)."""
        count = int(self.cell.configuration.get("votes_per_image", self.cell.orders))
        if count == 1 and not self.has_votes:
            return self.correct[:, None]
        votes: np.ndarray = as_numpy(self.outcomes["votes"].combine_chunks().flatten())
        return votes.reshape(len(self), count)

    def column(self, name: str) -> np.ndarray:
        """Return a column of the outcomes, shape (n,).

        Args:
            name: Name of a column without nulls.
        """
        values: np.ndarray = as_numpy(self.outcomes[name])
        return values

    def __len__(self) -> int:
        """Return the number of stored samples."""
        return int(self.outcomes.num_rows)


def has_conflict(outcomes: pa.Table) -> bool:
    """Return whether the samples are cue-conflict images.

    Args:
        outcomes: Outcomes of a clean cell, with the column `texture` if they are to be recognised.
    """
    if "texture" not in outcomes.column_names or not outcomes.num_rows:
        return False
    return bool((as_numpy(outcomes["texture"]) >= 0).all())


def kind_of(cell: StoredCell) -> CellKind:
    """Return the kind of a cell as far as it can be known without its outcomes.

    Args:
        cell: The cell.
    """
    if cell.kind == "none":
        return "clean"
    if cell.kind != "attack":
        return cell.kind
    if cell.smoothing is not None:
        return "smoothed attack"
    return "minimum norm" if cell.is_minimum_norm else "attack"


def columns_of(cell: StoredCell, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns to read of a cell's outcomes: not all of a large store would fit into memory.

    Args:
        cell: The cell.
        columns: Columns that the scores of its kind need besides BASE_COLUMNS.
    """
    distance = (f"distance_{cell.norm}",) if cell.is_minimum_norm else ()
    samples = ("sample_id",) if cell.is_published else ()
    votes = ("votes",) if "votes_per_image" in cell.configuration or cell.orders > 1 else ()
    return tuple(dict.fromkeys((*BASE_COLUMNS, *columns, *distance, *samples, *votes)))


def subject_of(cell: StoredCell) -> tuple[Any, ...]:
    """Return a key that is equal for cells of one model on the same images, read as the same classes.

    Args:
        cell: The cell.
    """
    return (*cell.model_identity, cell.benchmark, cell.protocol, cell.data, cell.classes)


def cells_with_unique_names(store: Store, names: Mapping[str, str] | None = None) -> dict[str, StoredCell]:
    """Return cells by id, their models renamed where two different models have one name.

    Args:
        store: The store.
        names: Ids of the cells to return, and the name of the model of each; None for all cells as they are stored.
    """
    cells = store.cells()
    chosen = {cell_id: replace(cells[cell_id], model=name) for cell_id, name in names.items()} if names else cells
    return with_unique_names(chosen)


def with_unique_names(cells: Mapping[str, StoredCell]) -> dict[str, StoredCell]:
    """Return cells with their models renamed where two different models have one name.

    Args:
        cells: The cells by id.
    """
    marks: dict[str, set[str]] = defaultdict(set)
    for cell in cells.values():
        marks[cell.model].add(_mark(cell))
    return {
        cell_id: replace(cell, model=f"{cell.model} #{_mark(cell)}") if len(marks[cell.model]) > 1 else cell
        for cell_id, cell in cells.items()
    }


def comparable(cells: Sequence[CellOutcomes]) -> list[list[CellOutcomes]]:
    """Return groups of finished cells whose numbers may be averaged.

    A group is of one model, on the same images (or on the same samples of a published set), with the same constants and
    the same seed; cells that draw nothing belong to the groups of every seed.

    Args:
        cells: Cells of any models.
    """
    groups: dict[tuple[Any, ...], list[CellOutcomes]] = defaultdict(list)
    drawn: list[int | None] = [*seeds_of([item.cell for item in cells])] or [None]
    for item in cells:
        cell = item.cell
        if len(item) < cell.samples:
            continue
        subject = subject_of(replace(cell, data=_samples(item.outcomes)) if cell.is_published else cell)
        made_with = (cell.constants, cell.configuration.get("jpeg_quality"))
        every_seed = [None] if cell.is_published else drawn
        for seed in every_seed if cell.seed is None else [cell.seed]:
            groups[*subject, *made_with, seed].append(item)
    return list(groups.values())


def seeds_of(cells: Sequence[StoredCell]) -> list[int]:
    """Return the seeds with which anything was drawn, sorted.

    Args:
        cells: Cells.
    """
    return sorted({cell.seed for cell in cells if cell.seed is not None})


def _samples(outcomes: pa.Table) -> str:
    """A hash of which samples these are: every published corruption has files of its own."""
    digest = hashlib.blake2b(digest_size=16)
    for name in ("sample_id", "label"):
        digest.update("\n".join(map(str, outcomes[name].to_pylist())).encode())
    return digest.hexdigest()


def _mark(cell: StoredCell) -> str:
    """A few digits that tell models of one name apart."""
    return hashlib.blake2b(" ".join(cell.model_identity).encode(), digest_size=3).hexdigest()
