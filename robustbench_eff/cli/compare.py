"""`robust-eval compare`: models on the same samples."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.disk import reporting_os_errors
from robustbench_eff.core.errors import UsageError
from robustbench_eff.evaluation.settings import DEFAULT_STORE

from .common import error_boundary, errors, output

if TYPE_CHECKING:
    from robustbench_eff.core.statistics import Ranks
    from robustbench_eff.scores.compare import Flip
    from robustbench_eff.scores.per_sample import SampleContributions
    from robustbench_eff.storage.store import Store


def compare(
    models: Annotated[
        list[str], typer.Argument(help="Two or more: MODEL of --store, a STORE with one model, or STORE::MODEL.")
    ],
    store: Annotated[str, typer.Option(help="Folder or URL of outcomes.")] = DEFAULT_STORE,
    flips: Annotated[Path | None, typer.Option(help="CSV file: every sample that one alone has right.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="PNG file: some of those samples.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="NAME=PATH, where --pictures finds the images.")] = None,
    alexnet_baseline: Annotated[Path | None, typer.Option(help="JSON with AlexNet's figures, for mCE and mFR.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compare models on the same samples: paired differences and tests for two, rank intervals for more."""
    with error_boundary():
        if len(models) < 2:
            raise UsageError("Two models or more are compared.", "Try: robust-eval compare A B --store STORE")
        if pictures is not None and pictures.suffix.lower() != ".png":
            raise UsageError(f"The pictures are a PNG file, got {pictures}.", "For example flips.png.")
        if len(models) > 2 and (flips or pictures):
            raise UsageError("--flips and --pictures compare two models.", f"Got {len(models)}.")
        from robustbench_eff.reports import comparison_table
        from robustbench_eff.scores import compare as job
        from robustbench_eff.scores.alexnet import measured
        from robustbench_eff.scores.per_sample import measures, model_named

        alexnet = None if alexnet_baseline is None else measured(alexnet_baseline)
        found = []
        for text in models:
            opened, name = _subject(text, store)
            found.append(measures(opened, model_named(opened, name), alexnet))
        each, left_out = [of for of, _ in found], [line for _, lines in found for line in lines]
        shared = [key for key in each[0] if all(key in other for other in each)]
        if not shared:
            raise UsageError(
                "These models have no score on the same samples.", "Evaluate them with one suite, data, limit and seed."
            )
        for of, name in zip(each, models, strict=True):
            left_out += [
                f"{one.benchmark}, {one.perturbation}: only {name}" for key, one in of.items() if key not in shared
            ]
        flipped: list[Flip] = []
        if len(models) > 2:
            ranked = job.ranked(each)
            if as_json:
                print(json.dumps([_plain(row, models) for row in ranked], ensure_ascii=False))
            else:
                comparison_table.rank_table(ranked, models, output())
        else:
            rows, flipped = job.compare(*each), list(job.flips(*each))
            if as_json:
                print(json.dumps([dataclasses.asdict(row) for row in rows], ensure_ascii=False))
            else:
                comparison_table.pair_table(rows, models[0], models[1], output())
        for line in dict.fromkeys(left_out):
            errors().print(f"not compared: {line}", markup=False, highlight=False, soft_wrap=True)
        if flips is not None:
            _write_flips(flipped, flips)
        if pictures is not None:
            from robustbench_eff.reports.disagreement_sheet import draw_flips

            drawn = draw_flips(flipped, models[0], models[1], locations.from_options(data or []))
            with reporting_os_errors(pictures):
                drawn.save(pictures)


def _subject(text: str, default: str) -> tuple[Store, str | None]:
    """The store of a model and its name; None for the only one there is."""
    from robustbench_eff.storage.store import Store

    folder, marks, name = text.partition("::")
    if marks:
        return Store.existing(folder), name
    if "://" in text or (Path(text) / "store.json").is_file():
        return Store.existing(text), None
    return Store.existing(default), text


def _plain(row: tuple[SampleContributions, list[float | None], list[Ranks]], models: Sequence[str]) -> dict[str, Any]:
    measure, values, ranks = row
    found = [
        {"model": model, "value": value, "best_rank": of.best, "worst_rank": of.worst}
        for model, value, of in zip(models, values, ranks, strict=True)
    ]
    names = ("benchmark", "perturbation", "metric", "higher_is_better")
    return {name: getattr(measure, name) for name in names} | {"n": len(measure.values), "models": found}


def _write_flips(flips: Sequence[Flip], path: Path) -> None:
    from robustbench_eff.scores.compare import Flip

    with reporting_os_errors(path), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Flip)])
        writer.writeheader()
        writer.writerows(dataclasses.asdict(flip) for flip in flips)
