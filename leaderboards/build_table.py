"""Build a table from entries: columns by pattern, never two protocols in one, ranks with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from robustbench_eff.core.errors import EmptyTable
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import Ranks

from .columns import Layout, Pattern
from .entry import Entry, Kind, Result, Unit
from .published_names import best_known_attack
from .ranking import RankedColumn, ranks_of
from .row_checks import UNION
from .table import Column, Estimate, Row, Table, TableValue, number_text

MEDIAN = "median_distance"
"""How metrics begin whose intervals are from order statistics."""
OVER_CONSTANTS = ("mean_accuracy", "mean_flip_probability", "mean_top5_distance")
"""How metrics begin that exist for several sets of constants, so that their columns always name the set."""


class Key(NamedTuple):
    """The key by which results are grouped into one column of a table."""

    benchmark: str
    perturbation: str
    metric: str
    protocol: Protocol
    kind: Kind
    unit: Unit
    higher_is_better: bool


class _Place(NamedTuple):
    """A column before it has a label."""

    pattern: int
    """Index of the pattern that its results match."""
    key: Key


def build_table(entries: Sequence[Entry], layout: Layout) -> Table:
    """Return the table of entries; models without a number in any column are left out.

    Args:
        entries: One entry per model.
        layout: The columns, and the order of the rows.

    Raises:
        EmptyTable: No result matches any column.
    """
    results = _by_place(entries, layout.columns)
    if not results:
        raise EmptyTable(
            "None of the results match these columns.", "Choose others: --columns, --benchmark, or fewer filters."
        )
    places = sorted(results, key=lambda place: _order(place, len(results[place])))
    columns = _labelled(places, layout.columns)
    figures = [_figures(results[place], place.key, _best_known(entries, place.key)) for place in places]
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
    sorting = _sorting(layout, places)
    needed = _needed(layout, places) if layout.sort else sorting
    rows = [row for row in rows if any(row.figures)]
    if layout.complete:
        rows = [row for row in rows if any(_ranking(row.figures[index]) for index in needed)]
    if not rows:
        label = layout.sort[0] if layout.sort else columns[sorting[0]].label
        raise EmptyTable(f"No model has a number in {label}.", "Sort by another column, or leave out `complete: true`.")
    rows = _ranked(_sorted(rows, sorting, columns), sorting, columns)
    return Table(
        title=layout.title,
        columns=columns,
        rows=tuple(rows),
        digits=layout.digits,
        ranked_by=columns[sorting[0]].label,
    )


def _by_place(entries: Sequence[Entry], patterns: Sequence[Pattern]) -> dict[_Place, dict[int, list[Result]]]:
    """Return the results of each column, by index of the entry; results that match no pattern are left out."""
    results: dict[_Place, dict[int, list[Result]]] = {}
    pattern_of: dict[Key, int | None] = {}
    under_any = [pattern.model_copy(update={"protocol": "*"}) for pattern in patterns]
    may_match: dict[tuple[str, ...], bool] = {}  # most results match no pattern, and protocols take long to compare
    for number, entry in enumerate(entries):
        for kind, result in entry.results():
            names = (kind, result.benchmark, result.perturbation, result.metric)
            if names not in may_match:
                may_match[names] = _first_match(under_any, kind, result) is not None
            if not may_match[names]:
                continue
            key = _key(kind, result)
            if key not in pattern_of:
                pattern_of[key] = _first_match(patterns, kind, result)
            if (pattern := pattern_of[key]) is not None:
                results.setdefault(_Place(pattern, key), {}).setdefault(number, []).append(result)
    return results


def _first_match(patterns: Iterable[Pattern], kind: Kind, result: Result) -> int | None:
    return next((index for index, pattern in enumerate(patterns) if pattern.matches(kind, result)), None)


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


def _order(place: _Place, num_models: int) -> tuple[object, ...]:
    """Put the fullest columns of a pattern first, and of the worst of several attacks that of most."""
    return place.pattern, -num_models, -len(place.key.protocol.attacks), _sortable(place.key)


def _sortable(key: Key) -> tuple[object, ...]:
    """Return the fields of a key in their order, the protocol as a sentence."""
    return tuple(str(field) if isinstance(field, Protocol) else field for field in key)


def _labelled(places: Sequence[_Place], patterns: Sequence[Pattern]) -> tuple[Column, ...]:
    """Return columns with labels that tell them apart, except for protocols, which have footnotes."""
    benchmarks = {place.key.benchmark for place in places}
    columns = []
    for number, key in places:
        keys = [place.key for place in places if place.pattern == number]
        label = patterns[number].label
        if label:
            varying = [name for name in ("benchmark", "perturbation", "metric") if _is_named(name, key, keys)]
            parts = [label, *(getattr(key, name) for name in varying)]
        else:
            parts = [] if len(benchmarks) == 1 else [key.benchmark]
            implied = key.perturbation in ("none", "imagenet_c", "imagenet_p") and not key.metric.startswith(
                OVER_CONSTANTS
            )
            parts += [] if implied else [key.perturbation]
            parts += [] if parts and key.metric in ("accuracy", "robust_accuracy") else [key.metric]
        columns.append(Column(label=", ".join(parts), **key._asdict()))
    return tuple(columns)


def _is_named(name: str, key: Key, keys: Iterable[Key]) -> bool:
    is_ambiguous = key.metric.startswith(OVER_CONSTANTS) or key.perturbation.startswith(UNION)
    return _varies(keys, name) or (name == "perturbation" and is_ambiguous)


def _varies(keys: Iterable[Key], name: str) -> bool:
    return len({getattr(key, name) for key in keys}) > 1


def _best_known(entries: Sequence[Entry], key: Key) -> dict[int, Estimate]:
    """Return, by index of the entry, the numbers that rank models in a column of AutoAttack in place of its own."""
    attack = best_known_attack(key.perturbation)
    wanted = key._replace(perturbation=attack)
    return {
        number: Estimate(result.value, result.low, result.high, result.n, result.searched_to)
        for number, entry in enumerate(entries if attack else ())
        for kind, result in reversed(entry.results())
        if result.value is not None and result.perturbation == attack and _key(kind, result) == wanted
    }


def _figures(results: dict[int, list[Result]], key: Key, best_known: Mapping[int, Estimate]) -> dict[int, TableValue]:
    """Return the values of a column by index of the entry, not yet ranked."""
    return {number: _figure(candidates, best_known.get(number), key) for number, candidates in results.items()}


def _figure(candidates: Sequence[Result], best_known: Estimate | None, key: Key) -> TableValue:
    """Return the first of several numbers for one place, with flags about other numbers."""
    first, *others = candidates
    differing = [
        number_text(other.value, key.unit, 2, other.searched_to)
        for other in others
        if other.value not in (None, first.value)
    ]
    flags = [f"elsewhere {', '.join(dict.fromkeys(differing))}"] if differing else []
    if best_known is not None and best_known.value != first.value:
        flags.append(f"ranked by {number_text(best_known.value, key.unit, 2)}, the best known attack's number")
    return TableValue(
        value=first.value,
        low=first.low,
        high=first.high,
        searched_to=first.searched_to,
        n=first.n,
        source=first.source,
        flags=(*first.flags, *flags),
        ranks=None,
        is_best=False,
        detail=first.detail,
        best_known=best_known,
    )


def _sorting(layout: Layout, places: Sequence[_Place]) -> list[int]:
    """Return the columns that rows are sorted by: a row counts with the first of them that it has a number in.

    It is the fullest column of each label, as far as benchmark, protocol and metric are those of the first, so that
    ranks compare only what is comparable.
    """
    labels = [layout.columns[place.pattern].label for place in places]
    candidates = [labels.index(label) for label in layout.sort if label in labels] or [0]
    first = places[candidates[0]].key
    return [index for index in candidates if places[index].key._replace(perturbation=first.perturbation) == first]


def _needed(layout: Layout, places: Sequence[_Place]) -> list[int]:
    """Return the columns that have a label to sort by, whatever their protocol."""
    return [index for index, place in enumerate(places) if layout.columns[place.pattern].label in layout.sort]


def _sorted(rows: Sequence[Row], sorting: Sequence[int], columns: Sequence[Column]) -> list[Row]:
    """Return the rows, the best first; rows without a number last, ties in the order of entries."""
    sign = -1.0 if columns[sorting[0]].higher_is_better else 1.0
    numbers = [_sorted_by(row, sorting) for row in rows]
    keys = [(True, 0.0) if number is None else (False, sign * number.value) for number in numbers]
    return [rows[index] for index in sorted(range(len(rows)), key=keys.__getitem__)]


def _sorted_by(row: Row, sorting: Sequence[int]) -> Estimate | None:
    return next((of for index in sorting if (of := _ranking(row.figures[index])) is not None), None)


def _ranking(figure: TableValue | None) -> Estimate | None:
    return None if figure is None else figure.ranking


def _ranked(rows: Sequence[Row], sorting: Sequence[int], columns: Sequence[Column]) -> list[Row]:
    """Return the rows with their ranks and those of their numbers; claims have none, each being from another paper.

    Rows that are sorted by one column have its ranks.
    """
    numbers = [
        [None if column.kind == "claimed" else _ranking(row.figures[index]) for row in rows]
        for index, column in enumerate(columns)
    ]
    first = columns[sorting[0]]
    of_rows = [None if first.kind == "claimed" else _sorted_by(row, sorting) for row in rows]
    of_rows = next((numbers[index] for index in sorting if numbers[index] == of_rows), of_rows)
    *in_columns, in_rows = ranks_of(
        [
            RankedColumn(estimates, column.higher_is_better, column.metric.startswith(MEDIAN))
            for estimates, column in zip([*numbers, of_rows], (*columns, first), strict=True)
        ]
    )
    return [
        replace(row, ranks=ranks, figures=tuple(map(_with_rank, row.figures, of_row)))
        for row, ranks, *of_row in zip(rows, in_rows, *in_columns, strict=True)
    ]


def _with_rank(figure: TableValue | None, ranks: Ranks | None) -> TableValue | None:
    return None if figure is None else replace(figure, ranks=ranks, is_best=ranks is not None and ranks.best == 1)
