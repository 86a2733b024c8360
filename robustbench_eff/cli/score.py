"""`robust-eval score`: all numbers of a store, computed again without the models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .common import error_boundary, error_console, output_console, parse_radii
from .gate import parse_gate
from .options import (
    AcceptDoubtedOption,
    AlexNetOption,
    JsonOption,
    JunitOption,
    LogOption,
    RadiiOption,
    RequireOption,
    SummaryOption,
)

if TYPE_CHECKING:
    from robustbench_eff.scores.score import Score
    from robustbench_eff.storage.store import Store


def score(
    store: Annotated[str, typer.Argument(help="Folder or URL of the outcomes.")],
    alexnet_baseline: AlexNetOption = None,
    trials_file: Annotated[
        Path | None,
        typer.Option(
            "--trials",
            help="Trials of people or of other models on cue-conflict images, as model-vs-human publishes them: CSV "
            "file, folder or .tgz.",
        ),
    ] = None,
    heat_map: Annotated[
        Path | None, typer.Option(help="PNG file: also draw the accuracy under every corruption.")
    ] = None,
    by_class: Annotated[
        Path | None,
        typer.Option(
            help="CSV file: also write the accuracy of every class, clean and under every corruption and attack."
        ),
    ] = None,
    confusion: Annotated[
        Path | None, typer.Option(help="CSV file: also write how often each class is predicted for each true class.")
    ] = None,
    radii: RadiiOption = None,
    require: RequireOption = None,
    accept_doubted: AcceptDoubtedOption = False,
    junit: JunitOption = None,
    summary: SummaryOption = None,
    log: LogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute every score of a store again, from its outcomes alone."""
    with error_boundary():
        from robustbench_eff.core.result_file import refuse_to_overwrite
        from robustbench_eff.reports import incomplete_means, json_report, score_tables
        from robustbench_eff.reports import verdicts as verdict_report
        from robustbench_eff.scores.alexnet import measured
        from robustbench_eff.scores.compute import store_scores
        from robustbench_eff.scores.masking_checks import store_verdicts
        from robustbench_eff.storage.store import Store

        options = {"require": require, "junit": junit, "summary": summary, "accept_doubted": accept_doubted, "log": log}
        outs = (heat_map, by_class, confusion)
        gate = parse_gate(options, [store, alexnet_baseline, trials_file, *outs])
        for number, out in enumerate(outs):
            refuse_to_overwrite(out, [store, alexnet_baseline, trials_file, *outs[:number]])
        opened = Store.existing(store)
        verdicts = store_verdicts(opened)
        alexnet = None if alexnet_baseline is None else measured(alexnet_baseline)
        scores = store_scores(opened, verdicts=verdicts, alexnet=alexnet, radii=parse_radii(radii))
        if trials_file is not None:
            scores += _trial_scores(opened, trials_file)
        if heat_map is not None:
            from robustbench_eff.reports import heat_map as heat_map_report

            heat_map_report.write(scores, heat_map)
        if by_class is not None or confusion is not None:
            _write_classes(opened, by_class, confusion)
        if as_json:
            judgements = gate.judge(scores)
            print(json_report.json_object(scores, str(store), [], verdicts, judgements=judgements))
        else:
            score_tables.score_table(scores, output_console())
            incomplete_means.incomplete_lines(scores, output_console())
            verdict_report.verdict_lines(verdicts, output_console())
            judgements = gate.judge(scores)
        gate.finish(scores, judgements, error_console() if as_json else output_console())


def _write_classes(store: Store, by_class: Path | None, confusion: Path | None) -> None:
    from robustbench_eff.reports import class_files, csv_file
    from robustbench_eff.scores.class_tables import class_tables

    tables = class_tables(store)
    if by_class is not None:
        csv_file.write(tables.by_class, class_files.BY_CLASS, by_class)
    if confusion is not None:
        csv_file.write(tables.confusion, class_files.CONFUSION, confusion)


def _trial_scores(store: Store, path: Path) -> list[Score]:
    """Scores of the observers in a file, and how consistent the errors of the store's models are with theirs."""
    from robustbench_eff.scores.observers import consistency_scores, observer_scores
    from robustbench_eff.scores.trials import cue_conflict_cells, read_trials

    observers = read_trials(path)
    kappas = consistency_scores(cue_conflict_cells(store), observers, path.name)
    return observer_scores(observers, path.name) + kappas
