"""Content of the plots: series of comparable numbers, taken from entries."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from robustbench_eff.core.protocol import Protocol

from ..curves import CleanKey, clean_of, curves
from ..entry import Entry, Kind, Result
from ..perturbations import SEVERITIES, by_severity
from ..table import Column
from .headings import DATA_SETS, NO_LIMIT, heading, heading_of
from .pareto import pareto_front

COLOURS = 9
"""Number of defenses with a colour of their own in one scatter plot."""
VALUE = -3
"""Index of the value in a row."""
DIGITS = 6
"""Decimals of values: much finer than the tenth of a percent that a plot prints, so that only a tie can round
differently from the entry."""
MEASURES = {"robust_accuracy": "robust accuracy", "mean_accuracy": "mean accuracy under corruption"}
"""Metrics that are plotted against clean accuracy, and their titles."""
SHAPE_BIAS_OF_CLASS = "shape_bias of "
Values: TypeAlias = list[list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Numbers under one protocol: rows of values by model, in the order of the plot's fields."""

    subject: str
    """What was measured on which data set."""
    under: str
    """Kind and protocol of the numbers."""
    models: dict[str, Values]
    measure: str
    """What the value is if that differs between the views of a plot; else empty."""
    front: tuple[str, ...] = ()
    """Models on the Pareto front of a scatter plot, by increasing clean accuracy."""

    @property
    def label(self) -> str:
        """Subject and protocol in one line."""
        return f"{self.subject} ({self.under})"

    @property
    def key(self) -> str:
        """Name of the view in addresses."""
        return hashlib.sha256(self.label.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One type of plot, drawn by the Vega-Lite specification of the same name."""

    name: str
    title: str
    meaning: str
    choose: Literal["all", "some", "one"]
    """How many models are shown at a time."""
    fields: tuple[str, ...]
    """The first is a text, all others are numbers; the last three are a value and the ends of its interval."""
    views: tuple[View, ...]


class _Place(NamedTuple):
    """What the numbers of one view share."""

    subject: str
    """What was measured on which data set."""
    protocol: Protocol
    kind: Kind
    measure: str = ""


def plots(entries: Sequence[Entry], own: frozenset[str] = frozenset()) -> list[Plot]:
    """Return the plots for which there are numbers.

    Args:
        entries: One entry per model.
        own: Models that come first.
    """
    return [plot for plot in _all_plots(partial(_views, entries, own)) if plot.views]


def label_of(column: Column) -> str:
    """Return the label of the view that shows the numbers of a column against clean accuracy.

    Args:
        column: Column of a table.
    """
    return _label(_Place(heading_of(column).text, column.protocol, column.kind))


def _all_plots(views: Callable[..., tuple[View, ...]]) -> list[Plot]:
    return [
        Plot(
            name="scatter",
            title="Clean accuracy and robustness",
            meaning="Every point is a model, with 95 % intervals; a click opens its page. The line is the Pareto front:"
            " no model has higher values than those on it in both numbers. Labels stand where there is room.",
            choose="all",
            fields=("defense", "clean", "clean_low", "clean_high", "value", "low", "high"),
            views=tuple(_with_front(_with_few_colours(view)) for view in views(_scatter, fewest=1)),
        ),
        Plot(
            name="curves",
            title="Security curves",
            meaning="Accuracy against the radius ε of an attack; the band is the 95 % interval.",
            choose="some",
            fields=("attack", "eps", "accuracy", "low", "high"),
            views=views(_curves, fewest=2),
        ),
        Plot(
            name="corruptions",
            title="Corruptions by severity",
            meaning="Accuracy of one model under every corruption.",
            choose="one",
            fields=("corruption", "severity", "accuracy", "low", "high"),
            views=views(_corruptions, fewest=2),
        ),
        Plot(
            name="shape-bias",
            title="Shape bias by category",
            meaning="Fraction of shape decisions among the shape and texture decisions, by category of the shape.",
            choose="some",
            fields=("category", "bias", "low", "high"),
            views=views(_shape_bias, fewest=2),
        ),
    ]


def _views(
    entries: Sequence[Entry],
    own: frozenset[str],
    rows_of: Callable[[Entry], Iterator[tuple[_Place, list[Any]]]],
    *,
    fewest: int,
) -> tuple[View, ...]:
    """Return the views, those with own models and with most models first.

    Models with fewer rows than `fewest` are left out.
    """
    rows: dict[_Place, dict[str, Values]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        for place, values in rows_of(entry):
            rounded = [round(value, DIGITS) if isinstance(value, float) else value for value in values]
            rows[place][entry.model].append(rounded)
    shown = {place: _best_first(models, fewest, own) for place, models in rows.items()}
    places = [place for place in shown if shown[place]]
    places.sort(key=lambda place: (own.isdisjoint(shown[place]), -len(shown[place]), _label(place), place.measure))
    return tuple(
        View(subject=place.subject, under=_under(place), models=shown[place], measure=place.measure) for place in places
    )


def _under(place: _Place) -> str:
    return f"{place.kind}: {place.protocol}"


def _label(place: _Place) -> str:
    return f"{place.subject} ({_under(place)})"


def _best_first(models: Mapping[str, Values], fewest: int, own: frozenset[str]) -> dict[str, Values]:
    """Return the models with enough rows: own models first, then those with most rows, then by their mean value."""
    enough = {model: values for model, values in models.items() if len(values) >= fewest}
    return dict(sorted(enough.items(), key=lambda item: (item[0] in own, len(item[1]), _mean(item[1])), reverse=True))


def _mean(values: Values) -> float:
    return fmean(row[VALUE] for row in values)


def _with_few_colours(view: View) -> View:
    """Return the view with the rarer defenses under one name."""
    common = [name for name, _ in Counter(values[0][0] for values in view.models.values()).most_common(COLOURS)]
    models = {
        model: [[defense if defense in common else "other", *rest] for defense, *rest in values]
        for model, values in view.models.items()
    }
    return replace(view, models=models)


def _with_front(view: View) -> View:
    """Return a view of clean and robust accuracy with its Pareto front."""
    points = {model: (rows[0][1], rows[0][VALUE]) for model, rows in view.models.items()}
    return replace(view, front=tuple(pareto_front(points)))


def _scatter(entry: Entry) -> Iterator[tuple[_Place, list[Any]]]:
    """Yield robust accuracy and mean accuracy under corruption, each with the clean accuracy of the same protocol."""
    clean_results = clean_of(entry)
    pairs: dict[_Place, tuple[Result, Result]] = {}
    for kind, result in entry.results():
        is_attacked = result.metric == "robust_accuracy"
        clean_benchmark = result.benchmark if is_attacked else result.benchmark.removesuffix("-c")
        clean = clean_results.get(CleanKey(kind, result.protocol.of_images(), clean_benchmark))
        if result.metric in MEASURES and clean is not None:
            subject = heading(result.benchmark, result.perturbation, result.metric).text
            pairs.setdefault(_Place(subject, result.protocol, kind, MEASURES[result.metric]), (clean, result))
    for place, (clean, result) in pairs.items():
        if result.value is not None:
            defense = entry.defense or "not given"
            yield place, [defense, clean.value, clean.low, clean.high, result.value, result.low, result.high]


def _curves(entry: Entry) -> Iterator[tuple[_Place, list[Any]]]:
    for curve in curves([entry]):
        attack = heading(curve.benchmark, curve.attack, "robust_accuracy").text.replace(f", {NO_LIMIT}", "")
        place = _Place(attack, curve.protocol, curve.kind)
        for eps, result in curve.points:
            yield place, [place.subject, eps, result.value, result.low, result.high]


def _corruptions(entry: Entry) -> Iterator[tuple[_Place, list[Any]]]:
    for kind in get_args(Kind):
        for table in by_severity(result for result in getattr(entry, kind) if result.metric == "accuracy"):
            data_set = DATA_SETS.get(table.benchmark, table.benchmark)
            place = _Place(f"Accuracy under corruption, {data_set}", table.protocol, kind)
            for name, row in table.corruptions.items():
                for severity, result in zip(SEVERITIES, row, strict=True):
                    if result is not None and result.value is not None:
                        yield place, [name, severity, result.value, result.low, result.high]


def _shape_bias(entry: Entry) -> Iterator[tuple[_Place, list[Any]]]:
    for kind, result in entry.results():
        if result.metric.startswith(SHAPE_BIAS_OF_CLASS) and result.value is not None:
            data_set = DATA_SETS.get(result.benchmark, result.benchmark)
            place = _Place(f"Shape bias, {data_set}", result.protocol, kind)
            yield place, [result.metric.removeprefix(SHAPE_BIAS_OF_CLASS), result.value, result.low, result.high]
