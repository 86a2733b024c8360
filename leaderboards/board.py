"""From entries to a table: columns by pattern, never two protocols in one, ranks with their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from robustbench_eff.core.errors import EmptyTable
from robustbench_eff.core.statistics import Ranks

from .columns import Layout, Pattern
from .entry import Entry, Kind, Result, Unit
from .ranking import ranks
from .table import Column, Row, Table, TableValue, number_text


class Key(NamedTuple):
    """What numbers of one column have in common."""

    benchmark: str
    perturbation: str
    metric: str
    protocol: str
    kind: Kind
    unit: Unit
    higher_is_better: bool


def board(entries: Sequence[Entry], layout: Layout) -> Table:
    """The table of these entries; models without a number in any column are left out.

    Raises EmptyTable where there is no column at all.
    """
    found: dict[tuple[int, Key], dict[int, list[Result]]] = {}
    patterns: dict[Key, int | None] = {}
    for number, entry in enumerate(entries):
        for kind, result in entry.results():
            key = _key(kind, result)
            if key not in patterns:
                patterns[key] = _pattern(layout.columns, kind, result)
            if (pattern := patterns[key]) is not None:
                found.setdefault((pattern, key), {}).setdefault(number, []).append(result)
    if not found:
        raise EmptyTable(
            "No result belongs into these columns.", "Choose others: --columns, --benchmark, or fewer filters."
        )
    ordered = sorted(found, key=lambda place: (place[0], -len(found[place]), place[1]))
    columns = _labelled(ordered, layout.columns)
    figures = [_figures(found[place], place[1]) for place in ordered]
    rows = [
        Row(
            model=entry.model,
            family=entry.family,
            defense=entry.defense,
            figures=tuple(column.get(number) for column in figures),
            suspected=tuple(dict.fromkeys(check.check for check in entry.checks if check.finding == "suspect")),
        )
        for number, entry in enumerate(entries)
    ]
    sorting = _sorting(layout, ordered)
    rows = _sorted([row for row in rows if any(row.figures)], sorting, columns)
    rows = [row for row in rows if row.ranks is not None or not layout.complete]
    return Table(title=layout.title, columns=columns, rows=tuple(rows), digits=layout.digits)


def _pattern(patterns: Iterable[Pattern], kind: Kind, result: Result) -> int | None:
    """The first that takes the result."""
    return next((number for number, pattern in enumerate(patterns) if pattern.matches(kind, result)), None)


def _key(kind: Kind, result: Result) -> Key:
    return Key(
        result.benchmark,
        result.perturbation,
        result.metric,
        result.protocol,
        kind,
        result.unit,
        result.higher_is_better,
    )


def _labelled(places: Sequence[tuple[int, Key]], patterns: Sequence[Pattern]) -> tuple[Column, ...]:
    """Columns with headings that say what tells them apart; protocols are told apart by their footnotes."""
    benchmarks = {key.benchmark for _, key in places}
    columns = []
    for number, key in places:
        others = [other for pattern, other in places if pattern == number]
        label = patterns[number].label
        if label:
            varying = [name for name in ("benchmark", "perturbation", "metric") if _several(others, name)]
            parts = [label, *(getattr(key, name) for name in varying)]
        else:
            parts = [] if len(benchmarks) == 1 else [key.benchmark]
            parts += [] if key.perturbation in ("none", "imagenet_c", "imagenet_p") else [key.perturbation]
            parts += [] if parts and key.metric in ("accuracy", "robust_accuracy") else [key.metric]
        columns.append(Column(label=", ".join(parts), **key._asdict()))
    return tuple(columns)


def _several(keys: Iterable[Key], name: str) -> bool:
    return len({getattr(key, name) for key in keys}) > 1


def _figures(results: dict[int, list[Result]], key: Key) -> dict[int, TableValue]:
    """The figure of every entry, by its number."""
    if key.kind == "claimed":  # of as many papers, each in its own way
        return {number: _figure(said, None, key) for number, said in results.items()}
    known = {number: said[0] for number, said in results.items() if said[0].value is not None}
    ends = [_ends(result) for result in known.values()]
    values = [float(result.value) for result in known.values() if result.value is not None]
    places = dict(zip(known, ranks(values, ends, higher_is_better=key.higher_is_better), strict=True))
    return {number: _figure(said, places.get(number), key) for number, said in results.items()}


def _ends(of: Result | TableValue | None) -> tuple[float, float] | None:
    return None if of is None or of.low is None or of.high is None else (of.low, of.high)


def _figure(said: Sequence[Result], place: Ranks | None, key: Key) -> TableValue:
    """Of several numbers for one place the first, with the others named."""
    first, *others = said
    also = [number_text(other.value, key.unit, 2) for other in others if other.value not in (None, first.value)]
    return TableValue(
        value=first.value,
        low=first.low,
        high=first.high,
        n=first.n,
        source=first.source,
        flags=(*first.flags, *([f"elsewhere {', '.join(dict.fromkeys(also))}"] if also else [])),
        ranks=place,
        is_best=place is not None and place.best == 1,
    )


def _sorting(layout: Layout, places: Sequence[tuple[int, Key]]) -> list[int]:
    """The columns by whose first number the rows are sorted: of each label the fullest, and only of one benchmark,
    protocol and metric, so that ranks compare what may be compared."""
    labels = [layout.columns[pattern].label for pattern, _ in places]
    chosen = [labels.index(label) for label in layout.sort if label in labels] or [0]
    first = places[chosen[0]][1]
    return [place for place in chosen if places[place][1]._replace(perturbation=first.perturbation) == first]


def _sorted(rows: Sequence[Row], sorting: Sequence[int], columns: Sequence[Column]) -> list[Row]:
    """The best first, with ranks; rows without a number last, and what is equal in the order of the entries."""
    higher_is_better = columns[sorting[0]].higher_is_better
    by = [next((row.figures[place] for place in sorting if _has_value(row.figures[place])), None) for row in rows]
    ranked = [number for number, figure in enumerate(by) if figure is not None]
    values = [_value(by[number]) for number in ranked]
    found = ranks(values, [_ends(by[number]) for number in ranked], higher_is_better=higher_is_better)
    places = dict(zip(ranked, found, strict=True))
    worth = {number: value if higher_is_better else -value for number, value in zip(ranked, values, strict=True)}
    order = sorted(range(len(rows)), key=lambda number: -worth.get(number, -math.inf))
    return [replace(rows[number], ranks=places.get(number)) for number in order]


def _has_value(figure: TableValue | None) -> bool:
    return figure is not None and figure.value is not None


def _value(of: TableValue | None) -> float:
    assert of is not None and of.value is not None
    return of.value
