"""Collect the entries of a leaderboard from stores, files and published results. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustbench_eff.core.disk import atomic_write, reporting_os_errors
from robustbench_eff.core.errors import EntryError, UsageError
from robustbench_eff.core.result_file import refuse_to_overwrite
from robustbench_eff.leaderboards import published as published_results
from robustbench_eff.leaderboards.entry import Entry, read_entry, shipped
from robustbench_eff.leaderboards.file_names import file_names
from robustbench_eff.leaderboards.validation import ValidationIssue, differences, problems, repeated
from robustbench_eff.registry.metrics import find_metric

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
    """Return one entry per model with its numbers from all sources, the models of the sources first.

    Args:
        sources: Stores of outcomes (folders or URLs), files of entries, and folders of such files.
        published: Whether to add the results that come with the package: published ones, and the measured ones of the
            shipped models. Measurements in the sources replace these.
        families: Globs of architecture families; empty for all.
        defenses: Globs of defenses; empty for all.
        models: Globs of model names; empty for all.
        benchmarks: Globs of the benchmarks whose results are returned; empty for all.

    Raises:
        UsageError: A source is none of these.
        EntryError: A file is not an entry, or two different models have the same name.
    """
    return with_shipped(
        own_entries(sources),
        published=published,
        families=families,
        defenses=defenses,
        models=models,
        benchmarks=benchmarks,
    )


def with_shipped(
    own: Sequence[Entry],
    *,
    published: bool = True,
    families: Sequence[str] = (),
    defenses: Sequence[str] = (),
    models: Sequence[str] = (),
    benchmarks: Sequence[str] = (),
) -> list[Entry]:
    """Return one entry per model: own ones first, then those that come with the package.

    Args:
        own: What `own_entries` returned.
        published: As for `collect_entries`, and so are the globs.
        families: Globs of architecture families; empty for all.
        defenses: Globs of defenses; empty for all.
        models: Globs of model names; empty for all.
        benchmarks: Globs of the benchmarks whose results are returned; empty for all.
    """
    entries = list(own)
    if published:
        rows = published_results.select(families=families, defenses=defenses, models=models, benchmarks=benchmarks)
        measured = {entry.model for entry in entries if entry.provenance is not None}
        entries += [entry for entry in shipped() if entry.model not in measured] + published_results.entries(rows)
    selected = [
        entry.filtered(families=families, defenses=defenses, models=models, benchmarks=benchmarks)
        for entry in merge_entries(entries)
    ]
    return [entry for entry in selected if entry is not None]


def own_entries(sources: Sequence[Path | str]) -> list[Entry]:
    """Return one entry per model in sources, without what comes with the package.

    Args:
        sources: As for `collect_entries`.

    Raises:
        UsageError: A source is none of these.
        EntryError: A file is not an entry, or two different models have the same name.
    """
    stores = _stores(sources)
    entries = [read_entry(file) for source in sources if source not in stores for file in _files(Path(source))]
    if stores:
        from .measured_entries import measured_entries

        entries += measured_entries(stores, with_cells=False)
    return merge_entries(entries)


def samples(sources: Sequence[Path | str]) -> dict[str, list[tuple[str, bytes]]]:
    """Return captions and PNG files of the pictures of samples in stores, by the model names of `collect_entries`.

    Args:
        sources: As for `collect_entries`; only stores have pictures.

    Raises:
        UsageError: A source that looks like a store is not one.
    """
    stores = _stores(sources)
    if not stores:
        return {}
    from robustbench_eff.storage.store import Store

    from .measured_entries import pictures

    shots: dict[str, list[tuple[str, bytes]]] = {}
    for store in stores:
        for model, captioned in pictures(Store.existing(store)).items():
            shots.setdefault(model, []).extend(captioned)
    return shots


def _stores(sources: Sequence[Path | str]) -> list[Path | str]:
    return [source for source in sources if "://" in str(source) or (Path(source) / "store.json").is_file()]


def write_entries(entries: Sequence[Entry], out: Path, inputs: Sequence[Path | str] = ()) -> list[Path]:
    """Write a file for every model and return the paths; names never collide or leave the folder.

    Args:
        entries: One entry per model.
        out: The folder; created if it does not exist.
        inputs: Files that the entries were made from.

    Raises:
        UsageError: A file cannot be written, or is one of the inputs.
    """
    names = file_names([entry.model for entry in entries])
    paths = [out / f"{names[entry.model]}.json" for entry in entries]
    for path in paths:
        refuse_to_overwrite(path, inputs)
    for path, entry in zip(paths, entries, strict=True):
        with reporting_os_errors(path):
            atomic_write(path, entry.text().encode())
    return paths


def _files(source: Path) -> list[Path]:
    if source.is_dir() and (files := sorted(source.glob("*.json"))):
        return files
    if source.suffix == ".json" and source.is_file():
        return [source]
    raise UsageError(
        f"{source} is neither a store of outcomes nor an entry nor a folder of entries.",
        "Name what `robust-eval` printed after `Outcomes:`, or what `robust-eval leaderboard entry` wrote.",
    )


def validate_entries(sources: Sequence[Path], stores: Sequence[Path | str] = ()) -> list[tuple[str, ValidationIssue]]:
    """Return everything wrong with the entries in files, each issue with the file that has it.

    Args:
        sources: Files of entries, and folders of such files. A file that is not an entry is one issue.
        stores: Stores of outcomes, from which the measured numbers are computed again; empty for none.

    Raises:
        UsageError: A source is neither a file nor a folder of entries, or a store does not exist.
    """
    from robustbench_eff.core.statistics import proportion_interval

    recomputed = {}
    if stores:
        from .measured_entries import measured_entries

        recomputed = {entry.model: entry for entry in measured_entries(stores)}
    issues: list[tuple[str, ValidationIssue]] = []
    entries = []
    for path in [file for source in sources for file in _files(Path(source))]:
        try:
            entry = read_entry(path)
        except EntryError as error:
            issues.append((str(path), ValidationIssue("the file", error.message.removeprefix(f"{path} "))))
            continue
        entries.append(entry)
        issues += [(str(path), issue) for issue in problems(entry, proportion_interval, find_metric)]
        if stores:
            issues += [(str(path), issue) for issue in differences(entry, recomputed.get(entry.model))]
    return issues + [("all files", issue) for issue in repeated(entries)]
