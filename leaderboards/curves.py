"""Accuracy against the radius of an attack, as drawings that need no script."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .entry import Entry, Result, base_of
from .perturbations import split


class Curve(NamedTuple):
    """Of one model and one attack on one benchmark, by growing radius; clean accuracy at 0 where it is known."""

    model: str
    benchmark: str
    attack: str
    protocol: str
    points: tuple[tuple[float, Result], ...]


def curves(entries: Sequence[Entry]) -> list[Curve]:
    """Every attack that was measured at two radii at least, alone or in one sweep of a security curve."""
    return [curve for entry in entries for curve in _of(entry)]


def _of(entry: Entry) -> Iterator[Curve]:
    found: dict[tuple[str, str, str], dict[float, Result]] = {}
    for result in entry.measured:
        metric, _, at = result.metric.partition("@")
        if metric != "robust_accuracy" or result.value is None:
            continue
        parts = split(result.perturbation, "eps")
        if at:
            attack, radius = result.perturbation, split(f"at(eps={at})", "eps")
        else:
            attack, radius = ("", None) if parts is None else (parts.rest, parts)
        if radius is not None and isinstance(radius.value, (int, float)):
            found.setdefault((result.benchmark, attack, result.protocol), {})[float(radius.value)] = result
    clean = {
        (result.benchmark, base_of(result.protocol)): result
        for result in entry.measured
        if result.metric == "accuracy" and result.perturbation == "none" and result.value is not None
    }
    for (benchmark, attack, protocol), points in found.items():
        if len(points) > 1:
            start = clean.get((benchmark, base_of(protocol)))
            first = [] if start is None else [(0.0, start)]
            yield Curve(entry.model, benchmark, attack, protocol, (*first, *sorted(points.items())))


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
            legend = panel.legend(lines, [curve.model for curve in found], fontsize=8)
            for name in legend.get_texts():
                name.set_parse_math(False)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": title}, transparent=True)
    text = file.getvalue()
    return text[text.index("<svg") :]
