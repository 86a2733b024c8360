"""Accuracy against the radius of an attack, as drawings that need no script."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from robustbench_eff.core.flags import suspects_masking
from robustbench_eff.core.protocol import Protocol

from .entry import Entry, Kind, Result
from .perturbations import Split, at_radius, metric_at_radius

CERTIFIED = "certified"
"""In the place of an attack: the curve is of certified accuracy."""


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


def drawing(shown: Sequence[Curve], title: str, labels: Sequence[str] = ()) -> str:
    """Return the curves of one attack as an SVG element; the same bytes for the same curves.

    Args:
        shown: One curve per model, with intervals as bands; those of suspected gradient masking have a dagger, and a
            certified curve is drawn as steps.
        title: Title above the curves.
        labels: Name of every curve; empty for the names of the models.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "robustbench_eff", "svg.fonttype": "none"}):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        panel, lines = figure.subplots(), []
        for curve in shown:
            radii = [radius for radius, _ in curve.points]
            values, lows, highs = (
                [100 * (getattr(result, name) or 0) for _, result in curve.points] for name in ("value", "low", "high")
            )
            steps: Literal["pre"] | None = "pre" if curve.attack == CERTIFIED else None
            style = "steps-pre" if steps else "default"
            (line,) = panel.plot(radii, values, "o-", markersize=3, linewidth=1.4, drawstyle=style)
            lines.append(line)
            if all(result.low is not None for _, result in curve.points):
                panel.fill_between(radii, lows, highs, color=line.get_color(), alpha=0.15, linewidth=0, step=steps)
                if len(radii) == 1:
                    panel.vlines(radii, lows, highs, color=line.get_color(), linewidth=1.4)
        panel.set(xlabel="L2 radius" if labels else "ε", ylabel="accuracy, %", ylim=(0, 100), xlim=(0, None))
        panel.set_title(title, parse_math=False, fontsize=9 if labels else None)
        panel.grid(alpha=0.3)
        if len(shown) > 1 or shown[0].label != shown[0].model:
            names = labels or [curve.label for curve in shown]
            legend = panel.legend(lines, names, fontsize=8, frameon=False)
            for label in legend.get_texts():
                label.set_parse_math(False)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": title}, transparent=True)
    svg = file.getvalue()
    return svg[svg.index("<svg") :]
