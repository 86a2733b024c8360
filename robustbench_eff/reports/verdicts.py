"""Findings of the gradient-masking checks, as lines on the terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.console import Console

from robustbench_eff.scores.masking_checks import Verdict

from .prose import print_prose


def verdict_lines(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print the findings of the checks: one line per suspicion, and one sentence per model and benchmark for the rest.

    Of one model on several sets of images with the same protocol, each set has a sentence with its number.

    Models that were not attacked are left out, unless they answer at random.

    Args:
        verdicts: The verdicts.
        console: Where to print.
    """
    subjects: dict[str, list[Verdict]] = defaultdict(list)
    seen: Counter[tuple[str, str]] = Counter()
    for verdict in verdicts:
        subject = f"{verdict.model} · {verdict.benchmark} · {verdict.protocol}"
        seen[subject, verdict.check] += 1
        number = seen[subject, verdict.check]
        subjects[subject if number == 1 else f"{subject} · set {number} of images"].append(verdict)
    for subject, group in subjects.items():
        attacked = any(verdict.finding != "not run" for verdict in group if verdict.check != "random_outputs")
        suspect = [verdict for verdict in group if verdict.finding == "suspect"]
        if not attacked and not suspect:
            continue
        for verdict in suspect:
            remedy = f" {verdict.remedy}." if verdict.remedy else ""
            text = f"{subject}: gradient masking suspected ({verdict.check}): {verdict.evidence}.{remedy}"
            print_prose(text, console, "bold")
        findings: dict[str, list[str]] = defaultdict(list)
        for verdict in group:
            findings[verdict.finding].append(verdict.check)
        summary = "; ".join(f"{finding} {', '.join(checks)}" for finding, checks in findings.items())
        text = f"Checks for gradient masking, {subject}: {summary}."
        print_prose(text, console, "dim")
