"""Accuracy against the radius of an attack, as drawings that need no script."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Literal, NamedTuple

from robustbench_eff.core import spec
from robustbench_eff.core.flags import suspects_masking
from robustbench_eff.core.protocol import Protocol

from .entry import Entry, Kind, Result
from .perturbations import Split, at_radius, metric_at_radius

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CERTIFIED = "certified"
"""In the place of an attack: the curve is of certified accuracy."""
TICK_GAP = 0.12
"""Smallest distance between two ticks, as a fraction of the axis."""
MOST_BANDS = 4
"""Most curves that have their intervals as bands; those of more would hide each other."""
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_GROUP_ID = re.compile(r'<g id="[^"]*"')


class Style(NamedTuple):
    """How a curve is told from others: by its colour, its mark, and its line."""

    colour: str
    marker: str
    """Name of the mark in matplotlib."""
    glyph: str
    """The same mark as a letter, for legends."""
    line: str


STYLES = (
    Style("#2b7bba", "o", "●", "-"),
    Style("#d1600e", "s", "■", "--"),
    Style("#1a936f", "^", "▲", "-."),
    Style("#b5539c", "D", "◆", ":"),
    Style("#8a7400", "v", "▼", "-"),
    Style("#7f7f7f", "P", "✚", "--"),
    Style("#c0392b", "X", "✖", "-."),
    Style("#6f5fc4", "*", "★", ":"),
)
"""Colours with a contrast of 3 on light and on dark pages."""


class Curve(NamedTuple):
    """Robust accuracy of one model under one attack on one benchmark."""

    model: str
    benchmark: str
    attack: str
    protocol: Protocol
    kind: Kind
    points: tuple[tuple[float, Result], ...]
    """Radius and result, by increasing radius; starts with the clean accuracy at 0 if that is known."""

    @property
    def label(self) -> str:
        """The model's name, with a dagger if gradient masking may have raised a number of the curve."""
        return f"{self.model} †" if any(suspects_masking(result.flags) for _, result in self.points) else self.model


class CleanKey(NamedTuple):
    """The key by which the clean accuracy of a curve is found."""

    kind: Kind
    images: Protocol
    """Protocol of the images alone."""
    benchmark: str


def curves(entries: Sequence[Entry]) -> list[Curve]:
    """Return a curve for every attack with results at two radii or more.

    The results come from one run per radius, or from one run of a minimum-norm attack.

    Args:
        entries: One entry per model.
    """
    return [curve for entry in entries for curve in _curves_of(entry)]


def _curves_of(entry: Entry) -> Iterator[Curve]:
    points_of: dict[tuple[str, str, Protocol, Kind], dict[float, Result]] = {}
    for kind, result in entry.results():
        at = _radius(result)
        if at is not None and result.value is not None:
            points_of.setdefault((result.benchmark, at.rest, result.protocol, kind), {}).setdefault(at.value, result)
    clean = clean_of(entry)
    for (benchmark, attack, protocol, kind), points in points_of.items():
        if len(points) > 1:
            start = clean.get(CleanKey(kind, protocol.of_images(), benchmark))
            first = [] if start is None else [(0.0, start)]
            yield Curve(entry.model, benchmark, attack, protocol, kind, (*first, *sorted(points.items())))


def _radius(result: Result) -> Split[float] | None:
    """Return the attack without its radius, and the radius."""
    if result.metric == "robust_accuracy":
        return at_radius(result.perturbation)
    at = metric_at_radius(result.metric)
    return Split(result.perturbation, at.value) if at is not None and at.rest == "robust_accuracy" else None


def clean_of(entry: Entry) -> dict[CleanKey, Result]:
    """Return the clean accuracies of a model; of several for one key the first, as in a table.

    Args:
        entry: Entry of the model.
    """
    results: dict[CleanKey, Result] = {}
    for kind, result in entry.results():
        if result.metric == "accuracy" and result.perturbation == "none":
            results.setdefault(CleanKey(kind, result.protocol.of_images(), result.benchmark), result)
    return {key: result for key, result in results.items() if result.value is not None}


def drawing(shown: Sequence[Curve], description: str, xlabel: str = "ε") -> str:
    """Return the curves of one attack as an SVG element without title and legend; the same bytes for the same curves.

    The curve at place i has the colour and the mark of `STYLES[i % len(STYLES)]`, which a legend beside it explains.

    Args:
        shown: One curve per model or attack; few have their intervals as bands. A certified curve is drawn as steps.
        description: Text in place of the drawing for those who cannot see it.
        xlabel: What the radius is called.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "robustbench_eff", "svg.fonttype": "none"}):
        figure = Figure(figsize=(4.4, 2.8), layout="constrained")
        FigureCanvasSVG(figure)
        panel = figure.subplots()
        for place, curve in enumerate(shown):
            _draw(panel, curve, STYLES[place % len(STYLES)], has_band=len(shown) <= MOST_BANDS)
        panel.set(xlabel=xlabel, ylabel="accuracy, %", ylim=(0, 102), xlim=(0, None))
        ticks = _ticks(radius for curve in shown for radius, _ in curve.points)
        panel.set_xticks(ticks, ["0" if tick == 0 else spec.literal(tick) for tick in ticks])
        panel.grid(alpha=0.3)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    svg = _METADATA.sub("", file.getvalue())
    svg = _GROUP_ID.sub("<g", svg[svg.index("<svg") :])  # several drawings stand on one page
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(description)}" ', 1)


def _draw(panel: Axes, curve: Curve, style: Style, *, has_band: bool) -> None:
    radii = [radius for radius, _ in curve.points]
    values, lows, highs = (
        [100 * (getattr(result, name) or 0) for _, result in curve.points] for name in ("value", "low", "high")
    )
    steps: Literal["pre"] | None = "pre" if curve.attack == CERTIFIED else None
    panel.plot(
        radii,
        values,
        color=style.colour,
        marker=style.marker,
        linestyle=style.line,
        markersize=5,
        linewidth=1.6,
        drawstyle="steps-pre" if steps else "default",
    )
    if has_band and all(result.low is not None for _, result in curve.points):
        panel.fill_between(radii, lows, highs, color=style.colour, alpha=0.15, linewidth=0, step=steps)
        if len(radii) == 1:
            panel.vlines(radii, lows, highs, color=style.colour, linewidth=1.6)


def _ticks(radii: Iterable[float]) -> list[float]:
    """The radii that are far enough apart for their texts, the largest among them, and 0."""
    ordered = sorted({0.0, *radii}, reverse=True)
    kept = ordered[:1]
    for radius in ordered[1:]:
        if min(kept[-1] - radius, radius or math.inf) >= TICK_GAP * ordered[0]:
            kept.append(radius)
    return kept[::-1] if kept[-1] == 0.0 else [0.0, *kept[::-1]]
