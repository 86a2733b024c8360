"""Recognise the models of a run by their answers: what has a stored digest but other answers is another model."""

from __future__ import annotations

from dataclasses import fields, replace

from robustbench_eff.core.errors import EvaluationError
from robustbench_eff.storage.answers import SEPARATOR
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

from .plan import Plan, PlannedCell

WORKER_MISMATCH_HINT = (
    "All workers need the same weights, images and versions of packages; devices of several kinds need "
    "--precision float32, since with auto each takes what it is fastest in."
)
ANOTHER_MODEL = "another model than the one stored under the same hash: it answers otherwise to the same images"
"""Flag of such a model."""


def recognised(plan: Plan, store: Store) -> Plan:
    """Return the plan with cells of their own for models that answer otherwise than the stored ones of their digest.

    Args:
        plan: The plan of a run.
        store: Its store, locked.
    """
    names = {
        identity: f"{identity[0]}{SEPARATOR}{number}"
        for identity, answers in plan.answers.items()
        if (number := store.variant(*identity, answers))
    }
    if not names:
        return plan
    surrogates = {digest: name for (digest, _), name in names.items()}
    cells = {
        planned.cell.id: _renamed(planned.cell, names.get(planned.cell.model_identity), surrogates)
        for planned in plan.cells
    }
    return replace(plan, cells=[_replaced(planned, cells) for planned in plan.cells])


def check_planned(here: StoredCell, planned: StoredCell) -> None:
    """Check that a worker's cell is the one of the plan; digests may differ in the number of the model.

    Args:
        here: The cell as the worker makes it.
        planned: The cell of the plan.

    Raises:
        EvaluationError: The cell would be another one here, with other weights, images or versions.
    """
    model, surrogate = planned.model_digest, str(planned.configuration.get("surrogate", ""))
    same = model.partition(SEPARATOR)[0] == here.model_digest
    found = _renamed(here, model if same else None, {surrogate.partition(SEPARATOR)[0]: surrogate})
    if found.id != planned.id:
        raise EvaluationError(_difference(found, planned), WORKER_MISMATCH_HINT)


def _renamed(cell: StoredCell, name: str | None, surrogates: dict[str, str]) -> StoredCell:
    """The cell with the digests of the models that it is about, flagged if the evaluated model has a new one."""
    configuration = dict(cell.configuration)
    if configuration.get("surrogate") in surrogates:
        configuration["surrogate"] = surrogates[configuration["surrogate"]]
    if name is None or name == cell.model_digest:
        return replace(cell, configuration=configuration).identified()
    return replace(
        cell, model_digest=name, configuration=configuration, flags=(*cell.flags, ANOTHER_MODEL)
    ).identified()


def _replaced(planned: PlannedCell, cells: dict[str, StoredCell]) -> PlannedCell:
    clean = None if planned.clean is None else cells[planned.clean].id
    return replace(planned, cell=cells[planned.cell.id], clean=clean)


def _difference(here: StoredCell, planned: StoredCell) -> str:
    """The fields in which a worker's cell differs from the plan's."""
    names = [
        item.name
        for item in fields(StoredCell)
        if item.name != "id" and getattr(here, item.name) != getattr(planned, item.name)
    ]
    differing = "; ".join(f"{name} is {getattr(here, name)!r}, planned {getattr(planned, name)!r}" for name in names)
    return f"A worker would compute another cell than {planned.perturbation} on {planned.model}: {differing}."
