"""A run as one self-contained file: its command, the numbers, pictures, verdicts, and how to reproduce it."""

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
from .build_table import build_table
from .certified_curves import certified_drawings
from .columns import Layout, Pattern
from .curves import Curve, curves, drawing
from .entry import Entry
from .perturbations import SEVERITIES, BySeverity, by_severity
from .render import page

TEMPLATE = Path(__file__).parent / "templates" / "run.html.j2"
NUMBERS = {
    "Accuracy, clean and attacked": (
        Pattern(label="clean", perturbation="none", metric="accuracy"),
        Pattern(perturbation="worst of *", metric="robust_accuracy"),
        Pattern(metric="robust_accuracy"),
    ),
    "Attacks at several radii, and closest adversarial images": (
        Pattern(metric="robust_accuracy@*|security_curve_area|median_distance_*"),
    ),
    "Success of the one-pixel attack": (Pattern(metric="any_target_success_rate|mean_confidence"),),
    "Certified accuracy": (Pattern(metric="certified_accuracy@*|average_certified_radius|abstention_rate"),),
    "Corruptions and sequences": (
        Pattern(metric="mean_accuracy|mean_flip_*|mean_top5_*|mCE|relative_mCE|mFR|mT5D"),
        Pattern(metric="CE"),
    ),
    "Shape and texture": (Pattern(metric="shape_bias*|*consistency*"),),
    "Classes and confidence": (
        Pattern(metric="balanced_accuracy|worst_class_accuracy"),
        Pattern(perturbation="worst of *", metric="balanced_robust_accuracy|worst_class_robust_accuracy"),
        Pattern(metric="balanced_robust_accuracy|worst_class_robust_accuracy"),
        Pattern(metric="expected_calibration_error|rms_calibration_error|aurc|effective_robustness"),
    ),
}
"""Headings, and the columns of the table below each."""


class HeatMap(NamedTuple):
    """Accuracy of one model by corruption and severity."""

    model: str
    table: BySeverity


def run_page(
    entries: Sequence[Entry],
    runs: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, Sequence[tuple[str, bytes]]],
    title: str,
    headlines: Sequence[str] = (),
) -> str:
    """Return the report as an HTML page.

    Args:
        entries: One entry per model.
        runs: Records of the runs, as a store holds them.
        pictures: Captions and PNG files by model.
        title: Title of the page.
        headlines: Sentences above the first table: the number that leads for each model and benchmark.
    """
    return page(
        TEMPLATE,
        title=title,
        headlines=headlines,
        entries=entries,
        runs=[{**run, "command": command(run["command"]), "status": status(run, run is runs[-1])} for run in runs],
        tables=[(heading, Markup(table)) for heading, table in _tables(entries)],
        drawings=[*_drawings(entries), *map(Markup, certified_drawings(entries))],
        heat_maps=heat_maps(entries),
        severities=SEVERITIES,
        pictures={
            model: [(caption, _embedded(png)) for caption, png in captioned] for model, captioned in pictures.items()
        },
    )


def command(arguments: Sequence[str]) -> str:
    """Return a command as one would type it.

    Args:
        arguments: The program, with or without its folder, and its arguments; empty if it was not recorded.
    """
    return shlex.join([PurePath(arguments[0]).name, *arguments[1:]]) if arguments else ""


def status(run: Mapping[str, Any], is_last: bool) -> str:
    """Return how a run ended.

    Args:
        run: Record of the run, as a store holds it.
        is_last: Whether no later run has written the store; it may be running.
    """
    if run["status"] != "started":
        return str(run["status"])
    return "running, or killed before its end," if is_last else "killed before its end,"


def heat_maps(entries: Sequence[Entry]) -> list[HeatMap]:
    """Return a heat map for every model, benchmark and protocol with corruptions at severities.

    Args:
        entries: One entry per model.
    """
    return [
        HeatMap(entry.model, table)
        for entry in entries
        for table in by_severity(result for result in entry.measured if result.metric == "accuracy")
    ]


def _tables(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return the headings below which there are results, each with its table as HTML."""
    tables = []
    for heading, columns in NUMBERS.items():
        with suppress(EmptyTable):  # nothing of this kind was measured
            table = build_table(entries, Layout(title=heading, columns=columns))
            tables.append((heading, table_formats.html(table, transposed=True)))
    return tables


class _Subject(NamedTuple):
    """What the curves of one drawing share; the protocol as a sentence."""

    benchmark: str
    attack: str
    protocol: str


def _subject(curve: Curve) -> _Subject:
    return _Subject(curve.benchmark, curve.attack, str(curve.protocol))


def _drawings(entries: Sequence[Entry]) -> list[Markup]:
    groups = groupby(sorted(curves(entries), key=_subject), key=_subject)
    return [
        Markup(drawing(list(group), f"{subject.attack} on {subject.benchmark}: {subject.protocol}"))
        for subject, group in groups
    ]


def _embedded(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
