"""Accuracy against the radius of an attack, as drawings that need no script."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .entry import Entry, Kind, Result, base_of
from .perturbations import Split, at_radius, metric_at_radius


class Curve(NamedTuple):
    """Of one model and one attack on one benchmark, by growing radius; clean accuracy at 0 where it is known."""

    model: str
    benchmark: str
    attack: str
    protocol: str
    kind: Kind
    points: tuple[tuple[float, Result], ...]


def curves(entries: Sequence[Entry]) -> list[Curve]:
    """Every attack with results at two radii at least, of a run each or of one run that found the nearest images."""
    return [curve for entry in entries for curve in _of(entry)]


def _of(entry: Entry) -> Iterator[Curve]:
    found: dict[tuple[str, str, str, Kind], dict[float, Result]] = {}
    for kind, result in entry.results():
        at = _radius(result)
        if at is not None and result.value is not None:
            found.setdefault((result.benchmark, at.rest, result.protocol, kind), {}).setdefault(at.value, result)
    clean = clean_of(entry)
    for (benchmark, attack, protocol, kind), points in found.items():
        if len(points) > 1:
            start = clean.get((kind, base_of(protocol), benchmark))
            first = [] if start is None else [(0.0, start)]
            yield Curve(entry.model, benchmark, attack, protocol, kind, (*first, *sorted(points.items())))


def _radius(result: Result) -> Split[float] | None:
    """The attack without its radius, and the radius."""
    if result.metric == "robust_accuracy":
        return at_radius(result.perturbation)
    at = metric_at_radius(result.metric)
    return Split(result.perturbation, at.value) if at is not None and at.rest == "robust_accuracy" else None


def clean_of(entry: Entry) -> dict[tuple[Kind, str, str], Result]:
    """Clean accuracy by kind, protocol without its seed, and benchmark; of two numbers the first, as in a table."""
    found: dict[tuple[Kind, str, str], Result] = {}
    for kind, result in entry.results():
        if result.metric == "accuracy" and result.perturbation == "none":
            found.setdefault((kind, base_of(result.protocol), result.benchmark), result)
    return {place: result for place, result in found.items() if result.value is not None}


def drawing(found: Sequence[Curve], title: str) -> str:
    """Curves of one attack as an SVG element with its title; intervals as bands. The same bytes for the same curves."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "robustbench_eff", "svg.fonttype": "none"}):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        panel, lines = figure.subplots(), []
        for curve in found:
            radii = [radius for radius, _ in curve.points]
            values, lows, highs = (
                [100 * (getattr(result, name) or 0) for _, result in curve.points] for name in ("value", "low", "high")
            )
            (line,) = panel.plot(radii, values, "o-", markersize=3, linewidth=1.4)
            lines.append(line)
            if all(result.low is not None for _, result in curve.points):
                panel.fill_between(radii, lows, highs, color=line.get_color(), alpha=0.15, linewidth=0)
        panel.set(xlabel="ε", ylabel="accuracy, %", ylim=(0, 100), xlim=(0, None))
        panel.set_title(title, parse_math=False)
        panel.grid(alpha=0.3)
        if len(found) > 1:
            legend = panel.legend(lines, [curve.model for curve in found], fontsize=8, frameon=False)
            for name in legend.get_texts():
                name.set_parse_math(False)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": title}, transparent=True)
    text = file.getvalue()
    return text[text.index("<svg") :]
