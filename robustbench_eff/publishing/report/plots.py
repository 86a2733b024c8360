"""Accuracy against the radius: under the strongest attacks, under each attack alone, and certified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup

from robustbench_eff.core import spec
from robustbench_eff.leaderboards.certified_curves import certified_curves
from robustbench_eff.leaderboards.curves import STYLES, Curve, curves, drawing
from robustbench_eff.leaderboards.entry import Entry, Result
from robustbench_eff.scores.headline import ball_of, by_ball, headlines
from robustbench_eff.scores.score import Score

from ..measured_entries import result_of
from .content import Images, images_of
from .numbers import protocol_line
from .wording import NORMS, count_of, share

PIXELS = "in units of [0, 1] pixels"


class Legend(NamedTuple):
    """A line of a plot."""

    colour: str
    glyph: str
    name: str


class Plot(NamedTuple):
    """A drawing with its title and its legend."""

    title: str
    images: str
    svg: Markup
    legend: Sequence[Legend]
    note: str
    """What is not drawn; empty if all is."""


def strongest_plots(scores: Sequence[Score]) -> list[Plot]:
    """Return a plot for every set of images and norm with two radii or more: accuracy under the strongest attacks.

    Args:
        scores: All scores of a store.
    """
    found: dict[tuple[Images, str], dict[str, dict[float, Result]]] = {}
    ordered = by_ball(scores)
    for score, leads in zip(ordered, headlines(ordered), strict=True):
        ball = ball_of(score)
        if leads and ball is not None and not score.protocol.smoothing:
            lines = found.setdefault((images_of(score), ball.norm), {})
            lines.setdefault(score.model, {}).setdefault(ball.eps, result_of(score))
    clean = {
        (score.model, images_of(score)): result_of(score)
        for score in ordered
        if score.kind == "none" and score.metric == "accuracy" and score.value is not None
    }
    plots = []
    for (images, norm), of_models in found.items():
        shown = []
        for model, points in of_models.items():
            start = {0.0: clean[model, images]} if (model, images) in clean else {}
            at = tuple(sorted((start | points).items()))
            shown.append(Curve(model, images.benchmark, "strongest attack", images.protocol, "measured", at))
        if max(len(points) for points in of_models.values()) > 1:
            shown.sort(key=lambda curve: -(curve.points[-1][1].value or 0.0))
            title = f"Accuracy under the strongest attack, {NORMS.get(norm, norm)}"
            xlabel = "changed pixels" if norm == "l0" else f"ε, {PIXELS}"
            plots.append(_plot(title, protocol_line(images), shown, [curve.label for curve in shown], xlabel))
    return plots


def other_plots(scores: Sequence[Score]) -> Iterator[Plot]:
    """Yield the plots of certified accuracy, then those of each attack alone.

    Args:
        scores: All scores of a store.
    """
    entries = _entries(scores)
    for shown in certified_curves(entries):
        first = shown[0]
        smoothing = first.protocol.smoothing
        title = f"{first.model}: certified accuracy, and accuracy under attack"
        line = f"{protocol_line(Images(first.benchmark, first.protocol.of_images()))} · {smoothing}"
        yield _plot(title, line, shown, [curve.attack for curve in shown], f"L2 radius, {PIXELS}")

    def subject(curve: Curve) -> tuple[str, str, str]:
        return curve.attack, curve.benchmark, str(curve.protocol)

    for (attack, benchmark, protocol), group in groupby(sorted(curves(entries), key=subject), key=subject):
        drawn = list(group)
        yield _plot(f"Accuracy under {attack}", f"{benchmark} · {protocol}", drawn, [curve.label for curve in drawn])


def _entries(scores: Sequence[Score]) -> list[Entry]:
    """Entries with the numbers alone."""
    by_model: dict[str, list[Result]] = {}
    for score in scores:
        by_model.setdefault(score.model, []).append(result_of(score))
    return [Entry(model=model, measured=tuple(results)) for model, results in by_model.items()]


def _plot(title: str, images: str, shown: Sequence[Curve], names: Sequence[str], xlabel: str = "ε") -> Plot:
    drawn = shown[: len(STYLES)]
    left = len(shown) - len(drawn)
    described = "; ".join(f"{name}: {_points(curve)}" for curve, name in zip(drawn, names, strict=False))
    return Plot(
        title=title,
        images=images,
        svg=Markup(drawing(drawn, f"{title}. {described}.", xlabel)),
        legend=[Legend(style.colour, style.glyph, name) for style, name in zip(STYLES, names, strict=False)],
        note=f"{count_of(left, 'model')} with less accuracy at the largest radius not drawn." if left else "",
    )


def _points(curve: Curve) -> str:
    return ", ".join(
        f"{share(result.value or 0.0)} % at {spec.literal(radius) if radius else '0'}"
        for radius, result in curve.points
    )
