"""`robust-eval report`: a store of outcomes as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import error_boundary, error_console, print_line


def report(
    store: Annotated[str, typer.Argument(help="Folder or URL of the outcomes.")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option(help="Heading of the page; by default it names the store.")] = None,
) -> None:
    """Write one self-contained HTML file about a store: settings, numbers, curves, pictures, verdicts."""
    with error_boundary():
        from robustbench_eff.core.result_file import refuse_to_overwrite, write_result
        from robustbench_eff.leaderboards.html_report import run_page
        from robustbench_eff.publishing.measured_entries import headlines, measured_entries, pictures
        from robustbench_eff.storage.store import Store

        refuse_to_overwrite(out, [store])
        opened = Store.existing(store)
        entries = measured_entries([store])
        page = run_page(
            entries, opened.runs(), pictures(opened), title or f"Robustness: {opened.name}", headlines(opened)
        )
        write_result(out, page.encode())
        print_line(error_console(), f"Written to {out}.")
