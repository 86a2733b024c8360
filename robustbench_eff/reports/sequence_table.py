"""Stability of predictions as a table: a row a sequence."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from robustbench_eff.core import spec
from robustbench_eff.scores.score import Score

from .formatting import with_interval
from .severity_table import by_subject, row_name

OVERALL = {
    "mean_flip_probability": "mean flip probability",
    "mean_top5_distance": "mean top-5 distance",
    "mFR": "mFR",
    "mT5D": "mT5D",
}
"""Scores over the 10 sequences, and how they are written."""
DIFFICULTY = "_difficulty_"


def belongs(score: Score) -> bool:
    """Whether the score is of sequences of frames."""
    name = _metric(score)[0]
    return name in (*OVERALL, "flip_probability", "top5_distance", "accuracy_all_frames")


def sequence_tables(scores: Sequence[Score]) -> list[tuple[Table, str]]:
    """A table for each model, benchmark, protocol and seed, and a line with what is over the 10 sequences.

    `scores` are those that belong here.
    """
    return [_table(title, of) for title, of in by_subject(scores).items()]


def _table(title: str, scores: Sequence[Score]) -> tuple[Table, str]:
    rows: dict[str, dict[str, Score]] = {}
    overall = []
    single = [score for score in scores if _metric(score)[0] not in OVERALL]
    for score in scores:
        metric, difficulty = _metric(score)
        if metric in OVERALL:
            words = OVERALL[metric] + ("" if difficulty == 1 else f" at difficulty {difficulty}")
            flags = f" ({', '.join(score.flags)})" if score.flags else ""
            overall.append(f"{words} {with_interval(score, 2)}{flags}")
        else:
            parsed = spec.parse(score.perturbation)
            difficulty = max(difficulty, int(parsed.arguments.get("difficulty", 1)))
            rows.setdefault(row_name(score, single), {})[f"{metric} {difficulty}"] = score
    table = Table(title=f"{title}: stability over frames, with 95 % intervals", title_justify="left")
    table.add_column("sequence", overflow="fold")
    columns = [f"flip_probability {difficulty}" for difficulty in (1, 2, 3)]
    columns += ["top5_distance 1", "accuracy_all_frames 1"]
    for name in ("flips in %", "difficulty 2", "difficulty 3", "top-5 distance", "right in all frames, %"):
        table.add_column(name, justify="right")
    for name, found in rows.items():
        table.add_row(name, *(with_interval(found.get(column)) for column in columns))
    return table, f"Over the 10 sequences: {', '.join(overall)}." if overall else ""


def _metric(score: Score) -> tuple[str, int]:
    """Name without the difficulty, and the difficulty."""
    name, _, difficulty = score.metric.partition(DIFFICULTY)
    return name, int(difficulty or 1)
