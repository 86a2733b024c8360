"""What the page of a model says: all its numbers, those of corruptions as a row of severities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, TypeAlias

from ..entry import Entry, Kind, Result
from ..perturbations import Split, split
from ..table import number_text

SEVERITIES = range(1, 6)
DIGITS = 2
Note: TypeAlias = tuple[str, str]
"""A protocol and a source."""


class Number(NamedTuple):
    """A value in percent if it is a fraction, and its interval."""

    text: str
    interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One number."""

    result: Result
    number: Number
    note: int
    detail: str
    """Where in the source."""
    together: int
    """How many lines from this one on say the same of their source; 0 if the one before has said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Severities:
    """Numbers of one metric: of every corruption those of the severities, None where there is none."""

    benchmark: str
    metric: str
    n: int | None
    flags: tuple[str, ...]
    note: int
    corruptions: Mapping[str, Sequence[Number | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The numbers of one kind."""

    kind: Kind
    lines: tuple[Line, ...]
    severities: tuple[Severities, ...]
    notes: tuple[Note, ...]
    """By their number from 1."""


def parts(entry: Entry) -> list[Part]:
    """The numbers that were measured, published and claimed, those of them that there are."""
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
        lines=tuple(_lines([result for result in results if _severity(result) is None], notes)),
        severities=tuple(_by_severity(results, notes)),
        notes=tuple(notes),
    )


def _lines(results: Sequence[Result], notes: Mapping[Note, int]) -> Iterator[Line]:
    for (_, source), group in groupby(results, key=lambda result: (result.protocol, result.source)):
        together = list(group)
        for place, result in enumerate(together):
            yield Line(
                result=result,
                number=_number(result),
                note=notes[_note(result)],
                detail=source.partition(", ")[2],
                together=0 if place else len(together),
            )


def _severity(result: Result) -> Split | None:
    found = split(result.perturbation, "severity")
    return found if found is not None and found.value in SEVERITIES else None


def _by_severity(results: Sequence[Result], notes: Mapping[Note, int]) -> Iterator[Severities]:
    found: dict[tuple[object, ...], dict[str, list[Result | None]]] = {}
    for result in results:
        place = _severity(result)
        if place is not None:
            shared = (result.benchmark, result.metric, result.unit, result.n, result.flags, _note(result))
            row = found.setdefault(shared, {}).setdefault(place.rest, [None] * len(SEVERITIES))
            row[place.value - 1] = result
    for rows in found.values():
        first = next(result for row in rows.values() for result in row if result is not None)
        yield Severities(
            benchmark=first.benchmark,
            metric=first.metric,
            n=first.n,
            flags=first.flags,
            note=notes[_note(first)],
            corruptions={
                name: [None if result is None else _number(result) for result in row] for name, row in rows.items()
            },
        )


def _number(result: Result) -> Number:
    ends = [number_text(end, result.unit, DIGITS) for end in (result.low, result.high) if end is not None]
    return Number(
        text="none" if result.value is None else number_text(result.value, result.unit, DIGITS),
        interval=f"{ends[0]}–{ends[1]}" if len(ends) == 2 else "",
    )


def _note(result: Result) -> Note:
    """Protocol and source, without where in the source."""
    return result.protocol, result.source.partition(", ")[0]
