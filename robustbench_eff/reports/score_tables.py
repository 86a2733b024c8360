"""The scores of a run as tables on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from rich.console import Console

from robustbench_eff.core.flags import AT_CHANCE, CAUSES_OF_CHANCE
from robustbench_eff.core.metric import Section
from robustbench_eff.scores.headline import by_ball, headlines
from robustbench_eff.scores.number_text import percent, with_interval
from robustbench_eff.scores.overview import section_of
from robustbench_eff.scores.score import Score

from .certificate_table import certificate_tables
from .class_table import class_tables
from .clean_table import clean_tables
from .cue_conflict_table import cue_conflict_tables
from .distance_table import distance_tables
from .fit_table import print_table
from .headline_line import headline_lines
from .prose import print_prose
from .score_rows import NAMES, Marks, Printed, Row, table_of_rows
from .sequence_table import sequence_tables
from .severity_table import severity_tables

ROUNDED = "8-bit: the perturbed images rounded to 8 bits, as files would hold them."
ALIKE = "With the perturbed images rounded to 8 bits, as files would hold them, each attack leaves the same accuracy."
VOTES = "Accuracy over votes is the expected one of a single draw; every vote: samples that all votes get right."
"""Lines below the table of accuracies."""


def score_table(scores: Sequence[Score], console: Console) -> None:
    """Print one sentence per model and benchmark that was attacked, then the scores section by section.

    Protocols are numbered, and spelled out below the tables, so that a reader sees which rows are comparable.

    Args:
        scores: The scores.
        console: Where to print.
    """
    protocols = dict.fromkeys(score.protocol for score in scores)
    marks = {protocol: f"({position})" for position, protocol in enumerate(protocols, 1)}
    sections: dict[Section, list[Score]] = {section: [] for section in SECTIONS}
    for score in scores:
        sections[section_of(score)].append(score)
    for line in headline_lines(scores):
        print_prose(line, console, "bold")
    for section, group in sections.items():
        for printed in SECTIONS[section](group, marks) if group else ():
            print_table(printed.table, console)
            if printed.below:
                print_prose(printed.below, console)
    for protocol, mark in marks.items():
        print_prose(f"{mark} {protocol}", console, "dim")
    if any(flag.startswith(AT_CHANCE) for score in scores for flag in score.flags):
        print_prose(CAUSES_OF_CHANCE, console, "bold")


def _accuracy_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Clean accuracy, then ball by ball the headline and its parts; beside each the accuracy of the rounded images."""
    beside = {"_8bit": "8-bit", "_every_vote": "every vote"}
    others = {
        (score.cell, score.benchmark, heading): score
        for score in scores
        for ending, heading in beside.items()
        if score.metric.endswith(ending)
    }
    rows = [score for score in by_ball(scores) if not score.metric.endswith(tuple(beside))]
    shown = [heading for heading in beside.values() if any(heading == other for *_, other in others)]
    values = {(score.cell, score.benchmark): score.value for score in rows if "@" not in score.metric}
    rounded_alike = all(
        score.value == values.get((score.cell, score.benchmark))
        for (*_, heading), score in others.items()
        if heading == "8-bit"
    )
    columns: dict[str, Callable[[Score], str]] = {"accuracy": partial(with_interval, digits=2, ends=1)}
    columns |= {heading: _value for heading in shown if heading != "8-bit" or not rounded_alike}
    found = [
        Row(
            score,
            {"accuracy": score}
            | {
                heading: others[score.cell, score.benchmark, heading]
                for heading in shown
                if score.cell and (score.cell, score.benchmark, heading) in others
            },
            leads,
        )
        for score, leads in zip(rows, headlines(rows), strict=True)
    ]
    printed = table_of_rows("Accuracy in %, with 95 % intervals", columns, found, marks)
    below = [printed.below]
    if "8-bit" in shown:
        below.append(ALIKE if rounded_alike else ROUNDED)
    if "every vote" in shown:
        below.append(VOTES)
    return [Printed(printed.table, "\n".join(filter(None, below)))]


def _value(score: Score) -> str:
    return percent(score.value)


def _effective_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    columns = {"effective robustness": partial(with_interval, digits=2)}
    rows = [Row(score, {"effective robustness": score}) for score in scores]
    return [table_of_rows("Effective robustness in points, with 95 % intervals", columns, rows, marks)]


def _success_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    return _by_name("Success of the one-pixel attack, with 95 % intervals", scores, marks)


def _other_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Metrics without a table of their own, such as those of plugins."""
    return _by_name("Other metrics, with 95 % intervals", scores, marks)


def _by_name(title: str, scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return one table with a line for every metric."""
    rows = [Row(score, {"value": score}) for score in scores]
    return [table_of_rows(title, {"value": partial(with_interval, digits=2)}, rows, marks, (*NAMES, "metric"))]


SECTIONS: Mapping[Section, Callable[[Sequence[Score], Marks], list[Printed]]] = {
    "accuracy": _accuracy_tables,
    "success": _success_tables,
    "certificate": certificate_tables,
    "distance": distance_tables,
    "by class": class_tables,
    "clean": clean_tables,
    "effective": _effective_tables,
    "cue conflict": cue_conflict_tables,
    "corruption": severity_tables,
    "sequence": sequence_tables,
    "other": _other_tables,
}
"""The tables of every section, in the order in which they are printed."""
