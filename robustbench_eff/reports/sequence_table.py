"""Stability of predictions over frames as a table: one row per sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table

from robustbench_eff.registry.perturbation_sets import SEQUENCE_SETS
from robustbench_eff.scores.number_text import with_interval
from robustbench_eff.scores.score import Score

from .score_rows import Marks, Printed, flags_below, marked
from .severity_table import by_subject, of_set, row_name

OVERALL = {
    "mean_flip_probability": "mean flip probability",
    "mean_top5_distance": "mean top-5 distance",
    "mFR": "mFR",
    "mT5D": "mT5D",
}
"""Headings of the scores over the 10 sequences."""
COLUMNS = {
    ("flip_probability", 1): "flips in %",
    ("flip_probability", 2): "difficulty 2",
    ("flip_probability", 3): "difficulty 3",
    ("top5_distance", 1): "top-5 distance",
    ("accuracy_all_frames", 1): "right in all frames, %",
}
"""Headings by metric and difficulty."""
DIFFICULTY = "_difficulty_"


class _Metric(NamedTuple):
    name: str
    difficulty: int


def sequence_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return a table for each model, benchmark, protocol and seed, each with a line of scores over the 10 sequences.

    Args:
        scores: Scores of the section `sequence`.
        marks: Not used: a table of its own stands for each protocol.
    """
    del marks
    return [_table(title, group) for title, group in by_subject(scores).items()]


def _table(title: str, scores: Sequence[Score]) -> Printed:
    cells: dict[tuple[str, str], Score] = {}
    single = [score for score in scores if _metric(score).name not in OVERALL]
    for score in single:
        metric = _metric(score)
        of_frames = metric.name == "accuracy_all_frames"
        difficulty = 1 if of_frames else max(metric.difficulty, score.configuration["difficulty"])
        if (metric.name, difficulty) in COLUMNS:
            cells[row_name(score, single), COLUMNS[metric.name, difficulty]] = score
    table = Table(title=f"{title}: stability over frames, with 95 % intervals", title_justify="left")
    table.add_column("sequence", overflow="fold")
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for row in dict.fromkeys(row for row, _ in cells):
        found = [cells.get((row, column)) for column in COLUMNS.values()]
        table.add_row(row, *(marked(with_interval(score), score) for score in found))
    overall: dict[str, list[str]] = {}
    for score in scores:
        if _metric(score).name in OVERALL:
            sentence = f"{_heading(score)} {marked(with_interval(score, 2), score)}"
            overall.setdefault(SEQUENCE_SETS[score.perturbation].title, []).append(sentence)
            cells[_heading(score), of_set(score, scores)] = score
    over = [f"Over the 10 sequences of {name}: {', '.join(sentences)}." for name, sentences in overall.items()]
    return Printed(table, "\n".join(filter(None, (*over, flags_below(cells)))))


def _heading(score: Score) -> str:
    """The name of a score over the 10 sequences, with its difficulty."""
    metric = _metric(score)
    return OVERALL[metric.name] + ("" if metric.difficulty == 1 else f" at difficulty {metric.difficulty}")


def _metric(score: Score) -> _Metric:
    """The name without the difficulty, and the difficulty."""
    name, _, difficulty = score.metric.partition(DIFFICULTY)
    return _Metric(name, int(difficulty or 1))
