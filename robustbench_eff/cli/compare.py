"""`robust-eval compare`: a comparison of models on the same samples."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console

from robustbench_eff.benchmarks import locations
from robustbench_eff.core.errors import NotMet, UsageError
from robustbench_eff.core.result_file import refuse_to_overwrite
from robustbench_eff.evaluation.settings import DEFAULT_STORE

from .common import error_boundary, error_console, output_console, print_line
from .options import AlexNetOption, JsonOption, StoreOption

if TYPE_CHECKING:
    from robustbench_eff.scores.compare import Flip, RankedScore
    from robustbench_eff.scores.per_sample import Contributed, SampleContributions
    from robustbench_eff.storage.store import Store


REASONS = 8
"""Number of reasons that a message about models without a common score shows."""


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Two or more models, each as MODEL of --store, as a STORE with one model, or STORE::MODEL."
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
    flips: Annotated[
        Path | None, typer.Option(help="CSV file: write every sample that only one of two models classifies correctly.")
    ] = None,
    pictures: Annotated[Path | None, typer.Option(help="PNG file: draw some of those samples.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="Images for --pictures: NAME=PATH.")] = None,
    alexnet_baseline: AlexNetOption = None,
    fail_if_worse: Annotated[
        bool,
        typer.Option(
            "--fail-if-worse", help="Exit with 3 where the second of two models is worse in a score, with confidence."
        ),
    ] = False,
    margin: Annotated[
        float, typer.Option(help="For --fail-if-worse: points by which it may be worse, of scores in %.")
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Compare models on the same samples: paired differences and tests for two, rank intervals for more."""
    with error_boundary():
        _check_arguments(models, flips, pictures)
        _check_gate(models, margin, fail_if_worse=fail_if_worse)
        refuse_to_overwrite(flips, [store, *models, alexnet_baseline, pictures])
        refuse_to_overwrite(pictures, [store, *models])
        comparable = _comparable(models, store, alexnet_baseline)
        flipped: list[Flip] = []
        if len(models) > 2:
            _print_ranks(comparable.contributions, models, as_json=as_json)
        else:
            flipped = _print_pair(comparable, models, as_json=as_json)
        for message in dict.fromkeys(comparable.left_out):
            print_line(error_console(), f"not compared: {message}")
        if flips is not None:
            _write_flips(flipped, flips)
        if pictures is not None:
            from robustbench_eff.reports.disagreement_sheet import draw_flips
            from robustbench_eff.reports.png_file import write_png

            sheet = draw_flips(flipped, models[0], models[1], locations.from_options(data or []))
            write_png(sheet, pictures)
        if fail_if_worse:
            _fail_if_worse(comparable.contributions, margin / 100, error_console() if as_json else output_console())


class _Comparable(NamedTuple):
    """The scores of the models, by score and for every model, and messages about scores that not all of them have."""

    contributions: list[dict[str, SampleContributions]]
    left_out: list[str]
    names: list[str]
    """The names of the models, as attacks on them name them."""


def _check_arguments(models: Sequence[str], flips: Path | None, pictures: Path | None) -> None:
    if len(models) < 2:
        raise UsageError("Two or more models are needed.", "Try: robust-eval compare A B --store STORE")
    if pictures is not None and pictures.suffix.lower() != ".png":
        raise UsageError(f"--pictures must be a PNG file, got {pictures}.", "For example --pictures flips.png.")
    if len(models) > 2 and (flips or pictures):
        raise UsageError(f"--flips and --pictures compare two models, got {len(models)}.", "Compare two at a time.")


def _check_gate(models: Sequence[str], margin: float, *, fail_if_worse: bool) -> None:
    if fail_if_worse and len(models) > 2:
        raise UsageError(f"--fail-if-worse compares two models, got {len(models)}.", "Compare two at a time.")
    if margin and not fail_if_worse:
        raise UsageError("--margin applies to --fail-if-worse, which was not given.", "Add --fail-if-worse.")
    if not 0 <= margin < 100:
        raise UsageError(f"--margin must be a number of points from 0 to 100, got {margin}.", "For example --margin 2.")


