"""Make entries from the outcomes in stores."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from robustbench_eff.core.errors import UsageError
from robustbench_eff.leaderboards.about import About
from robustbench_eff.leaderboards.entry import Cell, Check, Entry, Provenance, Result
from robustbench_eff.reports.headline_line import headline_lines
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
"""Fields of a run's record that describe the hardware."""


def measured_entries(
    stores: Iterable[Path | str], alexnet: AlexNet | None = None, *, with_cells: bool = True
) -> list[Entry]:
    """Return one entry per model in stores, sorted by name.

    Args:
        stores: Folders or URLs of stores.
        alexnet: AlexNet's errors, for the metrics relative to them; None for the published ones.
        with_cells: Whether the provenance lists the cells with the hashes of their outcomes, which takes twice as long.

    Raises:
        UsageError: A folder is not a store, or one model is in two stores.
        EntryError: Two different models have the same name.
    """
    entries: dict[str, Entry] = {}
    for store in stores:
        for entry in _of_store(Store.existing(store), alexnet, with_cells):
            if entry.model in entries:
                raise UsageError(
                    f"{entry.model} is in two stores, the second of which is {store}.",
                    "Evaluate into one --store, or build two leaderboards.",
                )
            entries[entry.model] = entry
    return merge_entries(entries[name] for name in sorted(entries))


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
        _entry(name, of_model, scores[name], verdicts, runs, store if with_cells else None)
        for name, of_model in cells.items()
    ]


def _entry(
    name: str,
    cells: Mapping[str, StoredCell],
    scores: Sequence[Score],
    verdicts: Sequence[Verdict],
    runs: Sequence[Mapping[str, Any]],
    store: Store | None,
) -> Entry:
    """Return the entry of a model; without a store its provenance does not list the cells."""
    first = next(iter(cells.values()))
    run: Mapping[str, Any] = next((run for run in reversed(runs) if set(run["cells"]) & set(cells)), {})
    listed = {} if store is None else {cell_id: _cell(store, cell_id, cells[cell_id]) for cell_id in sorted(cells)}
    architecture, defense = _stated(run, first)
    return Entry(
        model=name,
        family=architecture.partition("(")[0],
        defense=defense.partition("(")[0],
        about=About(name=_short(name, first.model_source), architecture=architecture),
        measured=tuple(sorted((result_of(score) for score in scores), key=_sort_key)),
        checks=tuple(
            Check(benchmark=verdict.benchmark, check=verdict.check, finding=verdict.finding, evidence=verdict.evidence)
            for verdict in sorted(verdicts, key=lambda verdict: (verdict.benchmark, str(verdict.protocol)))
            if verdict.cells and set(verdict.cells) & set(cells)
        ),
        provenance=Provenance(
            source=first.model_source,
            weights=first.model_digest,
            preprocessing=first.preprocessing,
            versions=run.get("versions", {}),
            hardware={key: str(run[key]) for key in HARDWARE if run.get(key)},
            cells=listed,
        ),
    )


def _short(name: str, source: str) -> str:
    """Return the name of a trained folder without its path; empty if the name has none."""
    folder = source.removeprefix("trained:")
    return folder if source != folder and name.endswith(f"/{folder}") else ""


def _stated(run: Mapping[str, Any], cell: StoredCell) -> tuple[str, str]:
    """Return architecture and training recipe of a model as the record of a run has them; empty if it has none.

    Only the cards of trained networks state them. Of several models with one name and source nothing is known.
    """
    wanted = (cell.model.partition(" #")[0], cell.model_source)
    of_model = [model for model in run.get("models", ()) if (model.get("name"), model.get("source")) == wanted]
    stated = {(model.get("architecture", ""), model.get("defense", "")) for model in of_model}
    return stated.pop() if len(stated) == 1 else ("", "")


def _sort_key(result: Result) -> tuple[object, ...]:
    """Put clean images first; the order does not depend on when a cell was begun."""
    return (
        result.perturbation != "none",
        result.benchmark,
        result.metric != "accuracy",
        result.perturbation,
        result.metric,
        str(result.protocol),
    )


def result_of(score: Score) -> Result:
    """Return a score as a result of an entry.

    Args:
        score: The score.
    """
    names = ("benchmark", "perturbation", "metric", "value", "low", "high", "searched_to", "n", "protocol")
    return Result(
        **{name: getattr(score, name) for name in (*names, "flags", "cell", "detail")},
        unit=score.definition.unit,
        higher_is_better=score.higher_is_better,
    )


def _cell(store: Store, cell_id: str, cell: StoredCell) -> Cell:
    rows = store.outcomes(cell_id, (*outcomes.IDENTIFYING, "won_by"))
    won_by = Counter(part for part in rows["won_by"].to_pylist() if part)
    return Cell(
        benchmark=cell.benchmark,
        perturbation=cell.perturbation,
        protocol=cell.protocol,
        data=cell.data,
        samples=rows.num_rows,
        seed=cell.seed,
        outcomes=outcomes.digest(rows),
        won_by=dict(sorted(won_by.items())),
    )


def headlines(store: Store) -> list[str]:
    """Return a sentence for each model and benchmark that was attacked, with the models' names in entries.

    Args:
        store: The store.
    """
    sources = {cell.model: cell.model_source for cell in cells_with_unique_names(store).values()}
    scores = store_scores(store, verdicts=store_verdicts(store))
    return headline_lines([replace(score, model=measured_name(score.model, sources[score.model])) for score in scores])


def pictures(store: Store) -> dict[str, list[tuple[str, bytes]]]:
    """Return captions and PNG files of the pictures of samples in a store, by the models' names in entries.

    There is one for every attack, and one for every corruption at its highest severity.

    Args:
        store: The store.
    """
    shots: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for cell_id, cell in cells_with_unique_names(store).items():
        png = None if cell.kind in ("none", "certificate") else store.picture(cell_id)
        if png is not None and cell.configuration.get("severity", MAX_SEVERITY) == MAX_SEVERITY:
            name = measured_name(cell.model, cell.model_source)
            shots[name].append((f"{cell.benchmark}, {cell.perturbation}", png))
    return dict(shots)
