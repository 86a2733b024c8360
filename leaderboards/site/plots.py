"""What the plots show: series of numbers that may be compared, taken from entries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from ..curves import clean_of, curves
from ..entry import Entry, Kind, Result, base_of
from ..perturbations import SEVERITIES, by_severity

COLOURS = 9
"""Defenses that have a colour of their own in one scatter plot."""
VALUE = -3
DIGITS = 6
"""Much finer than the tenth of a percent that a picture writes: only a tie can come out otherwise than in the entry."""
MEASURES = {"robust_accuracy": "robust accuracy", "mean_accuracy": "mean accuracy under corruption"}
"""Metrics that stand against clean accuracy, and what they are called."""
OF_CATEGORY = "shape_bias of "
Values: TypeAlias = list[list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Numbers under one protocol: the values of every model, in the order of the plot's fields."""

    label: str
    models: dict[str, Values]
    measure: str
    """What the value is, where that differs between the views of a plot; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One kind of plot; `name` is that of its Vega-Lite specification."""

    name: str
    title: str
    meaning: str
    choose: Literal["all", "some", "one"]
    """How many models are shown at a time."""
    fields: tuple[str, ...]
    """The first is a text, all others are numbers; the last three a value and the ends of its interval."""
    views: tuple[View, ...]


class _Place(NamedTuple):
    """What numbers of one view share."""

    subject: str
    protocol: str
    kind: Kind
    measure: str = ""


Found: TypeAlias = dict[_Place, dict[str, Values]]


def plots(entries: Sequence[Entry]) -> list[Plot]:
    """The plots for which there are numbers."""
    every = [
        Plot(
            name="scatter",
            title="Clean accuracy and robustness",
            meaning="Every point is a model, with 95 % intervals. A point leads to the model's page.",
            choose="all",
            fields=("defense", "clean", "clean_low", "clean_high", "value", "low", "high"),
            views=tuple(map(_with_few_colours, _views(entries, _scatter, fewest=1))),
        ),
        Plot(
            name="curves",
            title="Security curves",
            meaning="Accuracy against ε, the radius within which an attack searches; the band is the 95 % interval.",
            choose="some",
            fields=("attack", "eps", "accuracy", "low", "high"),
            views=_views(entries, _curves, fewest=2),
        ),
        Plot(
            name="corruptions",
            title="Corruptions by severity",
            meaning="Accuracy of one model under every corruption.",
            choose="one",
            fields=("corruption", "severity", "accuracy", "low", "high"),
            views=_views(entries, _corruptions, fewest=2),
        ),
        Plot(
            name="shape-bias",
            title="Shape bias by category",
            meaning="Of the decisions for shape or texture, the fraction for shape, by the category of the shape.",
            choose="some",
            fields=("category", "bias", "low", "high"),
            views=_views(entries, _shape_bias, fewest=2),
        ),
    ]
    return [plot for plot in every if plot.views]


def _views(
    entries: Sequence[Entry],
    reading: Callable[[Entry], Iterator[tuple[_Place, list[Any]]]],
    *,
    fewest: int,
) -> tuple[View, ...]:
    """What is found, the view of most models first; models with fewer values than `fewest` are left out."""
    found: Found = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        for place, values in reading(entry):
            rounded = [round(value, DIGITS) if isinstance(value, float) else value for value in values]
            found[place][entry.model].append(rounded)
    kept = {place: _best_first(models, fewest) for place, models in found.items()}
    ordered = sorted((place for place in kept if kept[place]), key=lambda place: (-len(kept[place]), place))
    return tuple(
        View(label=f"{place.subject} ({place.kind}: {place.protocol})", models=kept[place], measure=place.measure)
        for place in ordered
    )


def _best_first(models: Mapping[str, Values], fewest: int) -> dict[str, Values]:
    """Those that have enough values: the most of them first, then the highest mean."""
    enough = {model: values for model, values in models.items() if len(values) >= fewest}
    return dict(sorted(enough.items(), key=lambda item: (len(item[1]), _mean(item[1])), reverse=True))


def _mean(values: Values) -> float:
    return fmean(row[VALUE] for row in values)


def _with_few_colours(view: View) -> View:
    """The rarer defenses under one name."""
    common = [name for name, _ in Counter(values[0][0] for values in view.models.values()).most_common(COLOURS)]
    models = {
        model: [[defense if defense in common else "other", *rest] for defense, *rest in values]
        for model, values in view.models.items()
    }
    return replace(view, models=models)


def _scatter(entry: Entry) -> Iterator[tuple[_Place, list[Any]]]:
    """Robust accuracy and mean accuracy under corruption, each with the clean accuracy of the same protocol."""
    clean = clean_of(entry)
    found: dict[_Place, tuple[Result, Result]] = {}
    for kind, result in entry.results():
        on = result.benchmark if result.metric == "robust_accuracy" else result.benchmark.removesuffix("-c")
        of = clean.get((kind, base_of(result.protocol), on))
        if result.metric in MEASURES and of is not None:
            subject = f"{result.benchmark}, {result.perturbation}"
            found.setdefault(_Place(subject, result.protocol, kind, MEASURES[result.metric]), (of, result))
    for place, (of, result) in found.items():
        if result.value is not None:
            yield place, [entry.defense or "not said", of.value, of.low, of.high, result.value, result.low, result.high]


def _curves(entry: Entry) -> Iterator[tuple[_Place, list[Any]]]:
    for curve in curves([entry]):
        place = _Place(f"{curve.benchmark}, {curve.attack}", curve.protocol, curve.kind)
        for eps, result in curve.points:
            yield place, [place.subject, eps, result.value, result.low, result.high]


def _corruptions(entry: Entry) -> Iterator[tuple[_Place, list[Any]]]:
    for kind in get_args(Kind):
        for table in by_severity(result for result in getattr(entry, kind) if result.metric == "accuracy"):
            place = _Place(table.benchmark, table.protocol, kind)
            for name, row in table.corruptions.items():
                for severity, result in zip(SEVERITIES, row, strict=True):
                    if result is not None and result.value is not None:
                        yield place, [name, severity, result.value, result.low, result.high]


def _shape_bias(entry: Entry) -> Iterator[tuple[_Place, list[Any]]]:
    for kind, result in entry.results():
        if result.metric.startswith(OF_CATEGORY) and result.value is not None:
            place = _Place(result.benchmark, result.protocol, kind)
            yield place, [result.metric.removeprefix(OF_CATEGORY), result.value, result.low, result.high]
