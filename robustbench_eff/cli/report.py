"""`robust-eval report`: a store of outcomes as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import error_boundary, output


def report(
    store: Annotated[str, typer.Argument(help="Folder or URL of outcomes.")],
    out: Annotated[Path, typer.Option(help="HTML file.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option(help="Heading; the store's name unless given.")] = None,
) -> None:
    """Write one HTML file that needs nothing else: what was asked, numbers, curves, pictures, verdicts."""
    with error_boundary():
        from robustbench_eff.core.disk import reporting_os_errors
        from robustbench_eff.leaderboards.html_report import run_page
        from robustbench_eff.publishing.measured_entries import measured_entries, pictures
        from robustbench_eff.storage.store import Store

        opened = Store.existing(store)
        entries = measured_entries([store])
        text = run_page(entries, opened.runs(), pictures(opened), title or f"Robustness: {opened.name}")
        with reporting_os_errors(out):
            out.write_text(text, encoding="utf-8")
        output().print(f"Written to {out}.", highlight=False, markup=False, soft_wrap=True)
