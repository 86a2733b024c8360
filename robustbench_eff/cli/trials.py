"""`robust-eval trials`: the answers of models on cue-conflict images, as CSV files of model-vs-human."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from robustbench_eff.core.disk import reporting_os_errors
from robustbench_eff.core.errors import UsageError

from .common import error_boundary, output_console, print_line


def trials(
    store: Annotated[str, typer.Argument(help="Folder or URL of the outcomes.")],
    out: Annotated[Path, typer.Option(help="Folder for the CSV files.")],
) -> None:
    """Write every model's trials on cue-conflict images as a CSV file in the format of model-vs-human."""
    with error_boundary():
        from robustbench_eff.reports import csv_file
        from robustbench_eff.scores.trials import COLUMNS, cue_conflict_cells, observer_of, rows_of
        from robustbench_eff.storage.store import Store

        cells = cue_conflict_cells(Store.existing(store))
        if not cells:
            raise UsageError(
                f"{store} does not hold cue-conflict outcomes.",
                "Evaluate a model with --suite shifts and --benchmark cue-conflict or digits-cue-conflict.",
            )
        for outcomes in cells.values():
            cell = outcomes.cell
            if not outcomes.finished:
                raise UsageError(
                    f"{cell.model} on {cell.benchmark} is incomplete: {len(outcomes)} of {cell.samples} samples.",
                    "Repeat the command of that evaluation first.",
                )
            observer = observer_of(outcomes)
            path = out / f"{cell.benchmark}_{_file_name_part(observer.name)}_{cell.id[:6]}_session-1.csv"
            with reporting_os_errors(out):
                out.mkdir(parents=True, exist_ok=True)
            csv_file.write(rows_of(observer, outcomes.outcomes["sample_id"].to_pylist()), COLUMNS, path)
            print_line(output_console(), str(path))


def _file_name_part(name: str) -> str:
    """The name of a model without underscores, which separate the parts of a file name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)
