"""`robust-eval store`: what the files of a store are, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from .common import error_boundary, output_console, print_line
from .options import JsonOption

if TYPE_CHECKING:
    from robustbench_eff.storage.check import Finding

store_app = typer.Typer(help="Check a store of outcomes.", no_args_is_help=True)


@store_app.callback()
def store() -> None:
    """Check a store of outcomes."""


@store_app.command()
def check(
    store: Annotated[str, typer.Argument(help="Folder or URL of the outcomes.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Move what is wrong into the store's folder set-aside; delete nothing.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Also list the files with which nothing is wrong.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say for every file of a store what it is and what is wrong with it; the exit code is 1 if anything is."""
    with error_boundary():
        from robustbench_eff.storage.repair import check_store

        findings = check_store(store, repair=repair)
        if as_json:
            print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
        else:
            _print(findings, every=every)
    if any(finding.problem and not finding.moved_to for finding in findings) and not repair:
        raise typer.Exit(1)


def _print(findings: Sequence[Finding], *, every: bool) -> None:
    console = output_console()
    for finding in findings if every else ():
        print_line(console, f"{finding.name}: {finding.kind}" + (f", {finding.note}" if finding.note else ""))
    kinds = Counter(finding.kind for finding in findings)
    print_line(console, f"{len(findings)} files: {', '.join(f'{kinds[kind]} {kind}' for kind in sorted(kinds))}.")
    notes = Counter((finding.kind, finding.note) for finding in findings if finding.note and not finding.problem)
    for (kind, note), number in notes.items():
        print_line(console, f"{number} {kind}: {note}.")
    wrong = [finding for finding in findings if finding.problem]
    for finding in wrong:
        moved = f" Moved to {finding.moved_to}." if finding.moved_to else ""
        print_line(console, f"{finding.problem}.{moved}")
    if not wrong:
        print_line(console, "Nothing is wrong.")
    elif any(finding.moved_to for finding in wrong):
        print_line(console, "Repeat the runs of this store: they compute again what is missing.")
    else:
        print_line(
            console,
            f"{len(wrong)} of {len(findings)} files are wrong. Repeat the run, which writes records of its own cells "
            "anew and keeps their outcomes, or move what is wrong away with --repair.",
        )
