"""A table as LaTeX: as narrow as a page, in blocks of columns, and over several pages where it is long."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache

from .grid import Cell, Grid, Label, by_model, by_number
from .latex_text import bound, tex, width
from .table import Table

PAGE_WIDTH = 345.0
r"""\textwidth of the class article at 10 pt, in points: the narrowest page of one column in common use."""
LONGEST = 40
"""Height in lines of text from which a table breaks across pages."""
FONT = 8.5
r"""Size of \footnotesize in points."""
SMALL = 7.6
"""Size in points of the ends of intervals, whose letters are wider for their size."""
GAP = 6.0
"""Space between columns in points."""
BOLD = 1.16
"""How much wider bold digits are."""
WIDEST = {"model": 108.0, "defense": 84.0, "": 108.0}
"""Widths in points at which names of lines are broken, by the heading above them."""
WIDEST_OTHER = 60.0
"""The same for everything else."""
SHORTEST_PREFIX = 8
"""Number of characters from which a beginning that all names share is moved to the caption."""
NOTE = 8.0
"""Width of the number of a footnote."""
DISTANCES = r"Raised and lowered: the distances to the ends of the 95\% interval, where there is one."
OPEN = r"In brackets: a 95\% interval that reaches beyond all distances that were searched."
HEAD = (
    "% Packages: \\usepackage{booktabs,longtable}. Any engine; one column of at least "
    f"{PAGE_WIDTH:.0f} pt, as in the class article at 10 pt."
)


def latex(table: Table, *, transposed: bool = False) -> str:
    """Return the table as one or several LaTeX tables with their footnotes, in ASCII.

    Columns without a number are left out, and what all models share is said in the caption. Columns that do not fit on
    the page go to further tables, which repeat the names of the lines and leave out those without a number there.

    Args:
        table: The table.
        transposed: Whether the models are the columns.
    """
    table, shared = _without_shared(_with_numbers(table))
    grid = by_number(table) if transposed else by_model(table)
    blocks, none_bold = list(_blocks(grid)), _none_bold(table, grid)
    name = re.sub(r"[^a-z0-9]+", "-", table.title.lower()).strip("-") or "leaderboard"
    texts = [HEAD]
    for number, block in enumerate(blocks, start=1):
        part = f", part {number} of {len(blocks)}" if len(blocks) > 1 else ""
        suffix = f"-{number}" if len(blocks) > 1 else ""
        caption = " ".join([f"{_breakable(table.title)}{part}.", *shared, _legend(block, none_bold)])
        notes = _notes(table, block, with_warnings=block is blocks[-1])
        texts.append(_float(block, f"\\caption{{{caption}}}\\label{{tab:{name}{suffix}}}", notes))
    return "\n\n".join(texts) + "\n"


def _with_numbers(table: Table) -> Table:
    """Return the table without columns in which no model has a value, unless a model is in no other column."""
    kept = {
        index
        for index in range(len(table.columns))
        if any((figure := row.figures[index]) is not None and figure.value is not None for row in table.rows)
    }
    empty = [row for row in table.rows if not any(row.figures[index] for index in kept)]
    kept |= {index for row in empty for index, figure in enumerate(row.figures) if figure is not None}
    return _with_columns(table, sorted(kept))


def _with_columns(table: Table, kept: Sequence[int]) -> Table:
    rows = tuple(replace(row, figures=tuple(row.figures[index] for index in kept)) for row in table.rows)
    return replace(table, columns=tuple(table.columns[index] for index in kept), rows=rows)


def _without_shared(table: Table) -> tuple[Table, list[str]]:
    """Return the table without what all models share, and sentences that say it."""
    sentences = []
    rows = table.rows
    if len(rows) > 1 and len({row.defense for row in rows}) == 1:
        sentences += [f"Defense of all models: {_breakable(rows[0].defense)}."] if rows[0].defense else []
        rows = tuple(replace(row, defense="") for row in rows)
    prefix = _shared_beginning([row.model for row in rows])
    if len(rows) > 1 and len(prefix) >= SHORTEST_PREFIX:
        sentences.append(f"All names begin with {_breakable(prefix)}.")
        rows = tuple(replace(row, model=row.model.removeprefix(prefix)) for row in rows)
    return replace(table, rows=rows), sentences


def _shared_beginning(names: Sequence[str]) -> str:
    """Return the whole words that all names begin with, of which something is left."""
    first, last = min(names), max(names)
    length = next((index for index, mark in enumerate(first) if last[index : index + 1] != mark), len(first) - 1)
    return first[: max(first[:length].rfind(mark) for mark in "_/- .:") + 1]


def _blocks(grid: Grid) -> Iterator[Grid]:
    """Yield consecutive columns that are together as wide as a page, or one column that is wider."""
    start = 0
    while start < len(grid.heads):
        end = start + 1
        while end < len(grid.heads) and _width(_part(grid, start, end + 1)) <= PAGE_WIDTH:
            end += 1
        yield _part(grid, start, end)
        start = end
        grid = _without(grid, "defense")


def _without(grid: Grid, head: str) -> Grid:
    """Return the grid without the names of lines below a heading."""
    kept = [index for index, name in enumerate(grid.corner) if name != head]
    lines = (replace(line, names=tuple(line.names[index] for index in kept)) for line in grid.lines)
    return replace(grid, corner=tuple(grid.corner[index] for index in kept), lines=tuple(lines))


def _part(grid: Grid, start: int, end: int) -> Grid:
    """Return some columns without lines that have no number there, and without names that are empty in all lines."""
    lines = [replace(line, cells=line.cells[start:end]) for line in grid.lines]
    lines = [line for line in lines if any(cell.number for cell in line.cells)]
    names = [index for index in range(len(grid.corner)) if any(line.names[index].text for line in lines)]
    return Grid(
        corner=tuple(grid.corner[index] for index in names),
        heads=grid.heads[start:end],
        lines=tuple(replace(line, names=tuple(line.names[index] for index in names)) for line in lines),
    )


def _width(grid: Grid) -> float:
    """Return an upper estimate of the width of a table in points."""
    names = [
        max(_stack_width(text, _widest(head)) for text in (head, *(line.names[index].text for line in grid.lines)))
        for index, head in enumerate(grid.corner)
    ]
    numbers = [
        max(_stack_width(head.text, WIDEST_OTHER) + NOTE, *(_cell_width(line.cells[index]) for line in grid.lines))
        for index, head in enumerate(grid.heads)
    ]
    return sum(names) + sum(numbers) + GAP * (len(names) + len(numbers))


def _widest(head: str) -> float:
    return WIDEST.get(head, WIDEST_OTHER)


def _cell_width(cell: Cell) -> float:
    ends = _ends(cell)
    if ends is None:
        return _stack_width(cell.number, WIDEST_OTHER) + (FONT * width(f" {cell.interval}") if cell.interval else 0)
    return FONT * width(cell.number) * (BOLD if cell.is_separated else 1) + SMALL * max(map(width, ends))


def _ends(cell: Cell) -> tuple[str, str] | None:
    """Return the signed distances from a number to the ends of its interval, the upper first; None without both."""
    if not cell.interval or _is_open(cell):
        return None
    value = Decimal(cell.number.rstrip("†*"))
    low, high = (Decimal(end) for end in cell.interval[1:-1].split(", "))
    return f"{high - value:+f}", f"{(value - low).copy_negate():+f}"  # where the lower one is 0, it is `-0.00`


def _is_open(cell: Cell) -> bool:
    """Return whether an end of the interval is infinite or unknown, so that it has no distance from the number."""
    ends = cell.interval[1:-1].split(", ")
    return any(end == "-" or end.startswith(">") or end.endswith("∞") for end in ends)


@cache
def _stack(text: str, widest: float) -> tuple[str, ...]:
    """Return text in lines that are not wider than `widest` points, broken inside of a word only if it is too long."""
    lines = [""]
    for piece in re.findall(r"[^ ,_/(=.-]*[ ,_/(=.-]+|[^ ,_/(=.-]+", text):
        if lines[-1] and FONT * width(lines[-1] + piece.rstrip()) > widest:
            lines.append("")
        for mark in piece:
            if lines[-1] and mark != " " and FONT * width(lines[-1] + mark) > widest:
                lines.append("")
            lines[-1] += mark
    return tuple(line.strip() for line in lines)


@cache
def _stack_width(text: str, widest: float) -> float:
    return FONT * max(map(width, _stack(text, widest)))


def _stacked(label: Label, widest: float, side: str) -> str:
    lines = [tex(line) for line in _stack(label.text, widest)]
    note = "" if label.note is None else f"$^{{{label.note}}}$"
    stacked = r"\\".join(lines) + note
    return stacked if len(lines) == 1 else rf"\shortstack[{side}]{{{stacked}}}"


def _height(grid: Grid) -> int:
    """Return the height of a table in lines of text."""
    heads = max(len(_stack(head.text, WIDEST_OTHER)) for head in grid.heads)
    names = (zip(line.names, grid.corner, strict=True) for line in grid.lines)
    return heads + sum(max(len(_stack(label.text, _widest(head))) for label, head in pairs) for pairs in names)


def _name(label: Label, head: str) -> str:
    return _stacked(label, _widest(head), "l")


def _number(cell: Cell) -> str:
    ends = _ends(cell)
    value = cell.number.rstrip("†*")
    marks = tex(cell.number[len(value) :])
    if _is_open(cell) or value.startswith((">", "∞")):
        bold = rf"\textbf{{\boldmath{bound(value)}}}" if cell.is_separated else bound(value)
        low, _, high = cell.interval[1:-1].partition(", ")
        return f"{bold}{marks}" + (f" {{[}}{bound(low)}, {bound(high)}{{]}}" if cell.interval else "")
    if ends is None:
        return _stacked(Label(cell.number), WIDEST_OTHER, "r")
    shown = rf"\textbf{{{tex(value)}}}" if cell.is_separated else tex(value)
    return f"{shown}$^{{{ends[0]}}}_{{{ends[1]}}}${marks}"


def _none_bold(table: Table, grid: Grid) -> bool:
    """Return whether intervals could have separated models anywhere in the whole table, and did not."""
    figures = [[row.figures[index] for row in table.rows] for index in range(len(table.columns))]
    ranked = [
        sum(of is not None and of.ranks is not None and of.low is not None for of in column) for column in figures
    ]
    is_bold = any(cell.is_separated for line in grid.lines for cell in line.cells)
    return max(ranked) > 1 and not is_bold


def _legend(block: Grid, none_bold: bool) -> str:
    """Return what a reader must know about the numbers of a part of a table."""
    cells = [cell for line in block.lines for cell in line.cells]
    has_intervals, has_bold = any(cell.interval for cell in cells), any(cell.is_separated for cell in cells)
    sentences = [DISTANCES] if any(_ends(cell) for cell in cells) else []
    sentences += [OPEN] if any(map(_is_open, cells)) else []
    if has_bold:
        sentences.append(r"Bold: better than every other model, by tests of all columns at 5\% with Holm's correction.")
    elif has_intervals and none_bold:
        sentences.append("None is bold, because the intervals separate no best model from the next.")
    return " ".join(sentences)


def _notes(table: Table, grid: Grid, *, with_warnings: bool) -> list[str]:
    """Return the footnotes of the protocols in a table, and those of all models below the last table."""
    used = {label.note for label in (*grid.heads, *(name for line in grid.lines for name in line.names))}
    notes = [
        f"$^{{{number}}}$ {kind}: {_breakable(str(protocol))}"
        for (kind, protocol), number in table.protocols.items()
        if number in used
    ]
    return notes + (list(map(_breakable, table.warnings)) if with_warnings else [])


def _breakable(text: str) -> str:
    """Return text as LaTeX that may be broken after underscores and slashes."""
    return tex(text).replace(r"\_", r"\_\allowbreak{}").replace("/", r"/\allowbreak{}")


def _float(grid: Grid, caption: str, notes: Sequence[str]) -> str:
    """Return a floating table, or for many lines one that breaks across pages."""
    corner = [_stacked(Label(head), _widest(head), "l") for head in grid.corner]
    heads = [_stacked(head, WIDEST_OTHER, "r") for head in grid.heads]
    lines = [[*map(_name, line.names, grid.corner), *map(_number, line.cells)] for line in grid.lines]
    head, *body = (f"{' & '.join(line)} \\\\" for line in [[*corner, *heads], *lines])
    columns = "l" * len(grid.corner) + "r" * len(grid.heads)
    size = [r"\footnotesize", rf"\setlength{{\tabcolsep}}{{{GAP / 2:g}pt}}\renewcommand{{\arraystretch}}{{1.25}}"]
    below = [rf"\par {note}" for note in notes]
    if _height(grid) + 2 * len(notes) < LONGEST:
        tabular = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
        inside = [caption, r"\centering", *size, *tabular, r"\end{tabular}\par", r"\raggedright", *below]
        return "\n".join([r"\begin{table}[tbp]", *inside, r"\end{table}"])
    first = [rf"\begin{{longtable}}{{{columns}}}", rf"{caption} \\", r"\toprule", head, r"\midrule", r"\endfirsthead"]
    others = [r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"]
    last = [r"\end{longtable}", r"\raggedright", *below, r"\par\endgroup"]
    return "\n".join([r"\begingroup", *size, *first, *others, *body, *last])
