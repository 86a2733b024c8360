"""The scores of a run as tables on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from robustbench_eff.core.flags import AT_CHANCE, CAUSES_OF_CHANCE
from robustbench_eff.core.metric import Section
from robustbench_eff.scores.score import Score

from .certificate_table import certificate_tables
from .clean_table import clean_tables
from .cue_conflict_table import cue_conflict_tables
from .distance_table import distance_tables
from .formatting import interval, number, percent
from .score_rows import Marks, Printed, add_row, row_table
from .sequence_table import sequence_tables
from .severity_table import severity_tables


def score_table(scores: Sequence[Score], console: Console) -> None:
    """Print the scores section by section.

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
    for section, group in sections.items():
        for printed in SECTIONS[section](group, marks) if group else ():
            console.print(printed.table)
            if printed.below:
                console.print(printed.below, highlight=False, markup=False, soft_wrap=True)
    for protocol, mark in marks.items():
        console.print(f"{mark} {protocol}", style="dim", highlight=False, markup=False)
    if any(flag.startswith(AT_CHANCE) for score in scores for flag in score.flags):
        console.print(CAUSES_OF_CHANCE, style="bold", highlight=False)
    if any(score.metric.endswith("_8bit") for score in scores):
        console.print("8-bit: the perturbed images rounded to 8 bits, as files would hold them.", style="dim")
    if any(score.metric.endswith("_every_vote") for score in scores):
        sentence = (
            "Accuracy over votes is the expected one of a single draw; every vote: samples that all votes get right."
        )
        console.print(sentence, style="dim")


def section_of(score: Score) -> Section:
    """Return the section of the report in which a score stands.

    Args:
        score: The score.
    """
    if score.metric == "accuracy" and score.kind == "corruption":
        return "corruption"
    return score.definition.section


def _accuracy_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    beside = {"_8bit": "8-bit", "_every_vote": "every vote"}
    values = {
        (score.cell, ending): score.value for score in scores for ending in beside if score.metric.endswith(ending)
    }
    endings = [ending for ending in beside if ending == "_8bit" or any(ending == other for _, other in values)]
    columns = ("accuracy", "interval", *(beside[ending] for ending in endings))
    table = row_table("Accuracy in %, with its 95 % interval", columns, scores)
    for score in scores:
        if not score.metric.endswith(tuple(beside)):
            keys = [(score.cell, ending) for ending in endings]
            others = [percent(values[key]) if score.cell and key in values else "" for key in keys]
            add_row(table, score, [percent(score.value), interval(score), *others], marks)
    return [Printed(table)]


def _effective_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    title = "Effective robustness in points, with its 95 % interval"
    table = row_table(title, ("effective robustness", "interval"), scores)
    for score in scores:
        add_row(table, score, [percent(score.value), interval(score)], marks)
    return [Printed(table)]


def _success_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    return _by_name("Success of the one-pixel attack, with 95 % intervals", scores, marks)


def _other_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Metrics without a table of their own, such as those of plugins."""
    return _by_name("Other metrics, with their 95 % intervals", scores, marks)


def _by_name(title: str, scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return one table with a line for every metric."""
    table = row_table(title, ("metric", "value", "interval"), scores)
    for score in scores:
        name = f"{score.metric} in %" if score.definition.unit == "fraction" else score.metric
        value = "-" if score.value is None else number(score.value, score.definition.unit)
        add_row(table, score, [name, value, interval(score)], marks)
    return [Printed(table)]


SECTIONS: Mapping[Section, Callable[[Sequence[Score], Marks], list[Printed]]] = {
    "accuracy": _accuracy_tables,
    "success": _success_tables,
    "certificate": certificate_tables,
    "distance": distance_tables,
    "clean": clean_tables,
    "effective": _effective_tables,
    "cue conflict": cue_conflict_tables,
    "corruption": severity_tables,
    "sequence": sequence_tables,
    "other": _other_tables,
}
"""The tables of every section, in the order in which they are printed."""
