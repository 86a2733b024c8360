"""Findings of the gradient-masking checks, as lines on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from robustbench_eff.scores.masking_checks import Verdict


def verdict_lines(verdicts: Sequence[Verdict], console: Console) -> None:
    """What the checks for gradient masking say: suspicions one a line, the rest in a sentence.

    Nothing of models that nobody attacked, unless they answer at random.
    """
    for subject in dict.fromkeys((verdict.model, verdict.benchmark, verdict.protocol) for verdict in verdicts):
        mine = [verdict for verdict in verdicts if (verdict.model, verdict.benchmark, verdict.protocol) == subject]
        attacked = any(verdict.finding != "not run" for verdict in mine if verdict.check != "random_outputs")
        if not attacked and all(verdict.finding != "suspect" for verdict in mine):
            continue
        for verdict in mine:
            if verdict.finding == "suspect":
                text = f"{' · '.join(subject)}: gradient masking suspected ({verdict.check}): {verdict.evidence}."
                console.print(text, style="bold", markup=False, highlight=False, soft_wrap=True)
        words = [f"{finding} {', '.join(names)}" for finding, names in _by_finding(mine).items()]
        text = f"Checks for gradient masking, {' · '.join(subject)}: {'; '.join(words)}."
        console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)


def _by_finding(verdicts: Sequence[Verdict]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.finding, []).append(verdict.check)
    return found