def _fail_if_worse(contributions: Sequence[dict[str, SampleContributions]], margin: float, console: Console) -> None:
    """Raise NotMet where the second model is worse, or lacks a score that the first one has."""
    from robustbench_eff.reports import comparison_table
    from robustbench_eff.scores.compare import compare
    from robustbench_eff.scores.worse import not_comparable, worse

    rows, missing = compare(*contributions), not_comparable(*contributions)
    found = worse(rows, margin)
    lines = [*comparison_table.worse_lines(found), *(f"NOT COMPARED: {text}: only A has it" for text in missing)]
    for line in lines:
        print_line(console, line)
    if found:
        by = f" by more than {100 * margin:g} points" if margin else ""
        raise NotMet(f"B is worse than A{by} in {len(found)} of {len(rows)} scores.")
    if missing:
        hint = "Evaluate both with the same suite, data, limit and seed."
        raise NotMet(f"Of B there is no number for {len(missing)} of what A was evaluated on.", hint)


def _comparable(models: Sequence[str], store: str, alexnet_baseline: Path | None) -> _Comparable:
    from robustbench_eff.scores.alexnet import measured
    from robustbench_eff.scores.not_shared import not_shared
    from robustbench_eff.scores.per_sample import model_named, sample_contributions

    alexnet = None if alexnet_baseline is None else measured(alexnet_baseline)
    by_model: list[Contributed] = []
    texts: dict[tuple[str, str], str] = {}
    for text in models:
        opened, wanted = _store_and_model(text, store)
        name = model_named(opened, wanted)
        place = os.path.realpath(opened.place)
        if (earlier := texts.get((place, name))) is not None:
            what = "is named twice" if earlier == text else f"is the same model as {earlier}"
            raise UsageError(f"{text} {what}: a model does not differ from itself.", "Name each model once.")
        texts[place, name] = text
        by_model.append(sample_contributions(opened, name, alexnet))
    contributions = [scores.contributions for scores in by_model]
    left_out = [message for scores in by_model for message in scores.left_out]
    left_out += not_shared(contributions, models)
    if not any(all(key in other for other in contributions) for key in contributions[0]):
        few = [*left_out[:REASONS], *([f"and {len(left_out) - REASONS} more"] if len(left_out) > REASONS else [])]
        hint = "Evaluate them with the same suite, data, limit and seed."
        raise UsageError("These models do not have a score on the same samples.", "\n".join([*few, hint]))
    return _Comparable(contributions, left_out, [name for _, name in texts])


def _print_ranks(
    contributions: Sequence[dict[str, SampleContributions]], models: Sequence[str], *, as_json: bool
) -> None:
    from robustbench_eff.reports import comparison_table
    from robustbench_eff.scores.compare import ranked

    rows = ranked(contributions)
    if as_json:
        print(json.dumps([_plain(row, models) for row in rows]))
    else:
        comparison_table.rank_table(rows, models, output_console())


def _print_pair(comparable: _Comparable, models: Sequence[str], *, as_json: bool) -> list[Flip]:
    from robustbench_eff.reports import comparison_table
    from robustbench_eff.scores import compare as comparison
    from robustbench_eff.scores.transfers import transfers

    contributions = comparable.contributions
    rows = comparison.compare(*contributions)
    if as_json:
        names = {"models": list(models)}
        plain = [names | dataclasses.asdict(row) | {"protocols": list(map(str, row.protocols))} for row in rows]
        print(json.dumps(plain))
    else:
        comparison_table.pair_table(rows, models[0], models[1], output_console())
        comparison_table.transfer_lines(transfers(contributions, comparable.names), output_console())
    return list(comparison.flips(*contributions))


def _store_and_model(text: str, default: str) -> tuple[Store, str | None]:
    """The store that an argument names, and the name of the model; None for the only model of the store."""
    from robustbench_eff.storage.store import Store

    folder, separator, name = text.partition("::")
    if separator:
        return Store.existing(folder), name
    if "://" in text or (Path(text) / "store.json").is_file():
        return Store.existing(text), None
    return Store.existing(default), text


def _plain(row: RankedScore, models: Sequence[str]) -> dict[str, Any]:
    by_model = [
        {"model": model, "value": value, "best_rank": ranks.best, "worst_rank": ranks.worst}
        for model, value, ranks in zip(models, row.values, row.ranks, strict=True)
    ]
    names = ("benchmark", "perturbation", "metric", "higher_is_better")
    plain = {name: getattr(row.score, name) for name in names}
    return plain | {"n": len(row.score.values), "models": by_model}


def _write_flips(flips: Sequence[Flip], path: Path) -> None:
    from robustbench_eff.reports import csv_file
    from robustbench_eff.scores.compare import Flip

    columns = [field.name for field in dataclasses.fields(Flip)]
    csv_file.write((dataclasses.asdict(flip) for flip in flips), columns, path)
