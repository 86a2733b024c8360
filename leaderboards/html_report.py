"""A run as one file that needs nothing else: what was asked, the numbers, pictures, verdicts, how to do it again."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from markupsafe import Markup

from robustbench_eff.core.errors import EmptyTable

from . import table_formats
from .board import board
from .columns import Layout, Pattern
from .curves import Curve, curves, drawing
from .entry import Entry
from .perturbations import SEVERITIES, BySeverity, by_severity
from .render import page

TEMPLATE = Path(__file__).parent / "templates" / "run.html.j2"
NUMBERS = {
    "Accuracy, clean and attacked": (
        Pattern(label="clean", perturbation="none", metric="accuracy"),
        Pattern(metric="robust_accuracy"),
    ),
    "Attacks at several radii, and nearest adversarial images": (
        Pattern(metric="robust_accuracy@*|security_curve_area|median_distance_*"),
    ),
    "Corruptions and sequences": (Pattern(metric="mean_*|mCE|relative_mCE|mFR|mT5D"), Pattern(metric="CE")),
    "Shape and texture": (Pattern(metric="shape_bias*|*consistency*"),),
    "Classes and confidence": (
        Pattern(metric="balanced_accuracy|worst_class_accuracy"),
        Pattern(metric="expected_calibration_error|rms_calibration_error|aurc|effective_robustness"),
    ),
}
"""Headings, and the columns below them."""


class HeatMap(NamedTuple):
    """Accuracy of one model by corruption and severity."""

    model: str
    table: BySeverity


def run_page(
    entries: Sequence[Entry],
    runs: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, Sequence[tuple[str, bytes]]],
    title: str,
) -> str:
    """The page. `runs` are what the store recorded of them, `pictures` PNGs with their captions by model."""
    return page(
        TEMPLATE,
        title=title,
        entries=entries,
        runs=[{**run, "command": command(run["command"])} for run in runs],
        tables=[(heading, Markup(table)) for heading, table in _tables(entries)],
        drawings=_drawings(entries),
        heat_maps=heat_maps(entries),
        severities=SEVERITIES,
        pictures={model: [(text, _embedded(png)) for text, png in found] for model, found in pictures.items()},
    )


def command(words: Sequence[str]) -> str:
    """As it would be typed."""
    return shlex.join([PurePath(words[0]).name, *words[1:]]) if words else ""


def heat_maps(entries: Sequence[Entry]) -> list[HeatMap]:
    """Of every model and benchmark with corruptions at severities."""
    return [
        HeatMap(entry.model, table)
        for entry in entries
        for table in by_severity(result for result in entry.measured if result.metric == "accuracy")
    ]


def _tables(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Every heading with the results that belong below it, as HTML."""
    found = []
    for heading, columns in NUMBERS.items():
        with suppress(EmptyTable):  # nothing of the kind was measured
            found.append(
                (heading, table_formats.html_by_number(board(entries, Layout(title=heading, columns=columns))))
            )
    return found


def _drawings(entries: Sequence[Entry]) -> list[Markup]:

    def subject(curve: Curve) -> tuple[str, str, str]:
        return curve.benchmark, curve.attack, curve.protocol

    grouped = groupby(sorted(curves(entries), key=subject), key=subject)
    return [Markup(drawing(list(of), f"{attack} on {benchmark}: {rest}")) for (benchmark, attack, rest), of in grouped]


def _embedded(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
