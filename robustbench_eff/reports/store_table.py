"""The models of a store: what `robust-eval store list` shows, and how its other commands find one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from robustbench_eff.core.errors import UsageError, did_you_mean, first_few
from robustbench_eff.scores.cell_groups import with_unique_names
from robustbench_eff.storage.edit import dropped_cells
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell


@dataclass(frozen=True, slots=True)
class ModelOfStore:
    """A model of a store."""

    name: str
    """As tables have it."""
    source: str
    """What built it."""
    digest: str
    """Hash of the model."""
    benchmarks: tuple[str, ...]
    cells: tuple[str, ...]
    """Ids of its cells."""
    done: int
    """Number of outcomes."""
    samples: int
    """Number of outcomes of complete cells."""
    flags: tuple[str, ...]
    is_dropped: bool = False


def models_of(place: str) -> list[ModelOfStore]:
    """Return the models of a store in the order of its cells, dropped ones last.

    Args:
        place: Folder or URL of the store.

    Raises:
        UsageError: There is no store.
        StoreError: A record is damaged.
    """
    store = Store.existing(place)
    done = {cell_id: store.outcomes(cell_id, []).num_rows for cell_id in store.cells()}
    shown = _grouped(with_unique_names(store.cells()), done, is_dropped=False)
    return shown + _grouped(with_unique_names(dropped_cells(place)), {}, is_dropped=True)


def find_model(place: str, name: str, *, dropped: bool = False) -> ModelOfStore:
    """Return the model of a store with a name; its outcomes are neither read nor counted.

    Args:
        place: Folder or URL of the store.
        name: As tables have it.
        dropped: Look among the dropped ones.

    Raises:
        UsageError: There is no store, or no such model.
        StoreError: A record is damaged.
    """
    cells = dropped_cells(place) if dropped else Store.existing(place).cells()
    offered = _grouped(with_unique_names(cells), {}, is_dropped=dropped)
    if chosen := next((model for model in offered if model.name == name), None):
        return chosen
    names = [model.name for model in offered]
    of_that_name = [other for other in names if other.startswith(f"{name} #")]
    hint = f"There are {first_few(of_that_name, 5)}." if of_that_name else did_you_mean(name, names)
    listed = f"It has {first_few(names, 5)}." if names else "It has none."
    kind = "dropped model" if dropped else "model"
    raise UsageError(f"{place} has no {kind} {name!r}.", hint or listed)


def print_models(models: list[ModelOfStore], console: Console) -> None:
    """Print a table of models.

    Args:
        models: The models.
        console: Where to print.
    """
    table = Table()
    for name, side in (("model", "left"), ("benchmarks", "left"), ("cells", "right"), ("outcomes", "right")):
        table.add_column(name, overflow="fold", justify="right" if side == "right" else "left")
    table.add_column("source", overflow="fold")
    for model in models:
        outcomes = "dropped" if model.is_dropped else f"{model.done:,}"
        if not model.is_dropped and model.done < model.samples:
            outcomes += f" of {model.samples:,}"
        row = (model.name, ", ".join(model.benchmarks), f"{len(model.cells)}", outcomes, model.source)
        table.add_row(*(Text(value) for value in row))
    console.print(table)


def _grouped(cells: Mapping[str, StoredCell], done: Mapping[str, int], *, is_dropped: bool) -> list[ModelOfStore]:
    groups: dict[str, list[StoredCell]] = defaultdict(list)
    for cell in cells.values():
        groups[cell.model].append(cell)
    return [
        ModelOfStore(
            name=name,
            source=group[0].model_source,
            digest=group[0].model_digest,
            benchmarks=tuple(dict.fromkeys(cell.benchmark for cell in group)),
            cells=tuple(cell.id for cell in group),
            done=sum(done.get(cell.id, 0) for cell in group),
            samples=sum(cell.samples for cell in group),
            flags=tuple(dict.fromkeys(flag for cell in group for flag in cell.flags)),
            is_dropped=is_dropped,
        )
        for name, group in groups.items()
    ]
