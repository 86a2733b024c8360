"""Findings of the gradient-masking checks, as lines on the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console

from robustbench_eff.scores.masking_checks import Verdict


def verdict_lines(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print the findings of the checks: one line per suspicion, and one sentence per model and benchmark for the rest.

    Models that were not attacked are left out, unless they answer at random.

    Args:
        verdicts: The verdicts.
        console: Where to print.
    """
    subjects: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        subjects[f"{verdict.model} · {verdict.benchmark} · {verdict.protocol}"].append(verdict)
    for subject, group in subjects.items():
        attacked = any(verdict.finding != "not run" for verdict in group if verdict.check != "random_outputs")
        suspect = [verdict for verdict in group if verdict.finding == "suspect"]
        if not attacked and not suspect:
            continue
        for verdict in suspect:
            remedy = f" {verdict.remedy}." if verdict.remedy else ""
            text = f"{subject}: gradient masking suspected ({verdict.check}): {verdict.evidence}.{remedy}"
            console.print(text, style="bold", markup=False, highlight=False, soft_wrap=True)
        findings: dict[str, list[str]] = defaultdict(list)
        for verdict in group:
            findings[verdict.finding].append(verdict.check)
        summary = "; ".join(f"{finding} {', '.join(checks)}" for finding, checks in findings.items())
        text = f"Checks for gradient masking, {subject}: {summary}."
        console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)
