"""The cells of a store, for scores and checks: whose they are, of which kind, and which of them belong together."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from robustbench_eff.storage.outcomes import as_numpy
from robustbench_eff.storage.store import Store

from .build_score import seeds_of
from .corruptions import is_corrupted
from .distances import is_minimum_norm_attack
from .sequences import is_sequence

Kind = Literal["clean", "corrupted", "filmed", "attacked", "searched"]
COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "clean": ("sample_id", "texture", "prediction", "prediction_confidence"),
    "corrupted": (),
    "filmed": ("ranking",),
    "attacked": ("correct_8bit",),
    "searched": (),
}
"""What they need beside label, clean prediction, whether it is right, notes and flags."""


@dataclass(frozen=True, slots=True)
class CellOutcomes:
    """A cell with its outcomes; its norm and radius are those of an attack."""

    id: str
    cell: Mapping[str, Any]
    outcomes: pa.Table

    @property
    def finished(self) -> bool:
        """Whether all its samples are there."""
        finished: bool = 0 < self.outcomes.num_rows == self.cell["samples"]
        return finished

    @property
    def attack(self) -> str:
        """Its name; `transfer` where it was found on another model."""
        name: str = self.cell["perturbation"].partition("(")[0]
        return "transfer" if "surrogate" in self.cell["configuration"] else name

    @property
    def norm(self) -> str:
        norm: str = self.cell["configuration"]["threat"]["norm"]
        return norm

    @property
    def eps(self) -> float:
        eps = self.cell["configuration"]["threat"]["eps"]
        return math.inf if eps is None else float(eps)

    @property
    def correct(self) -> np.ndarray:
        right: np.ndarray = as_numpy(self.outcomes["correct"])
        return right

    def column(self, name: str) -> np.ndarray:
        values: np.ndarray = as_numpy(self.outcomes[name])
        return values


def model_of(cell: Mapping[str, Any]) -> tuple[str, str]:
    """What tells models of one name apart: weights and preprocessing."""
    return cell["model_digest"], cell["preprocessing"]


def subject_of(cell: Mapping[str, Any]) -> tuple[str, ...]:
    """Equal for cells of one model on the same images, read as the same classes."""
    return (*model_of(cell), *(cell[name] for name in ("benchmark", "protocol", "data", "classes")))


def cells_with_unique_names(store: Store, names: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """The chosen cells, their models named so that no two have one name."""
    cells = store.cells()
    chosen = {cell_id: {**cells[cell_id], "model": name} for cell_id, name in names.items()} if names else cells
    models: dict[str, set[str]] = defaultdict(set)
    for cell in chosen.values():
        models[cell["model"]].add(_mark(cell))
    several = {name for name, found in models.items() if len(found) > 1}
    return {
        cell_id: {**cell, "model": f"{cell['model']} #{_mark(cell)}"} if cell["model"] in several else cell
        for cell_id, cell in chosen.items()
    }


def kind_of(cell: Mapping[str, Any]) -> Kind:
    """What was done to the images of a cell."""
    if is_sequence(cell):
        return "filmed"
    if is_corrupted(cell):
        return "corrupted"
    if cell["perturbation"] == "none":
        return "clean"
    return "searched" if is_minimum_norm_attack(cell) else "attacked"


def columns_of(cell: Mapping[str, Any], kind: Kind) -> tuple[str, ...]:
    """What of the outcomes of a cell is read: everything in a large store would not fit into memory."""
    columns = ("label", "clean_prediction", "correct", "note", "flag", *COLUMNS[kind])
    if kind == "searched":
        columns += (f"distance_{cell['configuration']['threat']['norm']}",)
    return (*columns, "sample_id") if cell["configuration"].get("published", False) else columns


def comparable(cells: Sequence[tuple[dict[str, Any], pa.Table]]) -> list[list[tuple[dict[str, Any], pa.Table]]]:
    """Finished cells of one model, on the same images, with the same constants and seed; or of the same published
    samples."""
    groups: dict[tuple[Any, ...], list[tuple[dict[str, Any], pa.Table]]] = defaultdict(list)
    drawn: Sequence[int | None] = seeds_of([cell for cell, _ in cells]) or [None]
    for cell, outcomes in cells:
        if outcomes.num_rows < cell["samples"]:
            continue
        published = cell["configuration"].get("published", False)
        subject = subject_of({**cell, "data": _samples(outcomes)} if published else cell)
        made_with = [cell["configuration"].get(name) for name in ("constants", "jpeg_quality")]
        seeds = [None] if published else drawn  # where nothing is drawn, every seed is the same
        for seed in seeds if cell["seed"] is None else [cell["seed"]]:
            groups[*subject, *made_with, seed].append((cell, outcomes))
    return list(groups.values())


def _samples(outcomes: pa.Table) -> str:
    """A hash of which samples these are: every published corruption has files of its own."""
    found = hashlib.blake2b(digest_size=16)
    for name in ("sample_id", "label"):
        found.update("\n".join(map(str, outcomes[name].to_pylist())).encode())
    return found.hexdigest()


def _mark(cell: Mapping[str, Any]) -> str:
    """A few digits that tell models of one name apart."""
    return hashlib.blake2b(" ".join(model_of(cell)).encode(), digest_size=3).hexdigest()
