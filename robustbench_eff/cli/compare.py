"""`robust-eval compare`: models on the same samples."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.disk import reporting_os_errors
from robustbench_eff.core.errors import UsageError
from robustbench_eff.evaluation.settings import DEFAULT_STORE

from .common import error_boundary, errors, output

if TYPE_CHECKING:
    from robustbench_eff.scores.compare import Flip, RankedScore
    from robustbench_eff.scores.per_sample import SampleContributions
    from robustbench_eff.storage.store import Store


def compare(
    models: Annotated[
        list[str], typer.Argument(help="Two or more: MODEL of --store, a STORE with one model, or STORE::MODEL.")
    ],
    store: Annotated[str, typer.Option(help="Folder or URL of outcomes.")] = DEFAULT_STORE,
    flips: Annotated[
        Path | None, typer.Option(help="CSV file: every sample that only one model classifies correctly.")
    ] = None,
    pictures: Annotated[Path | None, typer.Option(help="PNG file: some of those samples.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="NAME=PATH, where --pictures finds the images.")] = None,
    alexnet_baseline: Annotated[Path | None, typer.Option(help="JSON with AlexNet's figures, for mCE and mFR.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compare models on the same samples: paired differences and tests for two, rank intervals for more."""
    with error_boundary():
        _check_arguments(models, flips, pictures)
        compared = _contributions(models, store, alexnet_baseline)
        flipped: list[Flip] = []
        if len(models) > 2:
            _print_ranks(compared.contributions, models, as_json=as_json)
        else:
            flipped = _print_pair(compared.contributions, models, as_json=as_json)
        for line in dict.fromkeys(compared.left_out):
            errors().print(f"not compared: {line}", markup=False, highlight=False, soft_wrap=True)
        if flips is not None:
            _write_flips(flipped, flips)
        if pictures is not None:
            from robustbench_eff.reports.disagreement_sheet import draw_flips

            drawn = draw_flips(flipped, models[0], models[1], locations.from_options(data or []))
            with reporting_os_errors(pictures):
                drawn.save(pictures)


class _Compared(NamedTuple):
    """What all models can be compared by, and sentences about the rest."""

    contributions: list[dict[str, SampleContributions]]
    left_out: list[str]


def _check_arguments(models: Sequence[str], flips: Path | None, pictures: Path | None) -> None:
    if len(models) < 2:
        raise UsageError("Two or more models are needed.", "Try: robust-eval compare A B --store STORE")
    if pictures is not None and pictures.suffix.lower() != ".png":
        raise UsageError(f"The pictures are a PNG file, got {pictures}.", "For example flips.png.")
    if len(models) > 2 and (flips or pictures):
        raise UsageError("--flips and --pictures compare two models.", f"Got {len(models)}.")


def _contributions(models: Sequence[str], store: str, alexnet_baseline: Path | None) -> _Compared:
    from robustbench_eff.scores.alexnet import measured
    from robustbench_eff.scores.per_sample import model_named, sample_contributions

    alexnet = None if alexnet_baseline is None else measured(alexnet_baseline)
    found = []
    for text in models:
        opened, name = _subject(text, store)
        found.append(sample_contributions(opened, model_named(opened, name), alexnet))
    contributions = [item.contributions for item in found]
    left_out = [line for item in found for line in item.left_out]
    shared = [key for key in contributions[0] if all(key in other for other in contributions)]
    if not shared:
        raise UsageError(
            "These models have no score on the same samples.",
            "Evaluate them with the same suite, data, limit and seed.",
        )
    for of_model, name in zip(contributions, models, strict=True):
        only = [entry for key, entry in of_model.items() if key not in shared]
        left_out += [f"{entry.benchmark}, {entry.perturbation}: only {name}" for entry in only]
    return _Compared(contributions, left_out)


def _print_ranks(
    contributions: Sequence[dict[str, SampleContributions]], models: Sequence[str], *, as_json: bool
) -> None:
    from robustbench_eff.reports import comparison_table
    from robustbench_eff.scores.compare import ranked

    rows = ranked(contributions)
    if as_json:
        print(json.dumps([_plain(row, models) for row in rows], ensure_ascii=False))
    else:
        comparison_table.rank_table(rows, models, output())


def _print_pair(
    contributions: Sequence[dict[str, SampleContributions]], models: Sequence[str], *, as_json: bool
) -> list[Flip]:
    from robustbench_eff.reports import comparison_table
    from robustbench_eff.scores import compare as comparing

    rows = comparing.compare(*contributions)
    if as_json:
        plain = [dataclasses.asdict(row) | {"protocols": [str(item) for item in row.protocols]} for row in rows]
        print(json.dumps(plain, ensure_ascii=False))
    else:
        comparison_table.pair_table(rows, models[0], models[1], output())
    return list(comparing.flips(*contributions))


def _subject(text: str, default: str) -> tuple[Store, str | None]:
    """The store of a model, and its name; None for the only one in the store."""
    from robustbench_eff.storage.store import Store

    folder, marks, name = text.partition("::")
    if marks:
        return Store.existing(folder), name
    if "://" in text or (Path(text) / "store.json").is_file():
        return Store.existing(text), None
    return Store.existing(default), text


def _plain(row: RankedScore, models: Sequence[str]) -> dict[str, Any]:
    of_models = [
        {"model": model, "value": value, "best_rank": ranks.best, "worst_rank": ranks.worst}
        for model, value, ranks in zip(models, row.values, row.ranks, strict=True)
    ]
    names = ("benchmark", "perturbation", "metric", "higher_is_better")
    plain = {name: getattr(row.score, name) for name in names}
    return plain | {"n": len(row.score.values), "models": of_models}


def _write_flips(flips: Sequence[Flip], path: Path) -> None:
    from robustbench_eff.scores.compare import Flip

    with reporting_os_errors(path), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Flip)])
        writer.writeheader()
        writer.writerows(dataclasses.asdict(flip) for flip in flips)
