"""The summary of a run in Markdown, for a pull request or the page of a CI job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustbench_eff.core.markdown_text import as_markdown, markdown_table
from robustbench_eff.core.result_file import write_result
from robustbench_eff.scores.gate import Judgement
from robustbench_eff.scores.overview import HEADS, SHOWN, OverviewRow, flags_below, overview, section_of
from robustbench_eff.scores.score import Score

from .requirement_lines import outcome, row_names

MOST = 2000
"""Most rows of all: a page of a CI job holds a megabyte."""


def markdown_summary(scores: Sequence[Score], judgements: Sequence[Judgement]) -> str:
    """Return the requirements with what became of them, then the accuracies and means with their intervals.

    Args:
        scores: All scores of the run or the store.
        judgements: What is required of them; without any there is no such part.
    """
    parts = [_heading(judgements)]
    if judgements:
        parts.append(_requirements(judgements))
    rows = overview(scores)
    others = [score for score in scores if section_of(score) == "corruption" and score.kind != "several"]
    folded = [*rows[SHOWN:], *(OverviewRow(score, False) for score in others)]
    if rows:
        parts.append(_numbers(rows[:SHOWN]))
    if folded:
        more = f"<details><summary>{len(folded)} more numbers</summary>"
        cut = [f"{len(folded) - MOST} further numbers are left out here."] if len(folded) > MOST else []
        parts += [more, _numbers(folded[:MOST]), *cut, "</details>"]
    parts += _notes([row.score for row in [*rows[:SHOWN], *folded[:MOST]]])
    return "\n\n".join(parts) + "\n"


def write_summary(scores: Sequence[Score], judgements: Sequence[Judgement], path: Path) -> None:
    """Write the summary to a file.

    Args:
        scores: All scores of the run or the store.
        judgements: What is required of them.
        path: The file; one that exists is replaced.

    Raises:
        UsageError: The file cannot be written.
    """
    write_result(path, markdown_summary(scores, judgements).encode(errors="backslashreplace"))


def _heading(judgements: Sequence[Judgement]) -> str:
    if not judgements:
        return "### Robustness"
    met = sum(item.is_met for item in judgements)
    mark = "✅" if met == len(judgements) else "❌"
    return f"### {mark} Robustness: {met} of {len(judgements)} required numbers met"


def _requirements(judgements: Sequence[Judgement]) -> str:
    rows = [
        [
            "✅ met" if item.is_met else "❌ **not met**",
            as_markdown(item.requirement.text),
            as_markdown(name),
            as_markdown(outcome(item)),
        ]
        for item, name in zip(judgements, row_names(judgements), strict=True)
    ]
    return markdown_table(["", "required", "of", "measured, with 95 % interval"], rows, 0)


def _numbers(rows: Sequence[OverviewRow]) -> str:
    lines = [
        [f"**{as_markdown(text)}**" if row.is_headline and text else as_markdown(text) for text in row.texts]
        for row in rows
    ]
    return markdown_table(list(HEADS), lines, 2)


def _notes(scores: Sequence[Score]) -> list[str]:
    """The flags of the numbers, and the protocols."""
    protocols = dict.fromkeys(f"{score.benchmark}: {score.protocol}" for score in scores)
    lines = [*flags_below(scores), *protocols]
    return ["<br>\n".join(f"<sub>{as_markdown(line)}</sub>" for line in lines)] if lines else []
