"""The samples of a choice, with everything that the store knows of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from robustbench_eff.scores.class_names import named, names_of_classes
from robustbench_eff.storage.outcomes import as_numpy
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

from ..report.pictures import Shot, pictured
from .choice import Choice, images_text, perturbation_text

PER_PAGE = 25
"""Samples on a page."""
NAMED = 4
"""Most attacks that a row names as having beaten the sample."""
_OF_A_ROW = ("index", "sample_id", "label")
_LISTS = ("ranking", "votes")


class Answer(NamedTuple):
    """What one model made of a sample."""

    status: str
    """`right`, `fooled` or `wrong`."""
    verdict: str
    """The same in words, with the class that was predicted."""
    clean_prediction: str
    margin: str
    queries: str
    beaten_by: str
    """The part of an ensemble that beat it, and the attacks in the store that did, as a sentence without its stop."""
    shot: Shot | None
    """Its images, where the picture in the store has them."""
    columns: Mapping[str, str]
    """All other columns of the outcomes."""


class SampleRow(NamedTuple):
    """A sample."""

    position: int
    sample_id: str
    label: str
    answers: Sequence[Answer | None]
    """One for each model; None where the store has no outcome of it."""


class Found(NamedTuple):
    """The samples of a page."""

    rows: Sequence[SampleRow]
    number: int
    """Number of samples of the choice, on all pages."""
    labels: Mapping[int, str]
    """Names of all classes that occur."""
    stored: str
    """How many samples of each model are stored."""


class _Subject(NamedTuple):
    """The cell of one model with all of its outcomes."""

    cell: StoredCell
    outcomes: pa.Table


def find_samples(store: Store, cells: Mapping[str, StoredCell], choice: Choice) -> Found:
    """Return the samples that a request asks for.

    Args:
        store: The store.
        cells: Its cells by their ids.
        choice: What is asked for.

    Raises:
        StoreError: A file of the store cannot be read.
    """
    subjects = [_subject(store, cells, choice, model) for model in (choice.model, choice.other) if model]
    first = subjects[0]
    if first is None:
        return Found([], 0, {}, "nothing is stored")
    places = _chosen(choice, first, subjects[1] if len(subjects) > 1 else None)
    shown = places[(choice.page - 1) * PER_PAGE : choice.page * PER_PAGE]
    positions = as_numpy(first.outcomes["index"])[shown]
    answers = [_answers(store, cells, subject, positions) for subject in subjects]
    names = names_of_classes(first.cell)
    identity = first.outcomes.select(_OF_A_ROW).take(pa.array(shown)).to_pylist()
    rows = [
        SampleRow(row["index"], row["sample_id"], named(row["label"], names), [of.get(row["index"]) for of in answers])
        for row in identity
    ]
    labels = {int(label): named(int(label), names) for label in np.unique(as_numpy(first.outcomes["label"]))}
    counts = [f"{of.outcomes.num_rows:,} of {of.cell.samples:,}" for of in subjects if of is not None]
    return Found(rows, len(places), labels, " and ".join(counts))


def _subject(store: Store, cells: Mapping[str, StoredCell], choice: Choice, model: str) -> _Subject | None:
    for cell in cells.values():
        if (cell.model, images_text(cell), perturbation_text(cell)) == (model, choice.images, choice.perturbation):
            outcomes = store.outcomes(cell.id)
            return _Subject(cell, outcomes) if outcomes.num_rows else None
    return None


def _chosen(choice: Choice, first: _Subject, other: _Subject | None) -> npt.NDArray[np.int64]:
    """Places of the samples in the outcomes of the first model."""
    label, correct = as_numpy(first.outcomes["label"]), as_numpy(first.outcomes["correct"])
    was_right = _right_when_clean(first)
    kept = np.ones(len(label), bool) if choice.label is None else label == choice.label
    if choice.outcome == "differ":
        kept &= _differ(first, other) if other is not None else False
    elif choice.outcome:
        kept &= {"right": correct, "fooled": ~correct & was_right, "wrong": ~was_right}[choice.outcome]
    places: npt.NDArray[np.int64] = np.flatnonzero(kept)
    if choice.order == "margin":
        places = places[np.argsort(as_numpy(first.outcomes["margin"])[places], kind="stable")]
    return places


def _right_when_clean(subject: _Subject) -> npt.NDArray[np.bool_]:
    clean, label = as_numpy(subject.outcomes["clean_prediction"]), as_numpy(subject.outcomes["label"])
    right: npt.NDArray[np.bool_] = (clean == label) | (clean < 0)
    return as_numpy(subject.outcomes["correct"]) | right if subject.cell.kind == "corruption" else right


def _differ(first: _Subject, other: _Subject) -> npt.NDArray[np.bool_]:
    """Which samples only one of the models has right."""
    theirs = dict(
        zip(as_numpy(other.outcomes["index"]).tolist(), as_numpy(other.outcomes["correct"]).tolist(), strict=True)
    )
    ours = zip(as_numpy(first.outcomes["index"]).tolist(), as_numpy(first.outcomes["correct"]).tolist(), strict=True)
    return np.array([theirs.get(position, correct) != correct for position, correct in ours], bool)


def _answers(
    store: Store, cells: Mapping[str, StoredCell], subject: _Subject | None, positions: npt.NDArray[np.int64]
) -> dict[int, Answer]:
    """The answers of one model by position."""
    if subject is None:
        return {}
    cell, outcomes = subject
    rows = outcomes.filter(pa.array(np.isin(as_numpy(outcomes["index"]), positions))).to_pylist()
    png = store.picture(cell.id) if store.has_picture(cell.id) else None
    shots = {} if png is None else pictured(cell, png)
    beaten = _beaten_by(store, cells, cell, positions)
    names = names_of_classes(cell)
    return {
        row["index"]: _answer(row, cell, names, beaten.get(row["index"], []), shots.get(row["index"])) for row in rows
    }


def _beaten_by(
    store: Store, cells: Mapping[str, StoredCell], of: StoredCell, positions: npt.NDArray[np.int64]
) -> dict[int, list[str]]:
    """The attacks on the same model and images that beat a sample, by its position."""
    found: dict[int, list[str]] = {}
    for cell in cells.values():
        if cell.kind != "attack" or (cell.model, images_text(cell)) != (of.model, images_text(of)):
            continue
        rows = store.outcomes(cell.id, ("label", "clean_prediction", "correct"))
        index, correct = as_numpy(rows["index"]), as_numpy(rows["correct"])
        beaten = ~correct & (as_numpy(rows["clean_prediction"]) == as_numpy(rows["label"]))
        for position in index[beaten & np.isin(index, positions)].tolist():
            found.setdefault(position, []).append(cell.perturbation)
    return found


def _answer(
    row: Mapping[str, Any], cell: StoredCell, names: Mapping[int, str], beaten: Sequence[str], shot: Shot | None
) -> Answer:
    clean = row["clean_prediction"]
    clean_right = clean in (row["label"], -1)
    if row["correct"]:
        status, verdict = "right", "✓ right"
    elif clean_right and cell.kind != "none":
        status, verdict = "fooled", f"✗ taken for {_class(row['prediction'], names)}"
    else:
        status, verdict = "wrong", f"✗ wrong when clean: {_class(row['prediction'], names)}"
    more = f" and {len(beaten) - NAMED} more" if len(beaten) > NAMED else ""
    parts = [f"{row['won_by']}, of this attack" if row["won_by"] else "", ", ".join(beaten[:NAMED]) + more]
    used = {*_OF_A_ROW, "clean_prediction", "prediction", "correct", "margin", "num_forwards", "num_backwards"}
    return Answer(
        status=status,
        verdict=verdict,
        clean_prediction="unknown" if clean < 0 else _class(clean, names),
        margin=f"{row['margin']:.3g}",
        queries=_queries(row["num_forwards"], row["num_backwards"]),
        beaten_by=_beaten("; ".join(part for part in parts if part), status),
        shot=shot,
        columns={name: _text(name, value) for name, value in row.items() if name not in used and value not in ("", [])},
    )


def _beaten(by: str, status: str) -> str:
    if by:
        return f"beaten by {by}"
    return "not attacked" if status == "wrong" else "no attack in the store beat it"


def _class(index: int, names: Mapping[int, str]) -> str:
    return "no class" if index < 0 else named(index, names)


def _queries(forwards: int, backwards: int) -> str:
    if forwards < 0 or backwards < 0:
        return "unknown"
    return f"{forwards:,} forward, {backwards:,} backward" if backwards else f"{forwards:,} forward"


def _text(name: str, value: Any) -> str:
    if name in _LISTS:
        return ", ".join(map(str, value[:20])) + (" …" if len(value) > 20 else "")
    return f"{value:.4g}" if isinstance(value, float) else str(value)
