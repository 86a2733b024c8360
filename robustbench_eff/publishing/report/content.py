"""Content: what a store holds, read once for all parts of its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from robustbench_eff.core.flags import FAILED, PARTIAL
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.scores.cell_groups import cells_with_unique_names
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.masking_checks import Verdict, store_verdicts
from robustbench_eff.scores.score import Score
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

from ..model_names import measured_name

FEW = 3
"""Most models that are shown side by side; more become the rows of a table."""


class Images(NamedTuple):
    """The images that numbers are about."""

    benchmark: str
    protocol: Protocol


class Unfinished(NamedTuple):
    """An evaluation without all of its outcomes."""

    model: str
    benchmark: str
    perturbation: str
    why: str
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All scores of a store with what explains them; models have the names that they have in leaderboards."""

    title: str
    place: str
    """Folder or URL of the store."""
    scores: Sequence[Score] = ()
    verdicts: Sequence[Verdict] = ()
    runs: Sequence[Mapping[str, Any]] = ()
    """Records of the runs, as a store holds them."""
    cells: Mapping[str, StoredCell]
    """Cells by their ids."""

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of their first cells."""
        names = [cell.model for cell in self.cells.values()] + [score.model for score in self.scores]
        return list(dict.fromkeys(names))

    @property
    def unfinished(self) -> list[Unfinished]:
        """Evaluations that failed or are incomplete, each once."""
        found: dict[tuple[str, str, str, str], Unfinished] = {}
        for score in self.scores:
            if score.kind == "several":
                continue
            for flag in score.flags:
                failed = flag.startswith(FAILED)
                if failed or flag.startswith(PARTIAL):
                    key = (score.model, score.benchmark, score.perturbation, flag)
                    found.setdefault(key, Unfinished(*key, failed))
        failures = {item[:3] for item in found.values() if item.failed}
        return [item for item in found.values() if item.failed or item[:3] not in failures]


def read_content(store: Store, title: str | None = None) -> Content:
    """Return what a store holds.

    Args:
        store: The store.
        title: Title of the report; None names the store.

    Raises:
        StoreError: A record of the store is damaged.
    """
    cells = cells_with_unique_names(store)
    names = {cell.model: measured_name(cell.model, cell.model_source) for cell in cells.values()}
    verdicts = store_verdicts(store)
    return Content(
        title=title or f"Robustness: {store.name}",
        place=store.place,
        scores=[replace(score, model=names[score.model]) for score in store_scores(store, verdicts=verdicts)],
        verdicts=[replace(verdict, model=names[verdict.model]) for verdict in verdicts],
        runs=store.runs(),
        cells={cell_id: replace(cell, model=names[cell.model]) for cell_id, cell in cells.items()},
    )


def named_cells(store: Store) -> dict[str, StoredCell]:
    """Return every cell by its id, with the name that its model has in reports.

    Args:
        store: The store.

    Raises:
        StoreError: A record of the store is damaged.
    """
    return {
        cell_id: replace(cell, model=measured_name(cell.model, cell.model_source))
        for cell_id, cell in cells_with_unique_names(store).items()
    }


def images_of(score: Score) -> Images:
    """Return the images that a score is about.

    Args:
        score: The score.
    """
    return Images(score.benchmark, score.protocol.of_images())
