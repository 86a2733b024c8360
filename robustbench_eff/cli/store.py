"""`robust-eval store`: the models of a store, and whether its files are sound."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from .common import error_boundary, error_console, output_console, print_line
from .options import JsonOption

if TYPE_CHECKING:
    from robustbench_eff.storage.check import Finding

StoreArgument: TypeAlias = Annotated[str, typer.Argument(help="Folder or URL of the outcomes.")]
ModelArgument: TypeAlias = Annotated[
    str, typer.Argument(help="Name of the model, as `robust-eval store list` and all tables have it.")
]

store_app = typer.Typer(
    help="List, rename, drop and restore the models of a store; check its files.", no_args_is_help=True
)


@store_app.callback()
def store() -> None:
    """List, rename, drop and restore the models of a store; check its files."""


@store_app.command(name="list")
def list_models(store: StoreArgument, as_json: JsonOption = False) -> None:
    """List the models of a store: how much of them is evaluated, and what was dropped."""
    with error_boundary():
        from robustbench_eff.reports.store_table import models_of, print_models

        found = models_of(store)
        if as_json:
            print(json.dumps([dataclasses.asdict(model) for model in found], indent=2))
        else:
            print_models(found, output_console())


@store_app.command()
def rename(
    store: StoreArgument,
    model: ModelArgument,
    name: Annotated[str, typer.Argument(help="Its new name. Outcomes and identity stay as they are.")],
) -> None:
    """Give a model another name, which all tables of the store then use."""
    with error_boundary():
        from robustbench_eff.reports.store_table import find_model
        from robustbench_eff.storage.edit import rename_model

        chosen = find_model(store, model)
        rename_model(store, chosen.cells, name)
        print_line(output_console(), f"{chosen.name} is called {name}: {_count(chosen.cells)}.")


@store_app.command()
def drop(store: StoreArgument, model: ModelArgument) -> None:
    """Take a model out of all tables; its outcomes stay in the folder `dropped` of the store, and can be restored."""
    with error_boundary():
        from robustbench_eff.reports.store_table import find_model
        from robustbench_eff.storage.edit import drop_cells

        chosen = find_model(store, model)
        drop_cells(store, chosen.cells)
        print_line(output_console(), f"{chosen.name} is dropped: {_count(chosen.cells)}.")
        print_line(
            error_console(), f"To undo it: {shlex.join(['robust-eval', 'store', 'restore', store, chosen.name])}"
        )


@store_app.command()
def restore(store: StoreArgument, model: ModelArgument) -> None:
    """Take a dropped model back into the tables."""
    with error_boundary():
        from robustbench_eff.reports.store_table import find_model
        from robustbench_eff.storage.edit import restore_cells

        chosen = find_model(store, model, dropped=True)
        restore_cells(store, chosen.cells)
        print_line(output_console(), f"{chosen.name} is restored: {_count(chosen.cells)}.")


@store_app.command()
def gc(
    store: StoreArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Delete them; without it, they are only listed.")] = False,
) -> None:
    """Delete the files of a store that nothing reads: dropped, set aside, or left unfinished by killed runs."""
    with error_boundary():
        from robustbench_eff.storage.edit import delete_garbage, garbage

        names = delete_garbage(store) if yes else garbage(store)
        if not yes:
            for name in names:
                print_line(output_console(), name)
        print_line(output_console(), f"{len(names)} files {'were' if yes else 'would be'} deleted.")
        if names and not yes:
            print_line(
                error_console(),
                f"To delete them for ever: {shlex.join(['robust-eval', 'store', 'gc', store, '--yes'])}",
            )


def _count(cells: Sequence[str]) -> str:
    return f"{len(cells)} cell{'s' if len(cells) != 1 else ''}"


@store_app.command()
def check(
    store: StoreArgument,
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
