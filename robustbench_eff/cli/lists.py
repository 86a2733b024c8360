"""`robust-eval list`: the names that options accept."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from robustbench_eff.benchmarks import locations
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.core.errors import UsageError
from robustbench_eff.models import aliases
from robustbench_eff.models.aliases import Alias
from robustbench_eff.registry.adaptations import ADAPTATIONS
from robustbench_eff.registry.benchmarks import BENCHMARKS, SCORED_WITH
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.defenses import DEFENSES
from robustbench_eff.registry.perturbation import attack_names
from robustbench_eff.registry.perturbation_sets import PERTURBATION_SETS
from robustbench_eff.registry.sequences import SEQUENCES
from robustbench_eff.registry.stylisers import STYLISERS
from robustbench_eff.registry.suites import SUITES

from .common import error_boundary, output_console
from .options import JsonOption
from .robustbench_list import CAPTION, HEADER, is_robustbench, robustbench_rows

WEIGHTS = {name: name for name in ("checkpoint", "hf", "open_clip", "shipped", "timm", "torchvision")}
"""Column `weights` of the table of models, for sources that download weights automatically."""
FOUND, NOT_FOUND = "found", "not found"

list_app = typer.Typer(
    help="List available models, benchmarks, attacks, corruptions, sequences, stylisers, defenses or suites.",
    no_args_is_help=True,
)


@list_app.command("models")
def list_models(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Words of a name, family, defense, dataset or source, in any order; or globs."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the names of models, with parameters, input size, published clean accuracy, training and source.

    `robustbench:*` lists RobustBench's models with what it publishes about them.
    """
    with error_boundary():
        if words and is_robustbench(words[0]):
            _print_rows(HEADER, robustbench_rows(words))
            output_console().print(CAPTION)
            return
        matching = aliases.matching(words or ())
        if not matching:
            asked = " ".join(words or ())
            raise UsageError(
                f"No alias matches {asked!r}.",
                "Any timm:NAME, torchvision:NAME or hf:ORG/NAME works too; `robustbench:*` lists RobustBench's models.",
            )
        if as_json:
            print(json.dumps({"models": [_model_fields(alias) for alias in matching]}))
            return
        console = output_console()
        console.print("\n".join(_model_lines(matching, console.width)), markup=False, highlight=False, soft_wrap=True)


def _model_fields(alias: Alias) -> dict[str, object]:
    fields = (
        "name",
        "source",
        "target",
        "family",
        "defense",
        "dataset",
        "parameters",
        "input_size",
        "accuracy",
        "note",
    )
    address = None if alias.address is None else alias.address.recorded
    return {name: getattr(alias, name) for name in fields} | {"address": address}


