"""The numbers of a run that a reader wants first: accuracies ball by ball, and the means over sets of corruptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from robustbench_eff.core.flags import flag_lines, mark_of
from robustbench_eff.core.metric import METRICS, Section
from robustbench_eff.core.visible_text import visible
from robustbench_eff.storage.stored_cell import CLEAN

from .headline import by_ball, headlines
from .number_text import with_interval
from .score import Score

MEANS = ("mean_accuracy", "mCE", "relative_mCE", "mFR", "mT5D", "shape_bias")
"""Numbers besides accuracies that come first."""
HEADS = ("model", "benchmark", "images", "in %, with 95 % interval", "n")
SHOWN = 40
"""Most rows that a text shows."""


class OverviewRow(NamedTuple):
    """A number as a row of texts."""

    score: Score
    is_headline: bool
    """Whether it is the robust accuracy under all attacks in a ball together."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Model, benchmark, what was done to the images, the number with its interval and its marks, and n."""
        score = self.score
        number = f"{with_interval(score, 2, 1)} {mark_of(score.flags)}".rstrip()
        return score.model, score.benchmark, images_of(score), number, str(score.n)


def overview(scores: Sequence[Score]) -> list[OverviewRow]:
    """Return the first numbers of a run: of each model clean before attacked, and each headline before its parts.

    Args:
        scores: All scores of the run.
    """
    first = by_ball([score for score in scores if _comes_first(score)])
    return [OverviewRow(score, leads) for score, leads in zip(first, headlines(first), strict=True)]


def section_of(score: Score) -> Section:
    """Return the section of the report in which a score stands; that of metrics of plugins is always "other".

    The tables of the other sections lay out the metrics of the package, each in a place of its own.

    Args:
        score: The score.
    """
    if score.definition.name not in METRICS:
        return "other"
    if score.metric == "accuracy" and score.kind == "corruption":
        return "corruption"
    return score.definition.section


def perturbation(score: Score) -> str:
    """Return the perturbation of a row, with the radius where the metric has one.

    Args:
        score: The score that names the row.
    """
    _, at, radius = score.metric.partition("@")
    if at and score.kind == "attack":
        return f"{score.perturbation} at ε = {radius}"
    return f"{score.perturbation}, mean over ε" if score.metric == "security_curve_area" else score.perturbation


def images_of(score: Score) -> str:
    """Return what was done to the images of a score, with the metric where it is no accuracy.

    Args:
        score: The score.
    """
    what = "clean" if score.perturbation == CLEAN else perturbation(score)
    return f"{score.metric}, {what}" if score.metric in MEANS else what


def as_text(scores: Sequence[Score]) -> str:
    """Return the first numbers as lines of one width per column, then their flags.

    Args:
        scores: All scores of a run.
    """
    rows = overview(scores)
    table = [HEADS, *(tuple(map(visible, row.texts)) for row in rows[:SHOWN])]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(_padded, line, widths, (0, 0, 0, 1, 1))).rstrip() for line in table]
    return "\n".join([*lines, *_below(scores, rows), *map(visible, flags_below([row.score for row in rows]))])


def as_html(scores: Sequence[Score]) -> str:
    """Return the first numbers as an HTML table, then their flags; headlines are bold.

    Args:
        scores: All scores of a run.
    """
    rows = overview(scores)
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADS)
    body = "\n".join(_html_row(row) for row in rows[:SHOWN])
    notes = [*_below(scores, rows), *flags_below([row.score for row in rows])]
    below = "".join(f"<div>{escape(visible(note))}</div>\n" for note in notes)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n{below}"


def flags_below(scores: Iterable[Score]) -> list[str]:
    """Return a line for each flag, with the numbers that have it.

    Args:
        scores: The scores.
    """
    bearers: dict[tuple[str, str], tuple[str, ...]] = {}
    for score in scores:
        name = (f"{score.model}, {score.benchmark}, {images_of(score)}", "")
        bearers[name] = bearers.get(name, ()) + score.flags
    return flag_lines(bearers)


def _comes_first(score: Score) -> bool:
    if section_of(score) == "accuracy":
        return not score.metric.endswith(("_8bit", "_every_vote"))
    return score.metric in MEANS


def _below(scores: Sequence[Score], rows: Sequence[OverviewRow]) -> list[str]:
    """How many scores the table does not show; empty if there are none."""
    more = len(scores) - len(rows[:SHOWN])
    return [f"{more} more in .scores and .to_dataframe()"] if more else []


def _padded(text: str, width: int, is_number: int) -> str:
    return text.rjust(width) if is_number else text.ljust(width)


def _html_row(row: OverviewRow) -> str:
    style = ' style="font-weight: bold"' if row.is_headline else ""
    return f"<tr{style}>{''.join(f'<td>{escape(visible(text))}</td>' for text in row.texts)}</tr>"
