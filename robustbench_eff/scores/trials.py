"""Trials of model-vs-human: the answers of people, and of models measured elsewhere, to cue-conflict images.

The format is one CSV file per session with the columns below (bethgelab/model-vs-human 79ed7cd, rgeirhos/
texture-vs-shape). The end of an image's name says its shape and its texture.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from robustbench_eff.benchmarks.definitions.cue_conflict import class_name, shape_and_texture, stimulus
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.outside_archives import files_of_tar
from robustbench_eff.core.outside_files import as_text, read_text
from robustbench_eff.storage.store import Store

from .cell_groups import CellOutcomes, cells_with_unique_names

COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")
ANSWERS = ("sample_id", "label", "texture", "prediction", "note", "flag")
"""Columns of the outcomes that trials and their flags are made of."""
_ARCHIVES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
"""Ends of the names of archives of CSV files."""
HUMAN = "subject-"
"""Prefix of the names of people."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The answer to one stimulus."""

    shape: str
    texture: str
    response: str
    """The category that was named; anything else counts as no answer."""


@dataclass(frozen=True, slots=True)
class Observer:
    """A person or a model, and the answers by stimulus."""

    name: str
    trials: Mapping[str, Trial]

    @property
    def is_human(self) -> bool:
        """Whether it is a person, by the name."""
        return self.name.startswith(HUMAN)


class _Session(NamedTuple):
    """The trials of an observer, and the file in which they began."""

    observer: str
    file: str
    trials: dict[str, Trial]


def read_trials(path: Path | str) -> list[Observer]:
    """Return all observers of a file.

    Sessions of one observer are joined. An observer that answers the same stimuli in two files counts as two, whose
    names contain the names of the files.

    Args:
        path: A CSV file of trials, a folder of CSV files, or a .tar or .tgz archive of them.

    Raises:
        UsageError: A file cannot be read or lacks a column, there are no trials, the name of an image does not say
            its shape and texture, or a stimulus is answered twice in one file.
    """
    sessions: list[_Session] = []
    for name, text in _texts(Path(path)):
        for observer, trials in _read(name, text).items():
            same = (item.trials for item in sessions if item.observer == observer)
            joined = next((earlier for earlier in same if not earlier.keys() & trials.keys()), None)
            if joined is None:
                sessions.append(_Session(observer, Path(name).stem, trials))
            else:
                joined |= trials
    if not sessions:
        raise UsageError(f"{path} does not hold trials.")
    names = [item.observer for item in sessions]
    return [
        Observer(item.observer if names.count(item.observer) == 1 else f"{item.observer} ({item.file})", item.trials)
        for item in sorted(sessions, key=lambda item: item[:2])
    ]


def _read(name: str, text: str) -> dict[str, dict[str, Trial]]:
    """Return the trials of one CSV file by observer."""
    try:
        return _sessions(name, csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise UsageError(f"{name} cannot be read as CSV: {error}.", "Check its quotation marks.") from error


def _sessions(name: str, reader: csv.DictReader[str]) -> dict[str, dict[str, Trial]]:
    if lacking := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
        raise UsageError(f"{name} lacks the column {', '.join(lacking)}.", f"Trials have {', '.join(COLUMNS)}.")
    by_observer: dict[str, dict[str, Trial]] = {}
    for row in reader:
        if None in row.values() or None in row:
            raise UsageError(f"{name}, line {reader.line_num}: not as many values as there are columns.")
        cues, key = shape_and_texture(row["imagename"]), stimulus(row["imagename"])
        if cues is None:
            raise UsageError(f"{name}: {row['imagename']} does not say which shape and texture it has.")
        trials = by_observer.setdefault(row["subj"], {})
        if key in trials:
            raise UsageError(f"{name}: {row['subj']} answers {key} twice.", "Give each session once.")
        trials[key] = Trial(*cues, row["object_response"])
    return by_observer


def cue_conflict_cells(store: Store) -> dict[str, CellOutcomes]:
    """Return the cells of cue-conflict images, by id, with the columns that trials are made of.

    Args:
        store: The store.
    """
    clean = [cell for cell in cells_with_unique_names(store).values() if cell.kind == "none"]
    items = {cell.id: CellOutcomes(cell, store.outcomes(cell.id, ANSWERS)) for cell in clean}
    return {cell_id: item for cell_id, item in items.items() if item.kind == "cue conflict"}


def observer_of(item: CellOutcomes) -> Observer:
    """Return the model of a cue-conflict cell as an observer.

    Args:
        item: The cell with its outcomes.

    Raises:
        UsageError: Two samples are the same stimulus.
    """
    columns = (item.outcomes[column].to_pylist() for column in ("sample_id", "label", "texture", "prediction"))
    trials: dict[str, Trial] = {}
    for sample, *answered in zip(*columns, strict=True):
        key = stimulus(sample)
        if key in trials:
            raise UsageError(f"{item.cell.benchmark} holds {key} twice.", "Trials need one image per stimulus.")
        trials[key] = Trial(*(class_name(item.cell.benchmark, index) for index in answered))
    return Observer(item.cell.model, trials)


def rows_of(observer: Observer, samples: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the trials of an observer as rows of the CSV; reaction times are NaN, because a model does not have any.

    Args:
        observer: The observer.
        samples: Ids of the samples, in the order of the rows.
    """
    for number, sample in enumerate(samples, 1):
        trial = observer.trials[stimulus(sample)]
        values = (observer.name, 1, number, "NaN", trial.response, trial.shape, 0, Path(sample).name)
        yield dict(zip(COLUMNS, values, strict=True))


def named_shape(observer: Observer, stimuli: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return whether the shape was named, and whether there was an answer at all, both bool, shape (stimuli,).

    Args:
        observer: The observer.
        stimuli: Keys of the stimuli.
    """
    trials = [observer.trials.get(key) for key in stimuli]
    named = np.array([trial is not None and trial.response == trial.shape for trial in trials], dtype=bool)
    return named, np.array([trial is not None for trial in trials], dtype=bool)


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and text of every CSV file."""
    if path.is_dir():
        paths = sorted(path.rglob("*.csv"))
        if not paths:
            raise UsageError(f"{path} does not hold CSV files of trials.")
        yield from ((str(file), read_text(file, UsageError)) for file in paths)
    elif not path.exists():
        raise UsageError(f"{path} does not exist.", "Give a CSV file of trials, a folder of them, or a .tgz of them.")
    elif path.name.endswith(_ARCHIVES):
        files = ((file.name, file.content) for file in files_of_tar(path, ".csv", UsageError))
        for name, content in sorted((name, content) for name, content in files if content is not None):
            yield f"{path}: {name}", as_text(content, f"{path}: {name}", UsageError)
    else:
        yield str(path), read_text(path, UsageError)