def _model_lines(rows: Sequence[Alias], width: int) -> Iterator[str]:
    """Yield a table of models; long names and trainings wrap. rich's tables take milliseconds per row.

    Args:
        rows: The models.
        width: Number of columns, at least 72.
    """
    heads = ("model", "params", "px", "acc %", "training", "weights")
    cells = [heads, *(_model_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    free = max(72, width) - sum(widths[column] for column in (1, 2, 3, 5)) - len(heads) + 1
    widths[0] = min(widths[0], max(free - widths[4], free * 3 // 5))
    widths[4] = min(widths[4], free - widths[0])
    for row in cells:
        names, trainings = textwrap.wrap(row[0], widths[0]), textwrap.wrap(row[4], widths[4])
        for line in range(max(len(names), len(trainings))):
            values = row if line == 0 else ("",) * len(heads)
            name, training = ("".join(texts[line : line + 1]) for texts in (names, trainings))
            shown = [f"{values[column]:>{widths[column]}}" for column in (1, 2, 3)]
            yield " ".join([f"{name:<{widths[0]}}", *shown, f"{training:<{widths[4]}}", values[5]]).rstrip()


def _model_cells(row: Alias) -> tuple[str, ...]:
    count = "" if row.parameters is None else _count(row.parameters)
    accuracy = "" if row.accuracy is None else f"{100 * row.accuracy:.1f}"
    by_hand = row.checkpoint is not None and row.checkpoint.by_hand
    weights = "by hand" if by_hand else WEIGHTS.get(row.source, "by hand")
    return row.name, count, str(row.input_size or ""), accuracy, row.defense.replace("_", " "), weights


def _count(parameters: int) -> str:
    """A number of parameters in three digits, such as 25.6M."""
    unit, name = (1e9, "G") if parameters >= 1e9 else (1e6, "M") if parameters >= 1e6 else (1e3, "k")
    return f"{parameters / unit:.3g}{name}"


@list_app.command("benchmarks")
def list_benchmarks(
    name: Annotated[str | None, typer.Argument(help="Describe this benchmark in full.")] = None,
) -> None:
    """List benchmarks: whether their images were found, where to get them, size and licence."""
    with error_boundary():
        if name is not None:
            from robustbench_eff.registry import build_benchmark

            output_console().print(_described(build_benchmark.benchmark(name)))
            return
        output_console().print(_benchmark_table())
        output_console().print(
            "Pass images with --data NAME=PATH; benchmarks made from imagenet use the images of imagenet. "
            "`robust-eval list benchmarks NAME` describes one in full.",
            highlight=False,
        )


def _benchmark_table() -> Table:
    """Return a table of all benchmarks that is readable at any width: three columns whose texts wrap."""
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column("benchmark", width=max(map(len, BENCHMARKS)), overflow="fold")
    table.add_column("images", ratio=5, overflow="fold")
    table.add_column("size, licence", ratio=4, overflow="fold")
    for name, item in BENCHMARKS.loaded():
        row = BENCHMARKS[name]
        status, where = _images(item)
        images = Text.assemble((status, "green" if status == FOUND else "yellow"), f"\n{where}")
        table.add_row(Text.assemble((name, "bold"), f"\n{row.summary}"), images, Text(f"{item.size}\n{item.licence}"))
    for name, scored_with in SCORED_WITH.items():
        table.add_row(Text.assemble((name, "bold"), "\nother labels"), Text(f"scored with {scored_with}"), Text(""))
    return table


def _described(item: Benchmark) -> Table:
    """A table of everything that defines a benchmark, one line each."""
    from robustbench_eff.registry import build_benchmark

    status, where = _images(item)
    derived = [name for name, row in BENCHMARKS.loaded() if row.source_benchmark == item.name]
    same = build_benchmark.other_protocols(item)
    scored = [name for name, scored_with in SCORED_WITH.items() if scored_with == item.name]
    classes = f"{item.num_classes}, the outputs of the model" if item.class_map is None else str(item.class_map())
    source = item.name if item.source_benchmark is None or item.layout is not None else item.source_benchmark
    lines = {
        "benchmark": f"{item.name}: {item.title}",
        "images": status if status == NOT_FOUND else f"{status}: {where}",
        "get them": "" if item.open_bundled is not None else _how_to_get(item),
        "pass them": f"--data {source}=PATH, or the environment variable {locations.variable(source)}",
        "size": item.size,
        "licence": item.licence,
        "split": item.split,
        "label space": item.label_space,
        "classes": classes,
        "geometry": _geometry(item),
        "made from": "" if item.source_benchmark in (None, *same) else f"the images of {item.source_benchmark}",
        "stylised by": item.stylise_with or "",
        "saved as": "" if item.jpeg_quality is None else f"JPEG of quality {item.jpeg_quality}, where corrupted",
        "same images, other protocol": ", ".join(same),
        "made from it": ", ".join(name for name in derived if name not in same),
        "scored with it": ", ".join(scored),
    }
    table = Table(box=None, show_header=False)
    for label, value in lines.items():
        if value:
            table.add_row(Text(label, "bold"), Text(value, overflow="fold"))
    return table


def _images(item: Benchmark) -> tuple[str, str]:
    """The state of a benchmark's images on this machine, and where they are or how to get them."""
    path = locations.place(item, {})
    if path is not None and path.startswith("hf:"):
        return "on the hub", path
    if path is not None:
        return (FOUND, path) if Path(path).exists() else (NOT_FOUND, f"{path} does not exist")
    if item.open_bundled is not None:
        return FOUND, item.download_url
    if item.source_benchmark is not None and item.layout is None:
        return NOT_FOUND, f"needs the images of {item.source_benchmark}"
    return NOT_FOUND, f"get them: {item.download_url}"


def _geometry(item: Benchmark) -> str:
    border = f"border of {item.crop_border} cut off, then " if item.crop_border else ""
    return f"{border}the model's own" if item.geometry is None else str(item.geometry)


@list_app.command("attacks")
def list_attacks() -> None:
    """List the attacks that `--attack` and suites accept."""
    with error_boundary():
        _print_rows(("attack", "summary"), list(attack_names().items()))


@list_app.command("corruptions")
def list_corruptions() -> None:
    """List the corruptions that `--corruption` and suites accept, and named sets of perturbations."""
    with error_boundary():
        rows = [(name, row.summary) for name, row in CORRUPTIONS.items()]
        sets = [(name, f"{len(texts)} perturbations") for name, texts in PERTURBATION_SETS.items()]
        _print_rows(("corruption", "summary"), rows + sets)


@list_app.command("sequences")
def list_sequences() -> None:
    """List the frame sequences that `--corruption` and suites accept."""
    with error_boundary():
        _print_rows(("sequence", "summary"), [(name, row.summary) for name, row in SEQUENCES.items()])


@list_app.command("adaptations")
def list_adaptations() -> None:
    """List how `--adapt` evaluates networks that depend on batch, order or past."""
    with error_boundary():
        _print_rows(("adaptation", "summary"), [(name, row.summary) for name, row in ADAPTATIONS.items()])


@list_app.command("stylisers")
def list_stylisers() -> None:
    """List the stylisers, which give an image the texture of another."""
    with error_boundary():
        _print_rows(("styliser", "summary"), [(name, row.summary) for name, row in STYLISERS.items()])


@list_app.command("defenses")
def list_defenses() -> None:
    """List the recipes that `robust-eval train --defense` accepts."""
    with error_boundary():
        _print_rows(("defense", "summary"), [(name, row.summary) for name, row in DEFENSES.items()])


@list_app.command("suites")
def list_suites() -> None:
    """List the shipped suites."""
    with error_boundary():
        _print_rows(("suite", "summary"), list(SUITES.items()))


def _print_rows(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False)
    for head in header:
        table.add_column(head, overflow="fold")  # a name that ends in an ellipsis cannot be copied
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    output_console().print(table)


def _how_to_get(benchmark: Benchmark) -> str:
    option = f", or --data {benchmark.name}=FOLDER --download" if benchmark.files else ""
    return f"{benchmark.download_url}{option}"
