"""`robust-eval list`: what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from robustbench_eff import benchmark_table, catalog, tables
from robustbench_eff.benchmarks import locations
from robustbench_eff.errors import UsageError
from robustbench_eff.zoo import aliases

from .words import output, reported

list_app = typer.Typer(
    help="List what there is: models, benchmarks, attacks, corruptions, sequences, stylisers, suites.",
    no_args_is_help=True,
)


@list_app.command("models")
def list_models(
    pattern: Annotated[str | None, typer.Argument(help="Part of a name, or a glob.")] = None,
) -> None:
    """Aliases, and where their weights come from."""
    with reported():
        found = aliases.matching(pattern)
        if not found:
            raise UsageError(f"No alias matches {pattern!r}.", "Any timm:NAME or torchvision:NAME works too.")
        rows = [(alias.name, f"{alias.source}:{alias.target}", alias.defense) for alias in found]
        _print_rows(("alias", "stands for", "defense"), rows)


@list_app.command("benchmarks")
def list_benchmarks() -> None:
    """Benchmarks, their licences, whether their images are found, and where they can be had."""
    with reported():
        rows = []
        for name, row in benchmark_table.BENCHMARKS.items():
            item = catalog.benchmark(name)
            place = locations.place(item, {}) or (item.where if item.embedded is not None else None)
            rows.append((name, row.summary, item.licence, place or f"not found; get it: {item.where}"))
        _print_rows(("benchmark", "what", "licence", "where"), rows)


@list_app.command("attacks")
def list_attacks() -> None:
    """Attacks that `--attack` and suites know."""
    with reported():
        _print_rows(("attack", "what"), list(catalog.attack_names().items()))


@list_app.command("corruptions")
def list_corruptions() -> None:
    """Corruptions that `--corruption` and suites know, and words that stand for many."""
    with reported():
        rows = [(name, row.summary) for name, row in tables.CORRUPTIONS.items()]
        sets = [(name, f"{len(texts)} perturbations") for name, texts in tables.SETS.items()]
        _print_rows(("corruption", "what"), rows + sets)


@list_app.command("sequences")
def list_sequences() -> None:
    """Sequences of frames that `--corruption` and suites know."""
    with reported():
        _print_rows(("sequence", "what"), [(name, row.summary) for name, row in tables.SEQUENCES.items()])


@list_app.command("stylisers")
def list_stylisers() -> None:
    """What gives an image the texture of another."""
    with reported():
        _print_rows(("styliser", "what"), [(name, row.summary) for name, row in tables.STYLISERS.items()])


@list_app.command("suites")
def list_suites() -> None:
    """Shipped suites."""
    with reported():
        _print_rows(("suite", "what"), list(benchmark_table.SUITES.items()))


def _print_rows(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*header, box=None)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    output().print(table)
