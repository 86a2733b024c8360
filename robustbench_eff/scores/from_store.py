"""All scores of a store, from its outcomes alone."""

from __future__ import annotations

from collections.abc import Iterable

from robustbench_eff.store import Store

from .accuracy import accuracy_scores
from .score import Score


def store_scores(store: Store, cell_ids: Iterable[str] | None = None) -> list[Score]:
    """The scores of these cells (all by default), in the order given or begun."""
    cells = store.cells()
    wanted = cells if cell_ids is None else dict.fromkeys(cell_ids)
    return [score for cell_id in wanted for score in accuracy_scores(cells[cell_id], store.outcomes(cell_id))]
