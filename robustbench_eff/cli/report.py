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
    full: Annotated[
        bool, typer.Option("--full", help="Leave nothing out: every number, class, curve and picture, none folded.")
    ] = False,
) -> None:
    """Write one self-contained HTML file about a store: results first, then curves, pictures, checks and commands."""
    with error_boundary():
        from robustbench_eff.core.result_file import refuse_to_overwrite, write_result
        from robustbench_eff.publishing.report.page import report_page
        from robustbench_eff.storage.store import Store

        refuse_to_overwrite(out, [store])
        write_result(out, report_page(Store.existing(store), title, full=full).encode())
        print_line(error_console(), f"Written to {out}.")
