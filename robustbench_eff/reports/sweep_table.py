"""A sweep as tables: means over seeds, and differences from the baseline; for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from .formatting import percent

if TYPE_CHECKING:
    from robustbench_eff.training.sweep import SweepResult
    from robustbench_eff.training.sweep_spec import Summary


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def tables(result: SweepResult) -> Iterator[TextTable]:
    """The means of all rows; then, with more than one seed, what the others differ from the baseline by."""
    means = result.means
    columns = list(dict.fromkeys(column for found in means.values() for column in found))
    seeds = len(result.sweep.seeds)
    rows = [[row, f"{result.passes.get(row, 0):g}", *_cells(found, columns, "")] for row, found in means.items()]
    yield TextTable(f"Mean over {seeds} seeds in %, with its 95 % interval", ["row", "passes", *columns], rows)
    if seeds > 1 and len(means) > 1:
        baseline = result.sweep.compared_with
        others = [[row, *_cells(found, columns, "+")] for row, found in result.differences.items() if found]
        title = f"Points more than {baseline} with the same seed, with the 95 % interval"
        yield TextTable(title, ["row", *columns], others)


def _cells(found: Mapping[str, Summary], columns: list[str], sign: str) -> list[str]:
    return [_cell(found[column], sign) if column in found else "-" for column in columns]


def _cell(summary: Summary, sign: str) -> str:
    mean = percent(summary.mean, 1, sign)
    if summary.low is None or summary.high is None:
        return mean
    ends = f"[{percent(summary.low, 1, sign)}, {percent(summary.high, 1, sign)}]"
    return f"{mean} {ends}"


def rich_table(plain: TextTable) -> Table:
    """For the terminal."""
    table = Table(title=plain.title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(plain.columns):
        table.add_column(Text(column), justify="left" if number == 0 else "right", overflow="fold")
    for row in plain.rows:
        table.add_row(*map(Text, row))
    return table


def markdown(result: SweepResult) -> str:
    """All tables, what was expected, and what failed."""
    parts = [f"# {result.sweep.title}"]
    if result.sweep.expected:
        parts.append(f"Expected before the run: {result.sweep.expected.strip()}")
    for plain in tables(result):
        lines = [plain.columns, ["---", *["---:"] * (len(plain.columns) - 1)], *plain.rows]
        parts.append(f"{plain.title}\n\n" + "\n".join(f"| {' | '.join(map(_escaped, cells))} |" for cells in lines))
    for row, seeds in result.failed.items():
        parts += [f"{row}, seed {seed}, failed: {why}" for seed, why in seeds.items()]
    parts.append("Recipes: " + "; ".join(f"{row}: `{text}`" for row, text in result.sweep.recipes().items()) + ".")
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
