"""A sweep as tables: means over seeds, and differences from the baseline; for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from robustbench_eff.core.flags import flag_lines, flags_over, mark_of
from robustbench_eff.scores.number_text import percent

if TYPE_CHECKING:
    from robustbench_eff.training.sweep import SweepResult
    from robustbench_eff.training.sweep_spec import Summary


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    below: list[str]
    """Lines below the table: what a reader must know of its numbers."""


def tables(result: SweepResult) -> Iterator[TextTable]:
    """Yield the table of means; then, with more than one seed, the table of differences from the baseline.

    A number over fewer seeds than the sweep has says over how many. One with flags has a mark, and a line below the
    first table says which.

    Args:
        result: The result of a sweep.
    """
    means, seeds = result.means, len(result.sweep.seeds)
    columns = list(dict.fromkeys(column for summaries in means.values() for column in summaries))
    flags = {(row, column): _flags(result, row, column) for row in result.values for column in columns}
    rows = [[row, _passes(result, row), *_cells(means.get(row, {}), columns, seeds)] for row in result.values]
    for cells in rows:
        for place, column in enumerate(columns, 2):
            cells[place] = " ".join(filter(None, (cells[place], mark_of(flags[cells[0], column]))))
    title = f"Mean over {seeds} seeds in %, with its 95 % interval" if seeds > 1 else "Values of one seed in %"
    yield TextTable(title, ["row", "passes", *columns], rows, flag_lines(flags))
    if seeds > 1 and len(means) > 1:
        baseline = result.sweep.compared_with
        others = [[row, *_cells(of_row, columns, seeds, "+")] for row, of_row in result.differences.items()]
        title = f"Points more than {baseline} with the same seed, with the 95 % interval"
        yield TextTable(title, ["row", *columns], others, [])


def of_seeds(summary: Summary, seeds: int) -> str:
    """Return over how many seeds a number is, if not over all; else an empty text.

    Args:
        summary: The number.
        seeds: How many seeds the sweep has.
    """
    return "" if summary.n == seeds else f"{summary.n} of {seeds} seeds"


def _flags(result: SweepResult, row: str, column: str) -> tuple[str, ...]:
    """Flags of the values of all seeds."""
    by_seed, measured = result.flags.get(row, {}), result.values[row]
    return flags_over([by_seed.get(seed, {}).get(column, ()) for seed in measured if column in measured[seed]], "seeds")


def _passes(result: SweepResult, row: str) -> str:
    return f"{result.passes[row]:g}" if row in result.passes else "-"


def _cells(summaries: Mapping[str, Summary], columns: list[str], seeds: int, sign: str = "") -> list[str]:
    return [_cell(summaries[column], seeds, sign) if column in summaries else "-" for column in columns]


def _cell(summary: Summary, seeds: int, sign: str) -> str:
    parts = [percent(summary.mean, 1, sign)]
    if summary.low is not None and summary.high is not None:
        parts.append(f"[{percent(summary.low, 1, sign)}, {percent(summary.high, 1, sign)}]")
    if few := of_seeds(summary, seeds):
        parts.append(f"({few})")
    return " ".join(parts)


def rich_table(plain: TextTable) -> Table:
    """Return the table for the terminal.

    Args:
        plain: The table.
    """
    table = Table(title=plain.title, title_justify="left", box=None, pad_edge=False)
    for index, column in enumerate(plain.columns):
        table.add_column(Text(column), justify="left" if index == 0 else "right", overflow="fold")
    for row in plain.rows:
        table.add_row(*map(Text, row))
    return table


def markdown(result: SweepResult) -> str:
    """Return all tables, the expectation and the failures as Markdown.

    Args:
        result: The result of a sweep.
    """
    parts = [f"# {result.sweep.title}"]
    if result.sweep.expected:
        parts.append(f"Expected before the run: {result.sweep.expected.strip()}")
    for plain in tables(result):
        lines = [plain.columns, ["---", *["---:"] * (len(plain.columns) - 1)], *plain.rows]
        parts.append(f"{plain.title}\n\n" + "\n".join(f"| {' | '.join(map(_escaped, cells))} |" for cells in lines))
        parts += [line.replace("*", "\\*") for line in plain.below]
    for row, seeds in result.failed.items():
        parts += [f"{row}, seed {seed}, failed: {why}" for seed, why in seeds.items()]
    parts.append("Recipes: " + "; ".join(f"{row}: `{text}`" for row, text in result.sweep.recipes().items()) + ".")
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
