"""The first lines of a report: the number that leads, for each model and benchmark that was attacked."""

from __future__ import annotations

from collections.abc import Sequence

from robustbench_eff.scores.headline import ball_of, headlines, leading, subject_of
from robustbench_eff.scores.score import Score

from .formatting import interval, percent
from .score_rows import perturbation


def headline_lines(scores: Sequence[Score]) -> list[str]:
    """Return a sentence for each model and benchmark with its headline, its clean accuracy, and all flags of both.

    Args:
        scores: All scores of a report.
    """
    leads = headlines(scores)
    lines = []
    for score in leading(scores):
        subject = subject_of(score)
        clean = [
            other
            for other in scores
            if (other.metric, other.kind, subject_of(other)) == ("accuracy", "none", subject)
            and other.value is not None
        ]
        balls = {
            ball_of(other)
            for other, is_one in zip(scores, leads, strict=True)
            if is_one and subject_of(other) == subject
        }
        parts = [f"robust accuracy {_text(score)} ({perturbation(score)})"]
        parts += [f"clean {_text(other)}" for other in clean[:1]]
        sentence = f"{score.model} on {score.benchmark}: {', '.join(parts)}, n = {score.n}."
        if len(balls) > 1:
            sentence += f" {len(balls) - 1} more {'ball' if len(balls) == 2 else 'balls'} below."
        flags = dict.fromkeys(flag for other in (score, *clean[:1]) for flag in other.flags)
        lines.append(" ".join([sentence, *([f"Flags: {'; '.join(flags)}."] if flags else [])]))
    return lines


def _text(score: Score) -> str:
    return f"{percent(score.value)} % {interval(score, 1)}"
