"""Entries of what a store holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from robustbench_eff.core.errors import UsageError
from robustbench_eff.leaderboards.entry import Cell, Check, Entry, Provenance, Result, Unit
from robustbench_eff.scores.alexnet import AlexNet
from robustbench_eff.scores.cell_groups import cells_with_unique_names
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.masking_checks import Verdict, store_verdicts
from robustbench_eff.scores.score import Score
from robustbench_eff.storage import outcomes
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

from .model_names import measured_name, merge_entries

MAX_SEVERITY = 5
"""The highest severity."""
HARDWARE = ("processor", "gpu", "platform")


def measured_entries(
    places: Iterable[Path | str], alexnet: AlexNet | None = None, *, with_cells: bool = True
) -> list[Entry]:
    """An entry for every model of these stores, sorted by name.

    Without cells, whose outcomes would have to be read for their hashes, it takes half the time. Raises UsageError for
    a folder that is no store, or where two stores hold different models of one name.
    """
    found: dict[str, Entry] = {}
    for place in places:
        for entry in _of_store(Store.existing(place), alexnet, with_cells):
            if entry.model in found:
                raise UsageError(
                    f"{entry.model} stands in two stores, and in {place} for the second time.",
                    "Evaluate into one --store, or build two leaderboards.",
                )
            found[entry.model] = entry
    return merge_entries(found[name] for name in sorted(found))


def _of_store(store: Store, alexnet: AlexNet | None, with_cells: bool) -> list[Entry]:
    verdicts = store_verdicts(store)
    cells: dict[str, dict[str, StoredCell]] = defaultdict(dict)
    for cell_id, cell in cells_with_unique_names(store).items():
        cells[cell.model][cell_id] = cell
    scores: dict[str, list[Score]] = defaultdict(list)
    for score in store_scores(store, verdicts=verdicts, alexnet=alexnet):
        scores[score.model].append(score)
    runs = store.runs()
    return [
        _entry(name, mine, scores[name], verdicts, runs, store if with_cells else None) for name, mine in cells.items()
    ]


def _entry(
    name: str,
    cells: Mapping[str, StoredCell],
    scores: Sequence[Score],
    verdicts: Sequence[Verdict],
    runs: Sequence[Mapping[str, Any]],
    store: Store | None,
) -> Entry:
    of_model = next(iter(cells.values()))
    run: Mapping[str, Any] = next((run for run in reversed(runs) if set(run["cells"]) & set(cells)), {})
    return Entry(
        model=name,
        measured=tuple(sorted((_result(score) for score in scores), key=_place)),
        checks=tuple(
            Check(benchmark=verdict.benchmark, check=verdict.check, finding=verdict.finding, evidence=verdict.evidence)
            for verdict in sorted(verdicts, key=lambda verdict: (verdict.benchmark, str(verdict.protocol)))
            if verdict.cells and set(verdict.cells) & set(cells)
        ),
        provenance=Provenance(
            source=of_model.model_source,
            weights=of_model.model_digest,
            preprocessing=of_model.preprocessing,
            versions=run.get("versions", {}),
            hardware={key: str(run[key]) for key in HARDWARE if run.get(key)},
            cells={}
            if store is None
            else {cell_id: _cell(store, cell_id, cells[cell_id]) for cell_id in sorted(cells)},
        ),
    )


def _place(result: Result) -> tuple[bool, str, bool, str, str, str]:
    """Clean images come first; nothing depends on when a cell was begun."""
    changed = result.perturbation != "none"
    return changed, result.benchmark, result.metric != "accuracy", result.perturbation, result.metric, result.protocol


def _result(score: Score) -> Result:
    unit: Unit = score.definition.unit
    names = ("benchmark", "perturbation", "metric", "value", "low", "high", "n", "protocol", "flags", "cell")
    fields = {name: getattr(score, name) for name in names}
    fields["protocol"] = str(score.protocol)
    return Result(**fields, unit=unit, higher_is_better=score.higher_is_better)


def _cell(store: Store, cell_id: str, cell: StoredCell) -> Cell:
    rows = store.outcomes(cell_id, (*outcomes.IDENTIFYING, "won_by"))
    won_by = Counter(part for part in rows["won_by"].to_pylist() if part)
    return Cell(
        benchmark=cell.benchmark,
        perturbation=cell.perturbation,
        protocol=str(cell.protocol),
        data=cell.data,
        samples=rows.num_rows,
        seed=cell.seed,
        outcomes=outcomes.digest(rows),
        won_by=dict(sorted(won_by.items())),
    )


def pictures(store: Store) -> dict[str, list[tuple[str, bytes]]]:
    """The pictures of samples that a store keeps, by the models' names in entries: of every attack, and of corruptions
    at their worst.
    """
    found: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for cell_id, cell in cells_with_unique_names(store).items():
        png = None if cell.kind == "none" else store.picture(cell_id)
        if png is not None and cell.configuration.get("severity", MAX_SEVERITY) == MAX_SEVERITY:
            name = measured_name(cell.model, cell.model_source)
            found[name].append((f"{cell.benchmark}, {cell.perturbation}", png))
    return dict(found)
