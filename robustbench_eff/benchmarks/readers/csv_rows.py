"""The columns and rows of a CSV from outside, read up to a limit."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_files import check_file

MAX_BYTES = 256 * 2**20
"""Largest table that is read, in bytes."""
MAX_ROWS = 1_500_000
"""Most rows that are read; ImageNet has 1.3 million training images."""
MAX_LINE = 100_000
"""Most characters of a line: names of files and classes are short."""
_SEPARATORS = ",;\t"
_EXCEL = "sep="
"""Beginning of a first line by which Excel is told the separator."""


class Row(NamedTuple):
    """A row of a table."""

    line: int
    """Number of its last line."""
    cells: dict[str, str]
    """The cells by column; without those that the row lacks."""


class Header(NamedTuple):
    """The first line of a table."""

    columns: list[str]
    """Names of the columns."""
    separator: str
    """What separates columns."""
    lines: int
    """Number of lines before the first row."""


def read_header(table: Path) -> Header:
    """Return the columns of a table, split at the separator that gives most of them; of a device or a pipe none.

    Args:
        table: Any path.
    """
    if not table.is_file():
        return Header([], ",", 0)
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        line, lines = file.readline(MAX_LINE), 1
        if line.strip().lower()[: len(_EXCEL)] == _EXCEL:
            line, lines = file.readline(MAX_LINE), 2
    split = {
        separator: next(csv.reader([line], delimiter=separator, skipinitialspace=True), []) for separator in _SEPARATORS
    }
    separator = max(_SEPARATORS, key=lambda each: len(split[each]))
    return Header([column.strip() for column in split[separator]], separator, lines)


def read_rows(table: Path, header: Header, *, lossy: bool = False) -> Iterator[Row]:
    """Yield the rows of a table.

    Args:
        table: The table.
        header: Its first line.
        lossy: Read bytes that are no UTF-8 as a mark, instead of refusing them.

    Raises:
        DataError: It is not UTF-8, or larger than the limits of this module; or a quotation mark has no end.
    """
    check_file(table, limit=MAX_BYTES)
    _check_lines(table)
    with _sentences(table), table.open(newline="", encoding="utf-8-sig", errors="replace" if lossy else None) as file:
        for _ in range(header.lines):
            file.readline()
        lines = _Lines(file, table)
        reader = csv.reader(lines, delimiter=header.separator, skipinitialspace=True)
        broken, before = 0, header.lines
        for cells in reader:
            line = header.lines + reader.line_num
            if line > before + 1 and not broken:
                broken = before + 1
            before = line
            if cells:
                yield Row(line, dict(zip(header.columns, cells, strict=False)))
        if broken and lines.quotes % 2:  # balanced ones may hold the ends of lines
            raise DataError(f"{table}, line {broken}: a quotation mark has no end.", "Remove it.")


def _check_lines(table: Path) -> None:
    with table.open("rb") as file:
        parts = iter(lambda: file.read(2**20), b"")
        lines = sum(max(part.count(b"\n"), part.count(b"\r")) for part in parts)
    if lines > MAX_ROWS:
        raise DataError(f"{table} has more than {MAX_ROWS:,} rows.", "Split it into several tables.")


class _Lines:
    """The lines of a table, and the number of quotation marks in those that were read."""

    def __init__(self, file: TextIO, table: Path) -> None:
        self._file, self._table, self.quotes = file, table, 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                what = f"{self._table} has a line that is longer than {MAX_LINE:,} characters."
                raise DataError(what, "Check its line ends.")
            self.quotes += line.count('"')
            yield line


@contextmanager
def _sentences(table: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{table} is not UTF-8 text.", 'Save it as "CSV UTF-8".') from error
    except csv.Error as error:
        raise DataError(f"{table} cannot be read as CSV: {error}.", "Check its quotation marks.") from error
