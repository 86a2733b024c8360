"""A table as LaTeX: as narrow as a page, in blocks of columns, and over several pages where it is long."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .grid import Cell, Grid, Label, Line, by_model, by_number
from .latex_layout import PAGE, Layout
from .latex_measure import GAP, WIDEST_OTHER, ends_of, grid_width, height, is_open, stack, widest, widest_other
from .latex_text import bound, tex
from .table import Table

LONGEST = 40
"""Height in lines of text from which a table breaks across pages."""
SHORTEST_PREFIX = 8
"""Number of characters from which a beginning that all names share is moved to the caption."""
DISTANCES = r"Raised and lowered: the distances to the ends of the 95\% interval, where there is one."
OPEN = r"In brackets: a 95\% interval that reaches beyond all distances that were searched."


def latex(table: Table, *, transposed: bool = False, layout: Layout = PAGE) -> str:
    """Return the table as one or several LaTeX tables with their footnotes, in ASCII.

    Columns without a number are left out, and what all models share is said in the caption. Columns that do not fit on
    the page go to further tables, which repeat the names of the lines and leave out those without a number there.

    Args:
        table: The table.
        transposed: Whether the models are the columns.
        layout: The place that a table has on a page. Where it cannot break across pages, a long one is divided.
    """
    table, shared = _without_shared(_with_numbers(table))
    grid = by_number(table) if transposed else by_model(table)
    none_bold = _none_bold(table, grid)
    blocks = [part for block in _blocks(grid, layout) for part in _divided(block, layout)]
    name = re.sub(r"[^a-z0-9]+", "-", table.title.lower()).strip("-") or "leaderboard"
    texts = [layout.head]
    for number, block in enumerate(blocks, start=1):
        part = f", part {number} of {len(blocks)}" if len(blocks) > 1 else ""
        suffix = f"-{number}" if len(blocks) > 1 else ""
        notes = _notes(table, block, with_warnings=number == len(blocks))
        said = [] if layout.breaks else _of_all(table, block)
        if said:
            block, notes = _without_notes(block), [note for note in notes if not note.startswith("$^{")]
        caption = " ".join([f"{_breakable(table.title)}{part}.", *said, *shared, _legend(block, none_bold)])
        texts.append(_float(block, f"\\caption{{{caption}}}\\label{{tab:{name}{suffix}}}", notes, layout))
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


def _blocks(grid: Grid, layout: Layout) -> Iterator[Grid]:
    """Yield consecutive columns that are together as wide as a page, or one column that is wider."""
    start = 0
    while start < len(grid.heads):
        end = start + 1
        while end < len(grid.heads) and grid_width(_part(grid, start, end + 1), layout) <= layout.width:
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


def _stacked(label: Label, widest: float, side: str) -> str:
    lines = [tex(line) for line in stack(label.text, widest)]
    note = "" if label.note is None else f"$^{{{label.note}}}$"
    stacked = r"\\".join(lines) + note
    return stacked if len(lines) == 1 else rf"\shortstack[{side}]{{{stacked}}}"


def _divided(grid: Grid, layout: Layout) -> Iterator[Grid]:
    """Yield the lines in tables that fit on a page each, where a long table cannot break."""
    if layout.breaks:
        yield grid
        return
    lines: list[Line] = []
    for line in grid.lines:
        if lines and height(replace(grid, lines=(*lines, line)), layout) > LONGEST:
            yield replace(grid, lines=tuple(lines))
            lines = []
        lines.append(line)
    yield replace(grid, lines=tuple(lines))


def _of_all(table: Table, grid: Grid) -> list[str]:
    """Return the protocol as a sentence if all numbers of a part of a table have the same."""
    used = {label.note for label in (*grid.heads, *(name for line in grid.lines for name in line.names))} - {None}
    found = [(kind, protocol) for (kind, protocol), number in table.protocols.items() if number in used]
    return [f"{kind.capitalize()}: {_breakable(str(protocol))}." for kind, protocol in found] if len(found) == 1 else []


def _without_notes(grid: Grid) -> Grid:
    """Return the grid without the numbers of footnotes."""
    return replace(
        grid,
        heads=tuple(Label(head.text) for head in grid.heads),
        lines=tuple(replace(line, names=tuple(Label(name.text) for name in line.names)) for line in grid.lines),
    )


def _name(label: Label, head: str, layout: Layout) -> str:
    return _stacked(label, widest(head, layout), "l")


def _number(cell: Cell) -> str:
    ends = ends_of(cell)
    value = cell.number.rstrip("†*")
    marks = tex(cell.number[len(value) :])
    if is_open(cell) or value.startswith((">", "∞")):
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
    sentences = [DISTANCES] if any(ends_of(cell) for cell in cells) else []
    sentences += [OPEN] if any(map(is_open, cells)) else []
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


def _float(grid: Grid, caption: str, notes: Sequence[str], layout: Layout) -> str:
    """Return a floating table, or for many lines one that breaks across pages."""
    corner = [_name(Label(head), head, layout) for head in grid.corner]
    heads = [_stacked(head, widest_other(layout), "r") for head in grid.heads]
    lines = [
        [
            *(_name(name, head, layout) for name, head in zip(line.names, grid.corner, strict=True)),
            *map(_number, line.cells),
        ]
        for line in grid.lines
    ]
    head, *body = (f"{' & '.join(line)} \\\\" for line in [[*corner, *heads], *lines])
    columns = "l" * len(grid.corner) + "r" * len(grid.heads)
    size = [r"\footnotesize", rf"\setlength{{\tabcolsep}}{{{GAP / 2:g}pt}}\renewcommand{{\arraystretch}}{{1.25}}"]
    below = [rf"\par {note}" for note in notes]
    if not layout.breaks or height(grid, layout) + 2 * len(notes) < LONGEST:
        tabular = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
        space = r"\setlength{\belowcaptionskip}{4pt}"
        inside = [space, caption, r"\centering", *size, *tabular, r"\end{tabular}\par", r"\raggedright", *below]
        begin, end = (rf"\{word}{{{layout.environment}}}" for word in ("begin", "end"))
        return "\n".join([f"{begin}[tbp]", *inside, end])
    first = [rf"\begin{{longtable}}{{{columns}}}", rf"{caption} \\", r"\toprule", head, r"\midrule", r"\endfirsthead"]
    others = [r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"]
    last = [r"\end{longtable}", r"\raggedright", *below, r"\par\endgroup"]
    return "\n".join([r"\begingroup", *size, *first, *others, *body, *last])
