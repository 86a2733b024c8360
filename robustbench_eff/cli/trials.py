"""`robust-eval trials`: what models answered on cue-conflict images, as CSV files of model-vs-human."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Annotated

import typer

from robustbench_eff.core.disk import reporting_os_errors
from robustbench_eff.core.errors import UsageError

from .common import error_boundary, output


def trials(
    store: Annotated[str, typer.Argument(help="Folder or URL of outcomes.")],
    out: Annotated[Path, typer.Option(help="Folder of the CSV files.")],
) -> None:
    """Write the trials of every model on cue-conflict images, one CSV file each, in the format of model-vs-human."""
    with error_boundary():
        from robustbench_eff.scores.trials import COLUMNS, cue_conflict_cells, observer_of, rows_of
        from robustbench_eff.storage.store import Store

        cells = cue_conflict_cells(Store.existing(store))
        if not cells:
            raise UsageError(
                f"{store} holds no cue-conflict images.", "Evaluate with --benchmark cue-conflict --suite shifts."
            )
        for item in cells.values():
            cell = item.cell
            if not item.finished:
                raise UsageError(
                    f"{cell.model} on {cell.benchmark} is incomplete: {len(item)} of {cell.samples}.",
                    "Repeat its command first.",
                )
            observer = observer_of(item)
            path = out / f"{cell.benchmark}_{_safe(observer.name)}_{cell.id[:6]}_session-1.csv"
            with reporting_os_errors(path):
                out.mkdir(parents=True, exist_ok=True)
                with path.open("w", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(file, COLUMNS)
                    writer.writeheader()
                    writer.writerows(rows_of(observer, item.outcomes["sample_id"].to_pylist()))
            output().print(str(path), highlight=False, soft_wrap=True)


def _safe(name: str) -> str:
    """A model's name as part of a file's; an underscore separates the parts."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)
