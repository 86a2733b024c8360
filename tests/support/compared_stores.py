"""Stores of models that are compared, made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell


def by_hand(place: Path, folder: dict[str, list[tuple[StoredCell, object]]]) -> Store:
    """A store of these cells with their outcomes."""
    store = Store(place)
    with store.lock():
        for model, cells in folder.items():
            for number, (record, outcomes) in enumerate(cells):
                cell = replace(record, id=f"{model}{number}", model=model, model_digest=model)
                store.write_cell(cell)
                store.write_shard(cell.id, outcomes)
    return store
