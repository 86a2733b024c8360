"""What a leaderboard is made of: entries of stores, of files, and of what was published. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustbench_eff.core.disk import atomic_write, reporting_os_errors
from robustbench_eff.core.errors import EntryError, UsageError
from robustbench_eff.leaderboards import published as published_results
from robustbench_eff.leaderboards.entry import Entry, read_entry, shipped
from robustbench_eff.leaderboards.file_names import file_names
from robustbench_eff.leaderboards.validation import ValidationIssue, differences, problems, repeated

from .model_names import merge_entries


def collect_entries(
    sources: Sequence[Path | str],
    *,
    published: bool,
    families: Sequence[str] = (),
    defenses: Sequence[str] = (),
    models: Sequence[str] = (),
    benchmarks: Sequence[str] = (),
) -> list[Entry]:
    """Entries of stores, files and folders of files; with `published` of what comes with the package too: published
    results, and its own models. Only what matches all globs.

    Numbers of one model from several places stand in one entry. Raises UsageError for a place that is none of these,
    EntryError for a file that is no entry.
    """
    globs = {"families": families, "defenses": defenses, "models": models, "benchmarks": benchmarks}
    stores = _stores(sources)
    found = [read_entry(file) for place in sources if place not in stores for file in _files(Path(place))]
    if stores:
        from .measured_entries import measured_entries

        found += measured_entries(stores, with_cells=False)
    if published:
        rows = published_results.chosen(**globs)
        found += shipped() + published_results.entries(rows)
    kept = [
        entry.filtered(families=families, defenses=defenses, models=models, benchmarks=benchmarks)
        for entry in merge_entries(found)
    ]
    return [entry for entry in kept if entry is not None]


def samples(sources: Sequence[Path | str]) -> dict[str, list[tuple[str, bytes]]]:
    """The pictures of samples that the stores among these sources keep, with captions, by the names of `gathered`."""
    stores = _stores(sources)
    if not stores:
        return {}
    from robustbench_eff.storage.store import Store

    from .measured_entries import pictures

    found: dict[str, list[tuple[str, bytes]]] = {}
    for store in stores:
        for model, shots in pictures(Store.existing(store)).items():
            found.setdefault(model, []).extend(shots)
    return found


def _stores(sources: Sequence[Path | str]) -> list[Path | str]:
    return [place for place in sources if "://" in str(place) or (Path(place) / "store.json").is_file()]


def write_entries(entries: Sequence[Entry], out: Path) -> list[Path]:
    """A file for every model, none outside the folder and no two alike; UsageError where one cannot be written."""
    names = file_names([entry.model for entry in entries])
    paths = [out / f"{names[entry.model]}.json" for entry in entries]
    for path, entry in zip(paths, entries, strict=True):
        with reporting_os_errors(path):
            atomic_write(path, entry.text().encode())
    return paths


def _files(place: Path) -> list[Path]:
    if place.is_dir() and (files := sorted(place.glob("*.json"))):
        return files
    if place.suffix == ".json" and place.is_file():
        return [place]
    raise UsageError(
        f"{place} is neither a store of outcomes nor an entry nor a folder of entries.",
        "Name what `robust-eval` printed after `Outcomes:`, or what `robust-eval leaderboard entry` wrote.",
    )


def validate_entries(places: Sequence[Path], stores: Sequence[Path | str] = ()) -> list[tuple[str, ValidationIssue]]:
    """What is wrong with the entries in these files and folders, and in which file; a file that is no entry is one
    finding.

    With stores their numbers are computed again from the outcomes. Raises UsageError for a place that is not there.
    """
    from robustbench_eff.core.statistics import wilson

    again = {}
    if stores:
        from .measured_entries import measured_entries

        again = {entry.model: entry for entry in measured_entries(stores)}
    found: list[tuple[str, ValidationIssue]] = []
    entries = []
    for path in [file for place in places for file in _files(Path(place))]:
        try:
            entry = read_entry(path)
        except EntryError as error:
            found.append((str(path), ValidationIssue("the file", error.message.removeprefix(f"{path} "))))
            continue
        entries.append(entry)
        found += [(str(path), problem) for problem in problems(entry, wilson)]
        if stores:
            found += [(str(path), problem) for problem in differences(entry, again.get(entry.model))]
    return found + [("all files", problem) for problem in repeated(entries)]
