"""Trials of model-vs-human: what people, and models measured elsewhere, answered on cue-conflict images.

The format is a CSV file a session, with the columns below (bethgelab/model-vs-human 79ed7cd, rgeirhos/
texture-vs-shape); of stimuli the end of the image's name says shape and texture.
"""

from __future__ import annotations

import csv
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from robustbench_eff.benchmarks.definitions.cue_conflict import class_name, shape_and_texture, stimulus
from robustbench_eff.core.errors import UsageError
from robustbench_eff.storage.store import Store

from .cell_groups import cells_with_unique_names
from .cue_conflict import has_conflict

COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")
ANSWERS = ("sample_id", "label", "texture", "prediction", "note", "flag")
"""Of outcomes, what trials and what is to be known of them are made of."""
HUMAN = "subject-"
"""How the names of people begin."""


@dataclass(frozen=True, slots=True)
class Trial:
    """An answer to one stimulus."""

    shape: str
    texture: str
    response: str
    """A category, or anything else for none."""


@dataclass(frozen=True, slots=True)
class Observer:
    """Who answered, and what, by stimulus."""

    name: str
    trials: Mapping[str, Trial]

    @property
    def is_human(self) -> bool:
        return self.name.startswith(HUMAN)


def read_trials(path: Path | str) -> list[Observer]:
    """All observers of a CSV file, of the CSV files in a folder, or of those in a .tar or .tgz archive.

    Sessions of one observer are joined; one who answers the same stimuli in two files counts as two, told apart by
    the names of the files. Raises UsageError for a file without these columns, for an image whose name does not say
    shape and texture, and for a stimulus that is answered twice in one file.
    """
    found: list[tuple[str, str, dict[str, Trial]]] = []
    for name, text in _texts(Path(path)):
        for observer, trials in _read(name, text).items():
            joined = next((of for known, _, of in found if known == observer and not of.keys() & trials.keys()), None)
            if joined is None:
                found.append((observer, Path(name).stem, trials))
            else:
                joined |= trials
    if not found:
        raise UsageError(f"{path} holds no trials.")
    names = [observer for observer, *_ in found]
    return [
        Observer(observer if names.count(observer) == 1 else f"{observer} ({file})", trials)
        for observer, file, trials in sorted(found, key=lambda entry: entry[:2])
    ]


def _read(name: str, text: str) -> dict[str, dict[str, Trial]]:
    """The trials of a CSV file by observer."""
    reader = csv.DictReader(io.StringIO(text))
    if lacking := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
        raise UsageError(f"{name} has no column {', '.join(lacking)}.", f"Trials have {', '.join(COLUMNS)}.")
    found: dict[str, dict[str, Trial]] = {}
    for row in reader:
        if None in row.values() or None in row:
            raise UsageError(f"{name}, line {reader.line_num}: not as many values as there are columns.")
        cues, key = shape_and_texture(row["imagename"]), stimulus(row["imagename"])
        if cues is None:
            raise UsageError(f"{name}: {row['imagename']} does not say which shape and texture it has.")
        trials = found.setdefault(row["subj"], {})
        if key in trials:
            raise UsageError(f"{name}: {row['subj']} answers {key} twice.", "Give each session once.")
        trials[key] = Trial(*cues, row["object_response"])
    return found


def cue_conflict_cells(store: Store) -> dict[str, tuple[dict[str, Any], pa.Table]]:
    """The clean cells of cue-conflict images with what trials are made of, by id."""
    clean = {
        cell_id: cell for cell_id, cell in cells_with_unique_names(store).items() if cell["perturbation"] == "none"
    }
    found = {cell_id: (cell, store.outcomes(cell_id, ANSWERS)) for cell_id, cell in clean.items()}
    return {cell_id: of for cell_id, of in found.items() if has_conflict(of[1])}


def observer_of(cell: Mapping[str, Any], outcomes: pa.Table) -> Observer:
    """The model of a cue-conflict cell as an observer; UsageError where two samples are the same stimulus."""
    columns = (outcomes[column].to_pylist() for column in ("sample_id", "label", "texture", "prediction"))
    trials: dict[str, Trial] = {}
    for sample, *answered in zip(*columns, strict=True):
        key = stimulus(sample)
        if key in trials:
            raise UsageError(f"{cell['benchmark']} holds {key} twice.", "Trials need one image a stimulus.")
        trials[key] = Trial(*(class_name(cell["benchmark"], index) for index in answered))
    return Observer(cell["model"], trials)


def rows_of(observer: Observer, samples: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The trials of an observer as rows of the CSV, in the order of `samples`; nobody measured reaction times."""
    for number, sample in enumerate(samples, 1):
        trial = observer.trials[stimulus(sample)]
        values = (observer.name, 1, number, "NaN", trial.response, trial.shape, 0, Path(sample).name)
        yield dict(zip(COLUMNS, values, strict=True))


def named_shape(observer: Observer, stimuli: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Whether the shape was named, and whether there was an answer at all; bool (stimuli,)."""
    trials = [observer.trials.get(key) for key in stimuli]
    named = np.array([trial is not None and trial.response == trial.shape for trial in trials], dtype=bool)
    return named, np.array([trial is not None for trial in trials], dtype=bool)


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """Every CSV file with its name; UsageError for one that cannot be read."""
    try:
        yield from _files(path)
    except (OSError, UnicodeDecodeError, tarfile.TarError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read as trials: {error}.", "CSV files are in UTF-8.") from error


def _files(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_dir():
        paths = sorted(path.rglob("*.csv"))
        if not paths:
            raise UsageError(f"{path} holds no CSV files of trials.")
        yield from ((str(file), file.read_text(encoding="utf-8-sig")) for file in paths)
    elif not path.is_file():
        raise UsageError(f"{path} does not exist.", "Give a CSV file of trials, a folder of them, or a .tgz of them.")
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in sorted(archive.getmembers(), key=lambda member: member.name):
                content = archive.extractfile(member) if member.name.endswith(".csv") else None
                if content is not None:
                    yield f"{path}: {member.name}", content.read().decode("utf-8-sig")
    else:
        yield str(path), path.read_text(encoding="utf-8-sig")
