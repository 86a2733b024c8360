"""Content of a model's page: all its numbers, those of corruptions as one row of severities each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from robustbench_eff.core.protocol import Protocol

from ..entry import Entry, Kind, Result
from ..perturbations import BySeverity, at_severity, by_severity
from ..table import number_text, unit_text

DIGITS = 2


class Note(NamedTuple):
    """A footnote of several numbers."""

    protocol: Protocol
    source: str
    """The source without the position in it."""


class Number(NamedTuple):
    """A value and its interval as text, in percent if it is a fraction."""

    text: str
    interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One number."""

    result: Result
    number: Number
    unit: str
    note: int
    """Number of its footnote."""
    detail: str
    """Position in the source."""
    together: int
    """Number of lines from this one on with the same source; 0 if the line before has it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Severities:
    """A table of corruptions by severity, and what its numbers share."""

    table: BySeverity
    unit: str
    n: int | None
    flags: tuple[str, ...]
    notes: tuple[int, ...]
    """Numbers of its footnotes."""
    corruptions: Mapping[str, Sequence[Number | None]]
    """The table's numbers as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The numbers of one kind."""

    kind: Kind
    lines: tuple[Line, ...]
    severities: tuple[Severities, ...]
    notes: tuple[Note, ...]
    """Footnotes, numbered from 1."""


def parts(entry: Entry) -> list[Part]:
    """Return the measured, published and claimed numbers, without the kinds that the model does not have.

    Args:
        entry: Entry of the model.
    """
    kinds: tuple[tuple[Kind, Sequence[Result]], ...] = (
        ("measured", entry.measured),
        ("published", entry.published),
        ("claimed", entry.claimed),
    )
    return [_part(kind, results) for kind, results in kinds if results]


def _part(kind: Kind, results: Sequence[Result]) -> Part:
    notes = {note: number for number, note in enumerate(dict.fromkeys(map(_note, results)), start=1)}
    return Part(
        kind=kind,
        lines=tuple(_lines([result for result in results if at_severity(result.perturbation) is None], notes)),
        severities=tuple(_severities(results, notes)),
        notes=tuple(notes),
    )


def _lines(results: Sequence[Result], notes: Mapping[Note, int]) -> Iterator[Line]:
    for (_, source), group in groupby(results, key=lambda result: (result.protocol, result.source)):
        together = list(group)
        for index, result in enumerate(together):
            yield Line(
                result=result,
                number=_number(result),
                unit=unit_text(result.unit, result.higher_is_better),
                note=notes[_note(result)],
                detail=source.partition(", ")[2],
                together=0 if index else len(together),
            )


def _severities(results: Sequence[Result], notes: Mapping[Note, int]) -> Iterator[Severities]:
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        shared = (result.unit, result.higher_is_better, result.n, result.flags, _note(result).source)
        groups.setdefault(shared, []).append(result)
    for group in groups.values():
        first = group[0]
        for table in by_severity(group):
            shown = [result for row in table.corruptions.values() for result in row if result is not None]
            yield Severities(
                table=table,
                unit=unit_text(first.unit, first.higher_is_better),
                n=first.n,
                flags=first.flags,
                notes=tuple(sorted({notes[_note(result)] for result in shown})),
                corruptions={
                    name: [None if result is None else _number(result) for result in row]
                    for name, row in table.corruptions.items()
                },
            )


def _number(result: Result) -> Number:
    ends = [
        number_text(end, result.unit, DIGITS, result.searched_to)
        for end in (result.low, result.high)
        if end is not None
    ]
    return Number(
        text="none" if result.value is None else number_text(result.value, result.unit, DIGITS, result.searched_to),
        interval=f"{ends[0]}–{ends[1]}" if len(ends) == 2 else "",
    )


def _note(result: Result) -> Note:
    return Note(result.protocol, result.source.partition(", ")[0])
